"""The two ways in which the CPU plan computes the squashing function f(a) = A tanh(S a).

Both compute t, one number a unit, from u = k a, where the factor k is in the weights already. Then
f(a) = p + q t, and p and q are folded into the next layer's weights where that costs nothing.

=========  ==================  ====  ===  ===  ==================
way        t                   k     q    p    f'(a)
=========  ==================  ====  ===  ===  ==================
ByExp      -2A / (exp u + 1)   2S    1    A    -S/A t (t + 2A)
ByTanh     tanh u              S     A    0    S A (1 - t^2)
=========  ==================  ====  ===  ===  ==================

Where NumPy's tanh works on vectors of 16 numbers (AVX-512) it takes 0.16 ns a value, and the three calls of
ByExp 0.46 ns. Without, tanh takes 2.6 ns and the three calls 1.6 ns. The choice depends on the processor and on
NumPy alone, so that the same machine gives the same bytes.
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

    def unit(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> t, in place."""
        raise NotImplementedError

    def output(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> f(a), in place."""
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
    """By exp, for processors with vectors of 4 or 8 numbers."""

    weight, factor, offset, slope = 2.0 * SQUASH_S, 1.0, SQUASH_A, -SQUASH_S / SQUASH_A

    def unit(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> t, in place."""
        do.exp(x, out=x)
        do.add(x, 1.0, out=x)
        do.divide(-2.0 * SQUASH_A, x, out=x)

    def output(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> f(a), in place."""
        self.unit(do, x)
        do.add(x, SQUASH_A, out=x)

    def derivative(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record t -> t (t + 2A), in place."""
        do.add(x, 2.0 * SQUASH_A, out=scratch)
        do.multiply(x, scratch, out=x)


class ByTanh(Squash):
    """By tanh, for processors with vectors of 16 numbers."""

    weight, factor, offset, slope = SQUASH_S, SQUASH_A, 0.0, SQUASH_S * SQUASH_A

    def unit(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> t, in place."""
        do.tanh(x, out=x)

    def output(self, do: Recorder, x: np.ndarray) -> None:
        """Record u -> f(a), in place."""
        do.tanh(x, out=x)
        do.multiply(x, SQUASH_A, out=x)

    def derivative(self, do: Recorder, x: np.ndarray, scratch: np.ndarray) -> None:
        """Record t -> 1 - t^2, in place."""
        do.multiply(x, x, out=x)
        do.subtract(1.0, x, out=x)
