"""Optimisers: one update of the flat parameter buffer from the flat gradient buffer."""

from __future__ import annotations

from typing import Any

Array = Any


class GradientDescent:
    """Plain gradient descent, w <- w - learning_rate * dE/dw (LeCun et al. 1998, equation 2).

    The update is elementwise: an engine may hand over any slice of the two buffers.
    """

    def update(self, parameters: Array, gradients: Array, learning_rate: float) -> None:
        """Update in place.

        Args:
            parameters: Any slice of the flat parameter buffer, float.
            gradients: The same slice of the gradient buffer; used up (overwritten) by the update.
            learning_rate: Step size.
        """
        gradients *= learning_rate
        parameters -= gradients
