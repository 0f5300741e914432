"""Checks of what callers hand to a network, in one place."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenet_gpu import array_checks
from lenet_gpu.errors import InputError
from lenet_gpu.paper import CLASSES, IMAGE_SIZE


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
