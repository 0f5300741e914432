"""Pen strokes in a row, and how every two of them lie to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.cuts import REACH

PAIRS_AT_ONCE = 1024
"""Pairs of strokes whose distances are computed at a time, which bounds the memory."""

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
