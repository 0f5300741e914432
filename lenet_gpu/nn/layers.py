"""The layers of LeNet-5: what is computed, as plain array code.

The same lines run on NumPy and on CuPy: every layer works on `xp`, the array module it is handed, keeps
the dtype it is given (float32 to train, float64 for gradient checks) and never moves data to the host.
These layers are what a reader learns from, the fallback for every network the fast engines do not cover,
and the oracle all fast code is tested against.

A layer is used in three moves::

    y  = layer.forward(x)      # remembers what backward needs
    dx = layer.backward(dy)    # dE/dy -> dE/dx; writes dE/dparameter into layer.gradients

Shapes: n images, feature maps as (n, maps, height, width). E is the loss; dy stands for dE/dy.

A fourth move serves the second-order learning rates of appendix C (sdlm.py)::

    d2x = layer.curvature(d2y) # d2E/dy2 -> d2E/dx2, writes d2E/dparameter2 into layer.gradients

It carries the diagonal of the Hessian back through the layers in the Gauss-Newton approximation (equations
21 to 26): terms off the diagonal are neglected between any two layers, and so is the curvature of the
squashing function. What is left looks like `backward` with every weight and every input squared, since a
connection a_i = ... + u_ij x_j has d2E/du_ij2 = d2E/da_i2 x_j^2 and adds u_ij^2 d2E/da_i2 to d2E/dx_j2. The
second derivative by a shared parameter is the sum over all connections that share it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lenet_gpu.paper import KERNEL_SIZE, SQUASH_A, SQUASH_S

Array = Any
"""An array of the layer's array module: numpy.ndarray or cupy.ndarray."""

Shape = tuple[int, ...]


