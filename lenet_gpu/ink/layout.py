"""From the pieces of a picture's ink to lines of writing, and to the parts that digits are put together from.

A part is a piece, or a slice of one that is too wide for a digit: digits that touch are cut where their ink is
thinnest. Which parts make up a digit is decided by `lenet_gpu.ink.cuts`, as for strokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lenet_gpu.ink.cuts import REACH
from lenet_gpu.ink.find_ink import Ink
from lenet_gpu.ink.marks import as_dark, free_pieces
from lenet_gpu.ink.parts import Part, middle_height
from lenet_gpu.ink.signs import TALL
from lenet_gpu.ink.written_signs import is_straight

CUT_OFF = 0.75
"""Height from which a mark at the picture's edge counts as a digit, as a share of the others': a neighbour's rest is
lower."""

SPECK = 0.07
"""Size of a speck, as a share of a digit's height, at most."""

SAME_LINE = 0.45
"""Share of the lower one's height by which two digits of a line overlap at least."""

FAR_APART = 5.0
"""Gap between digits of a line, in heights, at most."""

WIDE = 0.75
"""Width, in heights of a line, from which a piece may be several digits."""

MOST_CUTS = 5
"""Cuts tried in a piece."""

THIN = 0.45
"""Ink in a column where a piece may be cut, as a share of the line's height, at most."""


def lines_of(found: Ink) -> list[list[Part]]:
    """Find lines of writing.

    Args:
        found: The ink of a picture.

    Returns:
        From top to bottom; the parts of each from left to right.
    """
    pieces = found.pieces
    kept = written(found)
    if not kept.any():
        return []
    heights = pieces.heights
    height = middle_height(heights[kept])
    tall = np.flatnonzero(kept & (heights >= TALL * height))
    if not len(tall):
        tall = np.flatnonzero(kept)
    groups = _grouped(pieces.boxes, tall, height)
    rest = [int(k) for k in np.flatnonzero(kept) if k not in set(tall.tolist())]
    for k in rest:
        groups[_nearest(pieces.boxes, groups, k, height)].append(k)
    lines = []
    for group in sorted(groups, key=lambda members: float(np.mean(pieces.boxes[members][:, [0, 2]]))):
        line_height = middle_height(heights[group])
        parts = [part for k in group for part in _parts(found, k, line_height)]
        lines.append(sorted(parts, key=lambda part: part.box[1] + part.box[3]))
    return lines


def written(found: Ink) -> np.ndarray:
    """Tell which pieces are writing: no speck, no box, and nothing that the picture's edge cuts off, (n,) bool."""
    pieces = found.pieces
    sizes = np.maximum(pieces.heights, pieces.widths)
    free = free_pieces(pieces, found.sides) if found.free else np.ones(len(pieces), dtype=bool)
    if not free.any():
        return free
    large = free & (sizes >= 0.3 * sizes[free].max())
    darkest = free & as_dark(pieces, found.ink, large & as_dark(pieces, found.ink, large))
    if found.free and darkest.any():
        free = darkest
    tallest = middle_height(pieces.heights[free & (sizes >= 0.3 * sizes[free].max())])
    # A digit may reach the edge, but neither a neighbour's rest nor the edge of a shadow is as tall and as thin.
    inked = pieces.areas / np.maximum(pieces.heights * pieces.widths, 1)
    reaching = (
        ~free
        & (pieces.heights >= CUT_OFF * tallest)
        & (pieces.heights <= 1.4 * tallest)
        & (pieces.widths >= 0.3 * tallest)
        & (pieces.widths <= 1.2 * tallest)
        & (inked < 0.6)
        & as_dark(pieces, found.ink, free)
    )
    return (free | reaching) & (sizes > SPECK * tallest) & (sizes > 2)


