"""Fine-tuning to one person's digits in a fraction of a second, with NumPy alone: the output layer is learnt anew.

C1 to F6 stay as they were trained, so each digit is 84 numbers, computed once, and the rest is a regression of
850 parameters. The person's digits are learnt together with bundled digits, the anchors (check_set.py), for which the
target is whatever the model says already: where nothing was taught, nothing changes.

The rule: other bundled digits, which are not learnt, decide. Among a dozen results from bold to careful the one
that reads most of the person's digits is taken, provided it reads as many of the check digits as the model did, but
for `MOST_LOST` of them. If none reads more of the person's digits on these terms, the model stays as it is. A drawing
can also be taught as no digit: then every digit shall be as improbable as all others, and the check digits that are
neither misread nor refused are held to the same.

A thousand digits tell a loss of 0.1 points from none badly: it is one of them, and chance alone moves as many. So
each is read in five places (`check_set.in_places`), which brings the digits into the count that are nearly lost.

`lenet-gpu train --from` and the app's "learn from them" both call `fine_tune`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn import check_set
from lenet_gpu.nn.extras import CONFIDENCE_FLOOR, TEMPERATURE
from lenet_gpu.nn.inputs import check_images, check_labels
from lenet_gpu.nn.losses import softmax
from lenet_gpu.nn.network import Network
from lenet_gpu.paper import CLASSES, NOT_A_DIGIT

AnyNetwork = TypeVar("AnyNetwork", bound=Network)

SAMPLE_WEIGHTS = (2.0, 0.5, 0.12, 0.03)
"""Weights of one of the person's digits to try; an anchor counts 1. Many digits need the small ones."""

WAYS = (1.0, 0.75, 0.5)
"""Steps from the model's weights towards each result, as shares of the way."""

STIFFNESS = 1.0
"""Weight of the squared distance from the model's weights."""

MOST_LOST = 0.001
"""Share of the check digits, each in five places, that a result may read fewer of. Others' digits are to stay within
0.2 points; it is half of that because the shipped models have learnt from the check digits, which holds them fast."""

STEPS = 60

BATCH = 50
"""Images whose features are computed at a time, which bounds memory on a phone."""

TARGETS = np.vstack([np.eye(CLASSES), np.full(CLASSES, 1.0 / CLASSES)])
"""Target distribution by label, (11, 10): the last is that of no digit."""

FEATURES = "f6"
OUTPUT = ("output.weight", "output.bias")
"""The layer whose values are the features, and the parameters that are learnt."""


@dataclass(frozen=True, eq=False)
class FineTuning:
    """The outcome of fine-tuning.

    Attributes:
        model: A network of its own: fine-tuned if accepted, and else like the one that it came from.
        accepted: Whether the person's digits are read better, and the check digits as `MOST_LOST` demands.
        before: Share of the person's digits that was read right before, 0..1.
        after: The same now (on digits that were learnt).
        check_before: Share of the bundled check digits, each in five places, that was read right before.
        check_after: The same now.
        reason: "done"; "no_gain": no result reads more of the person's digits; "check_fell": some do, but all
            of these read too few of the check digits.
    """

    model: Network
    accepted: bool
    before: float
    after: float
    check_before: float
    check_after: float
    reason: str


@dataclass(frozen=True, eq=False)
class Bundled:
    """The bundled digits as a network's output layer sees them: F6's values and a one for the bias.

    Attributes:
        anchors: (n, 85) float64.
        checks: (m, 85) float64, of the check digits in all places.
        check_labels: (m,) int64.
    """

    anchors: np.ndarray
    checks: np.ndarray
    check_labels: np.ndarray


def can_fine_tune(network: Network) -> bool:
    """Tell whether a network is one that `fine_tune` knows: LeNet-5 with a softmax output for the ten digits."""
    digits = network.classes == CLASSES and network.class_labels in ((), tuple(range(CLASSES)))
    return digits and network.architecture.get("variant") == "modern"


def bundled_features(network: Network) -> Bundled:
    """Compute what `fine_tune` needs of the bundled digits, for idle time: a second on a desktop.

    Args:
        network: The network that will be fine-tuned; it stays good as long as C1 to F6 do.
    """
    images, _, checks, labels = check_set.load()
    moved = check_set.in_places(checks)
    return Bundled(features(network, images), features(network, moved), np.tile(labels, len(check_set.PLACES)))