def named_views(flat: Array, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Cut a flat buffer into named views.

    Args:
        flat: One-dimensional buffer.
        shapes: Shape of each part, in the order in which the parts lie in the buffer.

    Returns:
        A view for each name.
    """
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        views[name] = flat[start:stop].reshape(shape)
        start = stop
    return views


class Layer:
    """A differentiable function with parameters that live in somebody else's buffer.

    Attributes:
        name: The paper's name, in lower case ("c1"); empty for layers without parameters.
        shapes: Shape of each parameter by its name.
        fan_in: Number of inputs of the units, parameter by parameter: a number or, where units differ, one
            number for each entry along the first axis. A parameter that has no entry (biases, coefficients)
            does not start at random.
        parameters: Views of the network's flat parameter buffer by name (after `bind`).
        gradients: Views of the flat gradient buffer by name (after `bind`).
    """

    name = ""

    def __init__(self) -> None:
        self.shapes: dict[str, Shape] = {}
        self.fan_in: dict[str, int | Sequence[int]] = {}
        self.parameters: Mapping[str, Array] = {}
        self.gradients: Mapping[str, Array] = {}
        self.needs_input_gradient = True
        self.xp: Any = None

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Hand the layer its array module and its views of the flat buffers.

        Args:
            xp: numpy, cupy or a stand-in.
            parameters: One view for each entry of `shapes`.
            gradients: Likewise; `backward` overwrites them.
        """
        self.xp, self.parameters, self.gradients = xp, parameters, gradients

    @property
    def trainable(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def connections(self, height: int, width: int) -> int:
        """Number of connections, biases included, for a map of outputs (height, width)."""
        return self.trainable * height * width

    def forward(self, x: Array) -> Array:
        """Compute the layer's output and remember what `backward` needs."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """Turn dE/dy into dE/dx and overwrite the parameters' gradients (summed over the batch)."""
        raise NotImplementedError

    def curvature(self, d2y: Array) -> Array:
        """Turn d2E/dy2 into d2E/dx2; second derivatives by the parameters overwrite `gradients`.

        Called after `forward` (and, in an output layer whose units are not linear, after `backward`).
        LeCun et al. 1998, appendix C.
        """
        raise NotImplementedError


class Convolution(Layer):
    """Convolution with a connection table (LeCun et al. 1998, section II.B, layers C1, C3 and C5).

    Unit (o, r, s) of output map o sees a 5x5 neighbourhood of every input map that the table gives it::

        y[o, r, s] = bias[o] + sum over i in table[o], u, v of weight[o, i, u, v] * x[i, r + u, s + v]

    It is a cross-correlation without padding, as in the paper. All units of a map share the weights.

    Args:
        name: The paper's name in lower case.
        in_maps: Number of input maps.
        out_maps: Number of output maps.
        table: For each output map the input maps that feed it (Table I for C3); None connects all.

    Parameters:
        weight: (out_maps, in_maps, 5, 5) without a table; with one, (pairs, 5, 5): a kernel for each
            connected pair, in order of output map, then input map.
        bias: (out_maps,).
    """

    def __init__(self, name: str, in_maps: int, out_maps: int, table: Sequence[Sequence[int]] | None = None) -> None:
        super().__init__()
        self.name, self.in_maps, self.out_maps, self.table = name, in_maps, out_maps, table
        k = KERNEL_SIZE
        if table is None:
            self.shapes = {"weight": (out_maps, in_maps, k, k), "bias": (out_maps,)}
            self.fan_in = {"weight": in_maps * k * k}
        else:
            self._pairs = [(o, i) for o, row in enumerate(table) for i in row]
            self.shapes = {"weight": (len(self._pairs), k, k), "bias": (out_maps,)}
            self.fan_in = {"weight": [len(table[o]) * k * k for o, _ in self._pairs]}

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Also put the table's index arrays beside the parameters, once."""
        super().bind(xp, parameters, gradients)
        if self.table is not None:
            self._out_index = xp.asarray([o for o, _ in self._pairs])
            self._in_index = xp.asarray([i for _, i in self._pairs])

    def dense_weight(self) -> Array:
        """The kernels as (out_maps, in_maps, 5, 5), with zeros where the table has no connection."""
        weight = self.parameters["weight"]
        if self.table is None:
            return weight
        dense = self.xp.zeros((self.out_maps, self.in_maps, KERNEL_SIZE, KERNEL_SIZE), dtype=weight.dtype)
        dense[self._out_index, self._in_index] = weight
        return dense

    def forward(self, x: Array) -> Array:
        """Convolve.

        Args:
            x: (n, in_maps, h, w).

        Returns:
            (n, out_maps, h - 4, w - 4).
        """
        xp, k = self.xp, KERNEL_SIZE
        self._input_shape = x.shape
        # Every 5x5 neighbourhood as a view, without a copy.
        self._windows = xp.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
        # (n, in_maps, h-4, w-4, 5, 5)
        y = xp.tensordot(self._windows, self.dense_weight(), axes=([1, 4, 5], [1, 2, 3]))
        # (n, h-4, w-4, out_maps)
        return (y + self.parameters["bias"]).transpose(0, 3, 1, 2)  # (n, out_maps, h-4, w-4)

    def backward(self, dy: Array) -> Array:
        """Back-propagate.

        Args:
            dy: (n, out_maps, h - 4, w - 4).

        Returns:
            dx, (n, in_maps, h, w); None in the first layer of a network, where nobody needs it.
        """
        return self._transposed(dy, self._windows, self.dense_weight())

    def curvature(self, d2y: Array) -> Array:
        """Carry second derivatives back, connection by connection; shapes as in `backward`."""
        weight = self.dense_weight()
        return self._transposed(d2y, self._windows * self._windows, weight * weight)

    def _transposed(self, dy: Array, windows: Array, weight: Array) -> Array:
        """From each output to the connections that lead to it, for first or second derivatives.

        Args:
            dy: (n, out_maps, h - 4, w - 4).
            windows: What each connection has carried, (n, in_maps, h - 4, w - 4, 5, 5).
            weight: By what each connection has multiplied it, (out_maps, in_maps, 5, 5).
        """
        xp, k = self.xp, KERNEL_SIZE
        dense_gradient = xp.tensordot(dy, windows, axes=([0, 2, 3], [0, 2, 3]))
        # (out_maps, in_maps, 5, 5)
        if self.table is not None:
            dense_gradient = dense_gradient[self._out_index, self._in_index]  # (pairs, 5, 5)
        self.gradients["weight"][...] = dense_gradient
        self.gradients["bias"][...] = dy.sum(axis=(0, 2, 3))
        if not self.needs_input_gradient:
            return None
        # Each output sends its dy back through the kernel to the 25 inputs it has seen.
        dwindows = xp.tensordot(dy, weight, axes=([1], [0]))
        # (n, h-4, w-4, in_maps, 5, 5)
        dx = xp.zeros(self._input_shape, dtype=dy.dtype)
        height, width = dy.shape[2:]
        for u in range(k):
            for v in range(k):
                dx[:, :, u : u + height, v : v + width] += dwindows[..., u, v].transpose(0, 3, 1, 2)
        return dx


class Subsampling(Layer):
    """Trainable subsampling (LeCun et al. 1998, section II.B, layers S2 and S4).

    The four inputs of a 2x2 neighbourhood are added, multiplied by one coefficient a map and added to
    one bias a map; the neighbourhoods do not overlap.

    Args:
        name: The paper's name in lower case.
        maps: Number of maps, in and out.

    Parameters:
        coefficient: (maps,). It starts at 1, a plain sum: under weights of +-2.4 / fan-in a mean (1/4) makes
            the signal so faint that the first 1,500 steps of gradient descent go by without learning.
        bias: (maps,).
    """

    def __init__(self, name: str, maps: int) -> None:
        super().__init__()
        self.name, self.maps = name, maps
        self.shapes = {"coefficient": (maps,), "bias": (maps,)}

    def connections(self, height: int, width: int) -> int:
        """Four inputs and a bias for each unit (the paper counts 5 connections a unit)."""
        return self.maps * height * width * 5

    def forward(self, x: Array) -> Array:
        """Subsample.

        Args:
            x: (n, maps, 2 h, 2 w).

        Returns:
            (n, maps, h, w).
        """
        self._x, self._sum = x, self._sum_of_four(x)
        coefficient = self.parameters["coefficient"][:, None, None]  # (maps, 1, 1)
        return self._sum * coefficient + self.parameters["bias"][:, None, None]

    def backward(self, dy: Array) -> Array:
        """Back-propagate.

        Args:
            dy: (n, maps, h, w).

        Returns:
            dx, (n, maps, 2 h, 2 w).
        """
        return self._transposed(dy, self._sum, self.parameters["coefficient"])

    def curvature(self, d2y: Array) -> Array:
        """Carry second derivatives back; shapes as in `backward`.

        The coefficient is shared by four connections a unit, each of which carries one input.
        """
        coefficient = self.parameters["coefficient"]
        return self._transposed(d2y, self._sum_of_four(self._x * self._x), coefficient * coefficient)

    @staticmethod
    def _sum_of_four(x: Array) -> Array:
        """Add the inputs of each unit: (n, maps, 2 h, 2 w) -> (n, maps, h, w)."""
        n, maps, height, width = x.shape
        return x.reshape(n, maps, height // 2, 2, width // 2, 2).sum(axis=(3, 5))

    def _transposed(self, dy: Array, total: Array, coefficient: Array) -> Array:
        """From each unit to its four inputs, for first or second derivatives.

        Args:
            dy: (n, maps, h, w).
            total: What the four connections have carried, added up, (n, maps, h, w).
            coefficient: By what they have multiplied it, (maps,).
        """
        self.gradients["coefficient"][...] = (dy * total).sum(axis=(0, 2, 3))
        self.gradients["bias"][...] = dy.sum(axis=(0, 2, 3))
        dsum = dy * coefficient[:, None, None]  # (n, maps, h, w)
        n, maps, height, width = dy.shape
        blocks = self.xp.broadcast_to(dsum[:, :, :, None, :, None], (n, maps, height, 2, width, 2))
        return blocks.reshape(n, maps, 2 * height, 2 * width)


class ScaledTanh(Layer):
    """The squashing function f(a) = 1.7159 tanh(2 a / 3) (LeCun et al. 1998, appendix A)."""

    def forward(self, x: Array) -> Array:
        """Squash; x and the result have any one shape."""
        self._y = SQUASH_A * self.xp.tanh(SQUASH_S * x)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Multiply by f'(a) = A S (1 - tanh(S a)^2), which needs only the output: S / A (A^2 - y^2)."""
        return dy * self._slope()

    def curvature(self, d2y: Array) -> Array:
        """Multiply by f'(a)^2; the term with f'' is neglected, which keeps the result from going below 0."""
        slope = self._slope()
        return d2y * slope * slope

    def _slope(self) -> Array:
        return SQUASH_S / SQUASH_A * (SQUASH_A**2 - self._y * self._y)


class Flatten(Layer):
    """C5's 120 maps of one unit each become a vector of 120 units."""

    def forward(self, x: Array) -> Array:
        """(n, maps, h, w) -> (n, maps * h * w)."""
        self._input_shape = x.shape
        return x.reshape(x.shape[0], -1)

    def backward(self, dy: Array) -> Array:
        """(n, maps * h * w) -> (n, maps, h, w)."""
        return dy.reshape(self._input_shape)

    def curvature(self, d2y: Array) -> Array:
        """(n, maps * h * w) -> (n, maps, h, w)."""
        return d2y.reshape(self._input_shape)


class Dense(Layer):
    """A fully connected layer, y = x W^T + b (LeCun et al. 1998, section II.B, layer F6; equation 5).

    Args:
        name: The paper's name in lower case.
        inputs: Number of inputs.
        units: Number of units.

    Parameters:
        weight: (units, inputs).
        bias: (units,).
    """

    def __init__(self, name: str, inputs: int, units: int) -> None:
        super().__init__()
        self.name = name
        self.shapes = {"weight": (units, inputs), "bias": (units,)}
        self.fan_in = {"weight": inputs}

    def forward(self, x: Array) -> Array:
        """(n, inputs) -> (n, units)."""
        self._x = x
        return x @ self.parameters["weight"].T + self.parameters["bias"]

    def backward(self, dy: Array) -> Array:
        """dE/dy (n, units) -> dE/dx (n, inputs)."""
        return self._transposed(dy, self._x, self.parameters["weight"])

    def curvature(self, d2y: Array) -> Array:
        """d2E/dy2 (n, units) -> d2E/dx2 (n, inputs)."""
        weight = self.parameters["weight"]
        return self._transposed(d2y, self._x * self._x, weight * weight)

    def _transposed(self, dy: Array, x: Array, weight: Array) -> Array:
        """From each unit to its inputs, for first or second derivatives."""
        self.gradients["weight"][...] = dy.T @ x  # (units, inputs)
        self.gradients["bias"][...] = dy.sum(axis=0)
        return dy @ weight
