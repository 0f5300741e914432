"""Cut a row of parts, pen strokes or pieces of a picture's ink, into runs that are a digit each.

Dynamic programming picks the best way of all (Breuel, "Segmentation of handprinted letter strings using a dynamic
programming algorithm", 2001; LeCun et al. 1998, section VII, do the same with a graph of cuts). The score of a way is
a log-probability: of each digit by the network, and of each two neighbouring parts belonging together or apart by how
they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_STROKES = 4
"""Parts of one digit."""

REACH = 2 * MOST_STROKES - 1
"""Greatest distance of two parts in the order whose features matter: the first of a run, the last of the next."""

READING_WEIGHT = 0.5
"""Weight of the network's log-probability beside the geometry's: it is surer than it is right."""

MIN_READING = -4.0
"""Lowest log-probability that a reading counts with."""

DIGIT_PENALTY = 0.5
"""Penalty of each digit: of two ways that are as likely otherwise, the one with fewer digits is right."""

MIN_LOG_ODDS = -7.0
"""Log-probability of the geometry below which a run of strokes is not even read."""

WIDEST = 2.0
"""Widest run that is read, as a share of the row's height."""


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
