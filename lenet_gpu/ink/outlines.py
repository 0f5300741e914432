"""The mark that is set off from its ground all around: a stroke is, a corner between shadows is not.

Where something dark ends at a shadow's edge, at a strip of table or where the light fades, a part of its outline runs
through even brightness. Of a stroke's outline no part does.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.absorption import DEPTHS, absorbed_share, least_of_marks, noise_of, paper_light
from lenet_gpu.ink.components import Pieces, pieces_of
from lenet_gpu.ink.crops import is_cropped
from lenet_gpu.ink.light import LOOKED_AT
from lenet_gpu.ink.marks import free_pieces, prominence
from lenet_gpu.ink.sides import sides_at
from lenet_gpu.ink.windows import greatest, least, pooled

WINDOWS = (5, 9, 17, 33)
"""Windows, in pixels of the small picture, that marks fit into."""

MARKS = 3
"""Marks looked at in each: those that stand out most."""

AROUND = 3
"""Distance in pixels at which an outline's ground is looked at."""

GAP = 0.8
"""Share of what lies around a gap between strokes, as far as it is long, that is like it, at least."""

POWER = 4
"""Power of the share of the outline that is set off. Chosen, like the window's, by pictures in which shadows, strips
and frames meet, with MNIST's training digits and the first two thirds of pendigits."""


def greatest_outlined(picture: np.ndarray) -> float | None:
    """Measure the greatest dark mark that stands free and is set off all around.

    Args:
        picture: (h, w) uint8.

    Returns:
        Its size in pixels of a small picture, less for what is wide or not set off everywhere; 0 if there is none,
        None where the picture is cropped to its ink, whose strokes do not stand free.
    """
    small = pooled(picture, -(-max(picture.shape) // LOOKED_AT))
    if is_cropped(absorbed_share(small, paper_light(small, 0))):
        return None
    best = 0.0
    for window in (w for w in WINDOWS if w < min(small.shape)):
        absorbed = absorbed_share(small, paper_light(small, window))
        noise = noise_of(absorbed)
        level = least_of_marks(absorbed, DEPTHS[0], noise)
        sides = sides_at(absorbed, level, noise)
        pieces = pieces_of((absorbed > level) & ~sides)
        free = free_pieces(pieces, sides)
        for k in np.argsort(-prominence(pieces, absorbed))[:MARKS]:
            size = max(pieces.heights[k], pieces.widths[k]) / np.sqrt(window / WINDOWS[0])
            if free[k] and size > best:
                best = max(best, float(size * _set_off(small, pieces, int(k)) ** POWER))
    return best


def _set_off(small: np.ndarray, pieces: Pieces, k: int) -> float:
    """Compute the share of a mark's outline beside which it is lighter by half of what it is at most of it.

    0 where most of what lies around is as dark as the mark: it is a gap between strokes.
    """
    top, left, bottom, right = (int(side) for side in pieces.boxes[k])
    near = np.s_[max(top - AROUND, 0) : bottom + AROUND, max(left - AROUND, 0) : right + AROUND]
    mark = pieces.mask_of(k)[near]
    levels = small[near].astype(np.int16)
    rim = mark & ~least(mark, 3)
    ground = greatest(np.where(mark, np.int16(-1), levels), 2 * AROUND - 1)
    contrast = float(np.median(ground[rim])) - float(np.median(levels[mark]))
    if contrast <= 0.0 or _is_gap(small, pieces.boxes[k], float(np.median(levels[mark])) + 0.5 * contrast):
        return 0.0
    return float(((ground - levels)[rim] > 0.5 * contrast).mean())


def _is_gap(small: np.ndarray, box: np.ndarray, level: float) -> bool:
    """Tell whether most of what lies around a mark is as dark as the mark.

    Args:
        small: (h, w) uint8.
        box: (4,) the mark's.
        level: From which a pixel is lighter.
    """
    top, left, bottom, right = (int(side) for side in box)
    reach = max(bottom - top, right - left)
    around = small[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
    return float((around < level).mean()) > GAP
