"""``lenet-gpu predict`` with a network of other classes than the ten digits: answers by the classes' names."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_SHOWN = 5
"""Classes that are shown with their probabilities, the most probable first."""


def answer(options: argparse.Namespace, read_strokes: Callable[[Path], list[Any]]) -> int | None:
    """Read pictures and strokes with such a network.

    Args:
        options: Those of ``predict``.
        read_strokes: Reads a file of pen strokes.

    Returns:
        The exit status; None if the network reads the ten digits, so that there is nothing to do here.

    Raises:
        LenetError: The model or a file can't be read.
    """
    import numpy as np

    from lenet_gpu.nn.extras import TEMPERATURE
    from lenet_gpu.nn.losses import softmax
    from lenet_gpu.nn.network import Network
    from lenet_gpu.paper import CLASSES

    network = Network.load(options.model)
    if network.classes == CLASSES and not network.class_labels:
        return None
    fields = np.stack([_field(Path(name), read_strokes) for name in options.files])
    temperature = float(network.extras.get(TEMPERATURE, np.ones(1))[0])
    probabilities = softmax(np, network.outputs(fields) / np.float32(temperature))
    names = network.class_labels or tuple(range(network.classes))
    for path, field, p in zip(options.files, fields, probabilities, strict=True):
        order = np.argsort(-p, kind="stable")
        best = None if not field.any() else names[int(order[0])]
        if options.json:
            report = {"file": str(path), "label": best, "confidence": float(p[order[0]])}
            print(json.dumps({**report, "probabilities": {str(n): float(v) for n, v in zip(names, p, strict=True)}}))
        elif best is None:
            print(f"{path}: nothing to read (blank)")
        else:
            print(f"{path}: {best}  (confidence {100 * p[order[0]]:.1f} %)")
            print("  " + "  ".join(f"{names[int(k)]}: {100 * p[k]:.1f} %" for k in order[:MOST_SHOWN]))
    return 0


def _field(path: Path, read_strokes: Callable[[Path], list[Any]]) -> np.ndarray:
    """Bring a picture, or the strokes of one sign, into MNIST's form."""
    from lenet_gpu.ink.image_files import read_gray
    from lenet_gpu.ink.preprocess import check_strokes, image_to_mnist, strokes_to_mnist

    if path.suffix.lower() == ".json":
        return strokes_to_mnist(check_strokes(read_strokes(path)))
    return image_to_mnist(read_gray(path))
