"""Split pen strokes into the digits of a number.

Each line's strokes are ordered from left to right. A digit is a run of at most MOST_STROKES of them; every run that
its geometry allows is drawn and read by the network, many in one call, and dynamic programming picks the best way to
cut the row into runs (Breuel, "Segmentation of handprinted letter strings using a dynamic programming algorithm",
2001; LeCun et al. 1998, section VII, do the same with a graph of cuts). The score of a way is a log-probability: of
each digit by the network, and of each two neighbouring strokes belonging together or apart by how they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.crossings import crossing_depths
from lenet_gpu.ink.signs import sign_at
from lenet_gpu.ink.stroke_lines import lines_of_strokes

MOST_STROKES = 4
"""Strokes of one digit."""

REACH = 2 * MOST_STROKES - 1
"""Greatest distance of two strokes in the order whose features matter: the first of a run, the last of the next."""

PAIRS_AT_ONCE = 1024
"""Pairs of strokes whose distances are computed at a time, which bounds the memory."""

CANDIDATES_AT_ONCE = 256
"""Runs of strokes that are read in one call, which bounds the memory."""

SAMPLES = 24
"""Points, evenly spaced along a stroke, by which its distance to others is measured."""

FEATURES = ("gap", "overlap", "distance", "lower height", "greater height", "flatness", "width", "rows")
"""Features of two strokes; lengths as shares of the row's height."""


class Row(NamedTuple):
    """Strokes from left to right, measured.

    Attributes:
        order: (s,) index of each in the list given.
        boxes: (s, 4) left, top, right, bottom, as shares of the row's height.
        samples: (s, SAMPLES, 2) points along each, likewise.
        heights: (s,) of the boxes.
    """

    order: np.ndarray
    boxes: np.ndarray
    samples: np.ndarray
    heights: np.ndarray


def lay_out(strokes: Sequence[np.ndarray]) -> Row:
    """Order and measure strokes.

    Args:
        strokes: The strokes, each (n, 2) float64, x right, y down; at least one.
    """
    boxes = np.array([[*stroke.min(axis=0), *stroke.max(axis=0)] for stroke in strokes])  # (s, 4)
    sizes = boxes[:, 2:] - boxes[:, :2]
    # Bars and dots say nothing about how tall digits are; of the others the middle one is no outlier.
    tall = sizes[:, 1] >= 0.6 * sizes[:, 1].max()
    height = max(float(np.median(sizes[tall, 1])), 0.55 * float(sizes[:, 0].max()))
    if height <= 1e-12 * np.abs(boxes).max():  # dots alone: less is what rounding leaves of their coordinates
        height = float(np.ptp(boxes, axis=0).max()) or 1.0
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    samples = np.stack([_resampled(strokes[k]) for k in order])
    origin = boxes[:, :2].min(axis=0)
    scaled = (boxes[order] - np.tile(origin, 2)) / height
    return Row(order, scaled, (samples - origin) / height, scaled[:, 3] - scaled[:, 1])


def measure(row: Row) -> np.ndarray:
    """Measure every two strokes that may belong to one digit, or to two digits side by side.

    Args:
        row: s strokes.

    Returns:
        (s, REACH, len(FEATURES)) float64; [a, k] for stroke a and stroke a + 1 + k, 0 where there is no such stroke.
    """
    count = len(row.order)
    a, k = (index.ravel() for index in np.indices((count, REACH)))
    there = a + 1 + k < count
    a, k = a[there], k[there]
    b = a + 1 + k
    left, right = row.boxes[a], row.boxes[b]  # (p, 4) each
    gap = np.maximum(left[:, 0], right[:, 0]) - np.minimum(left[:, 2], right[:, 2])  # below 0: they overlap
    widths = np.minimum(left[:, 2] - left[:, 0], right[:, 2] - right[:, 0])
    heights = np.minimum(row.heights[a], row.heights[b])
    rows = np.minimum(left[:, 3], right[:, 3]) - np.maximum(left[:, 1], right[:, 1])
    distance = np.empty(len(a))
    for start in range(0, len(a), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        apart = row.samples[a[some]][:, :, None, :] - row.samples[b[some]][:, None, :, :]
        # (p, SAMPLES, SAMPLES, 2)
        distance[some] = np.sqrt((apart**2).sum(axis=-1).min(axis=(1, 2)))
    spans = row.boxes[:, 2] - row.boxes[:, 0]
    flat = row.heights / (row.heights + spans + 1e-9)
    result = np.zeros((count, REACH, len(FEATURES)))
    result[a, k] = np.stack(
        [
            np.clip(gap, -0.5, 0.5),
            np.clip(-gap / (widths + 0.1), -1.0, 1.0),
            np.minimum(distance, 0.5),
            np.minimum(heights, 1.5),
            np.minimum(np.maximum(row.heights[a], row.heights[b]), 1.5),
            np.minimum(flat[a], flat[b]),
            np.minimum(np.maximum(left[:, 2], right[:, 2]) - np.minimum(left[:, 0], right[:, 0]), 2.0),
            np.clip(rows / (heights + 0.1), -1.0, 1.0),
        ],
        axis=1,
    )
    return result


def _resampled(stroke: np.ndarray) -> np.ndarray:
    """Resample a stroke at evenly spaced points, (SAMPLES, 2)."""
    along = np.append(0.0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)))
    at = np.linspace(0.0, along[-1], SAMPLES)
    return np.stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


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

