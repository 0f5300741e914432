"""Printed rules that run from edge to edge of a picture: lines of ruled and squared paper, margins, tables.

All pixels along a straight line are looked at together: where the median of them is dark, most of the line is, and
that no stroke does. It needs no unbroken line, and neither grain nor what is written over a line changes a median.
The directions tried are those of the Hough transform restricted to nearly level lines (P. Hough, US patent 3069654,
1962).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEEPEST = 0.2
"""Greatest slope of a rule: 11 degrees."""

SMALLEST = 96
"""Shorter side of the smallest picture in which rules are looked for."""

COLUMNS = 40
"""Places along a line that are looked at when a slope is tried."""

SHARE = 0.35
"""Share of the pixels of each part of a line that may be lighter than its level."""

LEVEL = 0.025
"""Least darkness of a rule, as a share of the light that its paper returns."""

SPREAD = 1.6
"""Greatest darkness that is still the rule's, and not a stroke's over it, as a multiple of its own."""


class Slopes(NamedTuple):
    """The slopes of rules, rows a column and columns a row; None where there are no rules."""

    level: float | None
    upright: float | None


def find_slopes(absorbed: np.ndarray, noise: float) -> Slopes:
    """Find how level and how upright rules run.

    Args:
        absorbed: (h, w) float32, share of the light that is absorbed, in a small picture.
        noise: Standard deviation of it on paper.
    """
    return Slopes(_slope(absorbed, noise), _slope(np.ascontiguousarray(absorbed.T), noise))


def find_rules(absorbed: np.ndarray, noise: float, slopes: Slopes) -> np.ndarray:
    """Find the rules of both directions.

    Args:
        absorbed: (h, w) float32, share of the light that is absorbed: 0 for paper.
        noise: Standard deviation of it on paper.
        slopes: About how they run.

    Returns:
        (h, w) float32: how much of the light the rule at each pixel absorbs, 0 where there is none.
    """
    found = np.zeros_like(absorbed)
    if slopes.level is not None:
        found = _nearly_level(absorbed, noise, slopes.level)
    if slopes.upright is not None:
        upright = _nearly_level(np.ascontiguousarray(absorbed.T), noise, slopes.upright)
        found = np.maximum(found, upright.T)
    return found


def without_rules(absorbed: np.ndarray, rules: np.ndarray, noise: float) -> np.ndarray:
    """Remove rules and keep the strokes that cross them.

    A pixel on a rule stays where it is darker than the rule, or lies between strokes above and below.

    Args:
        absorbed: (h, w) float32.
        rules: (h, w) float32, from `find_rules`.
        noise: Standard deviation of `absorbed` on paper.
    """
    on = rules > 0.0
    if not on.any():
        return absorbed
    darker = absorbed > SPREAD * rules + 2.0 * noise
    left = np.where(on & ~darker, np.float32(0.0), absorbed)
    strong = left > np.maximum(1.5 * LEVEL, SPREAD * 0.6 * float(rules[on].mean()))
    bridged = on & _between(strong, on)
    return np.where(bridged, absorbed, left)


def _between(strong: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Tell for each pixel whether strokes meet it from two opposite sides within the rule's width."""
    reach = 1 + min(8, _thickness(on))
    found = np.zeros_like(strong)
    for axis in (0, 1):
        before, after = np.zeros_like(strong), np.zeros_like(strong)
        for step in range(1, reach + 1):
            for side, kept in ((-step, before), (step, after)):
                moved = np.roll(strong, side, axis=axis)
                edge = np.s_[side:] if side < 0 else np.s_[:side]
                moved[edge if axis == 0 else (np.s_[:], edge)] = False
                kept |= moved
        found |= before & after
    return found


def _thickness(on: np.ndarray) -> int:
    """Estimate the width of the rules: pixels for each of their edges."""
    edges = int((on[1:] & ~on[:-1]).sum()) + int((on[:, 1:] & ~on[:, :-1]).sum())
    return max(1, round(int(on.sum()) / max(edges, 1)))


def _slope(absorbed: np.ndarray, noise: float) -> float | None:
    """Find the slope of rules that are nearly level."""
    height, width = absorbed.shape
    if min(height, width) < SMALLEST:
        return None
    columns = np.linspace(0, width - 1, min(COLUMNS, width)).astype(int)
    rows = absorbed[:, columns]
    tries = np.arange(-int(STEEPEST * width), int(STEEPEST * width) + 1, 2) / (width - 1)
    found = [_standing_out(_along(rows, columns, slope)) for slope in tries]
    sharpness = np.array([(rows**2).sum() for rows in found])
    best = int(sharpness.argmax())
    if found[best].max() <= max(LEVEL, 0.5 * noise):
        return None
    return float(tries[sharpness >= 0.98 * sharpness[best]].mean())


