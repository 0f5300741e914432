"""The three ways in which the CPU plan computes the squashing function f(a) = A tanh(S a).

All compute t, one number a unit, from u = k a, where the factor k is in the weights already. Then
f(a) = p + q t, and p and q are folded into the next layer's weights where that costs nothing.

==========  ==================  ====  ===  ===  ==================
way         t                   k     q    p    f'(a)
==========  ==================  ====  ===  ===  ==================
ByExp       -2A / (exp u + 1)   2S    1    A    -S/A t (t + 2A)
ByTanh      tanh u              S     A    0    S A (1 - t^2)
ByDoubling  tanh u, |u| <= 27   S     A    0    S A (1 - t^2)
==========  ==================  ====  ===  ===  ==================

Where NumPy's tanh works on vectors of 16 numbers (AVX-512) it takes 0.16 ns a value, and the three calls of
ByExp 0.46 ns. Without, tanh takes 2.6 ns, the three calls 1.5 ns, and the nine calls of ByDoubling, where their
arrays fit the cache, 1.2 ns (AVX2, Zen 3): they do nothing but divide and add. Where the weights allow a sum that is
too large for them (reach.py), one call more clips it. ByExp is for one image, whose numbers are too few for nine
calls (single.py), and for float64. The choice depends on processor, NumPy and parameters alone, so that the same
machine gives the same bytes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.paper import SQUASH_A, SQUASH_S

WIDE = ("AVX512", "X86_V4")
"""Beginnings of the names of NumPy's instruction sets with vectors of 16 numbers."""


@lru_cache(maxsize=1)
def has_wide_vectors() -> bool:
    """Tell whether NumPy and its BLAS compute with vectors of 16 numbers, by what its float32 tanh runs on.

    It changes how the plan computes (squashing here, products in ops.py), never what.

    Returns:
        False where NumPy does not say (before NumPy 2).
    """
    try:
        from numpy.lib.introspect import opt_func_info
    except ImportError:
        return False
    kinds = opt_func_info("^tanh$", "float32").get("tanh", {})
    return any(str(kind.get("current", "")).startswith(WIDE) for kind in kinds.values())


class Squash:
    """A way to compute the squashing function.

    Attributes:
        weight: k.
        factor: q.
        offset: p.
        slope: f'(a) divided by what the calls of `derivative` leave behind.
    """

    weight: float
    factor: float
    offset: float
    slope: float

    def unit(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> t, in place; arguments as for `derivative`."""
        raise NotImplementedError

    def output(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> f(a), in place; arguments as for `derivative`."""
        raise NotImplementedError

    def derivative(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record t -> f'(a) / slope, in place.

        Args:
            do: Receives the calls.
            x: The array.
            scratch: Of x's shape.
        """
        raise NotImplementedError


class ByExp(Squash):
    """By exp, for few numbers on processors with vectors of 4 or 8."""

    weight, factor, offset, slope = 2.0 * SQUASH_S, 1.0, SQUASH_A, -SQUASH_S / SQUASH_A
    ABOVE = -2.0 * SQUASH_A

    def unit(
        self, do: Recorder, x: np.ndarray, scratch: np.ndarray, one: np.ndarray | float = 1.0,
        above: np.ndarray | float = ABOVE,
    ) -> None:  # fmt: skip
        """Record u -> t, in place; u -> c times the t of u + b where `one` is e^-b and `above` -2A c e^-b."""
        do.exp(x, out=x)
        do.add(x, one, out=x)
        do.divide(above, x, out=x)

    def output(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> f(a), in place."""
        self.unit(do, x, scratch)
        do.add(x, SQUASH_A, out=x)

    def derivative(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record t -> t (t + 2A), in place."""
        do.add(x, 2.0 * SQUASH_A, out=scratch)
        do.multiply(x, scratch, out=x)


class ByTanh(Squash):
    """By tanh, for processors with vectors of 16 numbers."""

    weight, factor, offset, slope = SQUASH_S, SQUASH_A, 0.0, SQUASH_S * SQUASH_A

    def unit(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> t, in place."""
        do.tanh(x, out=x)

    def output(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> f(a), in place."""
        do.tanh(x, out=x)
        do.multiply(x, SQUASH_A, out=x)

    def derivative(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record t -> 1 - t^2, in place."""
        do.multiply(x, x, out=x)
        do.subtract(1.0, x, out=x)


class ByDoubling(ByTanh):
    """By doubling the argument of coth, for processors with vectors of 4 or 8 numbers and |u| of at most 27.

    coth 2y = (coth y + 1 / coth y) / 2. So with U = s coth y, U + s^2 / U is 2s coth 2y: a division and an addition
    double the argument, and no rounding error grows on the way, for the slope of coth is less than that of 1 / y.
    Three doublings begin at y = u / 8 with what y / 3 + 1 / y is for small y, coth y: an addition and a division too.
    The five constants are near those that follow from this (192, 576, 2304, 9216 and 192), but chosen so that the
    largest error for |u| <= 20 is smallest: 3.5e-8, where float32 itself rounds by 6e-8. At 24 it is 1e-6, at 27
    6e-6, and so on: t falls below 1.
    """

    STEPS = (173.07801372, 450.80676559, 1872.43915053, 7488.99698907)
    LAST = 173.07798854
    REACH = 27.0
    """Largest |u| that this way may be used for."""

    def unit(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> t, in place; u = 0 gives 0 by way of infinity."""
        self._record(do, x, scratch, self.LAST)

    def output(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record u -> f(a), in place."""
        self._record(do, x, scratch, SQUASH_A * self.LAST)

    def _record(self, do: Recorder, x: np.ndarray, scratch: np.ndarray, last: float) -> None:
        for step in self.STEPS:
            do.divide(step, x, out=scratch)
            do.add(x, scratch, out=x)
        do.divide(last, x, out=x)


class ByDoublingClipped(ByDoubling):
    """By doubling, whatever the weights: one more call keeps u where that is exact, beyond which tanh is 1."""

    LIMIT = 20.0

    def _record(self, do: Recorder, x: np.ndarray, scratch: np.ndarray, last: float) -> None:
        do.clip(x, -self.LIMIT, self.LIMIT, out=x)
        super()._record(do, x, scratch, last)
