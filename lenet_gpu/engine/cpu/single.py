"""One image through the network in as few NumPy calls as possible: the latency that a user feels after drawing.

With one image the overhead of a call is as long as what it computes. So this path has the fewest calls, and
everything that depends on weights alone is computed once, when the parameters change:

* f(a) = p + q t (squash.py). Only t is computed; p and q are in the weights and biases of the layer that
  follows. C5 and F6, with few values, take tanh itself.
* Squashing by exp takes biases b in for nothing, and subsampling's coefficients c: -2A c / (exp(u + b) + 1) is
  -2A c e^-b / (exp u + e^-b). So e^-b is added where 1 would be, and the other constant stands where -2A would.
* Squashing by tanh has no such places. There a bias is a weight whose input is always 1; only those of S2 and S4, and
  coefficients, are calls of their own.
* What subsampling adds lies in two halves of an array, and in each of them side by side: two additions.
* Pixels stay 0 ... 255; the scale and the background of the input are in C1's weights and biases.

The windows of both convolutions begin at multiples of four numbers (four pixels; two cells of 6 maps are three
times four), so `take` gathers "quads", four numbers at a time. Where biases are in products, the last quad of every
window is (1, 0, 0, 0), and windows and weights are four longer than here::

    grid    257 quads    32 lines of 32 pixels; 1, 0, 0, 0
       |  take: at each of 28x7 tiles a window of 5 lines of 8 pixels
    c1_in  196 x 40      tiles (y%2, y//2, x) by window (line, x)
       |  product with the (40 x 24) weights: 1x4 outputs of 6 maps
    c1     196 x 24      tiles by (x//2, map, x%2)
       |  squash; add y%2, then x%2 (the 2x2 cells that S2 adds)
    s2      295 quads    14 lines of 14 cells of 6 maps; 1, 0, 0, 0
       |  squash; take: at each of 10x5 tiles a window of 5 lines of 6 cells
    c3_in   50 x 180     tiles (y%2, y//2, x) by window (line, x, map)
       |  product with the (180 x 32) weights: 1x2 outputs of 16 maps
    c3      50 x 32      tiles by (map, x%2)
       |  squash; add y%2, then x%2
    s4      25 x 16      rows (y, x), columns maps
       |  squash
    c5, f6, z            (120, 84, classes), dot and tanh
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lenet_gpu.engine.cpu.layout import C1_MAPS, C1_ONES, C3_MAPS, C5_MAPS, F6_UNITS, aligned
from lenet_gpu.engine.cpu.ops import Call, Recorder, run
from lenet_gpu.engine.cpu.spec import PlanSpec
from lenet_gpu.engine.cpu.squash import ByExp
from lenet_gpu.engine.cpu.weights import Weights
from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE, SQUASH_A, SQUASH_S

QUAD = 4
CELLS = 2 * C1_MAPS
"""Numbers of S2 above a tile of C1: (x//2, map)."""

SAFE = 80.0
"""exp of more may overflow in float32."""

LARGEST_BIAS = 40.0
"""Largest |b| of which e^-b may be split off: where exp u alone overflows, or comes to 0, u + b is beyond squashing's
limit still."""

C1_TILES, C3_TILES = 196, 50
"""Windows of C1 and C3."""
C3_ROWS = 52
"""Rows of C3's product: with 52 instead of 50 OpenBLAS' kernels for AVX2, which take four at a time, are quicker."""


def _windows(first: np.ndarray, width: int, lines: int, quads: int, one: int | None) -> np.ndarray:
    """List the numbers of the quads of all windows, window by window.

    Args:
        first: The first quad of each window.
        width: Quads in a line of the array.
        lines: Lines of a window.
        quads: Quads in a line of a window.
        one: The quad that ends every window; none if None.
    """
    line, quad = np.ogrid[:lines, :quads]
    found = (first.reshape(-1, 1, 1) + line * width + quad).reshape(first.size, -1)
    ends = [] if one is None else [np.full(first.size, one)]
    return np.column_stack([found, *ends]).ravel().astype(np.intp)


def _quads(array: np.ndarray) -> np.ndarray:
    """View a contiguous array as one-dimensional records of four numbers, which `take` copies whole."""
    return array.reshape(-1).view(np.dtype((np.void, QUAD * array.itemsize)))


class SingleImage:
    """The calls for one image, and the weights folded for it.

    Args:
        parameters: The network's flat parameter buffer.
        spec: What the plan is made for. All layers are squashed in the way that needs the fewest calls here.

    Attributes:
        safe: True if softmax can't overflow, whatever the image, and no bias is too large to be split off; if not,
            this path must not be used, for it takes the exponentials as they come.
        quiet: True if no other exp can overflow either. Where one does, squashing gets its limit right (t = 0), but
            NumPy would warn.
        grid: (1, 28, 28), where the pixels must be put before the calls run; any dtype can be copied there.
        forward: The calls from there to the output layer's values.
        f6: (1, 84), the units of F6 without the factor A of their squashing.
        logits: (1, classes), the output layer's values.
        softmax: The calls that make probabilities of them.
        probabilities: (1, classes), these.
    """

    def __init__(self, parameters: np.ndarray, spec: PlanSpec) -> None:
        spec = replace(spec, training=False, near=frozenset(), single=True)
        self._parameters, self._weights = spec.network.views(parameters), Weights(parameters, spec)
        self._squash = spec.squash("")
        self._splits = isinstance(self._squash, ByExp)
        do = Recorder()
        self._weights.build(do)
        self._build = do.calls
        self.safe = self.quiet = self._folded = False
        dtype, classes = spec.dtype, spec.network.classes

        def array(*shape: int) -> np.ndarray:
            return aligned(shape, dtype)

        margin = (INPUT_SIZE - IMAGE_SIZE) // 2
        field, cells = array(INPUT_SIZE**2 + QUAD), array(98 * CELLS + QUAD)
        grid, s2 = field[:-QUAD].reshape(INPUT_SIZE, INPUT_SIZE), cells[:-QUAD].reshape(98, CELLS)
        self.grid = grid[None, margin:-margin, margin:-margin]  # its margin stays 0
        end, c3_rows = (0, C3_ROWS) if self._splits else (QUAD, C3_TILES)
        c1_in, c3_in = array(C1_TILES, 40 + end), array(c3_rows, 180 + end)
        c1, c3 = array(C1_TILES, 2 * CELLS), array(c3_rows, 2 * C3_MAPS)
        # Vectors end in a 1 for the bias; lines of whole cache lines make the products with them quicker.
        s4, c5, f6 = array(416), array(128), array(96)
        field[-QUAD] = cells[-QUAD] = s4[25 * C3_MAPS] = c5[C5_MAPS] = f6[F6_UNITS] = 1.0
        units4, units5, units6 = s4[: 25 * C3_MAPS].reshape(25, C3_MAPS), c5[:C5_MAPS], f6[:F6_UNITS]
        self.f6, self.logits, self.probabilities = units6[None], array(1, classes), array(1, classes)
        logits, probabilities = self.logits[0], self.probabilities[0]

        self._w1, self._w3 = array(40 + end, 2 * CELLS), array(180 + end, 2 * C3_MAPS)
        # For every number of C1, S2, C3 and S4: the bias, or e^-b; and what stands above it, or coefficients.
        self._b1, self._b2, self._b3, self._b4 = (array(2, *x.shape) for x in (c1, s2, c3[:C3_TILES], units4))
        self._w5, self._w6, self._wz = array(C5_MAPS, s4.size), array(F6_UNITS, c5.size), array(classes, f6.size)

        p, y, x = np.ogrid[:2, :14, :7]
        c1_windows = _windows((2 * y + p) * 8 + x, 8, 5, 2, field.size // QUAD - 1 if end else None)
        p, y, x = np.ogrid[:2, :5, :5]
        c3_windows = _windows((2 * y + p) * 21 + 3 * x, 21, 5, 9, cells.size // QUAD - 1 if end else None)
        do = Recorder()
        do.take(_quads(field), c1_windows, out=_quads(c1_in))
        do.dot(c1_in, self._w1, out=c1)
        self._unit(do, c1, self._b1, in_product=True)
        self._subsample(do, c1, self._b1, s2)
        self._unit(do, s2, self._b2)
        do.take(_quads(cells), c3_windows, out=_quads(c3_in[:C3_TILES]))
        do.dot(c3_in, self._w3, out=c3)
        self._unit(do, c3[:C3_TILES], self._b3, in_product=True)
        self._subsample(do, c3[:C3_TILES], self._b3, units4)
        self._unit(do, units4, self._b4)
        do.dot(self._w5, s4, out=units5)
        do.tanh(units5, out=units5)
        do.dot(self._w6, c5, out=units6)
        do.tanh(units6, out=units6)
        do.dot(self._wz, f6, out=logits)
        self.forward: list[Call] = do.calls
        do, total = Recorder(), np.zeros((), dtype)
        do.exp(logits, out=probabilities)  # `safe`: no need to subtract the largest first
        do.dot(np.ones(classes, dtype), probabilities, out=total)
        do.divide(probabilities, total, out=probabilities)
        self.softmax: list[Call] = do.calls

    def _unit(self, do: Recorder, x: np.ndarray, constants: np.ndarray, *, in_product: bool = False) -> None:
        """Record u -> t in place, with coefficients where they come for nothing.

        Args:
            do: Receives the calls.
            x: The sums, without their biases unless these are `in_product`.
            constants: (2, *x.shape): what `_constants` writes.
            in_product: Whether a product with a row of ones adds the biases where e^-b is not split off.
        """
        if isinstance(self._squash, ByExp):
            self._squash.unit(do, x, x, one=constants[0], above=constants[1])
        else:
            if not in_product:
                do.add(x, constants[0], out=x)
            self._squash.unit(do, x, x)

    def _subsample(self, do: Recorder, x: np.ndarray, constants: np.ndarray, out: np.ndarray) -> None:
        """Record the sums of 2x2 cells, which are two halves of x and in each of them neighbours, with coefficients.

        Args:
            do: Receives the calls.
            x: t of the layer below; (y%2, ..., x%2).
            constants: As for `_unit`, those of x.
            out: Receives the sums, without their biases.
        """
        halves, sums = x.reshape(2, -1), out.reshape(-1)
        pairs = np.empty_like(halves[0]).reshape(-1, 2)  # of an array of its own, which is quicker than x
        do.add(halves[0], halves[1], out=pairs.reshape(-1))
        do.add(pairs[:, 0], pairs[:, 1], out=sums)
        if not self._splits:
            do.multiply(sums, constants[1].reshape(-1)[: x.size // 2 : 2], out=sums)

    def _constants(self, bias: np.ndarray, out: np.ndarray, coefficient: np.ndarray | float = 1.0) -> None:
        """Write what `_unit` and `_subsample` read.

        Args:
            bias: Those of out's columns.
            out: (2, rows, columns).
            coefficient: What t is to be multiplied by, one number or as many as biases.
        """
        if not self._splits:
            out[0], out[1] = bias, coefficient
            return
        self.safe &= bool(np.abs(bias).max() <= LARGEST_BIAS)  # nan is not
        out[0] = np.exp(-np.clip(bias, -LARGEST_BIAS, LARGEST_BIAS))
        out[1] = coefficient * ByExp.ABOVE * out[0]
        self.safe &= bool(np.isfinite(out[1]).all())

    def outdate(self) -> None:
        """Say that the parameters have changed: they are taken in when an image comes."""
        self._folded = False

    def usable(self) -> bool:
        """Take in the parameters if they have changed; tell whether they are `safe`."""
        if not self._folded:
            self.fold()
            self._folded = True
        return self.safe

    def run(self, images: np.ndarray) -> None:
        """Run one image forward, (1, 28, 28) or (1, 784)."""
        np.copyto(self.grid, images.reshape(self.grid.shape))
        if self.quiet:
            run(self.forward)
        else:
            with np.errstate(over="ignore"):
                run(self.forward)

    def fold(self) -> None:
        """Take in the parameters. Decides whether they are `safe` and `quiet`."""
        run(self._build)
        weights, parameters, q, p = self._weights, self._parameters, self._squash.factor, self._squash.offset
        self.safe = True
        # The matrices of layout.py hold those of this path, with rows (x%2, x//2, map) and (x%2, map).
        matrix1 = weights.c1[0].reshape(2, CELLS, -1).transpose(1, 0, 2).reshape(2 * CELLS, -1)
        matrix3 = weights.c3[:32].reshape(2, C3_MAPS, -1).transpose(1, 0, 2).reshape(2 * C3_MAPS, -1)
        b1, w1 = matrix1[:, C1_ONES], np.delete(matrix1, C1_ONES, axis=1)
        c2, b2, c4, b4 = (x[:, 0] for name in ("s2", "s4") for x in weights.subsampling[name][:2])
        c2, b2 = (np.tile(x[:CELLS:2], 2) for x in (c2, b2))  # (map, half) -> (x//2, map)
        w3 = matrix3[:, 1:181]
        b3 = matrix3[:, 0] + p * w3.sum(axis=1)
        self._w1[:40], self._w3[:180] = w1.T, q * w3.T
        if not self._splits:
            self._w1[40], self._w3[180] = b1, b3
        self._constants(b1, self._b1, np.repeat(c2, 2))
        self._constants(b2, self._b2)
        self._constants(b3, self._b3, np.repeat(c4, 2))
        self._constants(b4, self._b4)
        w5 = parameters["c5.weight"].transpose(0, 2, 3, 1).reshape(C5_MAPS, -1)  # (120, 5 x 5 x 16)
        b5 = parameters["c5.bias"] + p * w5.sum(axis=1)
        for folded, weight, bias, before, after in (
            (self._w5, w5, b5, q, SQUASH_S),
            (self._w6, parameters["f6.weight"], parameters["f6.bias"], SQUASH_A, SQUASH_S),
            (self._wz, parameters["output.weight"], parameters["output.bias"], SQUASH_A, 1.0),
        ):
            inputs = weight.shape[1]
            folded[:, :inputs] = before * after * weight
            folded[:, inputs] = after * bias
        # A parameter that is nan makes its bound nan, and comparisons with that are false.
        t = 2.0 * SQUASH_A  # no t is further from 0, whichever way it is computed
        squashed = [
            255.0 * np.abs(w1).sum(axis=1) + np.abs(b1),
            4.0 * t * np.abs(c2) + np.abs(b2),
            t * q * np.abs(w3).sum(axis=1) + np.abs(b3),
            4.0 * t * np.abs(c4) + np.abs(b4),
        ]
        finite = np.isfinite(self._w5).all() and np.isfinite(self._w6).all()
        self.safe &= bool(finite and np.abs(self._wz).sum(axis=1).max() < SAFE)
        self.quiet = bool(np.concatenate(squashed).max() < SAFE)
