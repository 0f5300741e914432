"""The paper's network at full speed one image at a time: a step as a prepared list of NumPy calls.

Stochastic gradient descent takes a step after every image, so nothing can be shared among images, and each
NumPy call works on little: the number of calls counts as much as the arithmetic. This plan therefore differs
from plan.py, which lives on long runs over many images:

* The parameters are kept in a buffer of the plan's own, in which every layer's bias is one more column of its
  weight matrix, and C3's matrix has zeros where Table I has no connection. So each layer is one product
  forward, one product (or outer product) gives all its gradients, and nothing is built before a step or
  folded after it. Zeros stay zeros because their learning rate is 0.
* f(a) = A tanh(S a), and pixels are s v + background. All three constants are folded into the parameters: with
  w' = k w, gradient descent on w' at the rate k^2 r moves w as gradient descent on w at the rate r. Within a
  step a unit is just t = tanh(u), and dt/du = 1 - t^2.
* Each parameter has its own learning rate anyway (sdlm.py), so the factors k^2 cost nothing: the update is two
  calls over the whole buffer.
* Runs are what costs: a call that works on 80 runs of 10 numbers takes five times as long as one on 800 numbers
  in a row. So the columns of C1's windows stand phase by phase (the four units of an S2 cell in four separate
  rows), S4 sums by a product with a matrix of zeros and ones, and C3's deltas go back through maps that are
  padded to the width of S2's, where a shift of a whole map is one run (layout.py).

Names: t is a unit's output before the factor A, delta = dE/du, both layer by layer.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.engine.cpu.online import loss
from lenet_gpu.engine.cpu.online.layout import (
    C5_ROW,
    F6_ROW,
    OWN_SHAPES,
    OWN_SIZE,
    K,
    gather_c1,
    gather_c3,
    index_map,
    spread_c3,
)
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import NetworkSpec
from lenet_gpu.nn.layer import named_views
from lenet_gpu.paper import CLASSES, IMAGE_SIZE, INPUT_SIZE, SQUASH_A


class OnlinePlan:
    """Training steps of the `paper` network, one image each.

    Args:
        network: The facts about the network; its loss is "rbf" (8) or "map" (9).
    """

    def __init__(self, network: NetworkSpec) -> None:
        self.dtype = dtype = np.dtype(network.dtype)
        self._own, self._gradient, self._relative, self._rates = (np.zeros(OWN_SIZE, dtype) for _ in range(4))
        self._views = named_views(self._own, OWN_SHAPES)
        self._gradients = named_views(self._gradient, OWN_SHAPES)
        pixel = (network.ink - network.background) / 255.0
        self._positions, self._factors = index_map(network.shapes, pixel)
        # Pixels enter as v + background / s; s itself is in C1's weights.
        self._offset = np.array(network.background / pixel, dtype)
        self._make_arrays()
        self._output = (
            loss.maximum_a_posteriori(self._rows6, self._difference)
            if network.loss == "map"
            else loss.target_penalty(self._t6, self._difference)
        )
        forward, backward = Recorder(), Recorder()
        self._record_forward(forward)
        self._record_backward(backward)
        self._forward, self._backward = forward.calls, backward.calls

    # ---- parameters

    def read(self, parameters: np.ndarray) -> None:
        """Take over the network's parameters."""
        self._own[self._positions] = parameters * self._factors

    def write(self, parameters: np.ndarray) -> None:
        """Give the parameters back."""
        parameters[...] = self._own[self._positions] / self._factors

    def set_rates(self, rates: np.ndarray | float, learning_rate: float = 1.0) -> None:
        """Set the learning rates.

        Args:
            rates: One for each of the network's parameters, or one for all.
            learning_rate: Factor of all of them; see `set_learning_rate`.
        """
        # The derivative by F6 is computed without its factor 2 A^2.
        self._relative[self._positions] = rates * self._factors**2 * (2.0 * SQUASH_A**2)
        self.set_learning_rate(learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Change the common factor of all rates, which is quick."""
        np.multiply(self._relative, learning_rate, self._rates)

    # ---- steps

    def train(self, images: np.ndarray, labels: np.ndarray, order: np.ndarray, losses: np.ndarray) -> None:
        """Take one step for each image.

        Args:
            images: (n, 28, 28) uint8: images that still need their margin; or (n, 32, 32) float: the input
                layer's whole grid, with pixel values 0 to 255.
            labels: (n,) integers 0..9; with loss (9) also 10, "not a digit".
            order: (m,) the images to take, in this order.
            losses: Receives the loss of each image before its step, (m,).
        """
        grid = self._grid if images.shape[1] == INPUT_SIZE else self._inner
        self._grid.fill(self._offset)
        offset, output, forward, backward = self._offset, self._output, self._forward, self._backward
        add, subtract, multiply = np.add, np.subtract, np.multiply
        own, gradient, rates = self._own, self._gradient, self._rates
        for step, (index, label) in enumerate(zip(order.tolist(), labels[order].tolist(), strict=True)):
            add(images[index], offset, grid)
            for function, arguments in forward:
                function(*arguments)
            losses[step] = output(label)
            for function, arguments in backward:
                function(*arguments)
            multiply(gradient, rates, gradient)
            subtract(own, gradient, own)

    # ---- preparation

    def _make_arrays(self) -> None:
        def zeros(*shape: int) -> np.ndarray:
            return np.zeros(shape, self.dtype)

        margin = (INPUT_SIZE - IMAGE_SIZE) // 2
        self._grid = zeros(INPUT_SIZE, INPUT_SIZE)
        self._inner = self._grid[margin:-margin, margin:-margin]
        self._shifted1, self._shifted3 = zeros(6, 2, 16, 14), zeros(K, 6, 14, 10)
        self._columns1, self._columns3 = np.ones((26, 784), self.dtype), zeros(150, 100)
        self._t1, self._t2, self._t3 = zeros(6, 784), zeros(6, 196), zeros(16, 100)
        self._t4, self._t5, self._rows6 = zeros(C5_ROW), zeros(F6_ROW), zeros(CLASSES + 1, 84)
        self._t6 = self._rows6[CLASSES]  # below ten rows for the codes
        self._t4[400] = self._t5[120] = 1.0  # for the biases
        self._sum2, self._sum4 = zeros(6, 196), zeros(16, 25)
        self._difference, self._delta6, self._delta5 = zeros(84), zeros(84), zeros(120)
        self._dt5, self._dt4, self._dt2 = zeros(F6_ROW), zeros(C5_ROW), zeros(5, 6 * 196)
        self._delta4, self._delta3, self._delta2, self._delta1 = (
            zeros(16, 25), zeros(16, 100), zeros(6, 196), zeros(6, 784),
        )  # fmt: skip
        self._back4, self._back2, self._spread4 = zeros(16, 25), zeros(6, 196), zeros(16, 100)
        self._padded3, self._runs3 = zeros(16, 18, 14), zeros(16, K, 196)
        self._ones = np.ones(196, self.dtype)
        # (100, 25): which unit of S4 each unit of a C3 map belongs to.
        self._cells = np.kron(np.eye(5), np.ones((2, 1))).astype(self.dtype)
        self._cells = np.kron(self._cells, self._cells)
        self._cells_back = np.ascontiguousarray(self._cells.T)

    def _record_forward(self, do: Recorder) -> None:
        """Record the way from the grid to t6."""
        w = self._views
        t1, t2, t3, t5, t6 = self._t1, self._t2, self._t3, self._t5, self._t6
        t4 = self._t4[:400].reshape(16, 25)
        phases = t1.reshape(6, 4, 196)
        gather_c1(do, self._grid, self._shifted1, self._columns1)
        do.dot(w["c1"], self._columns1, out=t1)
        do.tanh(t1, out=t1)
        do.add(phases[:, 0], phases[:, 1], out=self._sum2)
        do.add(self._sum2, phases[:, 2], out=self._sum2)
        do.add(self._sum2, phases[:, 3], out=self._sum2)
        do.multiply(self._sum2, w["s2"][0][:, None], out=t2)
        do.add(t2, w["s2"][1][:, None], out=t2)
        do.tanh(t2, out=t2)
        gather_c3(do, t2.reshape(6, 14, 14), self._shifted3, self._columns3)
        do.dot(w["c3"].reshape(16, 150), self._columns3, out=t3)
        do.add(t3, w["c3_bias"][:, None], out=t3)
        do.tanh(t3, out=t3)
        do.dot(t3, self._cells, out=self._sum4)
        do.multiply(self._sum4, w["s4"][0][:, None], out=t4)
        do.add(t4, w["s4"][1][:, None], out=t4)
        do.tanh(self._t4[:400], out=self._t4[:400])
        do.dot(w["c5"], self._t4, out=t5[:120])
        do.tanh(t5[:120], out=t5[:120])
        do.dot(w["f6"], t5, out=t6)
        do.tanh(t6, out=t6)

    def _record_backward(self, do: Recorder) -> None:
        """Record the way from `_difference`, which is dE/dt6 but for a factor, to all gradients."""
        w, g = self._views, self._gradients
        t1, t2, t3, t4, t5, t6 = self._t1, self._t2, self._t3, self._t4[:400], self._t5[:120], self._t6
        dt2 = self._dt2
        self._delta(do, t6, self._difference, self._delta6)
        do.dot(self._delta6[:, None], self._t5[None, :], out=g["f6"])
        do.dot(self._delta6, w["f6"], out=self._dt5)
        self._delta(do, t5, self._dt5[:120], self._delta5)
        do.dot(self._delta5[:, None], self._t4[None, :], out=g["c5"])
        do.dot(self._delta5, w["c5"], out=self._dt4)
        self._delta(do, t4, self._dt4[:400], self._delta4.reshape(400))
        self._subsample_back(do, w["s4"], g["s4"], self._delta4, self._sum4, self._back4)
        do.dot(self._back4, self._cells_back, out=self._spread4)
        self._delta(do, t3, self._spread4, self._delta3)
        do.dot(self._delta3, self._columns3.T, out=g["c3"].reshape(16, 150))
        do.dot(self._delta3, self._ones[:100], out=g["c3_bias"])
        spread_c3(do, self._delta3, self._padded3, self._runs3)
        do.dot(w["c3"].reshape(80, 30).T, self._runs3.reshape(80, 196), out=dt2.reshape(30, 196))
        for v in range(1, K):
            do.add(dt2[0, v:], dt2[v, : 6 * 196 - v], out=dt2[0, v:])
        self._delta(do, t2.reshape(6 * 196), dt2[0], self._delta2.reshape(6 * 196))
        self._subsample_back(do, w["s2"], g["s2"], self._delta2, self._sum2, self._back2)
        do.multiply(t1, t1, out=t1)
        do.subtract(1.0, t1, out=t1)
        do.multiply(t1.reshape(6, 4, 196), self._back2[:, None], out=self._delta1.reshape(6, 4, 196))
        do.dot(self._delta1, self._columns1.T, out=g["c1"])

    def _delta(self, do: Recorder, t: np.ndarray, dt: np.ndarray, delta: np.ndarray) -> None:
        """Turn dt into delta = dt (1 - t^2)."""
        do.multiply(t, t, out=delta)
        do.subtract(1.0, delta, out=delta)
        do.multiply(delta, dt, out=delta)

    def _subsample_back(
        self, do: Recorder, w: np.ndarray, g: np.ndarray, delta: np.ndarray, total: np.ndarray, back: np.ndarray
    ) -> None:
        """Go from a subsampling layer's delta to its gradients and to what each of its inputs gets.

        Args:
            do: Receives the calls.
            w: Coefficients and biases, (2, maps).
            g: Receives their gradients, likewise.
            delta: (maps, units).
            total: The sums of four inputs, (maps, units).
            back: Receives dE/dt of each of a unit's four inputs, (maps, units).
        """
        ones = self._ones[: delta.shape[1]]
        do.multiply(delta, total, out=back)
        do.dot(back, ones, out=g[0])
        do.dot(delta, ones, out=g[1])
        do.multiply(delta, w[0][:, None], out=back)
