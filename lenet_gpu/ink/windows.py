"""Whole pictures at once: averages of blocks, and the greatest and least values in windows.

The maximum over a window of n pixels comes from maxima over 1, 2, 4 ... pixels, each from two of the one before:
log2 n passes over the picture, whatever its content. Closing (the maximum, then the minimum of that) removes what is
dark and narrower than the window and leaves edges where they are (J. Serra, "Image Analysis and Mathematical
Morphology", 1982).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def pooled(picture: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of `factor` x `factor` pixels; those at the lower and right edges may be smaller.

    Args:
        picture: (h, w) uint8.
        factor: Side of a block.

    Returns:
        (ceil(h / factor), ceil(w / factor)) uint8.
    """
    if factor == 1:
        return picture
    height, width = picture.shape
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    sums = np.empty((len(rows), len(columns)), dtype=np.uint32)
    for k, top in enumerate(rows):  # a block's rows at a time, so that no copy of the picture is made
        line = picture[top : top + factor].sum(axis=0, dtype=np.uint32)  # (w,)
        sums[k] = np.add.reduceat(line, columns)
    counts = np.outer(np.diff(np.append(rows, height)), np.diff(np.append(columns, width)))
    return ((sums + counts // 2) // counts).astype(np.uint8)


def greatest(picture: np.ndarray, window: int) -> np.ndarray:
    """Compute the maximum over a square window around each pixel.

    Args:
        picture: (h, w) of any dtype that can be ordered, bool included.
        window: Its side, odd. Beyond the edges the picture goes on as it ends.

    Returns:
        (h, w) of the same dtype.
    """
    return _square(picture, window, np.logical_or if picture.dtype == bool else np.maximum)


def least(picture: np.ndarray, window: int) -> np.ndarray:
    """Compute the minimum over a square window around each pixel; see `greatest`."""
    return _square(picture, window, np.logical_and if picture.dtype == bool else np.minimum)


def closed(picture: np.ndarray, window: int) -> np.ndarray:
    """Fill what is darker than its surroundings and narrower than a window; see the module."""
    # What lies beyond the edges must be there for both: an edge of a shadow would end in a wedge otherwise.
    half = window // 2
    return least(greatest(np.pad(picture, half, mode="edge"), window), window)[
        half : half + picture.shape[0], half : half + picture.shape[1]
    ]


def smoothed(picture: np.ndarray) -> np.ndarray:
    """Average each pixel with its neighbours, weights 1 2 1 along both axes.

    Args:
        picture: (h, w) uint8.

    Returns:
        (h, w) uint8.
    """
    wide = np.pad(picture, 1, mode="edge").astype(np.uint16)
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]  # (h, w + 2)
    return ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] + 8) >> 4).astype(np.uint8)


def _square(picture: np.ndarray, window: int, combine: Callable[..., np.ndarray]) -> np.ndarray:
    rows = _along(picture, window, combine)
    return np.ascontiguousarray(_along(np.ascontiguousarray(rows.T), window, combine).T)


def _along(picture: np.ndarray, window: int, combine: Callable[..., np.ndarray]) -> np.ndarray:
    """Combine the values in a window along the first axis, centred."""
    if window <= 1:
        return picture
    half = window // 2
    values = np.pad(picture, ((half, half), (0, 0)), mode="edge")
    have = 1
    while 2 * have <= window:
        values = combine(values[:-have], values[have:])
        have *= 2
    if have < window:
        missing = window - have
        values = combine(values[:-missing], values[missing:])
    return values
