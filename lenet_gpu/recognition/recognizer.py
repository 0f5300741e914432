"""Reading digits with a trained network: NumPy alone, on the CPU, by the prepared calls of the CPU plan."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.backend.backend import select_backend
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.errors import ModelFileError
from lenet_gpu.ink.preprocess import check_strokes, drawings_to_mnist, flatten, image_to_mnist, strokes_to_mnist
from lenet_gpu.ink.segmentation import is_bar, split
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.recognition.rejection import GRAIN, TEMPERATURE, UNDECIDED_BETWEEN, Rejection, decide, features, grain

WEIGHTS_FOLDER = Path(__file__).resolve().parents[1] / "weights"
"""Where the shipped models lie."""

PREFERRED = ("touch", "mnist")
"""Shipped models by default, the first that is there."""

BATCH = 8
"""Pictures computed at once when a number has several."""

NOT_READ = "?"
"""Stands in a number's text for what is not a digit."""


@dataclass(frozen=True)
class Prediction:
    """What a network reads.

    Attributes:
        digit: The most probable digit.
        probabilities: Probability of each digit 0..9, (10,) float32, summing to 1.
        is_digit: Whether there is a digit at all; if not, `digit` means nothing.
        reason: Why it is not a digit ("blank", "speck", "bars", "noise", "unlike any digit",
            "undecided between 4 and 9"); empty otherwise.
        image: The 28x28 uint8 picture that the network saw.
    """

    digit: int
    probabilities: np.ndarray
    is_digit: bool
    reason: str
    image: np.ndarray

    @property
    def confidence(self) -> float:
        """Probability of `digit`, 0..1."""
        return float(self.probabilities[self.digit])


def number_text(predictions: Iterable[Prediction]) -> str:
    """Digits as a string; of two between which it is undecided the more probable; "?" for what is not one."""
    return "".join(
        str(p.digit) if p.is_digit or p.reason.startswith(UNDECIDED_BETWEEN) else NOT_READ for p in predictions
    )


@dataclass(frozen=True)
class NumberDigit(Prediction):
    """One digit of a number.

    Attributes:
        strokes: Indices of its strokes.
        box: Left, top, right, bottom of its strokes, in their unit.
    """

    strokes: tuple[int, ...]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Number:
    """What a network reads in strokes that may be several digits.

    Attributes:
        digits: The digits from left to right, and whatever lies between them.
    """

    digits: tuple[NumberDigit, ...]

    @property
    def text(self) -> str:
        """The digits as a string; see `number_text`."""
        return number_text(self.digits)

    @property
    def confidence(self) -> float:
        """Probability that all digits are right, as far as the network knows; 0 if there is none."""
        return float(np.prod([digit.confidence for digit in self.digits])) if self.digits else 0.0


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in WEIGHTS_FOLDER.glob("*.npz"))


def model_path(model: str | os.PathLike[str]) -> Path:
    """File of a model given by name or path.

    Args:
        model: Name of a shipped model, path of a model file, or folder of a training run.

    Raises:
        ModelFileError: Neither exists.
    """
    path = Path(model)
    if path.is_dir():
        path = path / "model.npz"
    if path.exists():
        return path
    if str(model) in shipped_models():
        return WEIGHTS_FOLDER / f"{model}.npz"
    raise ModelFileError(
        path,
        found="no such file",
        expected=f"a model file, the folder of a run, or a shipped model ({', '.join(shipped_models())})",
        remedy="check the path",
    )


