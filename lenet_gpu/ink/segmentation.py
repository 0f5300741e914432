"""Split pen strokes into the digits of a number.

Each line's strokes are ordered from left to right. A digit is a run of at most `cuts.MOST_STROKES` of them; every run
that its geometry allows is drawn and read by the network, many in one call, and `cuts.best_cuts` picks the best way
to cut the row into runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.crossings import crossing_depths
from lenet_gpu.ink.cuts import MOST_STROKES, REACH, best_cuts, may_be_one
from lenet_gpu.ink.signs import sign_at
from lenet_gpu.ink.stroke_lines import lines_of_strokes
from lenet_gpu.ink.stroke_row import FEATURES, Row, lay_out, measure

CANDIDATES_AT_ONCE = 256
"""Runs of strokes that are read in one call, which bounds the memory."""

# The log-odds that two strokes belong to one digit, a quadratic form in (1, features): fitted by logistic regression
# to the strokes of pendigits' training digits, composed to numbers with gaps from none to 0.7 of their height.
TOGETHER = np.array(
    [
        [1.73, -1.69, 2.60, -1.02, 0.85, 0.68, 2.43, -1.04, -0.45],
        [0.00, 0.52, -1.14, 0.02, -0.28, -1.49, -0.05, -2.10, -0.39],
        [0.00, 0.00, 3.93, -0.57, 0.68, 2.07, -0.66, 3.42, 0.44],
        [0.00, 0.00, 0.00, -0.07, -0.47, -1.26, 0.01, -1.58, -0.53],
        [0.00, 0.00, 0.00, 0.00, -1.03, -0.30, -0.05, -0.57, -1.56],
        [0.00, 0.00, 0.00, 0.00, 0.00, -0.40, 1.19, -0.63, -1.01],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 1.57, 0.38, -0.48],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, -1.73, -0.48],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, -2.40],
    ]
)

SIGN_READING = -1.0
"""Log-probability that a sign counts with."""

TOUCHING = 0.05
"""Depth, as a share of the row's height, to which digits side by side may cross."""

CROSSED = 100.0
"""Log-odds of two strokes belonging together that cross more deeply, a row's height of depth: never parted."""

APART = 0.12
"""Distance of a comma from all else, as a share of the row's height, from which it is no part of a digit."""

FLAT = 0.35
STRAIGHT = 1.25
"""A bar is at most FLAT times as high as wide, and its way at most STRAIGHT times its length."""

SPECK = 0.1
"""A stroke smaller than this share of the row's height both ways is a speck."""


class Group(NamedTuple):
    """Strokes that make up one digit, or something between digits.

    Attributes:
        strokes: Their indices in the list given, in ascending order.
        box: Left, top, right, bottom, in the strokes' unit.
        reason: Why this is no digit whatever the network says ("bars", "speck"); empty if it may be one.
        candidate: Index of its picture among those that were read.
        sign: "-", "." or ","; empty otherwise.
        line: Number of its line, from the top.
    """

    strokes: tuple[int, ...]
    box: tuple[float, float, float, float]
    reason: str
    candidate: int
    sign: str
    line: int


def split(strokes: Sequence[np.ndarray], read: Callable[[list[list[np.ndarray]]], np.ndarray]) -> list[Group]:
    """Split the strokes of a number into its digits.

    Args:
        strokes: The strokes, each (n, 2) float64, x right, y down; at least one.
        read: Called with some lists of strokes at a time: gives the log-probability of the best digit of each, (c,).

    Returns:
        The groups line by line from left to right; each stroke is in one of them.
    """
    groups: list[Group] = []
    candidates = 0
    for number, line in enumerate(lines_of_strokes(strokes)):
        found, count = _split_line(strokes, line, read)
        groups += [group._replace(candidate=candidates + group.candidate, line=number) for group in found]
        candidates += count
    return groups


