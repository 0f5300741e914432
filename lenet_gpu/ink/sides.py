"""Frames, and strips of what lies beside the sheet, along the edges of a picture."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.absorption import GRAIN, MIN_CONTRAST
from lenet_gpu.ink.components import pieces_of
from lenet_gpu.ink.windows import greatest

STRAIGHT = 0.85
"""Share of a side along which a frame or a strip must reach equally deep."""

STRIP, FRAME = 0.45, 0.03
"""Greatest depth of a strip beside the sheet, and of a frame, as shares of the picture's."""

STEEPEST, SLANTED = 0.3, 0.6
"""Slope of a slanted strip's edge, at most; share of a side along which it is there, at least."""

DARKER = 0.85
"""Share of the paper's light that what lies beside the sheet returns, at most."""

CUT, COVERED = 0.1, 0.1
"""Share of the picture's edge that is dark where a grain of wood or cloth runs out of the picture, and share of its
area, at least. Writing reaches no edge in so many places."""

TEXTURED = 8
"""Places at the edge, at least."""


def without_sides(mask: np.ndarray) -> np.ndarray:
    """Remove frames and strips at the edges from a mask, (h, w) bool."""
    return mask & ~sides_of(mask)


def sides_of(mask: np.ndarray, most: float = STRIP) -> np.ndarray:
    """Find what lies along the edges of a picture, evenly deep for most of a side: a frame, or a strip of table.

    A strip's edge may be slanted.

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
        if len(sound) < 0.5 * len(depths) or not (sound > 0).mean() > SLANTED:
            continue
        if most > FRAME and (line := _slanted(depths, len(turned))) is not None and line.max() <= most * len(turned):
            kept |= turned & (np.arange(len(turned))[:, None] < line + 2)
            continue
        if not (sound > 0).mean() > STRAIGHT:
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


def _slanted(depths: np.ndarray, height: int) -> np.ndarray | None:
    """Fit a slanted line to the edge of a strip.

    Args:
        depths: (w,) how deep it is in each column.
        height: Of the picture.

    Returns:
        (w,) the depths by the line, 0 where it has left the picture; None if there is no such line, or a level one.
    """
    columns = np.flatnonzero((depths > 0) & (depths < height))
    third = len(columns) // 3
    first, last = columns[:third], columns[-third:]
    if not third:
        return None
    slope = (np.median(depths[last]) - np.median(depths[first])) / (np.median(last) - np.median(first))
    if abs(slope) > STEEPEST or abs(slope) * len(depths) < 4:
        return None
    offset = np.median(depths[columns] - slope * columns)
    line = np.maximum(offset + slope * np.arange(len(depths)), 0.0)
    even = np.abs(depths - line) <= 2 + 0.1 * line
    return line if even[depths < height].mean() > STRAIGHT else None


def textured_sides(ink: np.ndarray, level: float, paper: np.ndarray) -> np.ndarray:
    """Find what lies beside the sheet and has a grain: a desk, a cloth.

    Args:
        ink: (h, w) float32.
        level: From which a pixel is a mark's.
        paper: (h, w) uint8, the light that paper returns.

    Returns:
        (h, w) bool.
    """
    dark = paper < DARKER * np.median(paper)
    found = np.zeros_like(dark)
    marks = [np.rot90(ink, turn)[:2].max(axis=0) > level for turn in range(4)]  # along each edge
    cut = [turn for turn in range(4) if _is_cut(marks[turn], np.rot90(dark, turn)[0])]
    if not cut:
        return found
    pieces = pieces_of(dark)
    for k in np.argsort(-pieces.areas)[:4]:
        region = pieces.mask_of(int(k))
        is_cut = any(_is_cut(marks[turn], np.rot90(region, turn)[0]) for turn in cut)
        if is_cut and (ink[region] > level).mean() > COVERED:
            found |= greatest(region, 7)
    return found


def _is_cut(marks: np.ndarray, region: np.ndarray) -> bool:
    """Tell whether marks of a region run out of the picture in many places of an edge, (side,) bool each."""
    marks = marks & region
    starts = np.count_nonzero(marks[1:] & ~marks[:-1])
    return bool(starts >= TEXTURED and marks.sum() > CUT * region.sum())


def sides_at(absorbed: np.ndarray, level: float, noise: float) -> np.ndarray:
    """Find strips as dark as ink, and frames also if they are paler, (h, w) bool."""
    pale = max(0.25 * level, GRAIN * noise, MIN_CONTRAST / 255.0)
    return sides_of(absorbed > level) | sides_of(absorbed > pale, FRAME)
