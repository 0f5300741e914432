"""Fine-tuning to one person's digits in a second or two, with NumPy alone: F6 and the output layer are learnt anew.

C1 to C5 stay as they were trained, so each digit is 120 numbers, computed once, and what is learnt are the 11,014
parameters above them. (The output layer alone can't tell shapes that F6 draws together: of five nines of one hand
that it reads as 8, say, it learns to read the five, and not the next.) The person's digits are learnt together with
bundled digits and drawings that are none, the anchors (check_set.py), for which the target is whatever the model says
already: where nothing was taught, nothing changes.

The rule: other bundled digits, which are not learnt, decide. Among some results from bold to careful the one that
reads most of the person's digits is taken, of equals the one that loses fewest of the check digits, and of these the
boldest, provided it reads as many of the check digits as the model did, but for `MOST_LOST` of them. If none reads
more of the person's digits on these terms, the model stays as it is. A drawing can also be taught as no digit: then
every digit shall be as improbable as all others, and the check digits that are neither misread nor refused are held
to the same.

A thousand digits tell a loss of 0.1 points from none badly: it is one of them, and chance alone moves as many. So
each is read in five places (`check_set.in_places`), which brings the digits into the count that are nearly lost. The
person's digits are learnt and compared in these places, too: few as they are, more can be told from them so.

`lenet-gpu train --from` and the app's "learn from them" both call `fine_tune`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn import check_set
from lenet_gpu.nn.extras import CONFIDENCE_FLOOR, TEMPERATURE
from lenet_gpu.nn.inputs import check_images, check_labels
from lenet_gpu.nn.losses import softmax
from lenet_gpu.nn.network import Network
from lenet_gpu.paper import CLASSES, NOT_A_DIGIT, SQUASH_A, SQUASH_S

AnyNetwork = TypeVar("AnyNetwork", bound=Network)

SAMPLE_WEIGHTS = (1.0, 0.5, 0.25, 0.12, 0.03, 0.01)
"""Weights of one of the person's digits to try, bold to careful; an anchor counts 1. Many digits need small ones."""

WAYS = (1.0, 0.5, 0.25)
"""Steps from the model's weights towards each result, as shares of the way."""

STIFFNESS = 1.0
"""Weight of the squared distance from the model's weights."""

MOST_MOVED = 400
"""The person's digits are learnt in five places if there are at most so many, which bounds time."""

MOST_LOST = 0.001
"""Share of the check digits, each in five places, that a result may read fewer of. Others' digits are to stay within
0.2 points; it is half of that because the shipped models have learnt from the check digits, which holds them fast."""

STEPS = 60
RATE = 0.006
MOMENTS = (0.9, 0.99)
"""Steps, the first one's size, which falls to 0 by half a cosine, and the decays of Adam's moments."""

BATCH = 50
"""Images whose features are computed at a time, which bounds memory on a phone."""

TARGETS = np.vstack([np.eye(CLASSES), np.full(CLASSES, 1.0 / CLASSES)])
"""Target distribution by label, (11, 10): the last is that of no digit."""

FEATURES = "c5"
LEARNT = ("f6.weight", "f6.bias", "output.weight", "output.bias")
"""The layer whose values are the features, and the parameters above it, which are learnt."""


class Head(NamedTuple):
    """All that lies above C5, the biases as a last column: hidden (84, 121) and output (10, 85), float64."""

    hidden: np.ndarray
    output: np.ndarray

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Compute the output layer's values, (n, 10), of features (n, 121)."""
        return _with_one(self.squashed(x)) @ self.output.T

    def squashed(self, x: np.ndarray) -> np.ndarray:
        """Compute F6's values, (n, 84), of features (n, 121)."""
        return SQUASH_A * np.tanh(SQUASH_S * (x @ self.hidden.T))


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
    """The bundled digits as a network's F6 sees them: C5's values and a one for the bias.

    Attributes:
        anchors: (n, 121) float64.
        checks: (m, 121) float64, of the check digits in all places.
        check_labels: (m,) int64.
    """

    anchors: np.ndarray
    checks: np.ndarray
    check_labels: np.ndarray


