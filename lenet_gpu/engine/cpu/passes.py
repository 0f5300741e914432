"""The calls of the CPU plan: each layer's forward and backward pass as prepared NumPy operations.

Every method returns a list of calls, which compute when they are run, not when they are made. The formulas
are those of layers.py, rewritten as follows:

* f(a) = p + q t, where t is the part of the squashing function that is quickest to compute (squash.py).
  Its argument's factor goes into the weights. C1 and C3 stop at t: their outputs are only ever added up by
  fours, so 4p goes into the bias of the subsampling that follows, and q into its coefficient. The derivative
  needs the output alone.
* Pixels stay 0 ... 255. What input scaling does to them is done to C1's weights instead:
  sum of w (background + s v) = sum of (s w) v + background (sum of w).

Names: a is a unit's weighted sum, y its output, delta = dE/da.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lenet_gpu.engine.cpu import layout
from lenet_gpu.engine.cpu.heads import Call, Head, constant
from lenet_gpu.engine.cpu.layout import C1_LINE, C1_MAPS, C1_ONES, C1_TERMS, C3_HALF, C3_MAPS, C3_TERMS
from lenet_gpu.engine.cpu.ops import Products
from lenet_gpu.engine.cpu.squash import Squash
from lenet_gpu.engine.cpu.weights import Terms
from lenet_gpu.nn.layer import named_views
from lenet_gpu.paper import SQUASH_A, SQUASH_S

C1_PIECE, C3_PIECE = 8, 37
"""Rows of a piece of the products that give C1's and C3's gradients: quickest of those tried, and as many as make a
result small enough (ops.py)."""


class Calls:
    """Makes the calls for any number of images up to the capacity; all of them share the same arrays.

    Args:
        parameters: Flat parameter buffer.
        shapes: Shape of each parameter by name, in the order of the buffer.
        terms: The weight matrices made from it.
        head: The output layer.
        squash: How squashing is computed.
        products: How products are cut.
        capacity: Largest number of images.
        pixels: dtype of the images.
        training: Whether backward passes are wanted.
        grid: Whether images come as whole grids of 32x32.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        shapes: Mapping[str, Sequence[int]],
        terms: Terms,
        head: Head,
        squash: Squash,
        products: Products,
        capacity: int,
        pixels: np.dtype,
        *,
        training: bool,
        grid: bool = False,
    ) -> None:
        self.dtype = dtype = parameters.dtype
        self._shapes, self._terms, self._head = shapes, terms, head
        self._squash, self._products = squash, products
        self._parameters = named_views(parameters, shapes)
        self._buffers = layout.Buffers(capacity, dtype, pixels, training, grid)
        self._training, self._grid = training, grid
        self._ones = np.ones(layout.C1_TILES**2 * capacity, dtype)
        self._dc1 = np.zeros((4, 4 * C1_MAPS, C1_LINE), dtype)
        self._dc1_terms, self._dc1_sums = np.zeros((16, C1_TERMS), dtype), np.zeros(C1_TERMS, dtype)
        self._dc3 = layout.aligned((2, C3_HALF, 2 * C3_MAPS), dtype)
        self._dc3_terms = np.zeros((4, C3_TERMS), dtype)

    # ---- images

    def images(self, n: int) -> np.ndarray:
        """Where n images must be put before the calls of `load`: (n, 784), or (n, 1024) for grids."""
        rows = self._buffers.cut(n)["rows"].reshape(n, -1)
        return rows[:, : layout.GRID] if self._grid else rows

    def restore(self, n: int) -> list[Call]:
        """The calls that write what all others expect to find; needed after another number of images."""
        b = self._buffers.cut(n)
        calls: list[Call] = [
            (b["images"].fill, (0,)),
            (b["c1_in"][C1_ONES].fill, (1,)),
            (b["c3_in"][0].fill, (1,)),
            (b["c3_in"][-1].fill, (1,)),
        ]
        if self._training:
            calls += [(b["fold_y"].fill, (0,)), (b["fold_x"].fill, (0,))]
        return calls

    def load(self, n: int) -> list[Call]:
        """Gather the windows of C1's tiles."""
        b = self._buffers.cut(n)
        windows, places = layout.c1_windows(b["images"], n), layout.c1_window_rows(b["c1_in"], n)
        make = layout.grid_phases if self._grid else layout.image_quarters
        return [
            *((np.copyto, pair) for pair in make(b["rows"], b["images"], n)),
            (np.copyto, (places, windows)),
        ]

    # ---- forward

    def _subsample(self, name: str, x: np.ndarray, total: np.ndarray, y: np.ndarray) -> list[Call]:
        """Add four phases, multiply by the coefficient, add the bias, squash.

        Args:
            name: "s2" or "s4".
            x: t of the layer below, the phases along axis -2.
            total: Receives the sums, (rows, columns).
            y: Receives the layer's output, (rows, columns).
        """
        factor, offset, _ = self._terms.subsampling[name]
        sums = total.reshape(*x.shape[:-2], -1)
        return [
            (np.add, (x[..., 0, :], x[..., 1, :], sums)),
            (np.add, (sums, x[..., 2, :], sums)),
            (np.add, (sums, x[..., 3, :], sums)),
            (np.multiply, (total, factor, y)),
            (np.add, (y, offset, y)),
            *self._squash.output(y),
        ]

    def _dense(self, name: str, x: np.ndarray, y: np.ndarray) -> list[Call]:
        """A fully connected layer and its squashing, x (inputs, n) -> y (units, n)."""
        weight, bias = self._parameters[f"{name}.weight"], self._parameters[f"{name}.bias"]
        return [
            *self._products.by_rows(weight.reshape(len(bias), -1), x, y),
            (np.add, (y, bias[:, None], y)),
            (np.multiply, (y, constant(SQUASH_S, self.dtype), y)),
            (np.tanh, (y, y)),  # few values: here one call is quicker than three cheaper ones
            (np.multiply, (y, constant(SQUASH_A, self.dtype), y)),
        ]

    def forward(self, n: int) -> list[Call]:
        """From the gathered C1 windows to the logits."""
        b = self._buffers.cut(n)
        c1 = b["c1"].reshape(4, 4 * C1_MAPS, -1)  # line, (x, map), (tile, image)
        c3_in, windows = b["c3_in"][1:-1], layout.c3_windows(b["s2"], n)
        c3 = b["c3"].reshape(2, 2 * C3_MAPS, -1)  # line, (x, map), (tile, image)
        rows, columns = self._products.by_rows, self._products.by_columns
        return [
            *(call for k in range(4) for call in rows(self._terms.c1[k], layout.c1_line(b["c1_in"], k), c1[k])),
            *self._squash.unit(b["c1"]),
            *self._subsample("s2", c1.reshape(2, 4, -1), b["s2_sum"], b["s2"]),
            (np.copyto, (c3_in.reshape(windows.shape), windows)),
            *columns(self._terms.c3[: 2 * C3_MAPS, :C3_HALF], b["c3_in"][:C3_HALF], c3[0], n),
            *columns(self._terms.c3[2 * C3_MAPS :, -C3_HALF:], b["c3_in"][-C3_HALF:], c3[1], n),
            *self._squash.unit(b["c3"]),
            *self._subsample("s4", b["c3"].reshape(4, -1), b["s4_sum"], b["s4"]),
            *self._dense("c5", b["s4"].reshape(-1, n), b["c5"]),
            *self._dense("f6", b["c5"], b["f6"]),
            *self._head.forward(n, b["f6"]),
        ]

    # ---- backward

    def _delta(self, y: np.ndarray, dy: np.ndarray, scale: float = 1.0) -> list[Call]:
        """Turn dy = dE/dy / scale into delta = dE/dy f'(a), in place; y is used up. f'(a) = S/A (A^2 - y^2)."""
        return [
            (np.multiply, (y, y, y)),
            (np.subtract, (y, constant(SQUASH_A**2, self.dtype), y)),
            (np.multiply, (dy, y, dy)),
            (np.multiply, (dy, constant(scale * -SQUASH_S / SQUASH_A, self.dtype), dy)),
        ]

    def _dense_back(
        self, name: str, x: np.ndarray, y: np.ndarray, dy: np.ndarray, dx: np.ndarray,
        gradients: Mapping[str, np.ndarray],
    ) -> list[Call]:  # fmt: skip
        """Back through a fully connected layer; dy (units, n) becomes delta, dx (inputs, n) is written."""
        weight = self._parameters[f"{name}.weight"].reshape(len(y), -1)
        return [
            *self._delta(y, dy),
            (dy.dot, (x.T, gradients[f"{name}.weight"].reshape(weight.shape))),
            (dy.dot, (self._ones[: dy.shape[1]], gradients[f"{name}.bias"])),
            (weight.T.dot, (dy, dx)),
        ]

    def _subsample_back(
        self, name: str, x: np.ndarray, scratch: np.ndarray, total: np.ndarray, y: np.ndarray,
        dy: np.ndarray, scale: float, gradient: np.ndarray,
    ) -> list[Call]:  # fmt: skip
        """Back through squashing, subsampling and the squashing of the layer below.

        Args:
            name: "s2" or "s4".
            x: t of the layer below, the phases along axis -2; becomes its delta.
            scratch: Of x's shape.
            total: The sums of four t, (rows, columns).
            y: The layer's output, (rows, columns); used up.
            dy: dE/dy / scale, (rows, columns); used up.
            scale: What dy still has to be multiplied by.
            gradient: Receives the derivative by coefficients and biases.
        """
        rows, columns = y.shape
        sums = np.zeros((2, rows), self.dtype)
        back = self._terms.subsampling[name][2]
        return [
            *self._delta(y, dy, scale),
            (np.matmul, (dy[:, None, :], total[:, :, None], sums[0, :, None, None])),
            (dy.dot, (self._ones[:columns], sums[1])),
            (sums.reshape(-1).dot, (self._terms.subsampling_gradient[name], gradient)),
            # the same dE/dy for each of the four phases below, times its f'
            (np.multiply, (dy, back, dy)),
            *self._squash.derivative(x, scratch),
            (np.multiply, (x, dy.reshape(*x.shape[:-2], 1, -1), x)),
        ]

    def _c3_back(self, delta: np.ndarray, thirds: Sequence[np.ndarray]) -> list[Call]:
        """The derivatives of C3's windows, lines 2k and 2k + 1 into `thirds[k]`.

        A tile has two lines of outputs. Only the upper one sees line 0 of the window, only the lower one line 5.
        """
        line, half = layout.C3_LINE, len(delta) // 2  # 36 rows of the window, 32 of delta
        both, upper, lower = slice(None), slice(None, half), slice(half, None)
        first, second, two = slice(None, line), slice(line, None), slice(None)
        calls: list[Call] = []
        for k, rows, outputs in (
            (0, first, upper), (0, second, both), (1, two, both), (2, first, both), (2, second, lower)
        ):  # fmt: skip
            weights = self._terms.c3[outputs, 1 + 2 * k * line : 1 + 2 * (k + 1) * line]
            calls += self._products.by_rows(weights[:, rows].T, delta[outputs], thirds[k][rows])
        return calls

    def backward(self, n: int, labels: np.ndarray, flat: np.ndarray) -> list[Call]:
        """From the logits to all gradients; overwrites the activations.

        Args:
            n: Number of images.
            labels: (n,) intp; read when the calls run.
            flat: Receives the gradients, laid out like the parameters.
        """
        b = self._buffers.cut(n)
        gradients = named_views(flat, self._shapes)
        part = self._terms.parts(flat)
        c1, scratch = (b[name].reshape(2, 4, -1) for name in ("c1", "c1_scratch"))
        c1_lines = b["c1"].reshape(4, 4 * C1_MAPS, -1)
        c3, flat_scratch = b["c3"].reshape(4, -1), b["c1_scratch"].reshape(-1)
        c3_lines = b["c3"].reshape(2, 2 * C3_MAPS, -1)
        s4, s4_delta = b["s4"].reshape(-1, n), b["s4_delta"].reshape(-1, n)
        fold_y, fold_x = b["fold_y"].reshape(3, -1), b["fold_x"].reshape(3, *b["s2"].shape)
        tall_flat = flat_scratch[: fold_y[0].size]
        dc1 = self._dc1_sums.reshape(C1_MAPS, -1)
        rows = self._products.by_rows
        thirds, tall, wide = layout.fold_views(b["fold_y"], tall_flat, b["fold_x"], n)
        return [
            *self._head.loss_backward(n, labels, b["f6"], b["f6_delta"], gradients),
            *self._dense_back("f6", b["c5"], b["f6"], b["f6_delta"], b["c5_delta"], gradients),
            *self._dense_back("c5", s4, b["c5"], b["c5_delta"], s4_delta, gradients),
            *self._subsample_back(
                "s4", c3, flat_scratch[: c3.size].reshape(c3.shape), b["s4_sum"], b["s4"],
                b["s4_delta"], 1.0, part["s4"],
            ),
            *rows(b["c3_in"][:C3_HALF], c3_lines[0].T, self._dc3[0], C3_PIECE),
            *rows(b["c3_in"][-C3_HALF:], c3_lines[1].T, self._dc3[1], C3_PIECE),
            (self._dc3.take, (self._terms.c3_places, None, self._dc3_terms, "clip")),
            (self._ones[:4].dot, (self._dc3_terms, part["c3"])),
            *self._c3_back(b["c3"], thirds),
            (np.add, (fold_y[0], fold_y[1], tall_flat)),
            (np.add, (tall_flat, fold_y[2], tall_flat)),
            (np.copyto, (wide, tall)),
            (np.add, (fold_x[0], fold_x[1], b["s2_delta"])),
            (np.add, (b["s2_delta"], fold_x[2], b["s2_delta"])),
            # C3's weights hold the factor k, which goes out here.
            *self._subsample_back(
                "s2", c1, scratch, b["s2_sum"], b["s2"], b["s2_delta"], 1.0 / self._squash.weight, part["s2"]
            ),
            *(
                call
                for k in range(4)
                for call in rows(c1_lines[k], layout.c1_line(b["c1_in"], k).T, self._dc1[k], C1_PIECE)
            ),
            (self._dc1.take, (self._terms.c1_places, None, self._dc1_terms, "clip")),
            (self._ones[:16].dot, (self._dc1_terms, self._dc1_sums)),
            (dc1.dot, (self._terms.c1_gradient, gradients["c1.weight"].reshape(C1_MAPS, -1))),
            (np.copyto, (gradients["c1.bias"], dc1[:, -1])),
        ]  # fmt: skip
