"""The layers of LeNet-5: what is computed, as plain array code.

These layers are what a reader learns from, what every network runs on that the fast engines do not cover, and the
oracle that all fast code is tested against. What a layer is, and how it is used, stands in layer.py.

`curvature` carries the diagonal of the Hessian back through the layers in the Gauss-Newton approximation (LeCun et
al. 1998, equations 21 to 26): terms off the diagonal are neglected between any two layers, and so is the curvature
of the squashing function. What is left looks like `backward` with every weight and every input squared, since a
connection a_i = ... + u_ij x_j has d2E/du_ij2 = d2E/da_i2 x_j^2 and adds u_ij^2 d2E/da_i2 to d2E/dx_j2. The
second derivative by a shared parameter is the sum over all connections that share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lenet_gpu.errors import InputError
from lenet_gpu.nn.layer import Array, Layer
from lenet_gpu.paper import CODES, KERNEL_SIZE, SQUASH_A, SQUASH_S


class Convolution(Layer):
    """Convolution with a connection table (LeCun et al. 1998, section II.B, layers C1, C3 and C5).

    Unit (o, r, s) of output map o sees a kxk neighbourhood of every input map that the table gives it (k = 5)::

        y[o, r, s] = bias[o] + sum over i in table[o], u, v of weight[o, i, u, v] * x[i, r + u, s + v]

    It is a cross-correlation without padding, as in the paper. All units of a map share the weights.

    Args:
        name: The paper's name in lower case.
        in_maps: Number of input maps.
        out_maps: Number of output maps.
        table: For each output map the input maps that feed it (Table I for C3); None connects all.
        kernel_size: k, the side of the neighbourhood.

    Parameters:
        weight: (out_maps, in_maps, k, k) without a table; with one, (pairs, k, k): a kernel for each
            connected pair, in order of output map, then input map.
        bias: (out_maps,).

    Raises:
        InputError: A table with another number of rows than output maps, or with input maps that do not exist.
    """

    remembered = ("_columns", "_out_index", "_in_index")

    def __init__(
        self,
        name: str,
        in_maps: int,
        out_maps: int,
        table: Sequence[Sequence[int]] | None = None,
        kernel_size: int = KERNEL_SIZE,
    ) -> None:
        super().__init__(name)
        self.in_maps, self.out_maps, self.kernel_size = in_maps, out_maps, kernel_size
        k = kernel_size
        self._table = None if table is None else _checked_table(name, in_maps, out_maps, table)
        if self._table is None:
            self.shapes = {"weight": (out_maps, in_maps, k, k), "bias": (out_maps,)}
            self.fan_in = {"weight": in_maps * k * k}
        else:
            self._pairs = [(o, i) for o, row in enumerate(self._table) for i in row]
            self.shapes = {"weight": (len(self._pairs), k, k), "bias": (out_maps,)}
            self.fan_in = {"weight": [len(self._table[o]) * k * k for o, _ in self._pairs]}

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Also store the connection table's indices on the backend."""
        super().bind(xp, parameters, gradients)
        if self.table is not None:
            self._out_index = xp.asarray([o for o, _ in self._pairs])
            self._in_index = xp.asarray([i for _, i in self._pairs])

    @property
    def table(self) -> tuple[tuple[int, ...], ...] | None:
        """For each output map the input maps that feed it; None: all. The layer is built for it."""
        return self._table

    def dense_weight(self) -> Array:
        """Give the kernels as (out_maps, in_maps, k, k), with zeros where the table has no connection."""
        weight = self.parameters["weight"]
        if self.table is None:
            return weight
        dense = self.xp.zeros((self.out_maps, self.in_maps, *weight.shape[1:]), dtype=weight.dtype)
        dense[self._out_index, self._in_index] = weight
        return dense

    def forward(self, x: Array) -> Array:
        """Convolve.

        Args:
            x: (n, in_maps, h, w).

        Returns:
            (n, out_maps, h - k + 1, w - k + 1).
        """
        k = self.kernel_size
        self._input_shape = x.shape
        # Every kxk neighbourhood as a view, then as a column of a matrix: the convolution is one product.
        windows = self.xp.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
        # (n, in_maps, h - k + 1, w - k + 1, k, k)
        n, _, height, width = windows.shape[:4]
        self._columns = windows.transpose(1, 4, 5, 0, 2, 3).reshape(-1, n * height * width)
        # (in_maps k k, n (h - k + 1) (w - k + 1))
        y = self.dense_weight().reshape(self.out_maps, -1) @ self._columns + self.parameters["bias"][:, None]
        return y.reshape(self.out_maps, n, height, width).transpose(1, 0, 2, 3)
        # (n, out_maps, h - k + 1, w - k + 1)

    def backward(self, dy: Array) -> Array:
        """Back-propagate.

        Args:
            dy: (n, out_maps, h - k + 1, w - k + 1).

        Returns:
            dx, (n, in_maps, h, w); None in the first layer of a network, where nobody needs it.
        """
        return self._transposed(dy, self._columns, self.dense_weight())

    def curvature(self, d2y: Array) -> Array:
        """Carry second derivatives back, connection by connection; shapes as in `backward`."""
        weight = self.dense_weight()
        return self._transposed(d2y, self._columns * self._columns, weight * weight)

    def _transposed(self, dy: Array, columns: Array, weight: Array) -> Array:
        """Back-propagate first or second derivatives; shared by `backward` and `curvature`.

        Args:
            dy: (n, out_maps, h - k + 1, w - k + 1).
            columns: What each connection has carried, (in_maps k k, n (h - k + 1) (w - k + 1)).
            weight: By what each connection has multiplied it, (out_maps, in_maps, k, k).
        """
        k, (n, _, height, width) = self.kernel_size, dy.shape
        flat = dy.transpose(1, 0, 2, 3).reshape(self.out_maps, -1)  # (out_maps, n (h - k + 1) (w - k + 1))
        dense_gradient = (flat @ columns.T).reshape(weight.shape)  # (out_maps, in_maps, k, k)
        if self.table is not None:
            dense_gradient = dense_gradient[self._out_index, self._in_index]  # (pairs, k, k)
        self.gradients["weight"][...] = dense_gradient
        self.gradients["bias"][...] = flat.sum(axis=1)
        if not self.needs_input_gradient:
            return None
        # Each output sends its dy back through the kernel to the kxk inputs it has seen.
        dwindows = (weight.reshape(self.out_maps, -1).T @ flat).reshape(self.in_maps, k, k, n, height, width)
        dx = self.xp.zeros((self.in_maps, n, *self._input_shape[2:]), dtype=dy.dtype)
        for u in range(k):
            for v in range(k):
                dx[:, :, u : u + height, v : v + width] += dwindows[:, u, v]
        return dx.transpose(1, 0, 2, 3)  # (n, in_maps, h, w)


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

    remembered = ("_x", "_sum")

    def __init__(self, name: str, maps: int) -> None:
        super().__init__(name)
        self.maps = maps
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
        return x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]

    def _transposed(self, dy: Array, total: Array, coefficient: Array) -> Array:
        """Back-propagate first or second derivatives; shared by `backward` and `curvature`.

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
    """The squashing function f(a) = A tanh(S a), 1.7159 tanh(2 a / 3) (LeCun et al. 1998, appendix A).

    Args:
        amplitude: A.
        slope: S.
    """

    remembered = ("_y",)

    def __init__(self, amplitude: float = SQUASH_A, slope: float = SQUASH_S) -> None:
        super().__init__()
        self.amplitude, self.slope = amplitude, slope

    def forward(self, x: Array) -> Array:
        """Squash; x and the result have any one shape."""
        self._y = self.amplitude * self.xp.tanh(self.slope * x)
        return self._y

    def backward(self, dy: Array) -> Array:
        """Multiply by f'(a) = A S (1 - tanh(S a)^2), which needs only the output: S / A (A^2 - y^2)."""
        return dy * self._derivative()

    def curvature(self, d2y: Array) -> Array:
        """Multiply by f'(a)^2; the term with f'' is neglected, which keeps the result from going below 0."""
        derivative = self._derivative()
        return d2y * derivative * derivative

    def _derivative(self) -> Array:
        return self.slope / self.amplitude * (self.amplitude**2 - self._y * self._y)


