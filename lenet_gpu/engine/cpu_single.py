"""One image through the network in as few NumPy calls as possible: what a person waits for after drawing.

With one image the overhead of a call is as long as what it computes. So this path has the fewest and cheapest
calls, 27 from the pixels to the probabilities, and everything that depends on weights alone is computed once,
when the parameters change:

* f(a) = A tanh(S a) = A - 2A r with r = 1 / (1 + exp(2S a)). Only r is computed. A and -2A are in the weights
  and biases of the layer that follows. C5 and F6, with few values, take tanh itself.
* A bias b costs nothing in r = g / (g + exp(z)) with g = exp(-b), z = 2S a - b: g instead of 1 is added.
* S2's coefficients c are in the division as well: c g / (g + exp(z)). S4's are in the sum, which is a product.
* In C5, F6 and the output layer a bias is a weight whose input is always 1.
* Pixels stay 0 ... 255; the scale and the background of the input are in C1's weights and biases.

The windows of both convolutions begin at multiples of four numbers (four pixels; two cells of 6 maps are three
times four), so `take` gathers "quads", four numbers at a time::

    grid    256 quads    32 lines of 32 pixels
       |  take: at each of 14x7 tiles a window of 6 lines of 8 pixels
    c1_in   98 x 48      tiles (y, x) by window (line, x)
       |  product with the (48 x 48) weights: 2x4 outputs of 6 maps
    c1      48 x 98      rows phase (y%2, x%2) x (x//2, map), columns tiles
       |  squash; dot with (1, 1, 1, 1): adds the phases (the 2x2 cells that S2 adds)
    s2      12 x 98      rows (x%2, map), columns (y, x//2)
       |  squash, the last call of which writes the transpose
    cells   294 quads    14 lines of 14 cells of 6 maps
       |  take: at each of 10x5 tiles a window of 5 lines of 6 cells
    c3_in   50 x 180     tiles (y//2, x, y%2) by window (line, x, map)
       |  product with the (180 x 32) weights: 1x2 outputs of 16 maps
    c3      25 x 64      rows (y//2, x//2), columns phase (y%2, x%2) x map
       |  squash; product with the (64 x 16) coefficients: adds the phases
    s4      25 x 16      rows (y, x), columns maps
       |  squash
    c5, f6, z            (120, 84, 10), dot and tanh
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lenet_gpu.engine.cpu_head import Call
from lenet_gpu.engine.cpu_layout import C1_ONES, C1_WINDOW, C3_MAPS, C5_MAPS, F6_UNITS, aligned
from lenet_gpu.engine.cpu_terms import Terms
from lenet_gpu.paper import CLASSES, IMAGE_SIZE, INPUT_SIZE, SQUASH_A, SQUASH_S

C1_SHAPE, S2_SHAPE, C3_SHAPE, S4_SHAPE = (48, 98), (12, 98), (50, 32), (25, C3_MAPS)

SAFE = 80.0
"""exp of more may overflow in float32. Parameters that allow for it are not for this path."""


def _windows(places: np.ndarray, width: int, lines: int, quads: int) -> np.ndarray:
    """Numbers of the quads of all windows, window by window.

    Args:
        places: The first quad of each window.
        width: Quads in a line of the array.
        lines: Lines of a window.
        quads: Quads in a line of a window.
    """
    line, quad = np.ogrid[:lines, :quads]
    return (places.reshape(-1, 1, 1) + line * width + quad).ravel().astype(np.intp)


def _quads(array: np.ndarray) -> np.ndarray:
    """The numbers of a contiguous array as one-dimensional records of four, which `take` copies whole."""
    return array.reshape(-1).view(np.dtype((np.void, 4 * array.itemsize)))


class SingleImage:
    """The calls for one image, and the weights folded for it.

    Args:
        parameters: Views of the network's parameters by name.
        terms: The first layers' weight matrices made from them.

    Attributes:
        safe: Whether exp can't overflow, whatever the image; if it could, this path must not be used, for it
            takes no precautions.
        grid: (1, 28, 28), where the pixels must be put before the calls run; any dtype can be copied there.
        forward: The calls from there to the output layer's values.
        logits: (1, 10), these values.
        softmax: The calls that make probabilities of them.
        probabilities: (1, 10), these.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], terms: Terms) -> None:
        self._parameters, self._terms = parameters, terms
        self.safe = False
        dtype = terms.c1.dtype

        def array(*shape: int) -> np.ndarray:
            return aligned(shape, dtype)

        margin = (INPUT_SIZE - IMAGE_SIZE) // 2
        grid = array(INPUT_SIZE, INPUT_SIZE)  # the margin stays 0
        self.grid = grid[None, margin:-margin, margin:-margin]
        c1_in, c1, s2, cells = array(98, 48), array(*C1_SHAPE), array(*S2_SHAPE), array(98, 12)
        c3_in, c3 = array(50, 180), array(*C3_SHAPE)
        # Vectors end in a 1 for the bias; lines of whole cache lines make the products with them quicker.
        s4, c5, f6 = array(416), array(128), array(96)
        s4[25 * C3_MAPS] = c5[C5_MAPS] = f6[F6_UNITS] = 1.0
        sums, units5, units6 = s4[: 25 * C3_MAPS].reshape(S4_SHAPE), c5[:C5_MAPS], f6[:F6_UNITS]
        self.logits, self.probabilities = array(1, CLASSES), array(1, CLASSES)
        logits, probabilities, total = self.logits[0], self.probabilities[0], array(CLASSES)

        self._w1, self._w3, self._add4 = array(48, 48), array(180, 32), array(64, C3_MAPS)
        self._w5, self._w6, self._wz = array(C5_MAPS, s4.size), array(F6_UNITS, c5.size), array(CLASSES, f6.size)
        self._g1, self._cg1, self._g2, self._g2_turned = (
            array(*C1_SHAPE),
            array(*C1_SHAPE),
            array(*S2_SHAPE),
            array(98, 12),
        )
        self._g3, self._g4 = array(*C3_SHAPE), array(*S4_SHAPE)

        y, x = np.ogrid[:14, :7]
        c1_windows = _windows(2 * y * 8 + x, 8, 6, 2)
        y, x, p = np.ogrid[:5, :5, :2]
        c3_windows = _windows((2 * y + p) * 21 + 3 * x, 21, 5, 9)
        self.forward: list[Call] = [
            (_quads(grid).take, (c1_windows, None, _quads(c1_in), "clip")),
            (self._w1.dot, (c1_in.T, c1)),
            (np.exp, (c1, c1)),
            (np.add, (c1, self._g1, c1)),
            (np.divide, (self._cg1, c1, c1)),
            (np.ones(4, dtype).dot, (c1.reshape(4, -1), s2.reshape(-1))),
            (np.exp, (s2, s2)),
            (np.add, (s2, self._g2, s2)),
            (np.divide, (self._g2_turned, s2.T, cells)),
            (_quads(cells).take, (c3_windows, None, _quads(c3_in), "clip")),
            (c3_in.dot, (self._w3, c3)),
            (np.exp, (c3, c3)),
            (np.add, (c3, self._g3, c3)),
            (np.divide, (self._g3, c3, c3)),
            (c3.reshape(25, 64).dot, (self._add4, sums)),
            (np.exp, (sums, sums)),
            (np.add, (sums, self._g4, sums)),
            (np.divide, (self._g4, sums, sums)),
            (self._w5.dot, (s4, units5)),
            (np.tanh, (units5, units5)),
            (self._w6.dot, (c5, units6)),
            (np.tanh, (units6, units6)),
            (self._wz.dot, (f6, logits)),
        ]
        self.softmax: list[Call] = [
            (np.exp, (logits, probabilities)),  # `safe`: no need to subtract the largest first
            (np.ones((CLASSES, CLASSES), dtype).dot, (probabilities, total)),
            (np.divide, (probabilities, total, probabilities)),
        ]

    def fold(self) -> None:
        """Take in the parameters; the terms must be up to date. Decides whether they are `safe`."""
        p = self._parameters
        # The matrices of cpu_layout.py hold those of this path: two lines of C1's tile see 6 lines of pixels.
        w1, b1 = np.zeros_like(self._w1), np.zeros_like(self._w1[0])  # (48, 48), (48,)
        for line, matrix in enumerate(self._terms.c1[:2]):
            ones = C1_ONES - line * C1_WINDOW
            b1[line * 24 : (line + 1) * 24] = matrix[:, ones]
            w1[line * 24 : (line + 1) * 24, line * 8 : line * 8 + 40] = np.delete(matrix, ones, axis=1)
        w3, b3 = self._terms.c3[:32, 1:181], self._terms.c3[:32, 0]  # (32, 180), (32,)
        b3 = b3 + SQUASH_A * w3.sum(axis=1)
        (c2, b2, _), (c4, b4, _) = self._terms.subsampling["s2"], self._terms.subsampling["s4"]
        c2, b2 = c2[:12], b2[:12]  # (12, 1): the same for both lines of a phase
        turned = -2.0 * SQUASH_A  # r to f(a) - A
        np.copyto(self._w1, w1)
        np.copyto(self._w3, turned * w3.T)
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(self._g1, np.exp(-b1)[:, None])
            np.multiply(self._g1, turned * np.tile(c2, (4, 1)), self._cg1)
            np.copyto(self._g2, np.exp(-b2))
            np.copyto(self._g2_turned, self._g2.T)
            np.copyto(self._g3, np.exp(-b3))
            np.copyto(self._g4, np.exp(-b4)[:, 0])
        np.copyto(self._add4, np.tile(np.diag(turned * c4[:, 0]), (4, 1)))  # (64, 16)
        w5 = p["c5.weight"].transpose(0, 2, 3, 1).reshape(C5_MAPS, -1)  # (120, 5 x 5 x 16)
        w6, wz = p["f6.weight"], p["output.weight"]
        b5 = p["c5.bias"] + SQUASH_A * w5.sum(axis=1)
        for folded, weight, bias, before, after in (
            (self._w5, w5, b5, turned, SQUASH_S),
            (self._w6, w6, p["f6.bias"], SQUASH_A, SQUASH_S),
            (self._wz, wz, p["output.bias"], SQUASH_A, 1.0),
        ):
            inputs = weight.shape[1]
            folded[:, :inputs] = before * after * weight
            folded[:, inputs] = after * bias
        bounds = [np.abs(b) for b in (b1, b2, b3, b4)]  # of everything that exp may be taken of
        bounds += [255.0 * np.abs(w1).sum(axis=1), np.abs(4.0 * turned * c2), np.abs(4.0 * turned * c4)]
        bounds += [np.abs(self._w3).sum(axis=0), np.abs(self._wz).sum(axis=1)]
        self.safe = all(bool((bound < SAFE).all()) for bound in bounds)
