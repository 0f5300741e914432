"""Checks of what callers hand to a network, in one place."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise InputError("images", found=f"dtype {array.dtype}", expected="uint8, or float with 0..1")
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise InputError(
            "images",
            found=f"values {array.min():g} to {array.max():g}",
            expected="float in 0 (background) to 1 (ink)",
            remedy="divide by 255, or pass uint8",
        )
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
    array = np.asarray(labels)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise InputError("labels", found=f"{array.dtype} {array.shape}", expected=f"integers of shape ({n},)")
    if n and not (array.min() >= 0 and array.max() < classes):
        raise InputError("labels", found=f"{array.min()} to {array.max()}", expected=f"0 to {classes - 1}")
    return array.astype(np.int64)
