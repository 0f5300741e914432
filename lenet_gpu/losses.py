"""Losses: from the output layer's values and the labels to a number and its derivative.

Single-source on `xp` like the layers, and without any synchronisation: the loss stays on the device.
"""

from __future__ import annotations

from typing import Any

Array = Any


def log_softmax(xp: Any, logits: Array) -> Array:
    """Logarithm of the softmax probabilities.

    Args:
        xp: Array module of `logits`.
        logits: (n, classes), float.

    Returns:
        (n, classes), the same dtype. The largest logit is subtracted first, so that exp can't overflow.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


def softmax(xp: Any, logits: Array) -> Array:
    """Softmax probabilities.

    Args:
        xp: Array module of `logits`.
        logits: (n, classes), float.

    Returns:
        (n, classes), the same dtype, each row summing to 1.
    """
    return xp.exp(log_softmax(xp, logits))


def cross_entropy(xp: Any, logits: Array, labels: Array) -> tuple[Array, Array]:
    """Softmax and categorical cross-entropy, E = -mean over the batch of log p[label].

    Args:
        xp: Array module of the two arrays.
        logits: (n, classes), float.
        labels: (n,), integers 0 <= label < classes.

    Returns:
        E, a 0-d array, and dE/dlogits = (p - one_hot(label)) / n, (n, classes).
    """
    n, classes = logits.shape
    log_p = log_softmax(xp, logits)
    one_hot = (labels[:, None] == xp.arange(classes)).astype(logits.dtype)  # (n, classes)
    loss = -(log_p * one_hot).sum() / n
    return loss, (xp.exp(log_p) - one_hot) / n