class Flatten(Layer):
    """C5's 120 maps of one unit each become a vector of 120 units."""

    def forward(self, x: Array) -> Array:
        """Reshape (n, maps, h, w) to (n, maps * h * w)."""
        self._input_shape = x.shape
        return x.reshape(x.shape[0], -1)

    def backward(self, dy: Array) -> Array:
        """Reshape (n, maps * h * w) to (n, maps, h, w)."""
        return dy.reshape(self._input_shape)

    def curvature(self, d2y: Array) -> Array:
        """Reshape (n, maps * h * w) to (n, maps, h, w)."""
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

    remembered = ("_x",)

    def __init__(self, name: str, inputs: int, units: int) -> None:
        super().__init__(name)
        self.inputs, self.units = inputs, units
        self.shapes = {"weight": (units, inputs), "bias": (units,)}
        self.fan_in = {"weight": inputs}

    def forward(self, x: Array) -> Array:
        """Compute x W^T + b, (n, inputs) -> (n, units)."""
        self._x = x
        return x @ self.parameters["weight"].T + self.parameters["bias"]

    def backward(self, dy: Array) -> Array:
        """Carry dE/dy (n, units) back to dE/dx (n, inputs)."""
        return self._transposed(dy, self._x, self.parameters["weight"])

    def curvature(self, d2y: Array) -> Array:
        """Carry d2E/dy2 (n, units) back to d2E/dx2 (n, inputs)."""
        weight = self.parameters["weight"]
        return self._transposed(d2y, self._x * self._x, weight * weight)

    def _transposed(self, dy: Array, x: Array, weight: Array) -> Array:
        """Back-propagate first or second derivatives; shared by `backward` and `curvature`."""
        self.gradients["weight"][...] = dy.T @ x  # (units, inputs)
        self.gradients["bias"][...] = dy.sum(axis=0)
        return dy @ weight


