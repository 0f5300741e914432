"""Tell signs between the digits of a line from digits, in pictures: as `signs` does, and by the shape of the ink.

An apostrophe stands where the digits' tops are; a colon is two points, one above the other. A slash looks like a 1
that leans; two of them are told by what is written: as many digits before, between and after as a date has.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import combinations, product

import numpy as np

from lenet_gpu.ink.find_ink import Ink
from lenet_gpu.ink.parts import Part, line_height
from lenet_gpu.ink.signs import TALL, sign_at

POINT = 0.28
"""Size of a colon's points, as a share of a digit's height, at most."""

HIGH = 0.3
"""Middle of an apostrophe below the digits' tops, as a share of their height, at most."""

LEANING, MORE = 0.15, 0.05
"""Columns a row by which a slash leans, at least; and by which it leans more than all tall marks do."""

STRAIGHT, EVEN = 0.1, 0.18
"""Distance of a slash's rows from a line, and difference of their widths, as shares of its height, at most."""

ALIKE = 0.15
"""Difference of the two slashes of a date in how much they lean, at most."""

SHORT = 0.04
"""Share of a digit's height by which a slash ends short of its neighbours, above and below, at most."""

DATE = frozenset((a, b, c) for a, b in product((1, 2), (1, 2)) for c in (2, 4)) | frozenset(
    (4, b, c) for b, c in product((1, 2), (1, 2))
)
"""Digits before, between and after the slashes of a date."""

MOST_OF_DATE = 10
"""Tall marks of a date, at most."""


def signs_of(found: Ink, parts: Sequence[Part], in_colons: Set[int]) -> list[str]:
    """Tell the signs of a line.

    Args:
        found: The ink.
        parts: Of one line, from left to right.
        in_colons: Those that are a colon's points, see `colons_of`.

    Returns:
        Of each part "-", ".", ",", "'" or "/"; empty for all else.
    """
    boxes = np.array([part.box for part in parts], dtype=np.float64)[:, [1, 0, 3, 2]]  # left, top, right, bottom
    height = line_height(parts)
    slashes = _slashes(found, parts, height)
    signs = []
    for k, part in enumerate(parts):
        sign = ""
        if part.whole and k not in in_colons:
            sign = sign_at(boxes[k], boxes, height) or ("'" if _is_apostrophe(boxes[k], boxes, height) else "")
            sign = sign or ("/" if part.piece in slashes else "")
        signs.append(sign)
    return signs


def colons_of(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Find the two points of each colon of a line.

    Args:
        parts: From left to right.

    Returns:
        Two parts that follow each other, for each colon.
    """
    boxes = np.array([part.box for part in parts], dtype=np.float64)  # top, left, bottom, right
    height = line_height(parts)
    sizes = boxes[:, 2:] - boxes[:, :2]
    dots = (sizes <= POINT * height).all(axis=1) & np.array([part.whole for part in parts])
    found: list[tuple[int, int]] = []
    for k in np.flatnonzero(dots[:-1] & dots[1:]).tolist():
        upper, lower = sorted((boxes[k], boxes[k + 1]), key=lambda box: float(box[0]))
        aside = abs(upper[1] + upper[3] - lower[1] - lower[3]) / 2.0
        gap = lower[0] - upper[2]
        others = np.delete(boxes, [k, k + 1], axis=0)
        tall = others[others[:, 2] - others[:, 0] >= TALL * height]
        between = (
            bool(len(tall)) and tall[:, 0].min() - POINT * height < upper[0] and lower[2] < tall[:, 2].max() + height
        )
        free = not ((tall[:, 1] < upper[3]) & (tall[:, 3] > upper[1])).any()
        if (
            aside < POINT * height
            and 0.05 * height < gap < 0.8 * height
            and between
            and free
            and (k - 1, k) not in found
        ):
            found.append((k, k + 1))
    return found


def _is_apostrophe(box: np.ndarray, boxes: np.ndarray, height: float) -> bool:
    """Tell whether a mark is small and stands beside a digit's top."""
    left, top, right, bottom = box
    tall = boxes[boxes[:, 3] - boxes[:, 1] >= TALL * height]
    if bottom - top >= 0.45 * height or right - left > 0.3 * height or not len(tall):
        return False
    near = tall[np.argmin(abs(tall[:, 0] + tall[:, 2] - left - right))]
    middle = ((top + bottom) / 2 - near[1]) / (near[3] - near[1])
    return bool(middle < HIGH and max(near[0], left) - min(near[2], right) > 0.0)


def _slashes(found: Ink, parts: Sequence[Part], height: float) -> set[int]:
    """Find the pieces of the two slashes of a date, where a line has the digits of one before, between and after."""
    pieces = found.pieces
    marks = dict.fromkeys(part.piece for part in parts)
    tall = [k for k in marks if pieces.heights[k] >= TALL * height]
    if not 6 <= len(tall) <= MOST_OF_DATE:
        return set()
    leans = [_lean(pieces.crop(k)) for k in tall]
    usual = float(np.median(leans))
    may_be = [
        at
        for at in range(1, len(tall) - 1)
        if leans[at] >= max(LEANING, usual + MORE)
        and _is_as_tall(pieces.boxes[tall[at - 1 : at + 2]], height)
        and is_straight(pieces.crop(tall[at]))
    ]
    pairs = [
        (a, b)
        for a, b in combinations(may_be, 2)
        if (a, b - a - 1, len(tall) - b - 1) in DATE and abs(leans[a] - leans[b]) <= ALIKE
    ]
    return {tall[at] for at in pairs[0]} if len(pairs) == 1 else set()


def _is_as_tall(boxes: np.ndarray, height: float) -> bool:
    """Tell whether a mark ends no lower and no higher than those beside it, (3, 4) top, left, bottom, right."""
    short = max(boxes[1, 0] - boxes[[0, 2], 0].min(), boxes[[0, 2], 2].max() - boxes[1, 2])
    return bool(short <= SHORT * height)


def is_straight(mask: np.ndarray) -> bool:
    """Tell whether a mark is one straight line from its top to its bottom.

    Args:
        mask: (height, width) bool.
    """
    widths = mask.sum(axis=1)
    ends = len(mask) // 8  # they are round
    if not widths.all() or np.ptp(widths[ends : len(mask) - ends]) > EVEN * len(mask):
        return False
    rows = np.arange(len(mask))
    middles = (mask * np.arange(mask.shape[1])).sum(axis=1) / widths
    slope, offset = np.polyfit(rows, middles, 1)
    return float(np.abs(middles - (slope * rows + offset)).max()) <= STRAIGHT * len(mask)


def _lean(mask: np.ndarray) -> float:
    """Measure how much ink leans to the right: columns a row, by its second moments."""
    rows, columns = np.nonzero(mask)
    spread = float(np.var(rows))
    return -float(np.mean((rows - rows.mean()) * (columns - columns.mean()))) / spread if spread > 0.0 else 0.0
