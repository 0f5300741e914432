"""Matrix products as prepared calls, in the pieces that BLAS likes best.

OpenBLAS copies the factors of a product into an order of its own before it multiplies. On processors with
AVX-512 it has kernels that spare the copies, for products of up to 10^6 multiplications: products of this
network run at 200 GFLOP/s with them, at 80 to 170 without (one core of a Zen 5, 250 at most). So there a larger
product is cut, by rows or by columns. Elsewhere cutting only costs, up to a fifth.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lenet_gpu.engine.cpu.heads import Call

SMALL = 10**6
"""Multiplications up to which a product needs no copies. A product with a transposed second factor must also have a
result of at most 1,200 numbers."""


def bounds(size: int, parts: int) -> list[tuple[int, int]]:
    """(start, stop) of parts as equal as can be, at most one for each of `size`."""
    parts = max(1, min(parts, size))
    return list(pairwise(size * i // parts for i in range(parts + 1)))


def product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """Out = a b. `a.dot` costs about 1 us less than `np.matmul`, but wants `out` in one piece."""
    return (a.dot, (b, out)) if out.flags.c_contiguous else (np.matmul, (a, b, out))


class Products:
    """Makes the calls of products.

    Args:
        cut: Whether pieces are worth it on this processor.
    """

    def __init__(self, cut: bool) -> None:
        self._cut = cut

    def _parts(self, a: np.ndarray, b: np.ndarray) -> int:
        """How many pieces make each of them small."""
        return -(-a.size * b.shape[1] // SMALL) if self._cut else 1

    def by_rows(self, a: np.ndarray, b: np.ndarray, out: np.ndarray, most: int | None = None) -> list[Call]:
        """Out = a b, some rows of it at a time.

        Args:
            a: (m, k).
            b: (k, n).
            out: (m, n).
            most: Rows of a piece at most; as many as its multiplications allow for if None.
        """
        parts = self._parts(a, b)
        if self._cut and most:
            parts = max(parts, -(-len(a) // most))
        return [product(a[i:j], b, out[i:j]) for i, j in bounds(len(a), parts)]

    def by_columns(self, a: np.ndarray, b: np.ndarray, out: np.ndarray, unit: int) -> list[Call]:
        """Out = a b, some columns of it at a time.

        Args:
            a: (m, k).
            b: (k, n).
            out: (m, n).
            unit: Pieces have multiples of so many columns.
        """
        units = b.shape[1] // unit
        most = max(1, SMALL // (a.size * unit)) if self._cut else units
        pieces = bounds(units, -(-units // most))
        return [product(a, b[:, unit * i : unit * j], out[:, unit * i : unit * j]) for i, j in pieces]
