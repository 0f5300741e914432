"""Learning one person's handwriting on the device, in a fraction of a second: the output layer alone is tuned.

C1 to F6 stay as they were shipped, so each digit is 84 numbers, computed once, and the rest is a regression of
850 parameters. The user's digits are learnt together with bundled digits, the anchors (`app.check_set`), for
which the target is whatever the shipped model says: where the user has taught nothing, nothing changes.

The rule: other bundled digits, which are not learnt, decide. Among a dozen results from bold to careful the one
that reads most of the user's digits is taken, provided it reads at least as many of the check digits as the
shipped model. If none reads more of the user's digits on these terms, tuning is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lenet_gpu.errors import LenetError
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.losses import softmax
from lenet_gpu.paper import CLASSES
from lenet_gpu.recognition.recognizer import Recognizer

from . import check_set
from .explain import activations
from .samples import Sample
from .user_folder import check_writable, make_folder, remove, set_aside

FILE = "tuned.npz"
OUTDATED = ".outdated"
"""Ending of a tuned model whose shipped model has been replaced by a newer one."""

MOST_SAMPLES = 1000
"""Only the newest of the user's digits are learnt, which bounds time and memory."""

SAMPLE_WEIGHTS = (2.0, 0.5, 0.12, 0.03)
"""Weights of one of the user's digits to try; an anchor counts 1. Many digits need the small ones."""

WAYS = (1.0, 0.75, 0.5)
"""Steps from the shipped weights towards each result, as shares of the way."""

STIFFNESS = 1.0
"""Weight of the squared distance from the shipped weights."""

STEPS = 60

BATCH = 50
"""Images whose features are computed at a time, which bounds memory on a phone."""

OUTPUT = ("output.weight", "output.bias")


@dataclass(frozen=True)
class TuneResult:
    """The result of tuning.

    Attributes:
        accepted: Whether the tuned model is used from now on.
        before: Share of the user's digits that the shipped model reads right, 0..1.
        after: The same for the tuned model (on digits it has learnt from).
        check_before: Share of the bundled check digits that the shipped model reads right.
        check_after: The same for the tuned model.
        reason: Text key: "tune_done", "tune_few", "tune_check_fell", "tune_no_gain" or "tune_other_network".
    """

    accepted: bool
    before: float
    after: float
    check_before: float
    check_after: float
    reason: str


@dataclass(frozen=True, eq=False)
class Fit:
    """A tuned output layer that is not in use yet: weight (10, 84) and bias (10,) float32, and its result."""

    weight: np.ndarray
    bias: np.ndarray
    samples: int
    result: TuneResult


