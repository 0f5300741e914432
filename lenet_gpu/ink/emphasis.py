"""Circles and underlines: drawn around and under digits, and no part of them.

They are told by their shape and by how others lie to them: a ring has a mark inside that does not touch it, a line is
flat and lies below a mark. A 0 has nothing inside, and a bar with no mark above it may be a minus or part of a 5.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.components import Pieces

NEAREST, FURTHEST = 0.62, 1.3
"""Distance of a ring's ink from its middle: 1 is the ellipse that fits into its box."""

AROUND = 0.8
"""Share of all directions in which a ring has ink: it may be open."""

DIRECTIONS = 72
"""Directions that are told apart."""

ROUND = 2.2
"""Longer side of a ring in shorter ones, at most."""

INSIDE = 0.35
"""Height of what stands in a ring, as a share of the ring's, at least: a zero may have a point inside."""

FLAT, BENT = 0.22, 0.2
"""Thickness of a line below a mark, and its rise, as shares of its length, at most."""

BELOW = 0.6
"""Gap between a mark and a line below it, as a share of the mark's height, at most."""

LONG = 0.6
"""Length of a line below, as a share of the width of the mark above it, at least."""

TALL = 0.4
"""Height of marks that may have a line below, as a share of the tallest's."""

MOST = 60
"""Marks, the largest, that are looked at: no page has more rings and lines."""


def lines_of_emphasis(pieces: Pieces) -> np.ndarray:
    """Find rings around writing and lines below it.

    Args:
        pieces: Of the ink.

    Returns:
        (h, w) bool.
    """
    return pieces.mask(_emphasis(pieces))


def _emphasis(pieces: Pieces) -> np.ndarray:
    """Tell which pieces are rings around others or lines below them, (n,) bool."""
    found = np.zeros(len(pieces), dtype=bool)
    if len(pieces) < 2:
        return found
    sizes = np.maximum(pieces.heights, pieces.widths)
    for k in np.argsort(-sizes)[:MOST]:
        found[k] = _is_ring(pieces, int(k))
    for k in np.argsort(-pieces.widths)[:MOST]:
        found[k] |= _is_line_below(pieces, int(k), found)
    return found


def _is_ring(pieces: Pieces, k: int) -> bool:
    """Tell whether a piece runs all around others and is nothing else."""
    top, left, bottom, right = (float(side) for side in pieces.boxes[k])
    height, width = bottom - top, right - left
    if max(height, width) > ROUND * min(height, width) or pieces.areas[k] > 0.5 * height * width:
        return False
    middles = (pieces.boxes[:, :2] + pieces.boxes[:, 2:]) / 2.0 - [(top + bottom) / 2.0, (left + right) / 2.0]
    within = np.hypot(middles[:, 0] / height, middles[:, 1] / width) < 0.25
    boxes = pieces.boxes
    within &= (boxes[:, 0] > top) & (boxes[:, 1] > left) & (boxes[:, 2] < bottom) & (boxes[:, 3] < right)
    if not (within & (pieces.heights >= INSIDE * height)).any():
        return False
    rows, columns = np.nonzero(pieces.crop(k))
    y, x = (rows + 0.5) / height * 2.0 - 1.0, (columns + 0.5) / width * 2.0 - 1.0
    away = np.hypot(y, x)
    near = (away >= NEAREST) & (away <= FURTHEST)
    directions = ((np.arctan2(y, x) / np.pi + 1.0) / 2.0 * DIRECTIONS).astype(int)
    reached = len(np.unique(directions[near]))
    return bool(near.mean() > 0.97 and reached >= AROUND * DIRECTIONS)


def _is_line_below(pieces: Pieces, k: int, rings: np.ndarray) -> bool:
    """Tell whether a piece is a flat line below a mark, nearer to that than to any mark below it."""
    top, left, bottom, right = pieces.boxes[k]
    height, width = bottom - top, right - left
    thickness = pieces.areas[k] / width
    if thickness > FLAT * width or height > thickness + 2 + BENT * width:
        return False
    boxes, heights = pieces.boxes, pieces.heights
    over = np.minimum(boxes[:, 3], right) - np.maximum(boxes[:, 1], left)  # how far they lie above each other
    tall = (heights >= TALL * heights.max()) & ~rings & (over >= 0.5 * pieces.widths)
    tall[k] = False
    if not tall.any():
        return False
    middle = (top + bottom) / 2.0
    above, below = tall & (boxes[:, 2] <= middle + 0.1 * heights), tall & (boxes[:, 0] >= middle)
    gaps = np.maximum(middle - boxes[:, 2], 0.0)
    above &= gaps <= BELOW * heights
    if not above.any():
        return False
    spread = boxes[above, 3].max() - boxes[above, 1].min()
    nearer = below & (boxes[:, 0] - middle < gaps[above].min())
    return bool(width >= LONG * spread and not nearer.any())
