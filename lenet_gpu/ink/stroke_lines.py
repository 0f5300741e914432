"""Lines of numbers in pen strokes, written one above the other.

The lines are parted where, seen along some slope of writing, no tall stroke is: between their tall strokes lies a gap
all along. What is low (bars, points) belongs to the line that is nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

TALL = 0.4
"""Height of the strokes by which lines are found, as a share of the tallest's."""

GAP = 0.15
"""Gap between lines, as a share of the lower stroke's height, at least."""

RINGS = 0.5
"""The same where one ring stands above another and there is no more: the halves of an 8 may be as far apart."""

CLOSED = 0.5
"""Distance between the ends of a ring, as a share of its size, at most."""

OVER = 0.3
"""Share of the narrower line's width that lies above or below the other: one number may rise steeply."""

LONG = 1.5
"""Width of writing, in heights of its tallest stroke, from which it may slope."""

SLOPES = (0.0, 0.06, -0.06, 0.12, -0.12, 0.18, -0.18, 0.24, -0.24)
"""Slopes of writing tried, rows a column."""


def lines_of_strokes(strokes: Sequence[np.ndarray]) -> list[list[int]]:
    """Sort pen strokes into lines.

    Args:
        strokes: Each (n, 2) float64, x right, y down; at least one.

    Returns:
        The indices of each line's strokes, ascending; from top to bottom.
    """
    every = [np.arange(len(strokes))]
    boxes = np.array([[*stroke.min(axis=0), *stroke.max(axis=0)] for stroke in strokes])  # (s, 4)
    heights = boxes[:, 3] - boxes[:, 1]
    tall = heights >= TALL * heights.max()
    if tall.sum() > 1 and heights.max() > 0.0:
        middles = (boxes[:, 0] + boxes[:, 2]) / 2.0
        long = np.ptp(boxes[:, [0, 2]]) > LONG * heights.max()
        for slope in SLOPES if long else SLOPES[:1]:
            shift = slope * middles
            found = _parted(strokes, boxes - np.stack([0 * shift, shift, 0 * shift, shift], axis=1), tall)
            if len(found) > len(every):
                every = found
    return [[int(k) for k in line] for line in every]


def _parted(strokes: Sequence[np.ndarray], boxes: np.ndarray, tall: np.ndarray) -> list[np.ndarray]:
    """Part strokes between which there is a level gap."""
    order = np.flatnonzero(tall)[np.argsort(boxes[tall, 1], kind="stable")]
    reached = np.maximum.accumulate(boxes[order, 3])
    lines, start = [], 0
    for k in range(1, len(order)):
        gap = boxes[order[k], 1] - reached[k - 1]
        if gap > 0.0 and _are_lines(strokes, boxes, order[start:k], order[k:], gap):
            lines.append(order[start:k])
            start = k
    lines.append(order[start:])
    if any(not _is_over(boxes[a], boxes[b]) for a, b in pairwise(lines)):
        return []
    tops = np.array([boxes[line, 1].min() for line in lines])
    bottoms = np.array([boxes[line, 3].max() for line in lines])
    middles = (boxes[:, 1] + boxes[:, 3]) / 2.0
    away = np.maximum(np.maximum(tops - middles[:, None], middles[:, None] - bottoms), 0.0)  # (s, lines)
    nearest = away.argmin(axis=1)
    for number, line in enumerate(lines):
        nearest[line] = number
    return [np.flatnonzero(nearest == number) for number in range(len(lines))]


def _are_lines(
    strokes: Sequence[np.ndarray], boxes: np.ndarray, above: np.ndarray, below: np.ndarray, gap: float
) -> bool:
    """Tell whether a gap between strokes is wide enough to be one between lines."""
    heights = boxes[:, 3] - boxes[:, 1]
    upper, lower = above[np.argmax(boxes[above, 3])], below[0]
    rings = len(above) == len(below) == 1 and _is_ring(strokes[upper]) and _is_ring(strokes[lower])
    return gap >= (RINGS if rings else GAP) * min(heights[upper], heights[lower])


def _is_ring(stroke: np.ndarray) -> bool:
    """Tell whether a stroke ends about where it began."""
    return bool(np.hypot(*(stroke[-1] - stroke[0])) <= CLOSED * np.ptp(stroke, axis=0).max())


def _is_over(above: np.ndarray, below: np.ndarray) -> bool:
    """Tell whether some strokes lie over others, (n, 4) boxes each."""
    left, right = max(above[:, 0].min(), below[:, 0].min()), min(above[:, 2].max(), below[:, 2].max())
    widths = [np.ptp(boxes[:, [0, 2]]) for boxes in (above, below)]
    least = max(min(widths), 0.1 * max(np.ptp(boxes[:, [1, 3]]) for boxes in (above, below)))
    return bool(right - left >= OVER * min(widths) if min(widths) >= least else right >= left)
