"""Printed boxes and combs for digits, as forms have them: thin straight lines along the edges of their own box.

A comb has no line at the top, and upright ones between its cells. What touches the lines and is no line is writing.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.components import Pieces, pieces_of
from lenet_gpu.ink.windows import greatest

SMALLEST, MOST_INK = 12, 0.4
"""Shorter side of a box, in pixels, and the share of it that is ink, at most."""

ALONG = 0.9
"""Share of a side, or of the way across, along which a line is there."""

RIM = 0.04
"""Depth beside its edges in which a box has its lines, besides two pixels: they may be slightly askew."""

PIECE_OF_LINE = 0.4
"""Length of what belongs to a line at an edge, as a share of the side: askew, it is in several pieces."""

STROKES = 0.25
"""Height of writing that touches a box, as a share of the box's, at least."""

REST = 0.02
"""Share of a box's ink that may be no line."""


def are_boxes(pieces: Pieces) -> np.ndarray:
    """Tell which pieces are boxes or combs and nothing else, (n,) bool."""
    found = np.zeros(len(pieces), dtype=bool)
    for k in _large(pieces):
        found[k] = _is_box(pieces, k)
        if not found[k] and (lines := _lines(mask := pieces.crop(k))) is not None:
            found[k] = np.count_nonzero(mask & ~lines) < REST * pieces.areas[k]
    return found


def lines_of_boxes(pieces: Pieces) -> np.ndarray:
    """Find the lines of boxes and combs around writing, whether it touches them or not.

    Args:
        pieces: Of the ink.

    Returns:
        (h, w) bool.
    """
    found = np.zeros(pieces.shape, dtype=bool)
    for k in _large(pieces):
        top, left, bottom, right = pieces.boxes[k]
        mask = pieces.crop(k)
        lines = _lines(mask)
        if lines is None:
            continue
        boxes = pieces.boxes
        inside: np.ndarray = (
            (boxes[:, 0] >= top) & (boxes[:, 1] >= left) & (boxes[:, 2] <= bottom) & (boxes[:, 3] <= right)
        )
        inside[k] = False
        touching = pieces_of(mask & ~greatest(lines, 3))
        heights = np.concatenate([pieces.heights[inside], touching.heights])
        if heights.max(initial=0) >= STROKES * (bottom - top):
            written = touching.mask(touching.heights >= STROKES * (bottom - top))
            found[top:bottom, left:right] |= mask & ~written
    return found


def _large(pieces: Pieces) -> np.ndarray:
    """Find the pieces that are large and thin enough for a box."""
    sizes = np.minimum(pieces.heights, pieces.widths)
    return np.flatnonzero((sizes > SMALLEST) & (pieces.areas < MOST_INK * pieces.heights * pieces.widths))


def _is_box(pieces: Pieces, k: int) -> bool:
    """Tell whether all ink of a piece lies along the edges of its own box."""
    top, left = pieces.boxes[k, :2]
    height, width = pieces.heights[k], pieces.widths[k]
    runs = pieces.labels == k
    rows, starts, ends = pieces.rows[runs] - top, pieces.starts[runs] - left, pieces.ends[runs] - left
    rim = max(2, int(0.1 * min(height, width)))
    inner = (rows >= rim) & (rows < height - rim)
    within = np.clip(np.minimum(ends, width - rim) - np.maximum(starts, rim), 0, None)[inner].sum()
    lengths = ends - starts
    level = (lengths[rows < rim].max(initial=0), lengths[rows >= height - rim].max(initial=0))
    return bool(within < REST * pieces.areas[k] and min(level) > 0.7 * width)


def _lines(mask: np.ndarray) -> np.ndarray | None:
    """Find the lines of a box or a comb in its mask, (h, w) bool; None if it is neither."""
    height, width = mask.shape
    down, across = (2 + int(RIM * side) for side in mask.shape)
    upright = mask[:, :across].any(axis=1).mean(), mask[:, -across:].any(axis=1).mean()
    level = mask[:down].any(axis=0).mean(), mask[-down:].any(axis=0).mean()
    if min(upright) < ALONG or max(level) < ALONG:
        return None
    rows, columns = _run_lengths(mask) / width, _run_lengths(mask.T).T / height
    lines = mask & ((rows >= ALONG) | (columns >= ALONG))
    for edge in (slice(down), slice(-down, None)):
        lines[edge] |= rows[edge] >= PIECE_OF_LINE
    for edge in (slice(across), slice(-across, None)):
        lines[:, edge] |= columns[:, edge] >= PIECE_OF_LINE
    return lines


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    """Compute for each pixel how long the run along its row is that it lies in, (h, w) int; 0 outside of runs."""
    width = mask.shape[1]
    at = np.arange(width)
    gaps = np.where(mask, -1, at)
    before = np.maximum.accumulate(gaps, axis=1)  # the last gap up to here
    after = np.minimum.accumulate(np.where(mask, width, at)[:, ::-1], axis=1)[:, ::-1]
    return np.where(mask, after - before - 1, 0)