class RadialBasis(Layer):
    """The paper's output layer: squared distances from the codes of the ten digits.

    LeCun et al. 1998, section II.B. F6 is made to draw a stylised picture of the digit with its 84 units; unit i of
    the output says how far that drawing is from the picture of digit i::

        y_i = sum over j of (x_j - w_ij)^2                                        (equation 7)

    A small y is a good fit, so y is a penalty, and the smallest one names the digit. Unlike a softmax unit an RBF
    unit is large for everything that is far from its centre, for pictures of no digit at all, too. The centres
    are not trained: the layer has no parameters.

    Args:
        name: The paper's name in lower case.
    """

    sign = -1.0
    remembered = ("_codes", "_difference", "_dy")

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Also put the codes, whole numbers +-1, beside the parameters."""
        super().bind(xp, parameters, gradients)
        self._codes = xp.asarray(CODES)  # (10, 84)

    def connections(self, height: int, width: int) -> int:
        """Count one for each component of each code."""
        return len(CODES) * len(CODES[0]) * height * width

    def forward(self, x: Array) -> Array:
        """Compute the penalties, (n, 84) -> (n, 10)."""
        # (n, 1, 84) - (10, 84)
        self._difference = x[:, None, :] - self._codes.astype(x.dtype)  # (n, 10, 84)
        return (self._difference * self._difference).sum(axis=2)

    def backward(self, dy: Array) -> Array:
        """Carry dE/dy (n, 10) back to dE/dx (n, 84): dy_i/dx_j = 2 (x_j - w_ij)."""
        self._dy = dy
        return 2.0 * (dy[:, :, None] * self._difference).sum(axis=1)

    def curvature(self, d2y: Array) -> Array:
        """Carry d2E/dy2 (n, 10) back to d2E/dx2 (n, 84), after `backward`.

        d2E/dx_j2 = sum over i of d2E/dy_i2 (dy_i/dx_j)^2 + dE/dy_i d2y_i/dx_j2, where the last factor is 2. It
        is this second term that makes up all of loss (8), whose first derivatives do not depend on y.
        """
        first = 4.0 * (d2y[:, :, None] * self._difference * self._difference).sum(axis=1)  # (n, 84)
        return first + 2.0 * self._dy.sum(axis=1)[:, None]


def _checked_table(
    name: str, in_maps: int, out_maps: int, table: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """Copy a connection table that fits the maps; refuse another."""
    expected = f"for each of {out_maps} output maps the input maps that feed it, 0 to {in_maps - 1}"
    try:
        rows = tuple(tuple(int(i) for i in row) for row in table)
    except (TypeError, ValueError):
        raise InputError(f"table of {name}", found=repr(table), expected=expected) from None
    if len(rows) != out_maps:
        raise InputError(f"table of {name}", found=f"{len(rows)} rows", expected=expected)
    for number, row in enumerate(rows):
        if len(set(row)) != len(row) or not row or not all(0 <= i < in_maps for i in row):
            raise InputError(f"table of {name}", found=f"{list(row)} in row {number}", expected=expected)
    return rows
