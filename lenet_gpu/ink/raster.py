"""Pen strokes to pixels, analytically: a pixel's ink follows from its distance to the nearest piece of a stroke.

The set of points within a radius of a line segment is a capsule, so a stroke drawn with a round pen is a union of
capsules. Their distance needs no supersampling to come out smooth, and where the pen was sampled along a line does
not change it. Long segments are cut into pieces of at most PIECE pixels, so that each piece concerns only a small
window of pixels, all windows have one size, and the work is a few NumPy calls for any number of digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lenet_gpu.errors import InputError

PIECE = 1.0
"""Longest piece of a segment, in output pixels."""

FINEST = 0.02
"""Mean distance between points, in output pixels, below which a stroke is resampled: 5,000 points need not be."""

MANY = 64
"""Points that a stroke may have in any case."""

CHUNK = 4096
"""Pieces worked on at once: their windows fit the caches."""

FAR = 1e6
"""Squared distance, in pixels, of a pixel that no stroke comes near."""


class Pen(NamedTuple):
    """A round pen, in output pixels whatever the size of the drawing.

    Attributes:
        width: Full width of a line where it has half of its ink.
        softness: Width of the edge, from no ink to all of it: 1 is a sharp edge seen through square pixels.
    """

    width: float = 2.3
    softness: float = 1.1


@dataclass(frozen=True, eq=False)
class Drawings:
    """Any number of drawings, flat.

    Attributes:
        points: (p, 2) float64, x right, y down.
        strokes: (s + 1,) int64: stroke i is points[strokes[i]:strokes[i + 1]]; none is empty.
        digits: (n + 1,) int64: drawing j has the strokes digits[j] to digits[j + 1] - 1; none is empty.
    """

    points: np.ndarray
    strokes: np.ndarray
    digits: np.ndarray

    def __len__(self) -> int:
        return len(self.digits) - 1

    def __getitem__(self, index: int) -> list[np.ndarray]:
        """Return the strokes of one drawing, each (k, 2)."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        strokes = range(self.digits[index], self.digits[index + 1])
        return [self.points[self.strokes[k] : self.strokes[k + 1]] for k in strokes]

    def take(self, which: np.ndarray) -> Drawings:
        """Return a subset.

        Args:
            which: (n,) bool, or indices.
        """
        drawings = np.arange(len(self))[which]
        strokes = _ranges(self.digits[drawings], self.digits[drawings + 1])
        points = _ranges(self.strokes[strokes], self.strokes[strokes + 1])
        return Drawings(
            self.points[points],
            np.append(0, np.cumsum(np.diff(self.strokes)[strokes])),
            np.append(0, np.cumsum(np.diff(self.digits)[drawings])),
        )


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """List all integers of the half-open ranges, one range after the other."""
    counts = ends - starts
    return np.arange(counts.sum()) + np.repeat(starts - (np.cumsum(counts) - counts), counts)


def draw(drawings: Drawings, pens: np.ndarray, box: float, side: int) -> np.ndarray:
    """Draw each drawing as large as it fits a square box, aspect kept, in the middle of a canvas.

    Args:
        drawings: n drawings, of any unit, position and size. One without extent is drawn as a dot.
        pens: (n, 2) float64, width and softness of each drawing's pen in output pixels.
        box: Side of the box that the ink fits into, in output pixels.
        side: Side of the field in pixels, at least the box.

    Returns:
        (n, side, side) float32, share of ink in each pixel, 0..1.
    """
    n = len(pens)
    reach = _reach(pens)
    scale, middle = fit(drawings, pens, box)
    lengths = _lengths(drawings)
    points = (drawings.points - np.repeat(middle, lengths, axis=0)) * np.repeat(scale, lengths)[:, None]
    a, b, owner = _pieces(*_thinned(points, drawings.strokes, np.repeat(np.arange(n), lengths)))
    margin = int(np.ceil(2.0 * reach.max() + PIECE)) + 1  # windows may reach over the edge of the field
    distance = _distances(a + side / 2.0 + margin, b + side / 2.0 + margin, owner, n, side + 2 * margin, reach.max())
    distance = distance[:, margin : margin + side, margin : margin + side]  # (n, side, side)
    width, softness = pens.astype(np.float32).T[:, :, None, None]  # (n, 1, 1) each
    return np.clip((width / 2.0 - distance) / softness + np.float32(0.5), 0.0, 1.0)


def fit(drawings: Drawings, pens: np.ndarray, box: float) -> tuple[np.ndarray, np.ndarray]:
    """Find how each drawing is made to fit a square box.

    Args:
        drawings: n drawings, of any unit, position and size.
        pens: (n, 2) float64, width and softness of each drawing's pen in output pixels.
        box: Side of the box that the ink fits into, in output pixels.

    Returns:
        (n,) output pixels for one unit of the drawing, 0 for one without extent; and (n, 2) the point that comes to
        lie in the middle of the box.
    """
    first = drawings.strokes[drawings.digits[:-1]]  # (n,) each drawing's first point
    low = np.minimum.reduceat(drawings.points, first, axis=0)  # (n, 2)
    high = np.maximum.reduceat(drawings.points, first, axis=0)
    with np.errstate(over="ignore"):
        extent = (high - low).max(axis=1)
    if not np.isfinite(extent).all():
        raise InputError("strokes", found="coordinates that differ by more than 1e308", expected="a drawing")
    # Less than rounding makes of a point far from the origin is no extent.
    dot = extent <= np.maximum(np.maximum(abs(low), abs(high)).max(axis=1) * 1e-12, 1e-290)
    scale = np.where(dot, 0.0, np.maximum(box - 2.0 * _reach(pens), 1.0) / np.where(dot, 1.0, extent))
    return scale, low + (high - low) / 2.0


