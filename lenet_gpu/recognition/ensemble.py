"""Test-time augmentation and ensembling: several views of an image, several networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lenet_gpu.nn.losses import softmax

SHIFTS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
"""The nine views of an image: moved by at most a pixel along each axis. Whole pixels, so nothing is blurred."""


def views(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images once for each of `SHIFTS`; what leaves the field is lost, what enters it is background.

    Args:
        images: (n, 28, 28).

    Yields:
        (n, 28, 28) of the same dtype.
    """
    height, width = images.shape[1:]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    for y, x in SHIFTS:
        yield np.ascontiguousarray(padded[:, 1 - y : 1 - y + height, 1 - x : 1 - x + width])


def combined_outputs(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Combine outputs into one whose softmax is the mean of their probabilities.

    Args:
        outputs: Values of output layers before softmax, (n, 10) each.

    Returns:
        (n, 10), logarithms of probabilities. A single one comes back as it is.
    """
    if len(outputs) == 1:
        return outputs[0]
    mean = sum(softmax(np, each) for each in outputs) / len(outputs)
    return np.log(np.maximum(mean, np.finfo(mean.dtype).tiny))