def _nearly_level(absorbed: np.ndarray, noise: float, slope: float) -> np.ndarray:
    """Find the rules that are nearly level, given about how they slope."""
    height, width = absorbed.shape
    found = np.zeros_like(absorbed)
    columns = np.linspace(0, width - 1, min(2 * COLUMNS, width)).astype(int)
    some = absorbed[:, columns]
    reach = max(1, width // 120)
    step = max(1.0, reach / 4) / (width - 1)
    finer = slope + step * np.arange(-reach, reach + 1)
    sharpness = np.array([(_standing_out(_along(some, columns, near)) ** 2).sum() for near in finer])
    sharpest = float(finer[sharpness >= 0.98 * sharpness.max()].mean())  # thick lines are as sharp at several slopes
    profile = _above_ground(_along(some, columns, sharpest, by_parts=True))
    dark = profile > max(LEVEL, 0.5 * noise, 0.1 * float(profile.max()))
    dark &= ~_too_thick(dark, max(4, height // 40))
    if not dark.any():
        return found
    levels = np.where(dark, profile, 0.0)
    levels = np.maximum(
        levels, np.maximum(np.roll(levels, 1), np.roll(levels, -1))
    )  # and a row of edge on both sides
    offsets = np.rint((np.arange(width) - (width - 1) / 2) * sharpest).astype(int)
    padded = np.concatenate([np.zeros(height), levels, np.zeros(height)]).astype(np.float32)
    at = np.arange(height)[:, None] - offsets + height  # (h, w): where each pixel's line crosses the middle
    return padded[np.clip(at, 0, 3 * height - 1)]


def _along(picture: np.ndarray, columns: np.ndarray, slope: float, by_parts: bool = False) -> np.ndarray:
    """Compute the level that most of each sloping line exceeds.

    Args:
        picture: (h, c) columns of a picture.
        columns: (c,) where they lie.
        slope: Of the lines, rows a column.
        by_parts: Whether each part of a line must be dark, or the line as a whole.

    Returns:
        (h,) float32, by the row in which a line crosses the middle; lines that leave the picture count as far as they
        are in it.
    """
    height = len(picture)
    offsets = np.rint((columns - (columns[-1] + columns[0]) / 2) * slope).astype(int)
    rows = np.arange(height)[:, None] + offsets  # (h, c)
    inside = (rows >= 0) & (rows < height)
    values = picture[np.clip(rows, 0, height - 1), np.arange(picture.shape[1])]
    count = picture.shape[1]
    levels = []
    for start, end in _parts(count) if by_parts else [(0, count)]:
        values_here, inside_here = values[:, start:end], inside[:, start:end]
        kth = int(SHARE * (end - start))
        darkest = np.partition(np.where(inside_here, values_here, np.float32(0.0)), kth, axis=1)[:, kth]
        # A part that lies outside of the picture says nothing.
        levels.append(np.where(inside_here.mean(axis=1) > (0.9 if by_parts else 0.6), darkest, np.float32(np.inf)))
    # A strip of table may hide a line's end.
    level = np.sort(levels, axis=0)[1 if by_parts else 0]
    return np.where((inside.sum(axis=1) * 3 > count) & np.isfinite(level), level, np.float32(0.0))


def _parts(count: int) -> list[tuple[int, int]]:
    """Cut a line into both of its ends and three thirds, each of which must be dark."""
    end = max(2, count // 12)
    return [(0, end), (count - end, count), *((k * count // 3, (k + 1) * count // 3) for k in range(3))]


def _above_ground(profile: np.ndarray) -> np.ndarray:
    """Subtract the level around each row, a running median."""
    reach = max(3, len(profile) // 30)
    padded = np.pad(profile, reach, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return profile - np.partition(around, reach, axis=1)[:, reach]


def _standing_out(profile: np.ndarray) -> np.ndarray:
    """Measure how far each row stands out from both sides; 0 where it does not."""
    apart = max(3, len(profile) // 30)
    padded = np.pad(profile, apart, mode="edge")
    return np.maximum(profile - np.maximum(padded[: -2 * apart], padded[2 * apart :]), np.float32(0.0))


def _too_thick(dark: np.ndarray, most: int) -> np.ndarray:
    """Tell which rows belong to bands thicker than a rule is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], dark, [False]]).astype(np.int8)))
    thick = np.zeros_like(dark)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > most:
            thick[start:end] = True
    return thick