READING_WEIGHT = 0.5
"""Weight of the network's log-probability beside the geometry's: it is surer than it is right."""

MIN_READING = -4.0
"""Lowest log-probability that a reading counts with."""

SIGN_READING = -1.0
"""Log-probability that a sign counts with."""

TOUCHING = 0.05
"""Depth, as a share of the row's height, to which digits side by side may cross."""

CROSSED = 100.0
"""Log-odds of two strokes belonging together that cross more deeply, a row's height of depth: never parted."""

DIGIT_PENALTY = 0.5
"""Penalty of each digit: of two ways that are as likely otherwise, the one with fewer digits is right."""

APART = 0.12
"""Distance of a comma from all else, as a share of the row's height, from which it is no part of a digit."""

MIN_LOG_ODDS = -7.0
"""Log-probability of the geometry below which a run of strokes is not even read."""

WIDEST = 2.0
"""Widest run that is read, as a share of the row's height."""

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


def best_cuts(
    links: np.ndarray, runs: Sequence[tuple[int, int]], readings: np.ndarray, reasons: Sequence[str]
) -> list[int]:
    """Cut a row of parts into runs, each a digit, in the most probable way.

    The parts are strokes, or pieces of a picture's ink.

    Args:
        links: (s, REACH), log-odds of part a and part a + 1 + k belonging to one digit.
        runs: First part of each run that may be a digit, and the part after its last; each single part is one.
        readings: (c,) log-probability of the best digit of each run.
        reasons: Why each is no digit whatever its reading; empty if it may be one.

    Returns:
        Indices of the runs chosen, from left to right; each part is in one of them.
    """
    readings = np.maximum(readings, MIN_READING)
    scores = [
        _inner(links, start, end) + READING_WEIGHT * (MIN_READING if reason else float(reading)) - DIGIT_PENALTY
        for (start, end), reason, reading in zip(runs, reasons, readings, strict=True)
    ]
    ending: dict[int, list[int]] = {}  # runs by where they end
    best, before = np.zeros(len(runs)), np.full(len(runs), -1)
    for k in sorted(range(len(runs)), key=lambda k: runs[k][1]):
        start, end = runs[k]
        if start:
            ways = [(best[j] + _log_sigmoid(-_strongest(links, runs[j][0], start, end)), j) for j in ending[start]]
            best[k], before[k] = max(ways)
        best[k] += scores[k]
        ending.setdefault(end, []).append(k)
    last = max(ending[len(links)], key=lambda k: best[k])
    path = []
    while last >= 0:
        path.append(int(last))
        last = before[last]
    return path[::-1]


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


def may_be_one(boxes: np.ndarray, links: np.ndarray, start: int, end: int) -> bool:
    """Tell whether geometry allows a run of parts to be one digit.

    Args:
        boxes: (s, 4) left, top, right, bottom of the parts, as shares of the row's height.
        links: As for `best_cuts`.
        start: The run's first part.
        end: The part after its last.
    """
    run = boxes[start:end]
    return bool(run[:, 2].max() - run[:, 0].min() <= WIDEST and _inner(links, start, end) > MIN_LOG_ODDS)


def _inner(links: np.ndarray, start: int, end: int) -> float:
    """Compute the log-probability that a run belongs together: of each stroke with some one before it."""
    return sum(_log_sigmoid(_strongest(links, start, k, k + 1)) for k in range(start + 1, end))


def _strongest(links: np.ndarray, first: int, start: int, end: int) -> float:
    """Find the greatest log-odds between the strokes from `first` to below `start` and those to below `end`."""
    return max(float(links[a, start - a - 1 : end - a - 1].max()) for a in range(first, start))


def _log_sigmoid(x: float) -> float:
    return -float(np.logaddexp(0.0, -x))


def _group(strokes: Sequence[np.ndarray], members: list[int], reason: str, candidate: int, sign: str) -> Group:
    points = np.concatenate([strokes[k] for k in members])
    left, top, right, bottom = (float(v) for v in (*points.min(axis=0), *points.max(axis=0)))
    return Group(tuple(members), (left, top, right, bottom), reason, candidate, sign, 0)
