"""The CPU plan's forward pass, layer by layer, as prepared NumPy calls.

Every method records calls, which compute when they are run, not when they are recorded. The formulas are those of
layers.py, rewritten as follows:

* f(a) = p + q t, where t is the part of the squashing function that is quickest to compute (squash.py).
  Its argument's factor goes into the weights. C1 and C3 stop at t: their outputs are only ever added up by
  fours, so 4p goes into the bias of the subsampling that follows, and q into its coefficient. The derivative
  needs the output alone.
* Pixels stay 0 ... 255. What input scaling does to them is done to C1's weights instead:
  sum of w (background + s v) = sum of (s w) v + background (sum of w).

Names: a is a unit's weighted sum, y its output.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.engine.cpu import layout
from lenet_gpu.engine.cpu.gather import Arrays, Gather
from lenet_gpu.engine.cpu.heads import Head
from lenet_gpu.engine.cpu.layout import C1_MAPS
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import GRID, PlanSpec
from lenet_gpu.engine.cpu.weights import Weights

FEW = 8
"""Images up to which all of C1 is squashed at once; of more, a line, which stays in the cache for nine calls."""


def _like(x: np.ndarray, scratch: np.ndarray) -> np.ndarray:
    """Give as much of the scratch array as x needs where it is squashed, in x's shape; less is there for others."""
    flat = scratch.reshape(-1)
    return flat[: x.size].reshape(x.shape) if x.size <= flat.size else flat