def links_of(parts: Sequence[Part], height: float) -> np.ndarray:
    """Compute the log-odds of every two parts belonging to one digit, by how they lie.

    Args:
        parts: Of one line, from left to right.
        height: Of its digits.

    Returns:
        (s, REACH), [a, k] for part a and part a + 1 + k.
    """
    count = len(parts)
    links = np.zeros((count, REACH))
    spans: dict[int, tuple[int, int]] = {}
    for part in parts:
        left, right = spans.get(part.piece, (part.box[1], part.box[3]))
        spans[part.piece] = min(left, part.box[1]), max(right, part.box[3])
    for a, first in enumerate(parts):
        for k, second in enumerate(parts[a + 1 : a + 1 + REACH]):
            gap = max(first.box[1], second.box[1]) - min(first.box[3], second.box[3])
            narrower = min(first.box[3] - first.box[1], second.box[3] - second.box[1])
            tall = min(first.height, second.height) / height
            if first.piece == second.piece:
                left, right = spans[first.piece]
                whole = 1.5 - 2.0 * ((right - left) / height - WIDE)  # of a wide piece, what is read decides
                links[a, k] = min(max(whole, 0.0), 1.5) if gap <= 0 else -3.0
            elif gap <= 0:
                links[a, k] = (
                    1.0 + 6.0 * -gap / max(narrower, 1) + (1.5 if tall < TALL else -2.0 if tall > 0.8 else 0.0)
                )
            else:
                links[a, k] = (1.0 if tall < 0.6 else -1.5) - 25.0 * gap / height
    return links


def _grouped(boxes: np.ndarray, tall: np.ndarray, height: float) -> list[list[int]]:
    """Group digits into lines: each with those to its right that it overlaps in height."""
    order = tall[np.argsort(boxes[tall, 1])]
    groups: list[list[int]] = []
    for k in order:
        best, best_gap = None, FAR_APART * height
        for group in groups:
            last = max(group[-3:], key=lambda member: boxes[member, 3])
            overlap = min(boxes[last, 2], boxes[k, 2]) - max(boxes[last, 0], boxes[k, 0])
            lower = min(boxes[last, 2] - boxes[last, 0], boxes[k, 2] - boxes[k, 0])
            gap = boxes[k, 1] - boxes[last, 3]
            if overlap >= SAME_LINE * lower and gap < best_gap:
                best, best_gap = group, gap
        if best is None:
            groups.append([int(k)])
        else:
            best.append(int(k))
    return groups


def _nearest(boxes: np.ndarray, groups: list[list[int]], k: int, height: float) -> int:
    """Find the line that a low piece belongs to: the nearest digit's, one above or below counting as further."""

    def distance(group: list[int]) -> float:
        others = boxes[group]
        across = np.maximum(np.maximum(others[:, 1] - boxes[k, 3], boxes[k, 1] - others[:, 3]), 0)
        down = np.maximum(np.maximum(others[:, 0] - boxes[k, 2], boxes[k, 0] - others[:, 2]), 0)
        return float((across + 2.0 * down).min() / height)

    return min(range(len(groups)), key=lambda index: distance(groups[index]))


def _parts(found: Ink, k: int, height: float) -> list[Part]:
    """Cut a piece that is too wide for a digit where its ink is thinnest."""
    top, left, bottom, right = (int(v) for v in found.pieces.boxes[k])
    width = right - left
    if width < WIDE * height or bottom - top < TALL * height:
        return [Part(k, (top, left, bottom, right))]
    own = found.pieces.crop(k)  # (rows, columns)
    if is_straight(own):  # a slash, or a 1 that leans
        return [Part(k, (top, left, bottom, right))]
    ink = own.sum(axis=0) / height  # (columns,)
    reach = max(1, int(0.06 * height))
    smooth = np.convolve(np.pad(ink, reach, mode="edge"), np.ones(2 * reach + 1) / (2 * reach + 1), "valid")
    inner = np.arange(max(1, int(0.2 * height)), width - max(1, int(0.2 * height)))
    cuts: list[int] = []
    for column in inner[np.argsort(smooth[inner], kind="stable")] if len(inner) else []:
        if len(cuts) >= min(MOST_CUTS, int(2 * width / height)) or smooth[column] > THIN:
            break
        if all(abs(int(column) - cut) >= 0.3 * height for cut in cuts):
            cuts.append(int(column))
    parts = []
    edges = [0, *sorted(cuts), width]
    for start, end in pairwise(edges):
        rows = np.flatnonzero(own[:, start:end].any(axis=1))
        parts.append(Part(k, (top + int(rows[0]), left + start, top + int(rows[-1]) + 1, left + end), not cuts))
    return parts
