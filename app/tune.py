"""Learning one person's handwriting on the device, in a second or two, and going back.

What is learnt, and by what rule it is refused, stands in `lenet_gpu.nn.finetune`: F6 and the output layer
are tuned, and bundled digits guard that nothing else is spoiled. Here it meets the app's samples,
recognizer and folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lenet_gpu.errors import LenetError
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.nn.finetune import (
    LEARNT,
    Bundled,
    Head,
    bundled_features,
    can_fine_tune,
    copy_of,
    fine_tune,
    head_of,
    with_head,
)
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import NOT_A_DIGIT
from lenet_gpu.recognition.recognizer import Recognizer

from .samples import Sample
from .user_folder import check_writable, make_folder, remove, set_aside

FILE = "tuned.npz"
OUTDATED = ".outdated"
"""Ending of a tuned model whose shipped model has been replaced by a newer one."""

MOST_SAMPLES = 1000
"""Only the newest of the user's digits are learnt, which bounds time and memory."""


@dataclass(frozen=True)
class TuneResult:
    """The result of tuning.

    Attributes:
        accepted: Whether the tuned model is used from now on.
        before: Share of the user's digits that the shipped model reads right, 0..1.
        after: The same for the tuned model (on digits it has learnt from).
        check_before: Share of the bundled check digits, each in five places, that the shipped model reads right.
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
    """Layers that were learnt, not in use yet: F6 and the output layer, of how many samples, and the result."""

    head: Head | None
    samples: int
    result: TuneResult


class Tuner:
    """Tunes the upper layers of a recognizer's network and goes back.

    Args:
        recognizer: A recognizer with a shipped (or the user's own) model, not tuned yet.
        folder: The app's folder of user data; a tuned model is kept there in a file of its own.
        read_only: Whether another app has the folder: then nothing in it is changed.

    Attributes:
        tuned: Whether tuned layers are in use.
    """

    def __init__(self, recognizer: Recognizer, folder: str | os.PathLike[str], read_only: bool = False) -> None:
        self._read_only = read_only
        self.recognizer, self.path = recognizer, Path(folder) / FILE
        self.tuned = False
        self._shipped = recognizer.network.host_parameters()
        self._bundled: Bundled | None = None

    @property
    def possible(self) -> bool:
        """True if the network can be tuned."""
        return can_fine_tune(self.recognizer.network)

    def prepare(self) -> None:
        """Compute what the first tuning needs of the bundled digits, for idle time: a second on a desktop."""
        if self._bundled is None:
            self._bundled = bundled_features(self._untuned())

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
        self._use(head_of(found))
        self.tuned = True
        return ""

    def fit(self, samples: Iterable[Sample]) -> Fit:
        """Tune without using the result yet; may run beside the recognizer in another thread.

        Args:
            samples: The user's drawings, digits or none; of very many only the newest are learnt.

        Returns:
            The new layers, for `accept`.
        """
        newest = list(samples)[-MOST_SAMPLES:]
        if not self.possible or not newest:
            reason = "tune_few" if self.possible else "tune_other_network"
            return Fit(None, 0, TuneResult(False, 0.0, 0.0, 0.0, 0.0, reason))
        self.prepare()
        images = drawings_to_mnist([sample.strokes for sample in newest])
        labels = [NOT_A_DIGIT if sample.label is None else sample.label for sample in newest]
        found = fine_tune(self._untuned(), images, labels, bundled=self._bundled, refusals=True)
        result = TuneResult(
            found.accepted, found.before, found.after, found.check_before, found.check_after, f"tune_{found.reason}"
        )
        return Fit(head_of(found.model), len(newest), result)

    def accept(self, fit: Fit) -> TuneResult:
        """Use a fit if it is good, and keep it in the user's folder.

        Args:
            fit: What `fit` returned. If it was refused, nothing changes.

        Returns:
            Its result.

        Raises:
            InputError: The file can't be written; nothing changes then.
        """
        if not fit.result.accepted or fit.head is None:
            return fit.result
        check_writable(self.path, self._read_only)
        network = self.recognizer.network
        tuned = with_head(network, fit.head)
        tuned.record = {**network.record, "tuned_on": f"{fit.samples} digits of the user's"}
        make_folder(self.path.parent)
        tuned.save(self.path)
        self._use(fit.head)
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
            self.recognizer.network.set_parameters(self._shipped)
            self.recognizer.refresh()
        self.tuned = False
        remove(self.path)

    def _untuned(self) -> LeNet5:
        """Return the model that tuning begins at, whatever is in use."""
        network = copy_of(self.recognizer.network)
        network.set_parameters(self._shipped)
        return network

    def _use(self, head: Head) -> None:
        self.recognizer.network.set_parameters(with_head(self.recognizer.network, head).host_parameters())
        self.recognizer.refresh()

    def _same_body(self, other: LeNet5) -> bool:
        shipped = self.recognizer.network.views_of(self._shipped)
        return all(name in LEARNT or np.array_equal(view, other.views[name]) for name, view in shipped.items())
