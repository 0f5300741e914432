"""Checks of what callers hand to a network, in one place."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenet_gpu import array_checks
from lenet_gpu.errors import InputError
from lenet_gpu.paper import CLASSES, IMAGE_SIZE

LEAST_CONTRAST = 0.5
"""Least difference between the input values of background and ink; the paper's is 1.275."""

MOST_INPUT = 100.0
"""Greatest magnitude of an input value."""


def check_input_range(background: Any, ink: Any) -> tuple[float, float]:
    """Check the values that an empty and a full pixel have in the input layer.

    Args:
        background: Input value of an empty pixel.
        ink: Input value of a full pixel.

    Returns:
        The two.

    Raises:
        InputError: No numbers, not finite, or so near to each other that every picture looks blank.
    """
    for name, value in (("background", background), ("ink", ink)):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not abs(value) <= MOST_INPUT:  # NaN fails the comparison
            raise InputError(name, found=repr(value), expected=f"a number from {-MOST_INPUT:g} to {MOST_INPUT:g}")
    if abs(ink - background) < LEAST_CONTRAST:
        raise InputError(
            "background and ink", found=f"{background:g} and {ink:g}", expected=f"at least {LEAST_CONTRAST} apart"
        )
    return float(background), float(ink)


def check_images(images: Any) -> np.ndarray:
    """Bring images into one form.

    Args:
        images: (n, 28, 28) or (28, 28), uint8, or float with values in 0..1.

    Returns:
        (n, 28, 28), uint8 or the float dtype given.

    Raises:
        InputError: Another shape, dtype or range.
    """
    array = np.asarray(images)
    if array.ndim == 2:
        array = array[None]  # (1, h, w)
    if array.ndim != 3 or array.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise InputError(
            "images",
            found=f"shape {np.shape(images)}",
            expected=f"(n, {IMAGE_SIZE}, {IMAGE_SIZE})",
            remedy="use Recognizer.predict_image for pictures of other sizes",
        )
    array_checks.check_gray_values(array, "images")
    return array


def check_labels(labels: Any, n: int, classes: int = CLASSES) -> np.ndarray:
    """Bring labels into one form.

    Args:
        labels: n integers from 0 to below `classes`.
        n: Expected number.
        classes: Number of classes.

    Returns:
        (n,) int64.

    Raises:
        InputError: Another shape, dtype or range.
    """
    return array_checks.check_labels(labels, n, classes).astype(np.int64)