class Judged(NamedTuple):
    """Counts of what a head reads right.

    Attributes:
        own: Share of the person's digits.
        in_places: The same, each in all places.
        checks: Share of the check digits in all places whose class is right.
        sure: The same of those that are not refused, either, where that counts.
        unmoved: Check digits where they are whose class is right, and those of `sure`, together.
    """

    own: float
    in_places: float
    checks: float
    sure: float
    unmoved: int


def can_fine_tune(network: Network) -> bool:
    """Tell whether a network is one that `fine_tune` knows: LeNet-5 with a softmax output for the ten digits."""
    digits = network.classes == CLASSES and network.class_labels in ((), tuple(range(CLASSES)))
    return digits and network.architecture.get("variant") == "modern"


def bundled_features(network: Network) -> Bundled:
    """Compute what `fine_tune` needs of the bundled digits, for idle time: a second on a desktop.

    Args:
        network: The network that will be fine-tuned; it stays good as long as C1 to C5 do.
    """
    images, _, checks, labels = check_set.load()
    moved = check_set.in_places(checks)
    anchors = np.concatenate([images, check_set.load_no_digits()])
    return Bundled(features(network, anchors), features(network, moved), np.tile(labels, len(check_set.PLACES)))


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
    moved = features(network, check_set.in_places(pictures)) if len(pictures) <= MOST_MOVED else own
    places = len(moved) // len(own)
    names = np.tile(numbers, places)
    start = head_of(network)

    sharpness = 1.0 / float(network.extras.get(TEMPERATURE, np.ones(1))[0])
    refusals = refusals or bool((numbers == NOT_A_DIGIT).any())

    def right(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Tell the rows that are read right, (n,) bool; what is no digit is to be refused."""
        read: np.ndarray = outputs.argmax(axis=1) == labels
        if not refusals:
            return read
        refused = softmax(np, sharpness * outputs).max(axis=1) < CONFIDENCE_FLOOR
        return np.where(labels == NOT_A_DIGIT, refused, read & ~refused)

    unmoved = len(bundled.check_labels) // len(check_set.PLACES)

    def judged(head: Head) -> Judged:
        outputs = head.outputs(bundled.checks)
        classes = outputs.argmax(axis=1) == bundled.check_labels
        sure = right(outputs, bundled.check_labels)
        own_right, moved_right = right(head.outputs(own), numbers), right(head.outputs(moved), names)
        return Judged(
            float(own_right.mean()), float(moved_right.mean()), float(classes.mean()), float(sure.mean()),
            int(classes[:unmoved].sum() + sure[:unmoved].sum()),
        )  # fmt: skip

    first = judged(start)
    best, chosen, reason = start, first._replace(in_places=0.0), "no_gain"
    lost = MOST_LOST + 1e-9  # shares are sums of fractions
    for head in _candidates(start, bundled.anchors, moved, TARGETS[names], places) if first.own < 1.0 else ():
        found = judged(head)
        kept = min(found.unmoved, first.unmoved)
        spoils = found.checks < first.checks - lost or found.sure < first.sure - lost
        if found.own > first.own and spoils and reason == "no_gain":
            reason = "check_fell"
        better = (found.own, kept, found.in_places) > (chosen.own, chosen.unmoved, chosen.in_places)
        if found.own > first.own and not spoils and better:
            best, chosen, reason = head, found._replace(unmoved=kept), "done"
            if found.in_places == 1.0 and kept == first.unmoved:
                break
    before, after, check_before, check_after = first.own, chosen.own, first.checks, chosen.checks
    model = with_head(network, best) if reason == "done" else copy_of(network)
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


def head_of(network: Network) -> Head:
    """Return what lies above C5 in a network that `can_fine_tune`."""
    views = network.views_of(network.host_parameters())
    weights = [views[name].astype(np.float64) for name in LEARNT]
    return Head(np.column_stack(weights[:2]), np.column_stack(weights[2:]))


def with_head(network: AnyNetwork, head: Head) -> AnyNetwork:
    """Copy a network, with another F6 and output layer."""
    copy = copy_of(network)
    parameters = copy.host_parameters()
    views = copy.views_of(parameters)
    for name, values in zip(LEARNT, (part for w in head for part in (w[:, :-1], w[:, -1])), strict=True):
        views[name][...] = values
    copy.set_parameters(parameters)
    return copy


def features(network: Network, images: np.ndarray) -> np.ndarray:
    """Compute all that F6 sees of images.

    Args:
        network: The network.
        images: (n, 28, 28).

    Returns:
        (n, 121) float64: C5's values, and a one for the bias.
    """
    found = [np.empty((0, network.shapes[LEARNT[0]][1]))]
    for start in range(0, len(images), BATCH):
        values = network.activations(images[start : start + BATCH], [FEATURES])[FEATURES]
        found.append(values.reshape(len(values), -1))
    return _with_one(np.concatenate(found).astype(np.float64))


def learn(start: Head, anchors: np.ndarray, own: np.ndarray, target: np.ndarray, weight: float) -> Head:
    """Learn a person's digits beside the anchors.

    Minimises sum_i weights_i E_i + STIFFNESS / 2 |head - start|^2 by Adam, every step on all digits, with E_i the
    cross-entropy between the target and what the head says; the anchors' target is what `start` says.

    Args:
        start: What to begin with.
        anchors: (n, 121) features of the anchors, each of weight 1.
        own: (m, 121) features of the person's digits.
        target: (m, 10) target distribution of each of these.
        weight: Weight of each of these.

    Returns:
        Another head.
    """
    x = np.concatenate([anchors, own])
    target = np.concatenate([softmax(np, start.outputs(anchors)), target])
    weights = np.repeat([1.0, weight], [len(anchors), len(own)])[:, None]
    head = Head(*(w.copy() for w in start))
    first, second = ([np.zeros_like(w) for w in start] for _ in range(2))
    for step in range(STEPS):
        values = head.squashed(x)  # (n + m, 84)
        seen = _with_one(values)
        errors = (softmax(np, seen @ head.output.T) - target) * weights  # (n + m, 10)
        below = errors @ head.output[:, :-1] * (SQUASH_S * SQUASH_A) * (1 - (values / SQUASH_A) ** 2)
        rate = RATE / 2 * (1 + np.cos(np.pi * step / STEPS))
        for k, (w, gradient) in enumerate(zip(head, (below.T @ x, errors.T @ seen), strict=True)):
            gradient += STIFFNESS * (w - start[k])
            first[k] += (1 - MOMENTS[0]) * (gradient - first[k])
            second[k] += (1 - MOMENTS[1]) * (gradient**2 - second[k])
            mean, square = (m[k] / (1 - d ** (step + 1)) for m, d in zip((first, second), MOMENTS, strict=True))
            w -= rate * mean / (np.sqrt(square) + 1e-8)
    return head


def _candidates(start: Head, anchors: np.ndarray, own: np.ndarray, target: np.ndarray, places: int) -> Iterator[Head]:
    """Yield results from bold to careful; each of the person's digits is there in a number of places."""
    for weight in SAMPLE_WEIGHTS:
        head = learn(start, anchors, own, target, weight / places)
        for way in WAYS:
            yield Head(*(before + way * (after - before) for before, after in zip(start, head, strict=True)))


def _with_one(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


def _described(network: Network) -> str:
    named = ", ".join(map(str, network.class_labels[:6])) + (" ..." if len(network.class_labels) > 6 else "")
    kind = network.architecture.get("variant", "own layers")
    return f"a network of {network.classes} classes ({kind}{f': {named}' if named else ''})"
