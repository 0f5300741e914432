"""Whatever holds a picture to 8-bit greyscale: a path, a Pillow image, an array."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from lenet_gpu.array_checks import check_gray_values
from lenet_gpu.errors import InputError
from lenet_gpu.ink.colors import LOOKED_AT, offset_of, weights_of
from lenet_gpu.ink.grayscale import flatten, to_gray
from lenet_gpu.ink.preprocess import MAX_PIXELS
from lenet_gpu.ink.windows import pooled

EXPECTED = "a path, a Pillow image, or an array: greyscale, RGB or RGBA"

RED, GREEN, BLUE = 19595, 38470, 7471
"""Luma's weights in 65,536ths (ITU-R BT.601), as Pillow has them."""

ROWS = 256
"""Rows converted at a time, which bounds the memory."""


def gray_of(picture: Any) -> np.ndarray:
    """Bring a picture to 8-bit greyscale.

    Args:
        picture: A path; a Pillow image of any mode, turned upright by its EXIF orientation; or an array, uint8 or
            float in 0..1: (h, w) or (h, w, 1) greyscale, (h, w, 2) with transparency, (h, w, 3) RGB, (h, w, 4) RGBA.

    Returns:
        (h, w) uint8.

    Raises:
        InputError: Something else, no pixels, or too many.
    """
    if isinstance(picture, (str, os.PathLike)):
        from lenet_gpu.ink.image_files import read_gray

        return read_gray(picture)
    images = sys.modules.get("PIL.Image")  # who hands in a Pillow image has imported it
    if images is not None and isinstance(picture, images.Image):
        _check_size(picture.size[::-1])
        return to_gray(picture)
    array = np.asarray(picture)
    if array.dtype == object or array.dtype.kind in "USmM":
        raise InputError("image", found=type(picture).__name__, expected=EXPECTED)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or not array.size or (array.ndim == 3 and array.shape[2] not in (2, 3, 4)):
        raise InputError("image", found=f"shape {array.shape}", expected=EXPECTED)
    _check_size(array.shape[:2])
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    check_gray_values(array, "image")
    if array.dtype != np.uint8:
        array = np.rint(array.astype(np.float32) * 255.0).astype(np.uint8)
    if array.ndim == 2:
        return np.ascontiguousarray(array)
    if array.shape[2] == 3:
        return _gray(array)
    gray = array[:, :, 0] if array.shape[2] == 2 else _luma(array)
    return flatten(np.ascontiguousarray(gray), array[:, :, -1])


def _gray(array: np.ndarray) -> np.ndarray:
    """Compute what tells ink from paper: the brightness of colours as a rule, (h, w) uint8."""
    factor = -(-max(array.shape) // LOOKED_AT)
    weights = weights_of(np.stack([pooled(array[:, :, k], factor) for k in range(3)], axis=2))
    if weights is None:
        return _luma(array)
    gray = np.empty(array.shape[:2], dtype=np.uint8)
    for start in range(0, len(array), ROWS):
        some = array[start : start + ROWS].astype(np.float32) @ weights.astype(np.float32)
        gray[start : start + ROWS] = np.clip(np.rint(some + np.float32(offset_of(weights))), 0, 255)
    return gray


def _luma(array: np.ndarray) -> np.ndarray:
    """Compute the brightness of colours, (h, w) uint8."""
    gray = np.empty(array.shape[:2], dtype=np.uint8)
    for start in range(0, len(array), ROWS):
        red, green, blue = (array[start : start + ROWS, :, k].astype(np.uint32) for k in range(3))
        gray[start : start + ROWS] = (RED * red + GREEN * green + BLUE * blue + 0x8000) >> 16
    return gray


def _check_size(shape: tuple[int, ...]) -> None:
    if not shape[0] * shape[1]:
        raise InputError("image", found="no pixels", expected=EXPECTED)
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(
            "image",
            found=f"{shape[0] * shape[1]:,} pixels",
            expected=f"at most {MAX_PIXELS:,}",
            remedy="shrink it, or cut out the digits",
        )
