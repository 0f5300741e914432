"""Connected pieces of a picture, by runs of pixels and NumPy alone.

Each row is cut into runs; a run touches those of the next row that overlap it by a pixel or a corner; and labels
spread over touching runs until none changes, each label jumping to the label of its label in between (Y. Shiloach
and U. Vishkin, "An O(log n) parallel connectivity algorithm", J. Algorithms 3, 1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected pieces of a mask, measured.

    Attributes:
        shape: (h, w) of the mask.
        rows: (r,) row of each run.
        starts: (r,) its first column.
        ends: (r,) the column after its last.
        labels: (r,) its piece, 0..n-1.
        boxes: (n, 4) top, left, bottom, right of each piece; bottom and right lie outside it.
        areas: (n,) its pixels.
    """

    shape: tuple[int, int]
    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def heights(self) -> np.ndarray:
        """Height of each piece's box, (n,)."""
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def widths(self) -> np.ndarray:
        """Width of each piece's box, (n,)."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def mask(self, which: np.ndarray) -> np.ndarray:
        """Draw some pieces.

        Args:
            which: (n,) bool.

        Returns:
            (h, w) bool.
        """
        chosen = which[self.labels]
        height, width = self.shape
        steps = np.zeros((height, width + 1), dtype=np.int8)
        steps[self.rows[chosen], self.starts[chosen]] = 1
        steps[self.rows[chosen], self.ends[chosen]] = -1  # where the next run starts there is a gap between
        return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8).astype(bool)

    def whole_mask(self) -> np.ndarray:
        """Draw all pieces, (h, w) bool."""
        return self.mask(np.ones(len(self), dtype=bool))

    def mask_of(self, k: int) -> np.ndarray:
        """Draw one piece, (h, w) bool."""
        return self.mask(np.arange(len(self)) == k)

    def crop(self, k: int) -> np.ndarray:
        """Draw one piece within its box.

        Args:
            k: Its index.

        Returns:
            (height, width) bool.
        """
        top, left = self.boxes[k, :2]
        runs = self.labels == k
        rows = self.rows[runs] - top
        steps = np.zeros((self.heights[k], self.widths[k] + 1), dtype=np.int8)
        steps[rows, self.starts[runs] - left] = 1
        steps[rows, self.ends[runs] - left] = -1  # where the next run starts there is a gap between
        return np.cumsum(steps[:, :-1], axis=1, dtype=np.int8).astype(bool)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Add up values over each piece.

        Args:
            values: (h, w) float32.

        Returns:
            (n,) float64.
        """
        running = np.zeros((self.shape[0], self.shape[1] + 1))
        np.cumsum(values, axis=1, dtype=np.float64, out=running[:, 1:])
        each = running[self.rows, self.ends] - running[self.rows, self.starts]
        return np.bincount(self.labels, each, minlength=len(self))


def pieces_of(mask: np.ndarray) -> Pieces:
    """Find the connected pieces of a mask; pixels that touch by a corner are connected.

    Args:
        mask: (h, w) bool.
    """
    height, width = mask.shape
    framed = np.zeros((height, width + 2), dtype=np.int8)
    framed[:, 1:-1] = mask
    changes = np.diff(framed, axis=1)  # (h, w + 1): 1 where a run starts, -1 after it ends
    rows, starts = np.nonzero(changes == 1)
    ends = np.nonzero(changes == -1)[1]
    count = len(rows)
    # In a row of all rows, one after the other, a run's neighbours below are those that overlap it a row further on.
    stride = width + 3
    first, last = rows * stride + starts, rows * stride + ends
    low = np.searchsorted(last, first + stride, side="left")  # the first that ends at or after its start
    high = np.searchsorted(first, last + stride, side="right")  # all that start at or before its end
    many = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(count), many)
    lower = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    labels = _joined(count, upper, lower)
    names, labels = np.unique(labels, return_inverse=True)
    boxes = np.empty((len(names), 4), dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    firsts = np.searchsorted(labels[order], np.arange(len(names)))
    if len(names):
        for side, (values, best) in enumerate(
            ((rows, np.minimum), (starts, np.minimum), (rows + 1, np.maximum), (ends, np.maximum))
        ):
            boxes[:, side] = best.reduceat(values[order], firsts)
    areas = np.bincount(labels, ends - starts, minlength=len(names)).astype(np.int64)
    return Pieces((height, width), rows, starts, ends, labels, boxes, areas)


def _joined(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give all members of a connected group the least index among them.

    Args:
        count: Number of members.
        a: (p,) one member of each pair that is connected.
        b: (p,) the other.
    """
    parent = np.arange(count)
    while len(a):
        left, right = parent[a], parent[b]
        apart = left != right
        if not apart.any():
            break
        a, b, left, right = a[apart], b[apart], left[apart], right[apart]
        np.minimum.at(parent, np.maximum(left, right), np.minimum(left, right))
        while True:
            grand = parent[parent]
            if np.array_equal(grand, parent):
                break
            parent = grand
    return parent
