"""Separate ink from its paper: dark or light, under any light, with rules, frames and whatever lies beside the sheet.

The paper's light is what remains where everything dark and narrower than a window is filled (closing, see
`lenet_gpu.ink.windows`): edges of shadows, which are wider, stay where they are. The window is the smallest in which
the greatest mark comes out whole that stands free in the picture; so the light is followed as closely as the strokes'
width allows. Ink is the share of the light that it absorbs, which a shadow does not change: the same in light
and shade. A picture in which nothing stands free is one cropped to its ink, on even paper.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.components import Pieces, pieces_of
from lenet_gpu.ink.marks import FRAME, free_pieces, prominence, sides_of, without_sides
from lenet_gpu.ink.polarity import is_light_on_dark
from lenet_gpu.ink.rules import Slopes, find_rules, find_slopes, without_rules
from lenet_gpu.ink.windows import closed, greatest, pooled, smoothed

WORKING = 1_200_000
"""Pixels above which a picture is reduced before anything is looked for: a phone's photograph to a quarter each
way."""

LOOKED_AT = 240
"""Longer side of the picture in which the window is chosen."""

WINDOWS = (3, 5, 9, 17, 33, 65, 129, 0)
"""Windows tried there, in its pixels; 0 for even paper."""

SMOOTH, EVEN_LIGHT = 8, 9
"""Grey levels between neighbours in the small picture below which there is no stroke; the window for such light."""

RULES_FIT = 2
"""Index of the window in which rules are looked for: wider than any, narrower than most shadows."""

NO_RULES = Slopes(None, None)

DEPTHS = (0.5, 0.25, 0.12)
"""Darkness of marks tried, as shares of the darkest ink's: ink may be fainter than what lies beside the sheet."""

FRAMED = 0.85
"""Share of the paper's light that a frame returns, at most."""

MOST_OF_EDGE = 0.9
"""Share of an edge along which strokes reach it, at most."""

EVEN_GROUND, FAINTEST = 0.2, 0.01
"""Share of a clean crop that has no ink at all, and darkness of the faintest ink in it, at least."""

SHADE, LEAST_SHADE, LIGHTER = 0.12, 0.05, 0.75
"""Depth of a shadow, and its share of the picture, at least; and its depth as a share of the ink's, at most."""

CUT_MARGIN = (3, 0.1, 0.2)
"""Margin between the dark ink of a clean crop and its edges, at most: pixels, or shares of the longer and its own
side."""

EDGE = 0.07
"""Distance from an edge at which ink reaches it still, as a share of the side."""

WHOLE = 0.9
"""Share of the greatest mark's size from which a mark counts as whole."""

LEAST_SIZE = 0.06
"""Size of a mark, as a share of the picture's longer side, below which fainter marks are looked for."""

MORE = 0.003
"""Darkness, as a mean over all that is not the mark, by which a window may see more than a narrower one."""

MIN_CONTRAST = 12
"""Grey levels (of 255) between paper and ink, below which there is no ink."""

MIN_FAINT = 4
"""Grey levels from which what is too faint to be read is there at all."""

NOISE = 0.12
"""Share of the ink's darkness that still counts as paper where the paper is not perfectly even."""

EVEN = 0.6
"""Share of the paper at exactly its own level from which it is even, and the faintest edges of ink are real."""

MOST_BIAS = 0.02
"""Distance of even paper's middle level from its lightest, without grain, at most."""

GRAIN = 5.0
"""Standard deviations of the paper's grain that still count as paper."""

SOLID = 0.3
"""Share of the ink's darkness from which a pixel certainly belongs to a mark."""


class Ink(NamedTuple):
    """Ink and what it was taken from.

    Attributes:
        ink: (h, w) float32, share of the darkest ink in each pixel, 0..1; without rules, strips and frames.
        pieces: The connected pieces of what is certainly ink.
        scale: Pixels of the picture, along each side, for one of `ink`.
        free: Whether marks stand free; False for a picture that is cropped to its ink.
        paper: (h, w) uint8, the light that paper returns; inverted if `light_on_dark`.
        rules: (h, w) bool, what was taken for rules.
        sides: (h, w) bool, what was taken for a frame, or for a strip beside the sheet.
        light_on_dark: Whether the ink is lighter than the paper.
        contrast: Grey levels between paper and ink; 0 if there is none.
        faint: Whether there is something, but too little of it stands out to be read.
    """

    ink: np.ndarray
    pieces: Pieces
    scale: int
    free: bool
    paper: np.ndarray
    rules: np.ndarray
    sides: np.ndarray
    light_on_dark: bool
    contrast: float
    faint: bool


