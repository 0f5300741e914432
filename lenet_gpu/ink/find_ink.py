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

from lenet_gpu.ink.absorption import (
    EVEN,
    GRAIN,
    MIN_CONTRAST,
    absorbed_share,
    darkest,
    is_clean,
    least_of_marks,
    noise_of,
    paper_light,
    pattern_level,
)
from lenet_gpu.ink.components import Pieces, pieces_of
from lenet_gpu.ink.emphasis import lines_of_emphasis
from lenet_gpu.ink.forms import lines_of_boxes
from lenet_gpu.ink.light import CLEAN, looked_at
from lenet_gpu.ink.marks import free_pieces, prominence
from lenet_gpu.ink.polarity import is_light_on_dark
from lenet_gpu.ink.rules import find_rules, without_rules
from lenet_gpu.ink.sides import FRAME, sides_at, sides_of, textured_sides
from lenet_gpu.ink.windows import greatest, pooled

WORKING = 1_200_000
"""Pixels above which a picture is reduced before anything is looked for: a phone's photograph to a quarter each
way."""

FRAMED = 0.85
"""Share of the paper's light that a frame returns, at most."""

MIN_FAINT = 4
"""Grey levels from which what is too faint to be read is there at all."""

NOISE = 0.12
"""Share of the ink's darkness that still counts as paper where the paper is not perfectly even."""

CERTAIN = 0.65
"""Share of the ink's darkness that some of each stroke has, and nothing of a pattern that is printed on the paper."""

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
    clean = is_clean(picture)
    light_on_dark = is_light_on_dark(picture)
    if light_on_dark:
        picture = np.uint8(255) - picture
    window, depth, free, slopes = CLEAN if clean else looked_at(picture)
    paper = paper_light(picture, window)
    absorbed = absorbed_share(picture, paper)
    noise = noise_of(absorbed) if free else 0.0
    no_rules = np.zeros(picture.shape, dtype=np.float32)
    rules = find_rules(absorbed, noise, slopes)
    ink = without_rules(absorbed, rules, noise)
    looked = free and not clean  # around clean paper there is nothing
    most = darkest(ink) if looked else 0.0
    sides = sides_at(ink, max(depth * most, GRAIN * noise), noise) if looked else no_rules > 0.0
    if looked:  # a frame may count as darker paper, which goes on beyond the edge
        sides |= sides_of(paper < FRAMED * np.median(paper), FRAME)
        sides |= textured_sides(ink, max(SOLID * most, GRAIN * noise), paper)
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
    if looked or clean:
        for lines_of in (lines_of_boxes, lines_of_emphasis):
            lines = lines_of(pieces)
            if lines.any():
                rules = np.where(lines, np.maximum(rules, ink), rules)
                pieces = pieces_of(pieces.whole_mask() & ~lines)
                ink = np.where(greatest(lines, 5) & ~pieces.whole_mask(), np.float32(0.0), ink)
    if floor > 0.0 and pattern_level(ink) > 0.0:
        pieces = pieces_of(pieces.mask(pieces.sums((ink > CERTAIN * darkness).astype(np.float32)) > 0.0))
        ink = np.where(greatest(pieces.whole_mask(), 5), ink, np.float32(0.0))
    if floor > 0.0:
        ink = np.where(greatest(ink > solid, 5) & (ink > 0.4 * floor), ink, np.float32(0.0))
    ink = np.minimum(ink / np.float32(_top(ink, darkness) if floor else ink.max()), np.float32(1.0))
    return Ink(ink, pieces, scale, free, paper, rules > 0.0, sides, light_on_dark, contrast, False)


def nothing(found: Ink) -> str:
    """Say what a picture without a digit has instead: "blank", "only a frame", "only lines" or "too faint"."""
    if found.contrast == 0.0:
        if found.sides.any():
            return "only a frame"
        if found.rules.any():
            return "only lines"
        return "too faint" if found.faint else "blank"
    return "only a frame" if len(found.pieces) else "too faint"


def _levels(
    ink: np.ndarray, rules: np.ndarray, sides: np.ndarray, noise: float, depth: float, free: bool
) -> tuple[float, float]:
    """Measure the darkness of ink, and the level below which all is paper.

    Returns:
        The darkness of the ink's darker part; and the floor: 0 on perfectly even paper.
    """
    level = least_of_marks(ink, depth, noise)
    pieces = pieces_of(ink > level)
    if not len(pieces):
        return 0.0, 0.0
    if not free:
        return float(ink.max()), 0.0
    main = pieces.mask_of(int(np.argmax(prominence(pieces, ink) * free_pieces(pieces, sides))))
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
