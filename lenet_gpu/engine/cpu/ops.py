"""Prepared NumPy calls, and the recorder that makes them.

A plan decides nothing while it runs: it walks a list of calls, each a NumPy function with all its arguments, the
output array among them. The recorder makes such lists from code that reads like NumPy::

    do = Recorder()
    do.dot(weight, x, out=y)      # nothing is computed here,
    do.tanh(y, out=y)
    run(do.calls)                 # but here, as often as needed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A prepared operation: a NumPy function and its arguments, the output array among them."""

BUFFER = 256
"""Numbers in NumPy's buffers while a plan computes."""

SMALL = 10**6
"""Multiplications up to which a product needs no copies. A product with a transposed second factor must also have a
result of at most 1,200 numbers."""


@contextmanager
def quietly() -> Iterator[None]:
    """Run calls with NumPy set for them.

    It is silent: divergence is reported through the loss, and squashing divides by 0. And its buffers are small, in
    which it collects the runs of arrays that are not one long run before it computes. That is slower for runs as
    long as those of S2 and S4 (25 numbers for each image and more), which are computed where they lie when they
    don't fit, and quicker for those of C5 and F6 (one number for each image).
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        before = np.setbufsize(BUFFER)
        try:
            yield
        finally:
            np.setbufsize(before)


def run(calls: Sequence[Call]) -> None:
    """Run prepared calls in order."""
    for function, arguments in calls:
        function(*arguments)


def constant(value: float, dtype: np.dtype) -> np.ndarray:
    """Make a 0-d array of a number, which a call takes without any conversion."""
    return np.array(value, dtype)


def bounds(size: int, pieces: int) -> list[tuple[int, int]]:
    """Cut a range into pieces as equal as can be.

    Args:
        size: Length of the range.
        pieces: Number of pieces; at most one for each of `size`.

    Returns:
        (start, stop) of each.
    """
    pieces = max(1, min(pieces, size))
    return list(pairwise(size * i // pieces for i in range(pieces + 1)))


class Products:
    """Cuts matrix products a b into the pieces that BLAS likes best.

    OpenBLAS copies the factors of a product into an order of its own before it multiplies. On processors with
    AVX-512 it has kernels that spare the copies, for products of up to 10^6 multiplications: products of this
    network run at 200 GFLOP/s with them, at 80 to 170 without (one core of a Zen 5, 250 at most). So there a larger
    product is cut, by rows or by columns. Elsewhere cutting only costs, up to a fifth.

    Args:
        cut: Whether pieces are worth it on this processor.
    """

    def __init__(self, cut: bool) -> None:
        self._cut = cut

    def rows(self, a: np.ndarray, b: np.ndarray, most: int | None = None) -> list[tuple[int, int]]:
        """Choose pieces of a's rows.

        Args:
            a: (m, k).
            b: (k, n).
            most: Rows of a piece at most; as many as its multiplications allow for if None.

        Returns:
            (start, stop) of each piece.
        """
        pieces = -(-a.size * b.shape[1] // SMALL) if self._cut else 1
        if self._cut and most:
            pieces = max(pieces, -(-len(a) // most))
        return bounds(len(a), pieces)

    def columns(self, a: np.ndarray, b: np.ndarray, unit: int) -> list[tuple[int, int]]:
        """Choose pieces of b's columns, each a multiple of `unit` columns wide; see `rows`."""
        units = b.shape[1] // unit
        most = max(1, SMALL // (a.size * unit)) if self._cut else units
        return [(unit * i, unit * j) for i, j in bounds(units, -(-units // most))]


class Recorder:
    """Records NumPy operations as prepared calls; its methods compute nothing.

    `out` is overwritten when the calls run, and may be one of the operands. A Python float among the operands
    becomes a constant of out's dtype.

    Args:
        products: How large matrix products are cut; not at all if None.

    Attributes:
        calls: What was recorded, in order.
        layers: (number of calls before it, name) of each group of calls, for `describe.py`.
    """

    def __init__(self, products: Products | None = None) -> None:
        self.calls: list[Call] = []
        self.layers: list[tuple[int, str]] = []
        self._products = products or Products(cut=False)

    def layer(self, name: str) -> None:
        """Begin a group of calls, of which `describe.py` gives the name."""
        self.layers.append((len(self.calls), name))

    def _elementwise(self, function: np.ufunc, *operands: np.ndarray | float, out: np.ndarray) -> None:
        arrays = (constant(x, out.dtype) if isinstance(x, float) else x for x in operands)
        self.calls.append((function, (*arrays, out)))

    def add(self, a: np.ndarray | float, b: np.ndarray | float, *, out: np.ndarray) -> None:
        """Record out = a + b."""
        self._elementwise(np.add, a, b, out=out)

    def subtract(self, a: np.ndarray | float, b: np.ndarray | float, *, out: np.ndarray) -> None:
        """Record out = a - b."""
        self._elementwise(np.subtract, a, b, out=out)

    def multiply(self, a: np.ndarray | float, b: np.ndarray | float, *, out: np.ndarray) -> None:
        """Record out = a * b, element by element."""
        self._elementwise(np.multiply, a, b, out=out)

    def divide(self, a: np.ndarray | float, b: np.ndarray | float, *, out: np.ndarray) -> None:
        """Record out = a / b."""
        self._elementwise(np.divide, a, b, out=out)

    def clip(self, a: np.ndarray, least: float, most: float, *, out: np.ndarray) -> None:
        """Record out = a, or what is nearest to it from least to most."""
        self.calls.append((a.clip, (constant(least, out.dtype), constant(most, out.dtype), out)))

    def negative(self, a: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = -a."""
        self._elementwise(np.negative, a, out=out)

    def exp(self, a: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = e^a."""
        self._elementwise(np.exp, a, out=out)

    def log(self, a: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = the natural logarithm of a."""
        self._elementwise(np.log, a, out=out)

    def tanh(self, a: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = the hyperbolic tangent of a."""
        self._elementwise(np.tanh, a, out=out)

    def sum(self, a: np.ndarray, axis: int | None = None, *, out: np.ndarray) -> None:
        """Record out = the sum over an axis, or over everything."""
        self.calls.append((np.add.reduce, (a, axis, None, out)))

    def max(self, a: np.ndarray, axis: int | None = None, *, out: np.ndarray) -> None:
        """Record out = the largest along an axis, or of all."""
        self.calls.append((np.maximum.reduce, (a, axis, None, out)))

    def copyto(self, destination: np.ndarray, source: np.ndarray) -> None:
        """Record destination[...] = source."""
        self.calls.append((np.copyto, (destination, source)))

    def fill(self, array: np.ndarray, value: float) -> None:
        """Record array[...] = value."""
        self.calls.append((array.fill, (value,)))

    def take(self, a: np.ndarray, indices: np.ndarray, axis: int | None = None, *, out: np.ndarray) -> None:
        """Record out = a at the indices, which must be valid ("clip" saves NumPy a look at each of them)."""
        self.calls.append((a.take, (indices, axis, out, "clip")))

    def dot(self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = a b, a product of matrices or vectors; `out` must be contiguous."""
        self.calls.append((a.dot, (b, out)))

    def matmul(self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = a b, a product of matrices, or of stacks of them."""
        self.calls.append((np.matmul, (a, b, out)))

    def product(self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray) -> None:
        """Record out = a b by the quickest function: `dot` costs about 1 us less, but needs a contiguous `out`."""
        (self.dot if out.flags.c_contiguous else self.matmul)(a, b, out=out)

    def product_by_rows(self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray, most: int | None = None) -> None:
        """Record out = a b, some rows of it at a time; see `Products.rows`."""
        for i, j in self._products.rows(a, b, most):
            self.product(a[i:j], b, out=out[i:j])

    def product_by_columns(self, a: np.ndarray, b: np.ndarray, *, out: np.ndarray, unit: int) -> None:
        """Record out = a b, some columns of it at a time; see `Products.columns`."""
        for i, j in self._products.columns(a, b, unit):
            self.product(a, b[:, i:j], out=out[:, i:j])
