"""The output layers of the CPU plan: what follows F6, as a piece of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from lenet_gpu.paper import CLASSES

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A prepared operation: a NumPy function and its arguments, the output array among them."""


def constant(value: float, dtype: np.dtype) -> np.ndarray:
    """A number as an array, which a call takes without any conversion."""
    return np.array(value, dtype)


class Head(Protocol):
    """What the plan asks of its output layer, and when: see SoftmaxHead.

    Attributes:
        loss: The loss summed over the images, a 0-d array that `loss_backward` fills.
        scale: A 0-d array; factor of all gradients, written by the plan.
    """

    loss: np.ndarray
    scale: np.ndarray

    def outputs(self, n: int) -> np.ndarray:
        """Where the outputs of n images are after the calls of `forward`, (10, n); the largest wins."""

    def forward(self, n: int, y: np.ndarray) -> list[Call]:
        """The calls from F6's output, (84, n), to the outputs."""

    def loss_backward(
        self, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray, gradients: Mapping[str, np.ndarray]
    ) -> list[Call]:
        """The calls from the outputs to the loss, to dE/dy (84, n), and to the head's own gradients."""


class SoftmaxHead:
    """Linear output layer, softmax and categorical cross-entropy (see losses.py for the formulas).

    Args:
        parameters: Views of the network's parameters by name.
        capacity: Largest number of images at once.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], capacity: int) -> None:
        self._weight, self._bias = parameters["output.weight"], parameters["output.bias"]
        dtype = self._weight.dtype
        self._flat = [np.zeros(CLASSES * capacity, dtype) for _ in range(2)]
        self._wanted = np.zeros(CLASSES * capacity, dtype)
        self._ones = np.ones(max(capacity, CLASSES), dtype)
        self._column = np.zeros(capacity, dtype)
        # What each label wants: all of one class, and of "not a digit" (label 10, the last column) the same of each.
        self._wanted_of = np.column_stack([np.eye(CLASSES), np.full(CLASSES, 1.0 / CLASSES)]).astype(dtype)
        self._of_labels = np.zeros((), dtype)
        self.loss = np.zeros((), dtype)  # summed over the images, not their mean
        self.scale = np.ones((), dtype)  # factor of all gradients, 1 / batch size for a mean

    def outputs(self, n: int) -> np.ndarray:
        """The logits of n images, (10, n), after the calls of `forward` have run."""
        return self._flat[0][: CLASSES * n].reshape(CLASSES, n)

    def forward(self, n: int, y: np.ndarray) -> list[Call]:
        """The calls that turn F6's output into logits.

        Args:
            n: Number of images.
            y: F6's output, (84, n).
        """
        z = self.outputs(n)
        return [(self._weight.dot, (y, z)), (np.add, (z, self._bias[:, None], z))]

    def loss_backward(
        self, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray, gradients: Mapping[str, np.ndarray]
    ) -> list[Call]:
        """The calls that follow `forward` in training; they use up the logits.

        Args:
            n: Number of images.
            labels: (n,) intp, 0 to 10, the last for "not a digit"; read when the calls run.
            y: F6's output, (84, n).
            dy: Receives dE/dy, (84, n).
            gradients: Views by name; receives those of the output layer.
        """
        z, p = (flat[: CLASSES * n].reshape(CLASSES, n) for flat in self._flat)
        wanted = self._wanted[: CLASSES * n].reshape(CLASSES, n)
        ones = self._ones[:n]
        column = self._column[:n]
        return [
            # log p = z - log(sum of exp z), from z less its largest, so that exp can't overflow.
            (np.maximum.reduce, (z, 0, None, column)),
            (np.subtract, (z, column, z)),
            (np.exp, (z, p)),
            (self._ones[:CLASSES].dot, (p, column)),
            (np.divide, (p, column, p)),  # probabilities
            # E = -sum over images and classes of wanted log p = sum of log(sum of exp z) - sum of wanted z
            (self._wanted_of.take, (labels, 1, wanted, "clip")),  # (10, n)
            (z.reshape(-1).dot, (wanted.reshape(-1), self._of_labels)),
            (np.log, (column, column)),
            (column.dot, (ones, self.loss)),
            (np.subtract, (self.loss, self._of_labels, self.loss)),
            # dE/dz = p - wanted
            (np.subtract, (p, wanted, p)),
            (np.multiply, (p, self.scale, p)),
            (p.dot, (y.T, gradients["output.weight"])),
            (p.dot, (ones, gradients["output.bias"])),
            (self._weight.T.dot, (p, dy)),
        ]
