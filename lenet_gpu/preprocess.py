"""The one definition of the network's input: from any picture of a digit to 28x28 the MNIST way.

MNIST digits are light on dark, scaled to fit a 20x20 box with their aspect kept, and shifted so that their
centre of mass is the centre of the 28x28 field (LeCun et al. 1998, section III.A). A picture brought into
this form reads the same wherever in the picture the digit was, and whatever its size and polarity.
NumPy alone, so that a phone can run it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.paper import IMAGE_SIZE

BOX = 20
"""Longer side of the digit in output pixels (section III.A)."""

MIN_CONTRAST = 24
"""Grey levels (of 255) between background and ink, below which a picture counts as blank."""

NOISE = 0.12
"""Share of the contrast that still counts as background: paper grain, compression artefacts."""

EVEN = 0.6
"""Share of the frame of exactly the background's level, from which the ground counts as even."""

MAX_PIXELS = 100_000_000
"""Larger pictures are refused rather than let loose on the memory."""


def image_to_mnist(image: Any) -> np.ndarray:
    """Bring a greyscale picture of one digit into MNIST's form.

    Args:
        image: (h, w), uint8, or float in 0..1; dark on light or light on dark; any size, the digit anywhere.

    Returns:
        (28, 28) uint8, ink 255 on background 0; all 0 for a blank picture. A digit already in MNIST's form
        comes back unchanged up to its contrast.

    Raises:
        InputError: Not a greyscale picture.
    """
    ink = _ink(_check(image))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    digit = _resampling(digit.shape[0], height) @ digit @ _resampling(digit.shape[1], width).T
    # (height, width), the longer one BOX
    digit *= 255.0 / max(float(digit.max()), 1e-6)
    return _centred(np.rint(digit).astype(np.uint8))


def _check(image: Any) -> np.ndarray:
    array = np.asarray(image)
    if array.ndim != 2 or not array.size:
        raise InputError("image", found=f"shape {array.shape}", expected="greyscale (height, width)")
    if array.size > MAX_PIXELS:
        raise InputError("image", found=f"{array.size:,} pixels", expected=f"at most {MAX_PIXELS:,}")
    if array.dtype == np.uint8:
        return array.astype(np.float32)
    if array.dtype == bool:
        return array.astype(np.float32) * 255.0
    if array.dtype.kind != "f":
        raise InputError("image", found=f"dtype {array.dtype}", expected="uint8, or float with 0..1")
    if not (np.isfinite(array).all() and array.min() >= 0.0 and array.max() <= 1.0):
        raise InputError("image", found="values outside 0..1", expected="uint8, or float with 0..1")
    return array.astype(np.float32) * 255.0


def _ink(grey: np.ndarray) -> np.ndarray:
    """Share of ink in each pixel, 0..1: polarity found, background and noise removed.

    Args:
        grey: (h, w) float32, 0..255.

    Returns:
        (h, w) float32; all 0 when nothing stands out.
    """
    # The frame of a picture is background, save where a stroke crosses it: the median does not mind.
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = float(np.median(frame))
    darker, lighter = background - float(grey.min()), float(grey.max()) - background
    ink = background - grey if darker > lighter else grey - background
    contrast = max(darker, lighter)
    if contrast < MIN_CONTRAST:
        return np.zeros_like(grey)
    ink /= contrast
    # A drawing on perfectly even ground has no grain: its faintest edges are real.
    if (frame == background).mean() < EVEN:
        ink[ink < NOISE] = 0.0
    return np.maximum(ink, 0.0)


def _resampling(size: int, new_size: int) -> np.ndarray:
    """Matrix that resamples a line of pixels, bilinear and wide enough to average when it shrinks.

    Args:
        size: Pixels before.
        new_size: Pixels after.

    Returns:
        (new_size, size) float32; each row sums to 1. The identity when the sizes agree.
    """
    step = size / new_size
    centres = (np.arange(new_size) + 0.5) * step - 0.5
    reach = max(step, 1.0)
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(size) - centres[:, None]) / reach)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _centred(digit: np.ndarray) -> np.ndarray:
    """Paste a digit of at most 20x20 so that its centre of mass comes to the centre of the 28x28 field."""
    mass = digit.astype(np.float64)
    field = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    corner = []
    for axis, side in enumerate(digit.shape):
        centre = (mass.sum(axis=1 - axis) * np.arange(side)).sum() / mass.sum()
        # The centre of 28 pixels counted from 0 lies at 13.5; MNIST's own digits sit at 14 on average.
        corner.append(min(max(round(IMAGE_SIZE / 2 - centre), 0), IMAGE_SIZE - side))
    top, left = corner
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return field
