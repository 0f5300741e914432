"""Accuracy, errors, loss and confusion from logits, on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenet_gpu.nn.losses import log_softmax

ROWS = 2000
"""Images scored at a time, which bounds the memory."""


@dataclass(frozen=True)
class Evaluation:
    """A network's answers to a set of labelled images.

    Attributes:
        labels: True classes, (n,); an image of none of the classes has their number.
        predictions: Classes read, (n,).
        loss: Mean cross-entropy.
        classes: Number of classes.
    """

    labels: np.ndarray
    predictions: np.ndarray
    loss: float
    classes: int

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
        """Number of images by true class (row) and class read (column), (classes, classes) int64."""
        k = self.classes
        known = self.labels < k
        cells = self.labels[known].astype(np.int64) * k + self.predictions[known]
        return np.bincount(cells, minlength=k * k).reshape(k, k)


def evaluate_outputs(outputs: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Score logits against the labels.

    Args:
        outputs: Logits, (n, classes).
        labels: (n,) integers from 0 to below the number of classes, or that number: none of them, for which every
            class has the same target (`losses.cross_entropy`).

    Returns:
        The evaluation; the loss is computed in float64.
    """
    labels, classes = np.asarray(labels), outputs.shape[1]
    log_p = np.empty(len(labels))  # of the true class, or the mean over all
    for start in range(0, len(labels), ROWS):
        part = slice(start, start + ROWS)
        rows = log_softmax(np, outputs[part].astype(np.float64))
        log_p[part] = rows[np.arange(len(rows)), np.minimum(labels[part], classes - 1)]
        none = labels[part] == classes
        if none.any():
            log_p[part][none] = rows[none].mean(axis=1)
    return Evaluation(labels, outputs.argmax(axis=1), -float(log_p.mean()), classes)