def _split_line(
    strokes: Sequence[np.ndarray], line: list[int], read: Callable[[list[list[np.ndarray]]], np.ndarray]
) -> tuple[list[Group], int]:
    """Split one line's strokes, given by their indices: the groups, and how many candidates were read."""
    row = lay_out([strokes[k] for k in line])
    order = [line[k] for k in row.order]
    bars = np.array([is_bar(strokes[k]) for k in order])
    specks = (row.boxes[:, 2:] - row.boxes[:, :2]).max(axis=1) < SPECK
    links = link(row, bars)
    signs = [sign_at(box, row.boxes, 1.0) for box in row.boxes]
    dots = np.array([_is_dot(row, k, sign) for k, sign in enumerate(signs)])
    count = len(order)
    runs = [
        (start, end)
        for start in range(count)
        for end in range(start + 1, min(start + MOST_STROKES, count) + 1)
        if end == start + 1 or (not dots[start:end].any() and may_be_one(row.boxes, links, start, end))
    ]
    members = [sorted(order[start:end]) for start, end in runs]
    some = [members[at : at + CANDIDATES_AT_ONCE] for at in range(0, len(members), CANDIDATES_AT_ONCE)]
    readings = np.concatenate([read([[strokes[k] for k in group] for group in groups]) for groups in some])
    reasons = ["bars" if bars[start:end].all() else "speck" if specks[start:end].all() else "" for start, end in runs]
    alone = [signs[start] if end == start + 1 else "" for start, end in runs]
    judged = np.where([bool(sign) for sign in alone], SIGN_READING, readings)
    barred = [reason if not sign else "" for reason, sign in zip(reasons, alone, strict=True)]
    chosen = best_cuts(links, runs, judged, barred)
    return [_group(strokes, members[k], reasons[k], k, alone[k]) for k in chosen], len(runs)


def link(row: Row, bars: np.ndarray) -> np.ndarray:
    """Compute the log-odds of every two strokes belonging to one digit.

    Args:
        row: s strokes.
        bars: (s,) bool, which are straight and flat.

    Returns:
        (s, REACH), [a, k] for stroke a and stroke a + 1 + k.
    """
    measured = measure(row)
    with_one = np.concatenate([np.ones((*measured.shape[:2], 1)), measured], axis=2)
    odds = np.einsum("abi,ij,abj->ab", with_one, TOGETHER, with_one)
    # One bar over another is an equals sign or part of a seven, never two digits; the fit has not seen any.
    over = measured[:, :, FEATURES.index("overlap")] > 0.5
    neighbours = np.arange(len(bars))[:, None] + 1 + np.arange(REACH)  # (s, REACH)
    stacked = bars[:, None] & bars[np.minimum(neighbours, len(bars) - 1)] & over
    odds = np.where(stacked, np.maximum(odds, 6.0), odds)
    first, k = np.nonzero(neighbours < len(bars))
    depths = np.zeros(odds.shape)
    depths[first, k] = crossing_depths(row.samples, first, neighbours[first, k])
    return np.where(depths > TOUCHING, np.maximum(odds, CROSSED * (depths - TOUCHING)), odds)


def is_bar(stroke: np.ndarray) -> bool:
    """Tell whether a stroke, (n, 2), is a flat straight line: the dash of a minus, half of an equals sign."""
    width, height = np.ptp(stroke, axis=0)
    way = float(np.hypot(*np.diff(stroke, axis=0).T).sum())
    return bool(width > 0.0 and height <= FLAT * width and way <= STRAIGHT * np.hypot(width, height))


def _is_dot(row: Row, k: int, sign: str) -> bool:
    """Tell whether a stroke is no part of a digit: a point, or a comma that is apart from all else."""
    if sign != ",":  # and a dash may be a part of a digit
        return sign == "."
    others = np.delete(row.samples, k, axis=0).reshape(-1, 2)
    return bool(np.hypot(*(row.samples[k][:, None] - others).T).min() > APART)


def _group(strokes: Sequence[np.ndarray], members: list[int], reason: str, candidate: int, sign: str) -> Group:
    points = np.concatenate([strokes[k] for k in members])
    left, top, right, bottom = (float(v) for v in (*points.min(axis=0), *points.max(axis=0)))
    return Group(tuple(members), (left, top, right, bottom), reason, candidate, sign, 0)
