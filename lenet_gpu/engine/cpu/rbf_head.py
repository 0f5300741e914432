"""The paper's output layer in the CPU plan: distances from fixed codes, with both of the paper's losses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lenet_gpu.engine.cpu.heads import Call
from lenet_gpu.paper import CLASSES, CODES, RUBBISH_PENALTY


def head_of(variant: str, loss: str, dtype: str, capacity: int) -> RbfHead | None:
    """The head that a CpuPlan needs for a network; None for the plan's own, softmax and cross-entropy.

    Args:
        variant: Name of the network.
        loss: Name of the loss, one of `losses.LOSSES`.
        dtype: "float32" or "float64".
        capacity: Largest number of images at once.
    """
    return RbfHead(np.dtype(dtype), capacity, loss) if variant == "paper" else None


class RbfHead:
    """Radial basis functions around the codes w_i of the digits (rbf.py), and loss (8) or (9) (losses.py).

    It works on scores, the penalties with their sign turned: -|x - w|^2 = 2 w.x - |x|^2 - |w|^2, where |w|^2 is
    84 for every code. Loss (9) is the cross-entropy of a softmax over the ten scores and an eleventh, -j, which
    stands for the rubbish class.

    Args:
        dtype: float32 or float64.
        capacity: Largest number of images at once.
        loss: "rbf" (8) or "map" (9).
    """

    def __init__(self, dtype: np.dtype, capacity: int, loss: str) -> None:
        self._map = loss == "map"
        codes = np.array(CODES, dtype)  # (10, 84)
        self._twice = 2.0 * codes
        self._length = np.array(codes.shape[1], dtype)
        self._rubbish = -RUBBISH_PENALTY
        self._flat = [np.zeros((CLASSES + 1) * capacity, dtype) for _ in range(2)]
        self._squares = np.zeros(codes.shape[1] * capacity, dtype)
        self._wanted = np.zeros((capacity, CLASSES + 1), dtype)
        self._column = np.zeros(capacity, dtype)
        self._one_hot = np.eye(CLASSES + 1, dtype=dtype)
        self._of_labels = np.zeros((), dtype)
        self._double = np.array(2.0, dtype)
        self.loss = np.zeros((), dtype)  # summed over the images, not their mean
        self.scale = np.ones((), dtype)  # factor of all gradients, 1 / batch size for a mean

    def _rows(self, which: int, n: int) -> np.ndarray:
        return self._flat[which][: (CLASSES + 1) * n].reshape(CLASSES + 1, n)

    def outputs(self, n: int) -> np.ndarray:
        """The scores of n images, (10, n), after the calls of `forward` have run."""
        return self._rows(0, n)[:CLASSES]

    def forward(self, n: int, y: np.ndarray) -> list[Call]:
        """The calls that turn F6's output into scores.

        Args:
            n: Number of images.
            y: F6's output, (84, n).
        """
        z, column = self.outputs(n), self._column[:n]
        squares = self._squares[: y.size].reshape(y.shape)
        return [
            (np.matmul, (self._twice, y, z)),
            (np.multiply, (y, y, squares)),
            (np.add.reduce, (squares, 0, None, column)),
            (np.add, (column, self._length, column)),
            (np.subtract, (z, column, z)),
        ]

    def loss_backward(
        self, n: int, labels: np.ndarray, y: np.ndarray, dy: np.ndarray, gradients: Mapping[str, np.ndarray]
    ) -> list[Call]:
        """The calls that follow `forward` in training; they use up the scores.

        Args:
            n: Number of images.
            labels: (n,) intp, 0 to 10, the last for "not a digit"; read when the calls run.
            y: F6's output, (84, n).
            dy: Receives dE/dy, (84, n).
            gradients: Unused: there is nothing to train here.
        """
        z, p = self._rows(0, n), self._rows(1, n)
        wanted, column = self._wanted[:n], self._column[:n]
        squares = self._squares[: y.size].reshape(y.shape)
        choose: Call = (self._one_hot.take, (labels, 0, wanted, "clip"))  # (n, 11)
        if self._map:
            calls: list[Call] = [
                (z[CLASSES].fill, (self._rubbish,)),
                # log p = z - log(sum of exp z), from z less its largest, so that exp can't overflow.
                (np.maximum.reduce, (z, 0, None, column)),
                (np.subtract, (z, column, z)),
                (np.exp, (z, p)),
                (np.add.reduce, (p, 0, None, column)),
                (np.divide, (p, column, p)),
                choose,
                (np.multiply, (z, wanted.T, z)),
                (np.add.reduce, (z, None, None, self._of_labels)),
                (np.log, (column, column)),
                (np.add.reduce, (column, 0, None, self.loss)),
                (np.subtract, (self.loss, self._of_labels, self.loss)),
                (np.subtract, (wanted.T, p, p)),  # dE/dpenalty = wanted - p
            ]
        else:
            calls = [
                choose,
                (np.copyto, (p, wanted.T)),  # dE/dpenalty = wanted
                (z[CLASSES].fill, (0.0,)),  # loss (8) knows no rubbish class: such images count for nothing
                (np.multiply, (z, p, z)),
                (np.add.reduce, (z, None, None, self.loss)),
                (np.negative, (self.loss, self.loss)),
            ]
        c = p[:CLASSES]
        return [
            *calls,
            (np.multiply, (c, self.scale, c)),
            # dE/dx = sum over i of c_i 2 (x - w_i)
            (np.add.reduce, (c, 0, None, column)),
            (np.multiply, (column, self._double, column)),
            (np.multiply, (y, column, squares)),
            (np.matmul, (self._twice.T, c, dy)),
            (np.subtract, (squares, dy, dy)),
        ]