class ForwardPass:
    """Records the calls for any number of images up to the capacity; all of them share the same arrays.

    Args:
        spec: What the plan is made for.
        parameters: Flat parameter buffer.
        weights: The weight matrices built from it.
        head: The output layer.
        buffers: The arrays.
        gather: How windows are gathered.
    """

    def __init__(
        self, spec: PlanSpec, parameters: np.ndarray, weights: Weights, head: Head, buffers: layout.Buffers,
        gather: Gather,
    ) -> None:  # fmt: skip
        self._spec, self._weights, self._head, self._buffers = spec, weights, head, buffers
        self._gather = gather
        self._squash = {layer: spec.squash(layer) for layer in ("c1", "s2", "c3", "s4")}
        self._squash_dense = spec.squash_dense
        self._parameters = spec.network.views(parameters)

    def arrays(self, n: int) -> dict[str, np.ndarray]:
        """Give the arrays that the calls for n images use, by name; those of parameters, weights and head apart."""
        return self._buffers.cut(n) | self._buffers.cut_dense(n)

    # ---- images

    def images(self, n: int) -> np.ndarray:
        """Give the array where n images must be put before the calls of `load`: (n, 784), or (n, 1024) for grids."""
        rows = self._buffers.cut(n)["rows"].reshape(n, -1)
        return rows[:, :GRID] if self._spec.grid else rows

    def maps(self, name: str, n: int) -> np.ndarray:
        """Compute a layer's outputs from what the calls of `forward` have left behind.

        Args:
            name: "c1", "s2", "c3", "s4", "c5" or "f6".
            n: Number of images.

        Returns:
            f(a) as a new array, (n, maps, height, width) or (n, units).
        """
        array = (self._buffers.cut_dense if name in ("c5", "f6") else self._buffers.cut)(n)[name]
        found = np.array(layout.maps_of(name, array, n, training=self._spec.training), order="C")
        if name in ("c1", "c3"):  # they stop at t
            found *= self._squash[name].factor
            found += self._squash[name].offset
        return found

    def restore(self, do: Recorder, n: int) -> None:
        """Record what writes all that the other calls expect to find; needed after another number of images."""
        b = self._buffers.cut(n)
        self._gather.restore(do, b)
        if self._spec.training:
            do.fill(b["fold_y"], 0)
            do.fill(b["fold_x"], 0)

    def load(self, do: Recorder, n: int) -> None:
        """Gather what C1 sees."""
        do.layer("input")
        self._gather.load(do, self._buffers.cut(n), n)

    # ---- forward

    def forward(self, do: Recorder, n: int) -> None:
        """Record the way from what C1 sees to S4."""
        b, weights, gather = self._buffers.cut(n), self._weights, self._gather
        c1 = b["c1"].reshape(4, 4 * C1_MAPS, -1)  # line, (x, map), (tile, image)
        together = 4 if n <= FEW or self._spec.wide else 1
        do.layer("C1")
        for line in range(4):
            gather.c1(do, b, n, weights, line)
            if (line + 1) % together == 0:
                self._unit(do, "c1", c1[line + 1 - together : line + 1], b["scratch"])
        do.layer("S2")
        self._subsample(do, "s2", c1.reshape(2, 4, -1), b, b["s2"])
        do.layer("C3")
        gather.c3(do, b, n, weights)
        self._unit(do, "c3", b["c3"], b["scratch"])
        do.layer("S4")
        self._subsample(do, "s4", b["c3"].reshape(4, -1), b, b["s4"])

    def s4(self, n: int) -> np.ndarray:
        """Give the array where `forward` leaves S4's outputs of n images, (400, n)."""
        return self._buffers.cut(n)["s4"].reshape(-1, n)

    def dense_input(self, n: int) -> np.ndarray:
        """Give the array where `dense` finds S4's outputs of n images, (400, n): if one chunk, that of `s4`."""
        return self.s4(n) if n <= self._spec.capacity else self._buffers.cut_dense(n)["s4_together"]

    def dense(self, do: Recorder, n: int) -> None:
        """Record the way from S4 to the outputs."""
        b = self._buffers.cut_dense(n)
        do.layer("C5")
        self._dense(do, "c5", self.dense_input(n), b["c5"])
        do.layer("F6")
        self._dense(do, "f6", b["c5"], b["f6"])
        do.layer("output")
        self._head.forward(do, n, b["f6"])

    def _unit(self, do: Recorder, name: str, x: np.ndarray, scratch: np.ndarray) -> None:
        """Squash the sums of C1 or C3, in place: u -> t."""
        self._squash[name].unit(do, x, _like(x, scratch))

    def _subsample(self, do: Recorder, name: str, x: np.ndarray, b: Arrays, y: np.ndarray) -> None:
        """Add four phases, multiply by the coefficient, add the bias, squash.

        Args:
            do: Receives the calls.
            name: "s2" or "s4".
            x: t of the layer below, the phases along axis -2.
            b: The arrays by name. To train, the sums are kept in `s2_sum` and `s4_sum`.
            y: Receives the layer's output, (rows, columns).
        """
        factor, offset, _ = self._weights.subsampling[name]
        if self._spec.training:
            total = b[f"{name}_sum"]
            sums = total.reshape(*x.shape[:-2], -1)
            do.add(x[..., 0, :], x[..., 1, :], out=sums)
            do.add(sums, x[..., 2, :], out=sums)
            do.add(sums, x[..., 3, :], out=sums)
            do.multiply(total, factor, out=y)
        else:  # a product for each map
            four = self._weights.four[name]  # (maps, 4)
            phases = x.reshape(*x.shape[:-1], len(four), -1).swapaxes(-3, -2)  # ..., map, phase, (position, image)
            do.matmul(four[:, None], phases, out=y.reshape(*phases.shape[:-2], 1, -1))
        do.add(y, offset, out=y)
        self._squash[name].output(do, y, _like(y, b["scratch"]))

    def _dense(self, do: Recorder, name: str, x: np.ndarray, y: np.ndarray) -> None:
        """Record a fully connected layer and its squashing, x (inputs, n) -> y (units, n)."""
        weight, bias = self._parameters[f"{name}.weight"], self._parameters[f"{name}.bias"]
        do.product_by_rows(weight.reshape(len(bias), -1), x, out=y)
        do.add(y, bias[:, None], out=y)
        do.multiply(y, self._squash_dense.weight, out=y)
        self._squash_dense.output(do, y, _like(y, self._buffers.cut_dense(y.shape[1])["dense_scratch"]))
