"""The output layers of the CPU plan, which follow F6, with their losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import PlanSpec
from lenet_gpu.paper import CODES, RUBBISH_PENALTY


class Head(Protocol):
    """An output layer as the plan uses it: see SoftmaxHead.

    Attributes:
        loss: The loss summed over the images, a 0-d array that the calls of `loss_backward` fill.
        scale: A 0-d array; factor of all gradients, written by the plan.
    """

    loss: np.ndarray
    scale: np.ndarray

    def arrays(self, n: int) -> dict[str, np.ndarray]:
        """Give the arrays that the calls for n images use, by name."""

    def outputs(self, n: int) -> np.ndarray:
        """Give the array of n images' outputs after the calls of `forward`, (classes, n); the largest wins."""

    def forward(self, do: Recorder, n: int, y: np.ndarray) -> None:
        """Record the way from F6's output, (84, n), to the outputs."""

    def loss_backward(
        self, do: Recorder, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray,
        gradients: Mapping[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Record the way from the outputs to the loss, to dE/dy (84, n), and to the head's own gradients."""


def make_head(spec: PlanSpec, parameters: Mapping[str, np.ndarray]) -> Head:
    """Make the output layer of a network.

    Args:
        spec: What the plan is made for.
        parameters: Views of the network's parameters by name.
    """
    return RbfHead(spec) if spec.network.output == "rbf" else SoftmaxHead(spec, parameters)


class SoftmaxHead:
    """Linear output layer, softmax and categorical cross-entropy (see losses.py for the formulas).

    Args:
        spec: What the plan is made for.
        parameters: Views of the network's parameters by name.
    """

    def __init__(self, spec: PlanSpec, parameters: Mapping[str, np.ndarray]) -> None:
        dtype, capacity, self._classes = spec.dtype, spec.together, spec.network.classes
        classes = self._classes
        self._weight, self._bias = parameters["output.weight"], parameters["output.bias"]
        self._logits, self._p, self._target = (np.zeros(classes * capacity, dtype) for _ in range(3))
        self._ones = np.ones(max(capacity, classes), dtype)
        self._column = np.zeros(capacity, dtype)
        # Each label's target: all of one class; and of "none of them" (the last column) the same of each.
        self._targets = np.column_stack([np.eye(classes), np.full(classes, 1.0 / classes)]).astype(dtype)
        self._sum = np.zeros((), dtype)
        self.loss = np.zeros((), dtype)  # summed over the images, not their mean
        self.scale = np.ones((), dtype)  # factor of all gradients, 1 / batch size for a mean

    def arrays(self, n: int) -> dict[str, np.ndarray]:
        """Give the arrays that the calls for n images use, by name."""
        return {
            "logits": self._rows(self._logits, n), "p": self._rows(self._p, n), "target": self._rows(self._target, n),
            "targets": self._targets, "column": self._column[:n], "target_logits": self._sum, "loss": self.loss,
            "scale": self.scale, "head_ones": self._ones,
        }  # fmt: skip

    def _rows(self, flat: np.ndarray, n: int) -> np.ndarray:
        """Give the part of a buffer that n images use, (classes, n)."""
        return flat[: self._classes * n].reshape(self._classes, n)

    def outputs(self, n: int) -> np.ndarray:
        """Give the array of n images' logits, (classes, n), after the calls of `forward` have run."""
        return self._rows(self._logits, n)

    def forward(self, do: Recorder, n: int, y: np.ndarray) -> None:
        """Record the way from F6's output to the logits.

        Args:
            do: Receives the calls.
            n: Number of images.
            y: F6's output, (84, n).
        """
        z = self.outputs(n)
        do.dot(self._weight, y, out=z)
        do.add(z, self._bias[:, None], out=z)

    def loss_backward(
        self, do: Recorder, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray,
        gradients: Mapping[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Record what follows `forward` in training; it uses up the logits.

        Args:
            do: Receives the calls.
            n: Number of images.
            labels: (n,) intp, 0 to `classes`, the last for "none of them"; read when the calls run.
            y: F6's output, (84, n).
            dy: Receives dE/dy, (84, n).
            gradients: Views by name; receives those of the output layer.
        """
        z, p, target = (self._rows(flat, n) for flat in (self._logits, self._p, self._target))
        ones, column = self._ones[:n], self._column[:n]
        # log p = z - log(sum of exp z), from z less its largest, so that exp can't overflow.
        do.max(z, axis=0, out=column)
        do.subtract(z, column, out=z)
        do.exp(z, out=p)
        do.dot(self._ones[: self._classes], p, out=column)
        do.divide(p, column, out=p)  # probabilities
        # E = -sum over images and classes of target log p = sum of log(sum of exp z) - sum of target z
        do.take(self._targets, labels, axis=1, out=target)  # (classes, n)
        do.dot(z.reshape(-1), target.reshape(-1), out=self._sum)
        do.log(column, out=column)
        do.dot(column, ones, out=self.loss)
        do.subtract(self.loss, self._sum, out=self.loss)
        # dE/dz = p - target
        do.subtract(p, target, out=p)
        do.multiply(p, self.scale, out=p)
        do.dot(p, y.T, out=gradients["output.weight"])
        do.dot(p, ones, out=gradients["output.bias"])
        do.dot(self._weight.T, p, out=dy)


class RbfHead:
    """Radial basis functions around the codes w_i of the digits (nn/layers.py), and loss (8) or (9) (losses.py).

    It works on scores, the penalties with their sign turned: -|x - w|^2 = 2 w.x - |x|^2 - |w|^2, where |w|^2 is
    84 for every code. Loss (9) is the cross-entropy of a softmax over the ten scores and an eleventh, -j, which
    stands for the rubbish class.

    Args:
        spec: What the plan is made for; its network's loss is "rbf" (8) or "map" (9).
    """

    def __init__(self, spec: PlanSpec) -> None:
        dtype, capacity, self._loss_name = spec.dtype, spec.together, spec.network.loss
        codes = np.array(CODES, dtype)  # (10, 84)
        self._classes, self._length = len(codes), float(codes.shape[1])
        rows = self._classes + 1  # with the rubbish class
        self._twice = 2.0 * codes
        self._scores, self._p = (np.zeros(rows * capacity, dtype) for _ in range(2))
        self._squares = np.zeros(codes.shape[1] * capacity, dtype)
        self._target = np.zeros((capacity, rows), dtype)
        self._column = np.zeros(capacity, dtype)
        self._one_hot = np.eye(rows, dtype=dtype)
        self._sum = np.zeros((), dtype)
        self.loss = np.zeros((), dtype)  # summed over the images, not their mean
        self.scale = np.ones((), dtype)  # factor of all gradients, 1 / batch size for a mean

    def arrays(self, n: int) -> dict[str, np.ndarray]:
        """Give the arrays that the calls for n images use, by name."""
        return {
            "scores": self._rows(self._scores, n), "p": self._rows(self._p, n), "twice_codes": self._twice,
            "squares": self._squares, "target": self._target[:n], "one_hot": self._one_hot,
            "column": self._column[:n], "target_scores": self._sum, "loss": self.loss, "scale": self.scale,
        }  # fmt: skip

    def _rows(self, flat: np.ndarray, n: int) -> np.ndarray:
        """Give the part of a buffer that n images use, (classes + 1, n)."""
        return flat[: (self._classes + 1) * n].reshape(self._classes + 1, n)

    def outputs(self, n: int) -> np.ndarray:
        """Give the array of n images' scores, (10, n), after the calls of `forward` have run."""
        return self._rows(self._scores, n)[: self._classes]

    def forward(self, do: Recorder, n: int, y: np.ndarray) -> None:
        """Record the way from F6's output to the scores.

        Args:
            do: Receives the calls.
            n: Number of images.
            y: F6's output, (84, n).
        """
        z, column = self.outputs(n), self._column[:n]
        squares = self._squares[: y.size].reshape(y.shape)
        do.matmul(self._twice, y, out=z)
        do.multiply(y, y, out=squares)
        do.sum(squares, axis=0, out=column)
        do.add(column, self._length, out=column)
        do.subtract(z, column, out=z)

    def loss_backward(
        self, do: Recorder, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray,
        gradients: Mapping[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Record what follows `forward` in training; it uses up the scores.

        Args:
            do: Receives the calls.
            n: Number of images.
            labels: (n,) intp, 0 to 10, the last for "not a digit"; read when the calls run.
            y: F6's output, (84, n).
            dy: Receives dE/dy, (84, n).
            gradients: Unused: there is nothing to train here.
        """
        z, p = self._rows(self._scores, n), self._rows(self._p, n)
        target, column = self._target[:n], self._column[:n]
        squares = self._squares[: y.size].reshape(y.shape)
        if self._loss_name == "map":
            do.fill(z[-1], -RUBBISH_PENALTY)
            # log p = z - log(sum of exp z), from z less its largest, so that exp can't overflow.
            do.max(z, axis=0, out=column)
            do.subtract(z, column, out=z)
            do.exp(z, out=p)
            do.sum(p, axis=0, out=column)
            do.divide(p, column, out=p)
            do.take(self._one_hot, labels, axis=0, out=target)  # (n, 11)
            do.multiply(z, target.T, out=z)
            do.sum(z, out=self._sum)
            do.log(column, out=column)
            do.sum(column, axis=0, out=self.loss)
            do.subtract(self.loss, self._sum, out=self.loss)
            do.subtract(target.T, p, out=p)  # dE/dpenalty = target - p
        else:
            do.take(self._one_hot, labels, axis=0, out=target)  # (n, 11)
            do.copyto(p, target.T)  # dE/dpenalty = target
            do.fill(z[-1], 0.0)  # loss (8) knows no rubbish class: such images count for nothing
            do.multiply(z, p, out=z)
            do.sum(z, out=self.loss)
            do.negative(self.loss, out=self.loss)
        c = p[: self._classes]
        do.multiply(c, self.scale, out=c)
        # dE/dx = sum over i of c_i 2 (x - w_i)
        do.sum(c, axis=0, out=column)
        do.multiply(column, 2.0, out=column)
        do.multiply(y, column, out=squares)
        do.matmul(self._twice.T, c, out=dy)
        do.subtract(squares, dy, out=dy)
