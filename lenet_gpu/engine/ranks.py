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

    def add_up(self, rows: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """Add up the rows of all ranks, one after the other in their order: everywhere the same bytes.

        Args:
            rows: As for `gather`; used up.
            counts: As for `gather`.

        Returns:
            The sum, of a row's shape; may lie in `rows`, and may be overwritten by the next call.
        """

    def from_first(self, number: int) -> int:
        """Give everybody the whole number that rank 0 has."""


def added(rows: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Add rows in their order.

    Args:
        rows: (k, ...), k from 1.
        total: Receives the sum, of a row's shape, unless there is a single row.

    Returns:
        The sum: `total`, or the single row itself.
    """
    found = rows[0]
    for row in rows[1:]:
        found = np.add(found, row, total)
    return found


def portion(items: int, rank: int, size: int) -> range:
    """Choose the items, out of a number of them, that a rank computes: consecutive ones, shared out evenly."""
    return range(items * rank // size, items * (rank + 1) // size)


def portions(items: int, size: int) -> list[int]:
    """Count the items of each rank, see `portion`."""
    return [len(portion(items, rank, size)) for rank in range(size)]


def rows_of_batches(n: int, batch: int, size: int) -> list[int]:
    """Count the rows of each rank, where batches of rows, the last one smaller, are shared out as by `portion`.

    Args:
        n: Rows in all.
        batch: Rows of a batch.
        size: Number of ranks.
    """
    ends = [portion(-(-n // batch), rank, size).stop * batch for rank in range(size)]
    return [int(rows) for rows in np.diff(np.minimum([0, *ends], n))]