def fine_tune(
    network: Network, images: Any, labels: Any, *, bundled: Bundled | None = None, refusals: bool = False
) -> FineTuning:
    """Teach a network that reads digits those of one person; it stays as it is, the result is another network.

    Args:
        network: LeNet-5 with a softmax output for the ten digits, trained.
        images: (n, 28, 28), uint8 or float in 0..1, made like MNIST's (see `ink.preprocess`); 20 to 200 are enough.
        labels: (n,) integers 0..9, what they are; 10 (`paper.NOT_A_DIGIT`) for drawings that are no digit.
        bundled: What `bundled_features` returned for this network; computed if None.
        refusals: Whether a digit that is refused as none counts as misread, in the person's digits and in the check
            digits; always so where drawings are taught that are no digit.

    Returns:
        The result; see the rule at the top of this module. Its model keeps the temperature and the limits of
        refusing, and its record says `fine_tuned`.

    Raises:
        InputError: Another network; no images, or images or labels of another form.
    """
    if not can_fine_tune(network):
        raise InputError(
            "network to fine-tune",
            found=_described(network),
            expected="LeNet-5 with a softmax output for the ten digits",
            remedy="take LeNet5.load('touch')",
        )
    pictures = check_images(images)
    if not len(pictures):
        raise InputError("images", found="none", expected="at least one to learn from")
    numbers = check_labels(np.asarray(labels), len(pictures), CLASSES + 1)
    bundled = bundled_features(network) if bundled is None else bundled
    own = features(network, pictures)
    views = network.views_of(network.host_parameters())
    start = np.column_stack([views[name] for name in OUTPUT]).astype(np.float64)  # (10, 85)

    sharpness = 1.0 / float(network.extras.get(TEMPERATURE, np.ones(1))[0])
    refusals = refusals or bool((numbers == NOT_A_DIGIT).any())

    def right(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Tell the rows that are read right, (n,) bool; what is no digit is to be refused."""
        read: np.ndarray = outputs.argmax(axis=1) == labels
        if not refusals:
            return read
        refused = softmax(np, sharpness * outputs).max(axis=1) < CONFIDENCE_FLOOR
        return np.where(labels == NOT_A_DIGIT, refused, read & ~refused)

    def shares(w: np.ndarray) -> tuple[float, float, float]:
        """Own drawings right, check digits of the right class, and those read right."""
        outputs = bundled.checks @ w.T
        classes = outputs.argmax(axis=1) == bundled.check_labels
        sure = right(outputs, bundled.check_labels)
        return float(right(own @ w.T, numbers).mean()), float(classes.mean()), float(sure.mean())

    before, check_before, sure_before = shares(start)
    best, after, check_after, reason = start, before, check_before, "no_gain"
    lost = MOST_LOST + 1e-9  # shares are sums of fractions
    for w in _candidates(bundled.anchors, own, numbers, start):
        share, check, sure = shares(w)
        spoils = check < check_before - lost or sure < sure_before - lost
        if share > before and spoils and reason == "no_gain":
            reason = "check_fell"
        elif share > before and not spoils and (share, check) > (after, check_after):
            best, after, check_after, reason = w, share, check, "done"
    model = with_output(network, best[:, :-1], best[:, -1]) if reason == "done" else copy_of(network)
    model.record["fine_tuned"] = {
        "images": len(pictures), "accepted": reason == "done", "before": before, "after": after,
        "check_before": check_before, "check_after": check_after,
    }  # fmt: skip
    return FineTuning(model, reason == "done", before, after, check_before, check_after, reason)


def copy_of(network: AnyNetwork) -> AnyNetwork:
    """Copy a network with what its file holds beside the parameters, on its backend."""
    copy = type(network).from_architecture(network.architecture, network.backend, "a copy")
    copy.set_parameters(network.host_parameters())
    copy.record, copy.extras = dict(network.record), dict(network.extras)
    return copy


def with_output(network: AnyNetwork, weight: np.ndarray, bias: np.ndarray) -> AnyNetwork:
    """Copy a network, with another output layer.

    Args:
        network: The network.
        weight: (10, 84) float.
        bias: (10,) float.
    """
    copy = copy_of(network)
    parameters = copy.host_parameters()
    views = copy.views_of(parameters)
    views[OUTPUT[0]][...], views[OUTPUT[1]][...] = weight, bias
    copy.set_parameters(parameters)
    return copy


def features(network: Network, images: np.ndarray) -> np.ndarray:
    """Compute all that the output layer sees of images.

    Args:
        network: The network.
        images: (n, 28, 28).

    Returns:
        (n, 85) float64: F6's values, and a one for the bias.
    """
    found = [np.empty((0, network.shapes[OUTPUT[0]][1]))]
    for start in range(0, len(images), BATCH):
        found.append(network.activations(images[start : start + BATCH], [FEATURES])[FEATURES])
    values = np.concatenate(found).astype(np.float64)
    return np.column_stack([values, np.ones(len(values))])


def regress(x: np.ndarray, target: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Fit a weighted multinomial regression that stays near where it starts.

    Minimises, by W, sum_i weights_i E_i + STIFFNESS / 2 |W - start|^2, with E_i the cross-entropy between
    target_i and softmax(W x_i). For each class the second derivative is nowhere larger than that of
    1/2 sum_i weights_i (W x_i)^2 (Boehning 1992), so steps divided by this one 85x85 matrix don't overshoot;
    Nesterov's momentum makes them few.

    Args:
        x: (n, 85) float64, F6's values and a one.
        target: (n, 10) target distribution of each row.
        weights: (n,) weight of each row.
        start: (10, 85) float64, the output layer to start from.

    Returns:
        (10, 85) float64.
    """
    bound = 0.5 * (x.T * weights) @ x + STIFFNESS * np.eye(x.shape[1])  # (85, 85)
    inverse = np.linalg.inv(bound)
    w = ahead = start
    for step in range(STEPS):
        errors = (softmax(np, x @ ahead.T) - target) * weights[:, None]  # (n, 10)
        gradient = errors.T @ x + STIFFNESS * (ahead - start)  # (10, 85)
        w, before = ahead - gradient @ inverse, w
        ahead = w + step / (step + 3) * (w - before)
    return w


def _candidates(anchors: np.ndarray, own: np.ndarray, labels: np.ndarray, start: np.ndarray) -> Iterator[np.ndarray]:
    """Output layers from bold to careful, each (10, 85)."""
    x = np.concatenate([anchors, own])
    target = np.concatenate([softmax(np, anchors @ start.T), TARGETS[labels]])
    for weight in SAMPLE_WEIGHTS:
        w = regress(x, target, np.repeat([1.0, weight], [len(anchors), len(own)]), start)
        for way in WAYS:
            yield start + way * (w - start)


def _described(network: Network) -> str:
    named = ", ".join(map(str, network.class_labels[:6])) + (" ..." if len(network.class_labels) > 6 else "")
    kind = network.architecture.get("variant", "own layers")
    return f"a network of {network.classes} classes ({kind}{f': {named}' if named else ''})"
