"""Figures of merit from the output layer's values, on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenet_gpu.nn.losses import log_softmax
from lenet_gpu.paper import CLASSES

ROWS = 2000
"""Images judged at a time, which bounds the memory."""


@dataclass(frozen=True)
class Evaluation:
    """How a network reads a set of images.

    Attributes:
        labels: True digits, (n,).
        predictions: Digits read, (n,).
        loss: Mean cross-entropy.
    """

    labels: np.ndarray
    predictions: np.ndarray
    loss: float

    @property
    def errors(self) -> int:
        """Number of misread images."""
        return int((self.labels != self.predictions).sum())

    @property
    def accuracy(self) -> float:
        """Share of images read right, 0..1."""
        return 1.0 - self.errors / len(self.labels)

    @property
    def confusion(self) -> np.ndarray:
        """Number of images by true digit (row) and digit read (column), (10, 10) int64."""
        cells = self.labels.astype(np.int64) * CLASSES + self.predictions
        return np.bincount(cells, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)


def evaluate_outputs(outputs: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Judge the output layer's values against the labels.

    Args:
        outputs: Values before softmax, (n, 10).
        labels: (n,) integers 0..9.

    Returns:
        The evaluation; the loss is computed in float64.
    """
    log_p = np.empty(len(labels))  # of the right class
    for start in range(0, len(labels), ROWS):
        part = slice(start, start + ROWS)
        rows = log_softmax(np, outputs[part].astype(np.float64))
        log_p[part] = rows[np.arange(len(rows)), labels[part]]
    return Evaluation(np.asarray(labels), outputs.argmax(axis=1), -float(log_p.mean()))
