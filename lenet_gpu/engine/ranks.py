"""The processes that train one network together, as engines see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Ranks(Protocol):
    """The processes that train a network together, as one of them sees the others.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
    """

    rank: int
    size: int

    def gather(self, rows: np.ndarray, counts: Sequence[int]) -> None:
        """Fill in the rows that other ranks have computed, in place.

        Args:
            rows: (sum of counts, ...), C-contiguous; this rank's rows lie in their place.
            counts: Rows of each rank, (size,).
        """

    def from_first(self, number: int) -> int:
        """Give everybody the whole number that rank 0 has."""


def portion(items: int, rank: int, size: int) -> range:
    """Choose the items, out of a number of them, that a rank computes: consecutive ones, shared out evenly."""
    return range(items * rank // size, items * (rank + 1) // size)


def portions(items: int, size: int) -> list[int]:
    """Count the items of each rank, see `portion`."""
    return [len(portion(items, rank, size)) for rank in range(size)]