class Tuner:
    """Tunes a recognizer's output layer and goes back.

    Args:
        recognizer: A recognizer with a shipped (or the user's own) model, not tuned yet.
        folder: The app's folder of user data; a tuned model is kept there in a file of its own.
        read_only: Whether another app has the folder: then nothing in it is changed.

    Attributes:
        tuned: Whether a tuned output layer is in use.
    """

    def __init__(self, recognizer: Recognizer, folder: str | os.PathLike[str], read_only: bool = False) -> None:
        self._read_only = read_only
        self.recognizer, self.path = recognizer, Path(folder) / FILE
        self.tuned = False
        self._shipped = recognizer.network.host_parameters()
        self._features: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def possible(self) -> bool:
        """True if the network's output layer can be tuned (linear before softmax)."""
        shapes = self.recognizer.network.shapes
        return all(name in shapes for name in OUTPUT)

    def prepare(self) -> None:
        """Compute what the first tuning needs of the bundled digits, for idle time: 0.3 s on a desktop."""
        if self._features is None:
            bundled = check_set.load()
            network = self.recognizer.network
            self._features = _features_of(network, bundled.anchor_images), _features_of(network, bundled.check_images)

    def load(self) -> str:
        """Load an earlier tuning.

        Returns:
            Text key of what to tell the user, or "": "tuned_aside" for a file that could not be read and was
            renamed, "tuned_outdated" for one that belongs to another shipped model and was renamed.
        """
        if not self.path.exists() or not self.possible:
            return ""
        network = self.recognizer.network
        try:
            found = LeNet5.load(self.path)
            same = found.architecture == network.architecture and self._same_body(found)
        except LenetError:
            if not self._read_only:
                set_aside(self.path)
            return "tuned_aside"
        if not same:
            if not self._read_only:
                set_aside(self.path, OUTDATED)
            return "tuned_outdated"
        self._use(found.views[OUTPUT[0]], found.views[OUTPUT[1]])
        self.tuned = True
        return ""

    def fit(self, samples: Iterable[Sample]) -> Fit:
        """Tune the output layer without using it yet; may run beside the recognizer in another thread.

        Args:
            samples: The user's digits; of very many only the newest are learnt.

        Returns:
            The new output layer, for `accept`.
        """
        network = self.recognizer.network
        newest = list(samples)[-MOST_SAMPLES:]
        if not self.possible or not newest:
            reason = "tune_few" if self.possible else "tune_other_network"
            return Fit(np.empty((0, 84)), np.empty(0), 0, TuneResult(False, 0.0, 0.0, 0.0, 0.0, reason))
        self.prepare()
        assert self._features is not None
        anchors, checks = map(_with_one, self._features)
        check_labels = check_set.load().check_labels
        own = _with_one(_features_of(network, drawings_to_mnist([sample.strokes for sample in newest])))
        labels = np.array([sample.label for sample in newest])
        shipped = network.views_of(self._shipped)
        start = np.column_stack([shipped[OUTPUT[0]], shipped[OUTPUT[1]]]).astype(np.float64)  # (10, 85)

        before, check_before = _share(own, labels, start), _share(checks, check_labels, start)
        best, after, check_after, reason = start, before, check_before, "tune_no_gain"
        for w in _candidates(anchors, own, labels, start):
            share, check = _share(own, labels, w), _share(checks, check_labels, w)
            if share > before and check < check_before and reason == "tune_no_gain":
                reason = "tune_check_fell"
            elif share > before and check >= check_before and (share, check) > (after, check_after):
                best, after, check_after, reason = w, share, check, "tune_done"
        result = TuneResult(reason == "tune_done", before, after, check_before, check_after, reason)
        best = best.astype(np.float32)
        return Fit(best[:, :-1], best[:, -1], len(newest), result)

    def accept(self, fit: Fit) -> TuneResult:
        """Use a fit if it is good, and keep it in the user's folder.

        Args:
            fit: What `fit` returned. If it was refused, nothing changes.

        Returns:
            Its result.

        Raises:
            InputError: The file can't be written; nothing changes then.
        """
        if not fit.result.accepted:
            return fit.result
        check_writable(self.path, self._read_only)
        network = self.recognizer.network
        tuned = LeNet5.from_architecture(network.architecture, network.backend, self.path)
        tuned.set_parameters(self._shipped)
        tuned.views[OUTPUT[0]][...], tuned.views[OUTPUT[1]][...] = fit.weight, fit.bias
        tuned.record = {**network.record, "tuned_on": f"{fit.samples} digits of the user's"}
        make_folder(self.path.parent)
        tuned.save(self.path)
        self._use(fit.weight, fit.bias)
        self.tuned = True
        return fit.result

    def tune(self, samples: Iterable[Sample]) -> TuneResult:
        """Tune, and use and keep the result if it is good; always from the shipped weights.

        Args:
            samples: The user's digits.

        Returns:
            The result; see the rule at the top of this module.

        Raises:
            InputError: The file can't be written; nothing changes then.
        """
        return self.accept(self.fit(samples))

    def reset(self) -> None:
        """Go back to the shipped model and remove the tuned one.

        Raises:
            InputError: The file can't be removed; the shipped model is used nevertheless, until the next start.
        """
        check_writable(self.path, self._read_only)
        if self.possible:
            shipped = self.recognizer.network.views_of(self._shipped)
            self._use(shipped[OUTPUT[0]], shipped[OUTPUT[1]])
        self.tuned = False
        remove(self.path)

    def _use(self, weight: np.ndarray, bias: np.ndarray) -> None:
        views = self.recognizer.network.views
        views[OUTPUT[0]][...], views[OUTPUT[1]][...] = weight, bias
        self.recognizer.refresh()

    def _same_body(self, other: LeNet5) -> bool:
        shipped = self.recognizer.network.views_of(self._shipped)
        return all(name in OUTPUT or np.array_equal(view, other.views[name]) for name, view in shipped.items())


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
        start: (10, 85) float64, the shipped output layer.

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
    target = np.concatenate([softmax(np, anchors @ start.T), np.eye(CLASSES)[labels]])
    for weight in SAMPLE_WEIGHTS:
        w = regress(x, target, np.repeat([1.0, weight], [len(anchors), len(own)]), start)
        for way in WAYS:
            yield start + way * (w - start)


def _features_of(network: LeNet5, images: np.ndarray) -> np.ndarray:
    """Compute F6's values of (n, 28, 28) images, all that the output layer sees of them: (n, 84) float32."""
    found = [np.empty((0, 84), dtype=np.float32)]
    for start in range(0, len(images), BATCH):
        found.append(activations(network, images[start : start + BATCH])["f6"])
    return np.concatenate(found)


def _with_one(values: np.ndarray) -> np.ndarray:
    """(n, 84) -> (n, 85) float64, with a one for the bias."""
    return np.column_stack([values.astype(np.float64), np.ones(len(values))])


def _share(x: np.ndarray, labels: np.ndarray, w: np.ndarray) -> float:
    """Compute the share of the rows that an output layer reads right."""
    return float(((x @ w.T).argmax(axis=1) == labels).mean())
