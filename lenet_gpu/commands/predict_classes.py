"""``lenet-gpu predict`` with a network of other classes than the ten digits: answers by the classes' names."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lenet_gpu.errors import InputError, LenetError

if TYPE_CHECKING:
    import numpy as np

MOST_SHOWN = 5
"""Classes that are shown with their probabilities, the most probable first."""


def report_error(name: str, error: LenetError, *, as_json: bool) -> None:
    """Say that one of several files has no answer, on standard error; with JSON in the answers' place as well."""
    if as_json:
        print(json.dumps({"file": name, "error": str(error)}), flush=True)
    print(f"lenet-gpu: error: {error}", file=sys.stderr, flush=True)


def answer(
    options: argparse.Namespace,
    list_files: Callable[[Sequence[str]], list[str]],
    read_field: Callable[[str], np.ndarray],
) -> int | None:
    """Read pictures and strokes with such a network; a file that can't be read takes no other's answer along.

    Args:
        options: Those of ``predict``.
        list_files: Lists the files that names on the command line stand for.
        read_field: Reads a picture or the strokes of one sign into MNIST's form.

    Returns:
        The exit status; None if the network reads the ten digits, so that there is nothing to do here.

    Raises:
        LenetError: The model can't be read, or `--show`.
    """
    import numpy as np

    from lenet_gpu.nn.extras import TEMPERATURE
    from lenet_gpu.nn.losses import softmax
    from lenet_gpu.nn.network import Network
    from lenet_gpu.paper import CLASSES

    network = Network.load(options.model)
    if network.classes == CLASSES and not network.class_labels:
        return None
    if options.show is not None:
        raise InputError(
            "--show", found=f"a network of {network.classes} classes", expected="the ten digits, which are boxed",
            remedy="leave it out",
        )  # fmt: skip
    temperature = np.float32(network.extras.get(TEMPERATURE, np.ones(1))[0])
    names = network.class_labels or tuple(range(network.classes))
    failed = False
    for path in list_files(options.files):
        try:
            field = read_field(path)
        except LenetError as error:
            failed = True
            report_error(path, error, as_json=options.json)
            continue
        p = softmax(np, network.outputs(field[None]) / temperature)[0]
        order = np.argsort(-p, kind="stable")
        best = None if not field.any() else names[int(order[0])]
        if options.json:
            report = {"file": path, "label": best, "confidence": float(p[order[0]])}
            print(json.dumps({**report, "probabilities": {str(n): float(v) for n, v in zip(names, p, strict=True)}}))
        elif best is None:
            print(f"{path}: nothing to read (blank)")
        else:
            print(f"{path}: {best}  (confidence {100 * p[order[0]]:.1f} %)")
            print("  " + "  ".join(f"{names[int(k)]}: {100 * p[k]:.1f} %" for k in order[:MOST_SHOWN]))
    return InputError.exit_status if failed else 0
