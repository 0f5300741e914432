"""The CPU plan's backward pass, layer by layer, as prepared NumPy calls.

The formulas of layers.py, on the arrays that the forward pass (forward.py) leaves behind, which are used up.

Names: a is a unit's weighted sum, y its output, delta = dE/da.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lenet_gpu.engine.cpu import layout
from lenet_gpu.engine.cpu.gather import c1_line
from lenet_gpu.engine.cpu.heads import Head
from lenet_gpu.engine.cpu.layout import C1_LINE, C1_MAPS, C1_PARAMETERS, C3_HALF, C3_MAPS, C3_PARAMETERS
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import PlanSpec
from lenet_gpu.engine.cpu.weights import Weights
from lenet_gpu.paper import SQUASH_A, SQUASH_S

C1_PIECE, C3_PIECE = 8, 37
"""Rows of a piece of the products that give C1's and C3's gradients: quickest of those tried, and as many as make a
result small enough (ops.py)."""


class BackwardPass:
    """Records the calls for any number of images up to the capacity; all of them share the same arrays.

    Args:
        spec: What the plan is made for.
        parameters: Flat parameter buffer.
        weights: The weight matrices built from it.
        head: The output layer.
        buffers: The arrays, those of the forward pass.
    """

    def __init__(
        self, spec: PlanSpec, parameters: np.ndarray, weights: Weights, head: Head, buffers: layout.Buffers
    ) -> None:
        self._spec, self._weights, self._head, self._buffers = spec, weights, head, buffers
        self._squash = {layer: spec.squash(layer) for layer in ("c1", "c3")}
        dtype = spec.dtype
        self._parameters = spec.network.views(parameters)
        self._ones = np.ones(layout.C1_TILES**2 * spec.capacity, dtype)
        self._dc1 = np.zeros((4, 4 * C1_MAPS, C1_LINE), dtype)
        self._dc1_outputs, self._dc1_sums = np.zeros((16, C1_PARAMETERS), dtype), np.zeros(C1_PARAMETERS, dtype)
        self._dc3 = layout.aligned((2, C3_HALF, 2 * C3_MAPS), dtype)
        self._dc3_outputs = np.zeros((4, C3_PARAMETERS), dtype)
        # Over each row of S2's and S4's arrays: the sum of delta t, and the sum of delta.
        self._row_sums = {"s2": np.zeros((2, 4 * C1_MAPS), dtype), "s4": np.zeros((2, C3_MAPS), dtype)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Give its own arrays by name."""
        return {
            "ones": self._ones, "dc1_matrices": self._dc1, "dc1_of_each_output": self._dc1_outputs,
            "dc1": self._dc1_sums, "dc3_matrices": self._dc3, "dc3_of_each_output": self._dc3_outputs,
            "s2_row_sums": self._row_sums["s2"], "s4_row_sums": self._row_sums["s4"],
        }  # fmt: skip

    def record(self, do: Recorder, n: int, labels: np.ndarray, flat: np.ndarray) -> None:
        """Record the way from the outputs to all gradients; it overwrites the activations.

        Args:
            do: Receives the calls.
            n: Number of images.
            labels: (n,) intp; read when the calls run.
            flat: Receives the gradients, laid out like the parameters.
        """
        b = {**self._buffers.cut(n), **self._buffers.cut_dense(n)}
        gradients, layer = self._spec.network.views(flat), self._weights.layers_of(flat)
        c1, c1_scratch = (b[name].reshape(2, 4, -1) for name in ("c1", "scratch"))
        c3, s4, s4_delta = b["c3"].reshape(4, -1), b["s4"].reshape(-1, n), b["s4_delta"].reshape(-1, n)
        scratch = b["scratch"].reshape(-1)
        do.layer("output")
        self._head.loss_backward(do, n, labels, b["f6"], b["f6_delta"], gradients)
        do.layer("F6")
        self._dense_back(do, "f6", b["c5"], b["f6"], b["f6_delta"], b["c5_delta"], gradients)
        do.layer("C5")
        self._dense_back(do, "c5", s4, b["c5"], b["c5_delta"], s4_delta, gradients)
        do.layer("S4, C3's squashing")
        self._delta(do, b["s4"], b["s4_delta"])
        self._subsample_back(
            do, "s4", c3, scratch[: c3.size].reshape(c3.shape), b["s4_sum"], b["s4_delta"], layer["s4"]
        )
        do.layer("C3")
        self._c3_gradient(do, b, layer["c3"])
        self._c3_back(do, b, n)
        do.layer("S2, C1's squashing")
        # C3's weights hold the factor k, which goes out here.
        self._delta(do, b["s2"], b["s2_delta"], 1.0 / self._squash["c3"].weight)
        self._subsample_back(do, "s2", c1, c1_scratch, b["s2_sum"], b["s2_delta"], layer["s2"])
        do.layer("C1")
        self._c1_gradient(do, b, gradients)

    def _delta(self, do: Recorder, y: np.ndarray, dy: np.ndarray, scale: float = 1.0) -> None:
        """Turn dy = dE/dy / scale into delta = dE/dy f'(a), in place; y is used up. f'(a) = S/A (A^2 - y^2)."""
        do.multiply(y, y, out=y)
        do.subtract(y, SQUASH_A**2, out=y)
        do.multiply(dy, y, out=dy)
        do.multiply(dy, scale * -SQUASH_S / SQUASH_A, out=dy)

    def _dense_back(
        self, do: Recorder, name: str, x: np.ndarray, y: np.ndarray, dy: np.ndarray, dx: np.ndarray,
        gradients: Mapping[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Go back through a fully connected layer; dy (units, n) becomes delta, dx (inputs, n) is written."""
        weight = self._parameters[f"{name}.weight"].reshape(len(y), -1)
        self._delta(do, y, dy)
        do.dot(dy, x.T, out=gradients[f"{name}.weight"].reshape(weight.shape))
        do.dot(dy, self._ones[: dy.shape[1]], out=gradients[f"{name}.bias"])
        do.dot(weight.T, dy, out=dx)

    def _subsample_back(
        self, do: Recorder, name: str, x: np.ndarray, scratch: np.ndarray, total: np.ndarray, delta: np.ndarray,
        gradient: np.ndarray,
    ) -> None:  # fmt: skip
        """Go back through subsampling and the squashing of the layer below.

        Args:
            do: Receives the calls.
            name: "s2" or "s4".
            x: t of the layer below, the phases along axis -2; becomes its delta.
            scratch: Of x's shape.
            total: The sums of four t, (rows, columns).
            delta: This layer's, (rows, columns); used up.
            gradient: Receives the derivative by coefficients and biases.
        """
        sums = self._row_sums[name]
        do.matmul(delta[:, None, :], total[:, :, None], out=sums[0, :, None, None])
        do.dot(delta, self._ones[: delta.shape[1]], out=sums[1])
        do.dot(sums.reshape(-1), self._weights.subsampling_gradient[name], out=gradient)
        # the same dE/dy for each of the four phases below, times its f'
        do.multiply(delta, self._weights.subsampling[name][2], out=delta)
        self._squash["c1" if name == "s2" else "c3"].derivative(do, x, scratch)
        do.multiply(x, delta.reshape(*x.shape[:-2], 1, -1), out=x)

    def _c3_gradient(self, do: Recorder, b: Mapping[str, np.ndarray], gradient: np.ndarray) -> None:
        """Record C3's gradient from its delta, half by half of the matrix; then collected by parameters."""
        delta = b["c3"].reshape(2, 2 * C3_MAPS, -1)  # line, (x, map), (tile, image)
        do.product_by_rows(b["c3_in"][:C3_HALF], delta[0].T, out=self._dc3[0], most=C3_PIECE)
        do.product_by_rows(b["c3_in"][-C3_HALF:], delta[1].T, out=self._dc3[1], most=C3_PIECE)
        do.take(self._dc3, self._weights.c3_positions, out=self._dc3_outputs)
        do.dot(self._ones[:4], self._dc3_outputs, out=gradient)

    def _c3_back(self, do: Recorder, b: Mapping[str, np.ndarray], n: int) -> None:
        """Record dE/dy of S2 from C3's delta: the derivatives of C3's windows, folded onto the cells they lie on."""
        fold_y, fold_x = b["fold_y"].reshape(3, -1), b["fold_x"].reshape(3, *b["s2"].shape)
        tall_flat = b["scratch"].reshape(-1)[: fold_y[0].size]
        thirds, tall, wide = layout.fold_views(b["fold_y"], tall_flat, b["fold_x"], n)
        self._c3_windows_back(do, b["c3"], thirds)
        do.add(fold_y[0], fold_y[1], out=tall_flat)
        do.add(tall_flat, fold_y[2], out=tall_flat)
        do.copyto(wide, tall)
        do.add(fold_x[0], fold_x[1], out=b["s2_delta"])
        do.add(b["s2_delta"], fold_x[2], out=b["s2_delta"])

    def _c3_windows_back(self, do: Recorder, delta: np.ndarray, thirds: Sequence[np.ndarray]) -> None:
        """Record the derivatives of C3's windows, lines 2k and 2k + 1 into `thirds[k]`.

        A tile has two lines of outputs. Only the upper one sees line 0 of the window, only the lower one line 5.
        """
        line, half = layout.C3_LINE, len(delta) // 2  # 36 rows of the window, 32 of delta
        both, upper, lower = slice(None), slice(None, half), slice(half, None)
        first, second, two = slice(None, line), slice(line, None), slice(None)
        for k, rows, outputs in (
            (0, first, upper), (0, second, both), (1, two, both), (2, first, both), (2, second, lower)
        ):  # fmt: skip
            weights = self._weights.c3[outputs, 1 + 2 * k * line : 1 + 2 * (k + 1) * line]
            do.product_by_rows(weights[:, rows].T, delta[outputs], out=thirds[k][rows])

    def _c1_gradient(self, do: Recorder, b: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> None:
        """Record C1's gradient from its delta, line by line of the tiles; then collected by parameters."""
        delta = b["c1"].reshape(4, 4 * C1_MAPS, -1)  # line, (x, map), (tile, image)
        for line in range(4):
            windows = c1_line(b["c1_in"], line)
            do.product_by_rows(delta[line], windows.T, out=self._dc1[line], most=C1_PIECE)
        do.take(self._dc1, self._weights.c1_positions, out=self._dc1_outputs)
        do.dot(self._ones[:16], self._dc1_outputs, out=self._dc1_sums)
        sums = self._dc1_sums.reshape(C1_MAPS, -1)  # (6, 26): kernels, bias
        do.dot(sums, self._weights.c1_gradient, out=gradients["c1.weight"].reshape(C1_MAPS, -1))
        do.copyto(gradients["c1.bias"], sums[:, -1])