def find_ink(gray: np.ndarray) -> Ink:
    """Find the ink in a picture.

    Args:
        gray: (h, w) uint8.
    """
    scale = max(1, int(np.ceil(np.sqrt(gray.size / WORKING))))
    picture = pooled(gray, scale)
    clean = _is_clean(picture)
    if clean and picture[0, 0] in (picture.min(), picture.max()):  # no paper is clearer
        light_on_dark = bool(picture[0, 0] < picture.max())
    else:
        light_on_dark = is_light_on_dark(picture)
    if light_on_dark:
        picture = np.uint8(255) - picture
    window, depth, free, slopes = CLEAN if clean else _looked_at(picture)
    paper = _paper(picture, window)
    absorbed = _absorbed(picture, paper)
    noise = _noise(absorbed) if free else 0.0
    no_rules = np.zeros(picture.shape, dtype=np.float32)
    rules = find_rules(absorbed, noise, slopes)
    ink = without_rules(absorbed, rules, noise)
    looked = free and not clean  # around clean paper there is nothing
    sides = _sides(ink, max(depth * _darkest(ink), GRAIN * noise), noise) if looked else no_rules > 0.0
    if looked:  # a frame may count as darker paper, which goes on beyond the edge
        sides |= sides_of(paper < FRAMED * np.median(paper), FRAME)
    ink = np.where(sides, np.float32(0.0), ink)
    darkness, floor = _levels(ink, rules, sides, noise, depth, free)
    contrast = darkness * float(np.median(paper))
    if contrast < MIN_CONTRAST or darkness <= 0.0:
        nothing = np.zeros(picture.shape, dtype=bool)
        faint = float(ink.max()) * float(np.median(paper)) >= MIN_FAINT and float(ink.max()) > 2.0 * GRAIN * noise
        ink = no_rules
        return Ink(ink, pieces_of(nothing), scale, free, paper, rules > 0.0, sides, light_on_dark, 0.0, faint)
    solid = max(SOLID * darkness, floor)
    pieces = pieces_of(ink > solid)
    if floor > 0.0:
        ink = np.where(greatest(ink > solid, 5) & (ink > 0.4 * floor), ink, np.float32(0.0))
    ink = np.minimum(ink / np.float32(_top(ink, darkness) if floor else ink.max()), np.float32(1.0))
    return Ink(ink, pieces, scale, free, paper, rules > 0.0, sides, light_on_dark, contrast, False)


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


def nothing(found: Ink) -> str:
    """Say what a picture without a digit has instead: "blank", "only a frame", "only lines" or "too faint"."""
    if found.contrast == 0.0:
        if found.sides.any():
            return "only a frame"
        if found.rules.any():
            return "only lines"
        return "too faint" if found.faint else "blank"
    return "only a frame" if len(found.pieces) else "blank"


CLEAN = Look(0, DEPTHS[0], True, NO_RULES)


def _is_clean(picture: np.ndarray) -> bool:
    """Tell whether ink stands on perfectly even paper that surrounds it."""
    paper = picture[0, 0]
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return all((edge == paper).all() for edge in edges) and bool((picture == paper).mean() > EVEN)


