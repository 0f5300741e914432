"""Frames, and strips of what lies beside the sheet, along the edges of a picture."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.absorption import GRAIN, MIN_CONTRAST

STRAIGHT = 0.85
"""Share of a side along which a frame or a strip must reach equally deep."""

STRIP, FRAME = 0.45, 0.03
"""Greatest depth of a strip beside the sheet, and of a frame, as shares of the picture's."""


def without_sides(mask: np.ndarray) -> np.ndarray:
    """Remove frames and strips at the edges from a mask, (h, w) bool."""
    return mask & ~sides_of(mask)


def sides_of(mask: np.ndarray, most: float = STRIP) -> np.ndarray:
    """Find what lies along the edges of a picture, equally deep for most of a side: a frame, or a strip of table.

    Args:
        mask: (h, w) bool, what is dark.
        most: Greatest depth, as a share of the picture's.

    Returns:
        (h, w) bool.
    """
    found = np.zeros_like(mask)
    for turn in range(4):
        turned, kept = np.rot90(mask, turn), np.rot90(found, turn)  # views: the side is on top
        depths = np.where(turned.all(axis=0), len(turned), (~turned).argmax(axis=0))  # (columns,) run from the edge
        sound = depths[depths < len(turned)]
        if len(sound) < 0.5 * len(depths) or not (sound > 0).mean() > STRAIGHT:
            continue
        depth = int(np.median(sound[sound > 0]))
        even = np.abs(sound - depth) <= 2 + 0.1 * depth
        if even.mean() > STRAIGHT and depth <= most * len(turned):
            reach = depth + 2 + int(0.1 * depth)
            kept[:reach] |= turned[:reach] & (
                np.arange(reach)[:, None] < np.maximum(np.minimum(depths, reach), depth)
            )
            kept[: depth + 1] |= turned[: depth + 1]
    return found


def sides_at(absorbed: np.ndarray, level: float, noise: float) -> np.ndarray:
    """Find strips as dark as ink, and frames also if they are paler, (h, w) bool."""
    pale = max(0.25 * level, GRAIN * noise, MIN_CONTRAST / 255.0)
    return sides_of(absorbed > level) | sides_of(absorbed > pale, FRAME)
