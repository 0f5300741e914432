"""MNIST's form: the digit within 20x20 pixels, its centre of mass in the middle of 28x28 (paper, section III.A)."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.line_width import with_usual_lines
from lenet_gpu.paper import IMAGE_SIZE

BOX = 20
"""Longer side of the digit in output pixels (section III.A)."""

FAINT = 0.05
"""Share of the contrast that does not count for the digit's extent: the ringing of what scaled the picture."""


def ink_to_mnist(ink: np.ndarray) -> np.ndarray:
    """Bring the ink of one digit into MNIST's form.

    Args:
        ink: (h, w) float32, share of ink in each pixel.

    Returns:
        (28, 28) uint8; all 0 if there is none.
    """
    rows, columns = _extent(ink)
    if not len(rows):
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    digit = with_usual_lines(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    rows, columns = _extent(digit)
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    digit = _resampling(digit.shape[0], height) @ digit @ _resampling(digit.shape[1], width).T
    # (height, width), the longer one BOX
    np.maximum(digit, 0.0, out=digit)  # cubic weights swing below zero beside an edge
    digit *= 255.0 / max(float(digit.max()), 1e-6)
    return _centered(np.rint(digit).astype(np.uint8))


def is_in_form(field: np.ndarray) -> bool:
    """Tell whether a picture is in MNIST's form already, bright ink on black.

    Args:
        field: (28, 28) uint8.
    """
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) + 1 != BOX:
        return False
    inside = field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = (int(corner(inside.sum(axis=1 - axis, dtype=np.float64))) for axis in (0, 1))
    return bool(top == rows[0] and left == columns[0])


def _extent(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows and the columns that have ink."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) and max(np.ptp(rows), np.ptp(columns)) + 1 == BOX:
        return rows, columns  # in MNIST's form already: not scaled, so there is no ringing
    return np.flatnonzero(ink.max(axis=1) > FAINT), np.flatnonzero(ink.max(axis=0) > FAINT)


def _resampling(size: int, new_size: int) -> np.ndarray:
    """Return the matrix that resamples a line of pixels: cubic, and wide enough to average when it shrinks.

    R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6), 1981.
    Straight lines between the pixels would blur small digits more than the network bears.

    Args:
        size: Pixels before.
        new_size: Pixels after.

    Returns:
        (new_size, size) float32; each row sums to 1. The identity when the sizes agree.
    """
    step = size / new_size
    centers = (np.arange(new_size) + 0.5) * step - 0.5
    d = np.abs(np.arange(size) - centers[:, None]) / max(step, 1.0)
    near, far = (1.5 * d - 2.5) * d * d + 1.0, ((2.5 - 0.5 * d) * d - 4.0) * d + 2.0
    weights = np.where(d < 1.0, near, np.where(d < 2.0, far, 0.0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _centered(digit: np.ndarray) -> np.ndarray:
    """Paste a digit of at most 20x20 so that its centre of mass comes to the centre of the 28x28 field."""
    field = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    top, left = (int(corner(digit.sum(axis=1 - axis, dtype=np.float64))) for axis in (0, 1))
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return field


def corner(profile: np.ndarray) -> np.ndarray:
    """Find where along an axis of the field a digit's first pixel goes.

    Args:
        profile: (..., side) mass of each row (column) of the digit.

    Returns:
        (...) int64, 0 to IMAGE_SIZE - side.
    """
    side = profile.shape[-1]
    center = profile @ np.arange(side) / profile.sum(axis=-1)
    # The center of 28 pixels counted from 0 lies at 13.5; MNIST's digits sit at 14 on average. A symmetric
    # digit's center lies exactly between two pixels: it must not depend on the last bit which of them it gets.
    corner = np.floor(IMAGE_SIZE / 2 - center + 0.5 - 1e-4)
    return np.clip(corner, 0, IMAGE_SIZE - side).astype(np.int64)
