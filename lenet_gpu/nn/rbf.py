"""The paper's output layer: Euclidean radial basis functions around fixed bitmaps.

LeCun et al. 1998, section II.B. F6 is made to draw a stylised picture of the digit with its 84 units; unit i of
the output says how far that drawing is from the picture of digit i::

    y_i = sum over j of (x_j - w_ij)^2                                        (equation 7)

A small y is a good fit, so y is a penalty, and the smallest one names the digit. Unlike a softmax unit an RBF
unit is large for everything that is far from its centre, for pictures of no digit at all, too. The centres
are not trained: the layer has no parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lenet_gpu.nn.layers import Array, Layer
from lenet_gpu.paper import CODES


class RadialBasis(Layer):
    """Squared distances from the codes of the ten digits (LeCun et al. 1998, section II.B, equation 7).

    Args:
        name: The paper's name in lower case.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Also put the codes, whole numbers +-1, beside the parameters."""
        super().bind(xp, parameters, gradients)
        self._codes = xp.asarray(CODES)  # (10, 84)

    def connections(self, height: int, width: int) -> int:
        """One for each component of each code."""
        return len(CODES) * len(CODES[0]) * height * width

    def forward(self, x: Array) -> Array:
        """F6's output (n, 84) -> penalties (n, 10)."""
        # (n, 1, 84) - (10, 84)
        self._difference = x[:, None, :] - self._codes.astype(x.dtype)  # (n, 10, 84)
        return (self._difference * self._difference).sum(axis=2)

    def backward(self, dy: Array) -> Array:
        """dE/dy (n, 10) -> dE/dx (n, 84): dy_i/dx_j = 2 (x_j - w_ij)."""
        self._dy = dy
        return 2.0 * (dy[:, :, None] * self._difference).sum(axis=1)

    def curvature(self, d2y: Array) -> Array:
        """d2E/dy2 (n, 10) -> d2E/dx2 (n, 84), after `backward`.

        d2E/dx_j2 = sum over i of d2E/dy_i2 (dy_i/dx_j)^2 + dE/dy_i d2y_i/dx_j2, where the last factor is 2. It
        is this second term that makes up all of loss (8), whose first derivatives do not depend on y.
        """
        first = 4.0 * (d2y[:, :, None] * self._difference * self._difference).sum(axis=1)  # (n, 84)
        return first + 2.0 * self._dy.sum(axis=1)[:, None]
