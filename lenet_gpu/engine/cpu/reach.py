"""The bounds of a layer's sums, whatever the image: they say which way of squashing may be taken (squash.py)."""

from __future__ import annotations

import numpy as np

from lenet_gpu.engine.cpu.spec import PlanSpec
from lenet_gpu.engine.cpu.squash import ByDoubling
from lenet_gpu.paper import C3_TABLE, KERNEL_SIZE, SQUASH_A, SQUASH_S

LARGEST = ByDoubling.REACH / SQUASH_S
"""Largest sum a for which S a is in reach."""


class Reach:
    """Finds the layers whose sums are in reach of `ByDoubling`, from the parameters alone.

    A sum of w x + b with x between m - h and m + h lies within |m sum of w + b| + h sum of |w|.

    Args:
        spec: What the plan is made for.
        parameters: Flat parameter buffer.
    """

    def __init__(self, spec: PlanSpec, parameters: np.ndarray) -> None:
        p, network = spec.network.views(parameters), spec.network
        # float64 is for comparisons that want more digits; wide vectors have a quicker way.
        self._none = spec.wide or spec.dtype != np.float32
        # What comes as floats is not looked at, and might be no pixels.
        self._middle = (network.ink + network.background) / 2.0
        self._half = abs(network.ink - network.background) / 2.0 if spec.images != "float" else np.inf
        self._c1, self._b1 = p["c1.weight"].reshape(-1, KERNEL_SIZE**2), p["c1.bias"]
        self._c3, self._b3 = p["c3.weight"].reshape(-1), p["c3.bias"]
        self._starts = KERNEL_SIZE**2 * np.cumsum([0, *(len(row) for row in C3_TABLE[:-1])])
        self._few = {name: (p[f"{name}.coefficient"].reshape(-1), p[f"{name}.bias"]) for name in ("s2", "s4")}
        self._ones = np.ones(KERNEL_SIZE**2, spec.dtype)
        self._sizes1, self._sizes3 = np.empty_like(self._c1), np.empty_like(self._c3)

    def near(self) -> frozenset[str]:
        """List those of "c1", "s2", "c3" and "s4" that are in reach; a layer with a parameter that is nan is not."""
        if self._none:
            return frozenset()
        sums, spreads = self._c1.dot(self._ones), np.abs(self._c1, self._sizes1).dot(self._ones)
        bounds = {"c1": np.abs(self._middle * sums + self._b1) + self._half * spreads}
        np.abs(self._c3, self._sizes3)
        bounds["c3"] = SQUASH_A * np.add.reduceat(self._sizes3, self._starts) + np.abs(self._b3)
        for name, (coefficient, bias) in self._few.items():
            bounds[name] = 4.0 * SQUASH_A * np.abs(coefficient) + np.abs(bias)
        return frozenset(name for name, bound in bounds.items() if np.maximum.reduce(bound) <= LARGEST)
