"""Choose how closely the light is followed: the window in which the greatest free mark comes out whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.absorption import (
    DEPTHS,
    MIN_CONTRAST,
    absorbed_share,
    darkest,
    least_of_marks,
    noise_of,
    paper_light,
)
from lenet_gpu.ink.components import pieces_of
from lenet_gpu.ink.crops import LEAST_SIZE, is_cropped, is_shaded
from lenet_gpu.ink.marks import free_pieces, prominence
from lenet_gpu.ink.rules import Slopes, find_rules, find_slopes, without_rules
from lenet_gpu.ink.sides import sides_at, without_sides
from lenet_gpu.ink.windows import pooled

LOOKED_AT = 240
"""Longer side of the picture in which the window is chosen."""

WINDOWS = (3, 5, 9, 17, 33, 65, 129, 0)
"""Windows tried there, in its pixels; 0 for even paper."""

SMOOTH, EVEN_LIGHT = 8, 9
"""Grey levels between neighbours in the small picture below which there is no stroke; the window for such light."""

RULES_FIT = 2
"""Index of the window in which rules are looked for: wider than any, narrower than most shadows."""

NO_RULES = Slopes(None, None)

WHOLE = 0.9
"""Share of the greatest mark's size from which a mark counts as whole."""

AS_DARK = 0.7
"""Darkness of a whole mark, as a share of the greatest mark's: windows narrower than a stroke see its edges alone."""

MORE = 0.003
"""Darkness, as a mean over all that is not the mark, by which a window may see more than a narrower one."""


class Look(NamedTuple):
    """The look of a small picture.

    Attributes:
        window: For the paper's light, in pixels of the picture; 0 for even paper.
        depth: Share of the darkest ink from which a pixel is a mark's.
        free: Whether a mark stands free.
        slopes: How rules run.
    """

    window: int
    depth: float
    free: bool
    slopes: Slopes


CLEAN = Look(0, DEPTHS[0], True, NO_RULES)


def looked_at(picture: np.ndarray) -> Look:
    """Choose the window for the paper's light, in a small picture.

    Args:
        picture: (h, w) uint8, ink dark.
    """
    factor = -(-max(picture.shape) // LOOKED_AT)
    small = pooled(picture, factor)
    least = LEAST_SIZE * max(small.shape)
    steps = [np.abs(np.diff(small.astype(np.int16), axis=axis)).max(initial=0) for axis in (0, 1)]
    if max(steps) < SMOOTH:  # no edge of a stroke: the light alone changes
        return Look(2 * (EVEN_LIGHT * factor // 2) + 1, DEPTHS[0], True, NO_RULES)
    views = []
    for window in (w for w in WINDOWS if w < min(small.shape)):
        absorbed = absorbed_share(small, paper_light(small, window))
        views.append((window, absorbed, noise_of(absorbed)))
    _, narrow, noise = views[min(RULES_FIT, len(views) - 1)]
    slopes = find_slopes(narrow, noise)
    if slopes != NO_RULES:
        rules = find_rules(narrow, noise, slopes)
        views = [(window, without_rules(absorbed, rules, noise), noise) for window, absorbed, noise in views]
    best, depth = 0.0, DEPTHS[0]
    marks: list[Mark] = []
    for tried in DEPTHS:
        found = [_greatest_mark(absorbed, tried, noise) for _, absorbed, noise in views]
        size = max(mark.size for mark in found)
        if size > best:
            best, depth, marks = size, tried, found
        if best >= least:
            break
    if not is_shaded(views[-1][1], views[max(len(views) - 2, 0)][1]) and is_cropped(views[-1][1]):
        return Look(0, DEPTHS[0], False, NO_RULES)
    if best < 3:  # nothing stands free: either nothing is left without frames and rules, or all of it reaches an edge
        even = views[-1][1]
        left = bool(without_sides(even > max(DEPTHS[0] * darkest(even), MIN_CONTRAST / 255.0)).any())
        return Look(0, DEPTHS[0], not left, NO_RULES if left else slopes)
    window = views[_widest([absorbed for _, absorbed, _ in views], marks)][0]
    return Look(2 * (window * factor // 2) + 1 if window else 0, depth, True, slopes)


class Mark(NamedTuple):
    """The greatest mark that stands free: its size, 0 if there is none; its box; its area in pixels; its darkness."""

    size: float
    box: np.ndarray
    area: int
    darkness: float

    def is_like(self, other: Mark) -> bool:
        """Tell whether this is all of another mark, and no more."""
        apart = np.abs(self.box - other.box).max()
        whole = self.area >= WHOLE**2 * other.area and self.darkness >= AS_DARK * other.darkness
        return bool(apart <= 2 + (1.0 - WHOLE) * other.size and whole)


def _greatest_mark(absorbed: np.ndarray, depth: float, noise: float) -> Mark:
    """Find the greatest mark that stands free."""
    level = least_of_marks(absorbed, depth, noise)
    sides = sides_at(absorbed, level, noise)
    pieces = pieces_of((absorbed > level) & ~sides)
    free = free_pieces(pieces, sides)
    if not free.any():
        return Mark(0.0, np.zeros(4, dtype=np.int64), 0, 0.0)
    k = int(np.argmax(prominence(pieces, absorbed) * free))
    darkness = float(pieces.sums(absorbed)[k] / pieces.areas[k])
    return Mark(float(max(pieces.heights[k], pieces.widths[k])), pieces.boxes[k], int(pieces.areas[k]), darkness)


def _widest(views: list[np.ndarray], marks: list[Mark]) -> int:
    """Find the narrowest window that sees the greatest mark whole, then the widest that sees no more around it.

    On even paper that is the whole picture, and faint edges in narrow gaps keep their levels.
    """
    # The mark that most windows agree on: narrower ones see parts of it, wider ones may see a shadow's edge with it.
    agreed = [sum(a.is_like(b) and b.is_like(a) for b in marks) * np.sqrt(a.area) for a in marks]
    best = marks[int(np.argmax(agreed))]
    first = next(k for k, mark in enumerate(marks) if mark.is_like(best) and best.is_like(mark))
    whole = marks[first]
    box, margin = whole.box, 2 + int(0.25 * whole.size)
    around = np.ones(views[first].shape, dtype=bool)
    around[max(box[0] - margin, 0) : box[2] + margin, max(box[1] - margin, 0) : box[3] + margin] = False
    dark = [float(view[around].mean()) if around.any() else 0.0 for view in views]
    last = first
    for k in range(first + 1, len(views)):
        if not marks[k].is_like(whole) or dark[k] > dark[first] + MORE:
            break
        last = k
    return last
