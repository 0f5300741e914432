"""A part of a drawing, looked at as if it were the whole: while it is drawn again, or without a stroke."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

REPLAY_STEPS = 24
"""Steps in which a drawing is drawn again, about: every stroke ends with one."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a drawing.

    Attributes:
        kept: (n, 2) float32 arrays that are read.
        faint: (n, 2) float32 arrays that are not.
    """

    kept: list[np.ndarray]
    faint: list[np.ndarray]


def without(strokes: Sequence[np.ndarray], left_out: Collection[int]) -> Part:
    """Leave strokes out.

    Args:
        strokes: (n, 2) arrays.
        left_out: Indices.
    """
    kept = [stroke for i, stroke in enumerate(strokes) if i not in left_out]
    return Part(kept, [stroke for i, stroke in enumerate(strokes) if i in left_out])


def replay(strokes: Sequence[np.ndarray]) -> list[Part]:
    """Draw a drawing again.

    Args:
        strokes: (n, 2) arrays, in the order in which they were drawn.

    Returns:
        What has been drawn after each step, in steps of about the same way; the last is the whole.
    """
    ways = [_way(stroke) for stroke in strokes]
    step = sum(float(way[-1]) for way in ways) / REPLAY_STEPS
    parts = []
    for at, (stroke, way) in enumerate(zip(strokes, ways, strict=True)):
        count = max(round(float(way[-1]) / step), 1) if step > 0.0 else 1
        for share in range(1, count):
            drawn, rest = _cut(stroke, way, float(way[-1]) * share / count)
            parts.append(Part([*strokes[:at], drawn], [rest, *strokes[at + 1 :]]))
        parts.append(Part(list(strokes[: at + 1]), list(strokes[at + 1 :])))
    return parts


def _way(stroke: np.ndarray) -> np.ndarray:
    """Compute the way along a stroke up to each of its points, (n,)."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])


def _cut(stroke: np.ndarray, way: np.ndarray, at: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut a stroke in two after a part of its way."""
    here = np.array([[np.interp(at, way, stroke[:, axis]) for axis in (0, 1)]], dtype=np.float32)
    before = int(np.searchsorted(way, at, side="left"))
    after = int(np.searchsorted(way, at, side="right"))
    return np.concatenate([stroke[:before], here]), np.concatenate([here, stroke[after:]])
