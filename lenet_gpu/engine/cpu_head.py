"""The output layers of the CPU plan: what follows F6, as a piece of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lenet_gpu.paper import CLASSES

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A prepared operation: a NumPy function and its arguments, the output array among them."""


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
        self._wanted = np.zeros((capacity, CLASSES), dtype)
        self._ones = np.ones(capacity, dtype)
        self._column = np.zeros(capacity, dtype)
        # What each label wants: all of one class, and of "not a digit" (label 10, the last row) the same of each.
        self._wanted_of = np.concatenate([np.eye(CLASSES), np.full((1, CLASSES), 1.0 / CLASSES)]).astype(dtype)
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
        return [(np.matmul, (self._weight, y, z)), (np.add, (z, self._bias[:, None], z))]

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
        wanted = self._wanted[:n]
        column = self._column[:n]
        return [
            # log p = z - log(sum of exp z), from z less its largest, so that exp can't overflow.
            (np.maximum.reduce, (z, 0, None, column)),
            (np.subtract, (z, column, z)),
            (np.exp, (z, p)),
            (np.add.reduce, (p, 0, None, column)),
            (np.divide, (p, column, p)),  # probabilities
            # E = -sum over images and classes of wanted log p = sum of log(sum of exp z) - sum of wanted z
            (self._wanted_of.take, (labels, 0, wanted, "clip")),  # (n, 10)
            (np.multiply, (z, wanted.T, z)),
            (np.add.reduce, (z, None, None, self._of_labels)),
            (np.log, (column, column)),
            (np.add.reduce, (column, 0, None, self.loss)),
            (np.subtract, (self.loss, self._of_labels, self.loss)),
            # dE/dz = p - wanted
            (np.subtract, (p, wanted.T, p)),
            (np.multiply, (p, self.scale, p)),
            (np.matmul, (p, y.T, gradients["output.weight"])),
            (np.matmul, (p, self._ones[:n], gradients["output.bias"])),
            (np.matmul, (self._weight.T, p, dy)),
        ]
