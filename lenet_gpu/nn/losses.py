"""Losses: from the output layer's values and the labels to a number and its derivative.

Single-source on `xp` like the layers, and without any synchronisation: the loss stays on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lenet_gpu.errors import InputError
from lenet_gpu.paper import RUBBISH_PENALTY

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
    """Softmax and categorical cross-entropy, E = -mean over the batch of sum over j of target[j] log p[j].

    For an image of a class `target` is its one-hot vector, so that E = -mean of log p[label]; for one of no class
    (the label `classes`: with digits, "not a digit") every class has the same target, 1 / classes.

    Args:
        xp: Array module of the two arrays.
        logits: (n, classes), float.
        labels: (n,), integers 0 <= label < classes, or `classes`: none of them.

    Returns:
        E, a 0-d array, and dE/dlogits = (p - target) / n, (n, classes).
    """
    n, classes = logits.shape
    log_p = log_softmax(xp, logits)
    one_hot = (labels[:, None] == xp.arange(classes)).astype(logits.dtype)  # (n, classes)
    none = (labels == classes).astype(logits.dtype)[:, None]  # (n, 1)
    target = one_hot + none * (1.0 / classes)
    loss = -(log_p * target).sum() / n
    return loss, (xp.exp(log_p) - target) / n


def cross_entropy_curvature(xp: Any, logits: Array, labels: Array) -> Array:
    """Second derivatives of `cross_entropy`, d2E/dlogits2 = p (1 - p) / n, (n, classes)."""
    p = softmax(xp, logits)
    return p * (1.0 - p) / len(logits)


def target_penalty(xp: Any, penalties: Array, labels: Array) -> tuple[Array, Array]:
    """Compute the penalty of the target class, E = mean over the batch of y[label].

    LeCun et al. 1998, section II.C, equation 8. It only ever pulls: with codes that were trained, too, all
    penalties could become 0 together; fixed codes keep it honest.

    Args:
        xp: Array module of the two arrays.
        penalties: (n, classes), float, from 0 (`RadialBasis`).
        labels: (n,), integers 0 <= label < classes. Any other label counts for nothing.

    Returns:
        E, a 0-d array, and dE/dpenalties = one_hot(label) / n, (n, classes).
    """
    n, classes = penalties.shape
    one_hot = (labels[:, None] == xp.arange(classes)).astype(penalties.dtype)  # (n, classes)
    return (penalties * one_hot).sum() / n, one_hot / n


def target_penalty_curvature(xp: Any, penalties: Array, labels: Array) -> Array:
    """Second derivatives of `target_penalty` by the penalties: none, (n, classes) zeros."""
    return xp.zeros_like(penalties)


def rubbish_softmax(xp: Any, penalties: Array) -> tuple[Array, Array]:
    """Posterior probabilities where an image may also be no digit.

    LeCun et al. 1998, section II.C: a rubbish class with the constant penalty j stands beside the digits, so
    that digit i has the probability e^-y_i / (e^-j + sum over k of e^-y_k).

    Args:
        xp: Array module of `penalties`.
        penalties: (n, classes), float, from 0.

    Returns:
        The digits' probabilities, (n, classes), which sum to less than 1, and the logarithm of the
        denominator, (n, 1).
    """
    # With the smallest exponent taken out, exp can't underflow everywhere at once.
    smallest = xp.minimum(penalties.min(axis=1, keepdims=True), RUBBISH_PENALTY)  # (n, 1)
    terms = xp.exp(smallest - penalties)
    total = terms.sum(axis=1, keepdims=True) + xp.exp(smallest - RUBBISH_PENALTY)
    return terms / total, xp.log(total) - smallest


def maximum_a_posteriori(xp: Any, penalties: Array, labels: Array) -> tuple[Array, Array]:
    """Compute the discriminative loss, E = mean over the batch of y[label] + log(e^-j + sum over i of e^-y_i).

    LeCun et al. 1998, section II.C, equation 9: the negative logarithm of the right class's posterior
    probability. It pulls the penalty of the right class down and pushes the others up.

    Args:
        xp: Array module of the two arrays.
        penalties: (n, classes), float, from 0.
        labels: (n,), integers 0 <= label < classes; any other label means the rubbish class, of penalty j.

    Returns:
        E, a 0-d array, and dE/dpenalties = (one_hot(label) - p) / n, (n, classes).
    """
    n, classes = penalties.shape
    one_hot = (labels[:, None] == xp.arange(classes)).astype(penalties.dtype)  # (n, classes)
    p, log_total = rubbish_softmax(xp, penalties)
    right = (penalties * one_hot).sum(axis=1) + RUBBISH_PENALTY * (1.0 - one_hot.sum(axis=1))  # (n,)
    return (right + log_total[:, 0]).sum() / n, (one_hot - p) / n


def maximum_a_posteriori_curvature(xp: Any, penalties: Array, labels: Array) -> Array:
    """Second derivatives of `maximum_a_posteriori` by the penalties, p (1 - p) / n, (n, classes)."""
    p, _ = rubbish_softmax(xp, penalties)
    return p * (1.0 - p) / len(penalties)


class Loss(NamedTuple):
    """A loss and its derivatives by the output layer's values.

    Attributes:
        value: (xp, outputs, labels) to the mean loss, a 0-d array, and its first derivatives.
        curvature: (xp, outputs, labels) to its second derivatives, those by one output twice alone; only SDLM asks.
        name: What files and messages call it; the function's own name if empty.
    """

    value: Callable[[Any, Array, Array], tuple[Array, Array]]
    curvature: Callable[[Any, Array, Array], Array] | None = None
    name: str = ""


LOSSES = {
    "cross_entropy": Loss(cross_entropy, cross_entropy_curvature),
    "rbf": Loss(target_penalty, target_penalty_curvature),
    "map": Loss(maximum_a_posteriori, maximum_a_posteriori_curvature),
}
"""Losses by the names that recipes use."""


def loss_named(loss: str | Loss | Callable[..., Any]) -> tuple[str, Loss]:
    """Find a loss, and what it is called.

    Args:
        loss: A name of `LOSSES`, a loss, or its function `value`.

    Returns:
        Name and loss.

    Raises:
        InputError: An unknown name, or nothing that can be a loss.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            expected = f"{' or '.join(map(repr, LOSSES))}, a function, or a lenet_gpu.nn.Loss"
            raise InputError("loss", found=repr(loss), expected=expected)
        return loss, LOSSES[loss]
    if not isinstance(loss, Loss):
        if not callable(loss):
            raise InputError("loss", found=repr(loss), expected="a name, a function, or a lenet_gpu.nn.Loss")
        loss = Loss(loss)
    for name, known in LOSSES.items():
        if loss is known:
            return name, loss
    name = loss.name or getattr(loss.value, "__name__", type(loss.value).__name__)
    return f"{name} of one's own" if name in LOSSES else name, loss