def _reach(pens: np.ndarray) -> np.ndarray:
    """Return the distance from the middle of a line to where its ink ends, (n,) pixels."""
    return pens.sum(axis=1) / 2.0


def _lengths(drawings: Drawings) -> np.ndarray:
    """Count each drawing's points, (n,)."""
    return np.diff(np.append(drawings.strokes[drawings.digits[:-1]], len(drawings.points)))


def _thinned(points: np.ndarray, strokes: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resample strokes that have far more points than pixels can show; the others stay as they are.

    Args:
        points: (p, 2), in output pixels.
        strokes: (s + 1,) offsets into the points.
        owner: (p,) the drawing of each point.

    Returns:
        The three for what is left.
    """
    along = np.zeros(len(points))
    np.cumsum(np.hypot(*np.diff(points, axis=0).T), out=along[1:])  # (p,) the leaps between strokes included
    first, last = strokes[:-1], strokes[1:] - 1
    needed = np.ceil((along[last] - along[first]) / FINEST).astype(np.int64) + 1
    if (last - first < np.maximum(needed, MANY)).all():
        return points, strokes, owner
    kept, owners = [], []
    for start, end, count in zip(first, last + 1, needed, strict=True):
        if end - start <= max(count, MANY):
            kept.append(points[start:end])
        else:
            at = np.linspace(along[start], along[end - 1], count)
            kept.append(np.stack([np.interp(at, along[start:end], points[start:end, axis]) for axis in (0, 1)], 1))
        owners.append(np.full(len(kept[-1]), owner[start]))
    return np.concatenate(kept), np.cumsum([0, *map(len, kept)]), np.concatenate(owners)


def _pieces(points: np.ndarray, strokes: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut strokes into pieces of at most PIECE pixels.

    Args:
        points: (p, 2), in output pixels.
        strokes: (s + 1,) offsets into the points.
        owner: (p,) the drawing of each point.

    Returns:
        Start (m, 2), end (m, 2) and drawing (m,) of each piece.
    """
    last = strokes[1:] - 1
    ends = np.arange(1, len(points) + 1)
    ends[last] = last
    keep = np.ones(len(points), dtype=bool)
    keep[last[last > strokes[:-1]]] = False  # nothing starts at a stroke's last point, unless it is the only one
    a, b, owner = points[keep], points[ends[keep]], owner[keep]
    lengths = np.hypot(*(b - a).T)  # (m,)
    counts = np.maximum(np.ceil(lengths / PIECE - 1e-9), 1.0).astype(np.int64)
    if (counts == 1).all():
        return a, b, owner
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    step = np.repeat((b - a) / counts[:, None], counts, axis=0)
    a = np.repeat(a, counts, axis=0) + step * within[:, None]
    return a, a + step, np.repeat(owner, counts)


def _distances(a: np.ndarray, b: np.ndarray, owner: np.ndarray, n: int, side: int, reach: float) -> np.ndarray:
    """Compute the distance of each pixel's centre to the nearest piece, as far as it is below `reach`.

    Args:
        a: (m, 2) where pieces start, in pixels from the field's corner; pixel (i, j) has its centre at
            (x, y) = (j + 1/2, i + 1/2).
        b: (m, 2) where they end.
        owner: (m,) each piece's field.
        n: Number of fields.
        side: Their side.
        reach: Distances above it do not matter.

    Returns:
        (n, side, side) float32.
    """
    field = np.full(n * side * side, FAR, dtype=np.float32)
    window = np.arange(int(np.ceil(2.0 * reach + PIECE)) + 1)  # pixels whose centres can be within reach
    offsets = window[:, None] * side + window  # (k, k) in the flat field
    for start in range(0, len(a), CHUNK):
        chunk = slice(start, start + CHUNK)
        corner = np.ceil(np.minimum(a[chunk], b[chunk]) - reach - 0.5)  # (m, 2) first pixel whose centre is in reach
        from_corner = (corner + 0.5 - a[chunk]).astype(np.float32)  # its centre, seen from the piece's start
        along = (b[chunk] - a[chunk]).astype(np.float32)  # (m, 2)
        squared = np.einsum("ij,ij->i", along, along)  # (m,)
        x = (from_corner[:, 0, None] + window.astype(np.float32))[:, None, :]  # (m, 1, k)
        y = (from_corner[:, 1, None] + window.astype(np.float32))[:, :, None]  # (m, k, 1)
        dx, dy = along[:, 0, None, None], along[:, 1, None, None]
        share = x * dx + y * dy  # (m, k, k): where along the piece the nearest point lies
        share /= np.maximum(squared, np.float32(1e-20))[:, None, None]
        np.clip(share, 0.0, 1.0, out=share)
        distance = (x - share * dx) ** 2
        distance += (y - share * dy) ** 2
        first = owner[chunk] * (side * side) + (corner[:, 1] * side + corner[:, 0]).astype(np.int64)
        np.minimum.at(field, (first[:, None, None] + offsets).ravel(), distance.ravel())
    return np.sqrt(field).reshape(n, side, side)