class Recognizer:
    """Reads digits with a trained model, on the CPU.

    Args:
        model: Name of a shipped model, or path of a model file; by default the shipped touch model.

    Raises:
        ModelFileError: No such model, or a damaged file.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None) -> None:
        if model is None:
            model = next(name for name in PREFERRED if name in shipped_models() or name == PREFERRED[-1])
        self.network = network = LeNet5.load(model_path(model), select_backend("cpu"))
        self._rejection = Rejection.from_arrays(network.extras)
        self._sharpness = np.float32(1.0 / network.extras.get(TEMPERATURE, np.ones(1))[0])
        # In this process and for a few images at a time: worker processes would only cost time here.
        self._plan = CpuPlan.of(network, capacity=BATCH)
        self.refresh()

    def refresh(self) -> None:
        """Take in the network's parameters again after a change of them."""
        self._plan.outputs(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8))

    def read(self, field: np.ndarray) -> Prediction:
        """Read a picture that is in MNIST's form already.

        Args:
            field: (28, 28) uint8.

        Returns:
            The prediction.
        """
        return self._predict(field)

    def predict_image(self, image: Any) -> Prediction:
        """Read one digit in a picture.

        Args:
            image: (h, w) greyscale, uint8 or float in 0..1; either polarity, any size, the digit anywhere.

        Returns:
            The prediction.

        Raises:
            InputError: Not a greyscale picture.
        """
        return self._predict(image_to_mnist(image))

    def predict_strokes(self, strokes: Any) -> Prediction:
        """Read one digit in pen strokes.

        Args:
            strokes: List of (n, 2) arrays or lists of numbers, x right and y down; any unit, place and size.

        Returns:
            The prediction; a drawing without any extent is a speck.

        Raises:
            InputError: Not strokes, or a coordinate that is not a finite number.
        """
        checked = check_strokes(strokes)
        speck = bool(checked) and not np.ptp(np.concatenate(checked), axis=0).any()
        bars = bool(checked) and all(is_bar(stroke) for stroke in checked)
        return self._predict(strokes_to_mnist(checked), "speck" if speck else "bars" if bars else "")

    def predict_number(self, strokes: Any) -> Number:
        """Read the digits of a number, written side by side.

        Args:
            strokes: As for `predict_strokes`, in any order.

        Returns:
            The digits from left to right; `text` puts them together.

        Raises:
            InputError: Not strokes, or a coordinate that is not a finite number.
        """
        kept = [(k, points) for k, stroke in enumerate(_listed(strokes)) for points in check_strokes([stroke])]
        if not kept:
            return Number(())
        fields = probabilities = np.zeros(0)

        def read(candidates: list[list[np.ndarray]]) -> np.ndarray:
            nonlocal fields, probabilities
            fields = drawings_to_mnist(flatten(candidates))
            probabilities = self._probabilities(fields)
            return np.log(np.maximum(probabilities.max(axis=1), 1e-9))

        digits = []
        for group in split([points for _, points in kept], read):
            field = fields[group.candidate]
            is_digit, reason = self._judged(field, probabilities[group.candidate], group.reason)
            digits.append(
                NumberDigit(
                    digit=int(probabilities[group.candidate].argmax()),
                    probabilities=probabilities[group.candidate],
                    is_digit=is_digit,
                    reason=reason,
                    image=field,
                    strokes=tuple(kept[k][0] for k in group.strokes),
                    box=group.box,
                )
            )
        return Number(tuple(digits))

    def _predict(self, field: np.ndarray, reason: str = "") -> Prediction:
        """Read one picture in MNIST's form; `reason`: why it is known not to be a digit."""
        probabilities = self._calibrated(self._plan.probabilities(field[None], refresh=False))[0]
        is_digit, reason = self._judged(field, probabilities, reason)
        return Prediction(int(probabilities.argmax()), probabilities, is_digit, reason, field)

    def _judged(self, field: np.ndarray, probabilities: np.ndarray, reason: str) -> tuple[bool, str]:
        """Whether a picture is a digit, and why not: the one place where that is decided."""
        if not field.any():
            reason = "blank"
        elif grain(field) > GRAIN:
            reason = "noise"
        if not reason:
            distance = limit = None
            if self._rejection is not None:
                distance = float(self._rejection.distances(features(self.network, field[None]))[0])
                limit = self._rejection.limit
            reason = decide(probabilities, distance, limit)
        return not reason, reason

    def _calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (n, 10) at the model's temperature: softmax(z / T) from softmax(z)."""
        if self._sharpness == 1.0:
            return probabilities
        powers = probabilities**self._sharpness
        return powers / powers.sum(axis=1, keepdims=True)

    def _probabilities(self, fields: np.ndarray) -> np.ndarray:
        """Probabilities of the digits of some pictures, (n, 10).

        Always BATCH at a time: for each new number the plan would prepare its calls anew.
        """
        padded = np.zeros((-(-len(fields) // BATCH) * BATCH, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
        padded[: len(fields)] = fields
        return self._calibrated(self._plan.probabilities(padded, refresh=False)[: len(fields)])


def _listed(strokes: Any) -> list[Any]:
    """Strokes one by one, so that those without a point keep their place in the count."""
    check_strokes(strokes)
    return list(strokes)