def _looked_at(picture: np.ndarray) -> Look:
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
        absorbed = _absorbed(small, _paper(small, window))
        views.append((window, absorbed, _noise(absorbed)))
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
    if not _is_shaded(views[-1][1], views[max(len(views) - 2, 0)][1]) and _is_cropped(views[-1][1]):
        return Look(0, DEPTHS[0], False, NO_RULES)
    if best < 3:  # nothing stands free: either nothing is left without frames and rules, or all of it reaches an edge
        even = views[-1][1]
        left = bool(without_sides(even > max(DEPTHS[0] * _darkest(even), MIN_CONTRAST / 255.0)).any())
        return Look(0, DEPTHS[0], not left, NO_RULES if left else slopes)
    window = views[_widest([absorbed for _, absorbed, _ in views], marks)][0]
    return Look(2 * (window * factor // 2) + 1 if window else 0, depth, True, slopes)


def _is_shaded(even: np.ndarray, wide: np.ndarray) -> bool:
    """Tell whether there is a shadow: dark on even paper, and paper where the light is followed in wide windows.

    Args:
        even: (h, w) float32, what is absorbed on even paper.
        wide: The same in the widest window.
    """
    shade = (even > SHADE) & (even < LIGHTER * _darkest(even))  # thick strokes at the edges are darker
    return bool((shade & (wide < FAINTEST)).mean() > LEAST_SHADE)


def _is_cropped(absorbed: np.ndarray) -> bool:
    """Tell whether a picture is cut to its ink, which reaches three edges or four and none of them all along.

    No straight shadow does that.

    Args:
        absorbed: (h, w) float32, on even paper, without rules.
    """
    pieces = pieces_of(without_sides(absorbed > DEPTHS[0] * _darkest(absorbed)))
    mask = pieces.mask(np.maximum(pieces.heights, pieces.widths) >= 2.0 * LEAST_SIZE * max(absorbed.shape))
    down, across = (int(np.ceil(EDGE * side)) for side in mask.shape)  # edges of strokes are faint
    edges = (
        mask[:down].any(axis=0),
        mask[-down:].any(axis=0),
        mask[:, :across].any(axis=1),
        mask[:, -across:].any(axis=1),
    )
    shares = np.array([edge.mean() for edge in edges])
    return bool(((shares > 0.0) & (shares <= MOST_OF_EDGE)).sum() >= 3) or _is_close_cut(absorbed)


def _is_close_cut(absorbed: np.ndarray) -> bool:
    """Tell whether a picture on even paper ends about where its one mark does.

    Of its edges two at least are reached, if by faint ink alone.

    Args:
        absorbed: (h, w) float32, on even paper, without rules.
    """
    if (absorbed <= 0.0).mean() < EVEN_GROUND:
        return False
    pieces = pieces_of(absorbed > DEPTHS[0] * _darkest(absorbed))
    if not len(pieces):
        return False
    box = pieces.boxes[np.argmax(pieces.heights * pieces.widths)]
    for axis, side in enumerate(absorbed.shape):
        most = min(CUT_MARGIN[1] * max(absorbed.shape), CUT_MARGIN[2] * side)
        if max(box[axis], side - box[axis + 2]) > max(CUT_MARGIN[0], most):
            return False
    faint = absorbed > FAINTEST
    shares = np.array([edge.mean() for edge in (faint[0], faint[-1], faint[:, 0], faint[:, -1])])
    partly = (shares > 0.0) & (shares <= MOST_OF_EDGE)
    return bool(partly.sum() >= 3 or (partly.sum() == 2 and (shares <= MOST_OF_EDGE).all()))


class Mark(NamedTuple):
    """The greatest mark that stands free: its size, 0 if there is none; its box; its area in pixels."""

    size: float
    box: np.ndarray
    area: int

    def is_like(self, other: Mark) -> bool:
        """Tell whether this is all of another mark, and no more."""
        apart = np.abs(self.box - other.box).max()
        return bool(apart <= 2 + (1.0 - WHOLE) * other.size and self.area >= WHOLE**2 * other.area)


def _greatest_mark(absorbed: np.ndarray, depth: float, noise: float) -> Mark:
    """Find the greatest mark that stands free."""
    level = max(depth * _darkest(absorbed), GRAIN * noise, MIN_CONTRAST / 255.0)
    sides = _sides(absorbed, level, noise)
    pieces = pieces_of((absorbed > level) & ~sides)
    free = free_pieces(pieces, sides)
    if not free.any():
        return Mark(0.0, np.zeros(4, dtype=np.int64), 0)
    k = int(np.argmax(prominence(pieces, absorbed) * free))
    return Mark(float(max(pieces.heights[k], pieces.widths[k])), pieces.boxes[k], int(pieces.areas[k]))


def _sides(absorbed: np.ndarray, level: float, noise: float) -> np.ndarray:
    """Find strips as dark as ink, and frames also if they are paler, (h, w) bool."""
    pale = max(0.25 * level, GRAIN * noise, MIN_CONTRAST / 255.0)
    return sides_of(absorbed > level) | sides_of(absorbed > pale, FRAME)


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


def _paper(picture: np.ndarray, window: int) -> np.ndarray:
    """Estimate the light that paper returns, (h, w) uint8, at least 1."""
    # Smoothing takes grain down and softens the edges of shadows, so it is left where there is no grain.
    smooth = smoothed(picture) if min(picture.shape) > 40 and _has_grain(picture) else picture
    if window == 0:
        level = smooth.max()
        return np.full(picture.shape, max(int(level), 1), dtype=np.uint8)
    return np.maximum(closed(smooth, window), np.uint8(1))


def _has_grain(picture: np.ndarray) -> bool:
    """Tell whether most neighbours differ, (h, w) uint8."""
    return bool((picture[:, 1:] != picture[:, :-1]).mean() > 0.5)


def _absorbed(picture: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Compute the share of the light that is absorbed, (h, w) float32; 0 for the paper's own middle level."""
    absorbed = np.float32(1.0) - picture.astype(np.float32) / paper
    # The greatest value in a window lies above the middle of grain by some standard deviations.
    low = absorbed[absorbed < 0.5 * _darkest(absorbed)]
    bias = np.float32(np.median(low)) if low.size else np.float32(0.0)
    if bias > MOST_BIAS and paper[0, 0] == paper.max() == paper.min():  # on even paper it may be a shadow's level
        steps = np.median(np.abs(np.diff(picture.astype(np.int16), axis=1))) if picture.shape[1] > 1 else 0.0
        bias = np.minimum(bias, np.float32(MOST_BIAS + GRAIN * float(steps) / paper[0, 0]))
    if bias > 0.0:
        absorbed -= bias
    return np.maximum(absorbed, np.float32(0.0)) if low.size else absorbed


def _noise(absorbed: np.ndarray) -> float:
    """Estimate the standard deviation of grain: of the paper's own values, or of neighbours' differences if less."""
    paper = absorbed[absorbed > 0.0]
    if paper.size < absorbed.size * 0.25:  # most of it lies at exactly the paper's level: there is no grain
        return 0.0
    if absorbed.shape[1] < 2:
        return 0.0
    across = np.abs(np.diff(absorbed, axis=1))
    return 1.4826 * min(float(np.median(paper)), float(np.median(across)))


def _darkest(absorbed: np.ndarray) -> float:
    """Return the darkness that all but 2 pixels of a thousand stay below."""
    if absorbed.size < 2000:
        return float(absorbed.max())
    return float(np.partition(absorbed.ravel(), int(0.998 * absorbed.size))[int(0.998 * absorbed.size)])


def _levels(
    ink: np.ndarray, rules: np.ndarray, sides: np.ndarray, noise: float, depth: float, free: bool
) -> tuple[float, float]:
    """Measure the darkness of ink, and the level below which all is paper.

    Returns:
        The darkness of the ink's darker part; and the floor: 0 on perfectly even paper.
    """
    level = max(depth * _darkest(ink), GRAIN * noise, MIN_CONTRAST / 255.0)
    pieces = pieces_of(ink > level)
    if not len(pieces):
        return 0.0, 0.0
    if not free:
        return float(ink.max()), 0.0
    main = pieces.mask(np.arange(len(pieces)) == int(np.argmax(prominence(pieces, ink) * free_pieces(pieces, sides))))
    values = ink[main]
    darkness = float(np.quantile(values, 0.85))
    elsewhere = ink[~greatest(main, 5)]
    if not elsewhere.any() or (
        np.count_nonzero(elsewhere) < (1.0 - EVEN) * elsewhere.size and noise == 0.0 and not rules.any()
    ):
        return darkness, 0.0
    texture = float(np.quantile(elsewhere[:: max(1, elsewhere.size // 100_000)], 0.9)) if elsewhere.size else 0.0
    printed = float(np.quantile(rules[rules > 0.0], 0.9)) if rules.any() else 0.0  # some of it may be left
    return darkness, min(max(NOISE * darkness, GRAIN * noise, 1.5 * texture, 1.3 * printed), 0.6 * darkness)


def _top(ink: np.ndarray, darkness: float) -> float:
    """Return the darkness that counts as full ink."""
    greatest_ink = float(ink.max())
    return greatest_ink if greatest_ink <= 1.5 * darkness else darkness
