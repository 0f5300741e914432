"""The parts that digits of a picture are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lenet_gpu.ink.signs import TALL


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of ink, or a slice of one.

    Attributes:
        piece: Its index.
        box: Top, left, bottom, right in the ink; bottom and right lie outside.
        whole: Whether it is all of the piece.
    """

    piece: int
    box: tuple[int, int, int, int]
    whole: bool = True

    @property
    def height(self) -> int:
        """Height of its box."""
        return self.box[2] - self.box[0]


def line_height(parts: Sequence[Part]) -> float:
    """Measure how tall the digits of a line are."""
    boxes = np.array([part.box for part in parts])
    pieces = np.unique([part.piece for part in parts], return_inverse=True)[1]
    tops, bottoms = np.full(pieces.max() + 1, boxes.max()), np.zeros(pieces.max() + 1, dtype=boxes.dtype)
    np.minimum.at(tops, pieces, boxes[:, 0])
    np.maximum.at(bottoms, pieces, boxes[:, 2])
    return middle_height(bottoms - tops)


def middle_height(heights: np.ndarray) -> float:
    """Return the middle height of what is tall."""
    return float(np.median(heights[heights >= TALL * heights.max()]))
