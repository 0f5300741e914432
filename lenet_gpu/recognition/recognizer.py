"""Reading digits with a trained network: NumPy alone, on the CPU, by the prepared calls of the CPU plan."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.threads import ThreadPlans, turns
from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.ink.find_ink import Ink, find_ink, nothing
from lenet_gpu.ink.layout import written
from lenet_gpu.ink.marks import digit_pieces, free_pieces
from lenet_gpu.ink.normal_form import ink_to_mnist
from lenet_gpu.ink.pictures import gray_of
from lenet_gpu.ink.preprocess import (
    check_strokes,
    drawings_to_mnist,
    flatten,
    only_pieces,
    strokes_to_mnist,
)
from lenet_gpu.ink.segmentation import is_bar, split
from lenet_gpu.ink.signs import TALL
from lenet_gpu.ink.stroke_lines import lines_of_strokes
from lenet_gpu.nn.extras import CONFIDENCE_FLOOR, TEMPERATURE
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import CLASSES, IMAGE_SIZE
from lenet_gpu.recognition.answers import Line, Number, NumberDigit, Page, PageDigit, Prediction
from lenet_gpu.recognition.page import LOW, read_lines
from lenet_gpu.recognition.rejection import GRAIN, SOME_GRAIN, UNDECIDED, Rejection, decide, grain
from lenet_gpu.storage.shipped_models import default_model, model_path

BATCH = 8
"""Pictures computed at once when there are several."""

CLOSE = 1e-4
"""Difference of probabilities, or of distances as a share, below which a batch's last bits might decide."""

LONG_PICTURE = 1 << 18
"""Pixels of a picture whose ink is looked for while other threads compute, see engine/cpu/threads.py."""

LONG_NUMBER = 5_000
"""Points of a number that is read likewise."""

MIN_DIGIT = 5
"""Width in pixels below which no two digits are looked for in one mark."""

IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

SIGNS = {"-": "minus", ".": "point", ",": "comma", LOW: "speck"}
"""Reasons of marks that are signs, or too low for a digit."""

MOST_STROKES = 1_000
"""Strokes of one number; a longer row is no handwriting of one number, and would take seconds to read."""

MOST_POINTS = 100_000
"""Points of its strokes, every one of which is drawn up to ten times: once for each run that its stroke is in."""


class _Single(NamedTuple):
    """A picture's ink, and what of it is the one digit.

    Attributes:
        found: The ink.
        alone: (n,) bool, the digit's pieces.
        field: (28, 28) uint8, the digit in MNIST's form.
        reason: Why there is none; empty if there may be one.
    """

    found: Ink
    alone: np.ndarray
    field: np.ndarray
    reason: str

    @classmethod
    def of(cls, found: Ink) -> _Single:
        """Choose the digit."""
        alone = digit_pieces(found.pieces, found.ink, found.sides, found.free)
        field = ink_to_mnist(only_pieces(found, alone))
        return cls(found, alone, field, "" if found.contrast and field.any() else nothing(found))


class Recognizer:
    """Reads digits with a trained model, on the CPU.

    Several threads may use one recogniser at once: each computes in buffers of its own, and they take turns at what
    is too short to gain from a second core.

    Args:
        model: Name of a shipped model, or path of a model file; by default the shipped touch model.

    Raises:
        ModelFileError: No such model, or a damaged file.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None) -> None:
        if model is None:
            model = default_model()
        self.network = network = LeNet5.load(model, "cpu")
        if network.classes != CLASSES or network.class_labels:
            raise ModelFileError(
                model_path(model),
                found=f"a network of {network.classes} classes"
                + (f" called {', '.join(map(str, network.class_labels[:4]))} ..." if network.class_labels else ""),
                expected="one that reads the ten digits",
                remedy="read with LeNet5.load(path).predict, or name another model",
            )
        self._rejection = Rejection.from_arrays(network.extras)
        self._sharpness = np.float32(1.0 / network.extras.get(TEMPERATURE, np.ones(1))[0])
        # In this process and for a few images at a time: worker processes would only cost time here.
        self._plans = ThreadPlans(partial(CpuPlan.of, network, capacity=BATCH))
        self.refresh()

    def __getstate__(self) -> dict[str, Any]:
        """Take along everything but the threads' buffers."""
        return {name: value for name, value in vars(self).items() if name != "_plans"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make buffers anew; for copy.deepcopy and for other processes."""
        vars(self).update(state)
        self._plans = ThreadPlans(partial(CpuPlan.of, self.network, capacity=BATCH))
        self.refresh()

    def refresh(self) -> None:
        """Take in the network's parameters again after a change of them."""
        self._plans.refresh()
        self._plans.get()

    def read(self, field: np.ndarray) -> Prediction:
        """Read a picture that is in MNIST's form already.

        Args:
            field: (28, 28) uint8.

        Returns:
            The prediction.
        """
        with turns.take(long=False):
            return self._predict(field)

    def predict_image(self, image: Any) -> Prediction:
        """Read one digit in a picture.

        Args:
            image: A path, a Pillow image of any mode, or an array: (h, w) greyscale, (h, w, 3) RGB or (h, w, 4) RGBA,
                uint8 or float in 0..1. Either polarity, any size, the digit anywhere, on any paper.

        Returns:
            The prediction; of a picture of several digits, that it is no one digit.

        Raises:
            InputError: Not a picture.
        """
        gray = gray_of(image)
        with turns.take(long=gray.size > LONG_PICTURE):
            return self._one_digit(find_ink(gray))

    def predict_images(self, images: Iterable[Any]) -> list[Prediction]:
        """Read one digit in each of many pictures, which the network reads `BATCH` at a time.

        Args:
            images: As for `predict_image`.

        Returns:
            What `predict_image` says of each; probabilities may differ in their last bits.

        Raises:
            InputError: One of them is no picture.
        """
        answers: list[Prediction] = []
        some: list[_Single] = []
        for image in images:
            gray = gray_of(image)
            with turns.take(long=gray.size > LONG_PICTURE):
                some.append(_Single.of(find_ink(gray)))
            if len(some) == BATCH:
                answers += self._all_singles(some)
                some = []
        return answers + self._all_singles(some)

    def read_page(self, picture: Any) -> Page:
        """Read all digits in a picture.

        Args:
            picture: As for `predict_image`.

        Returns:
            The lines of digits in reading order, each digit with its box, its probabilities and its reason.

        Raises:
            InputError: Not a picture.
        """
        gray = gray_of(picture)
        with turns.take(long=gray.size > LONG_PICTURE):
            return self._page(find_ink(gray))

    def _one_digit(self, found: Ink) -> Prediction:
        """Read the one digit of a picture's ink, or say that there are several or none."""
        single = _Single.of(found)
        return self._or_several(single, self._predict(single.field, single.reason))

    def _all_singles(self, singles: list[_Single]) -> list[Prediction]:
        """Read the one digit of each of some pictures."""
        if not singles:
            return []
        with turns.take(long=False):
            probabilities, f6 = self._read_all(np.stack([single.field for single in singles]))
            answers = []
            for k, single in enumerate(singles):
                shares, units = probabilities[k], None if f6 is None else f6[k]
                if self._is_close(shares, units):  # to a limit: the last bits would decide
                    answer = self._predict(single.field, single.reason)
                else:
                    is_digit, reason = self._judged(single.field, shares, units, single.reason)
                    answer = Prediction(int(shares.argmax()), shares, is_digit, reason, single.field)
                answers.append(self._or_several(single, answer))
        return answers

    def _is_close(self, probabilities: np.ndarray, f6: np.ndarray | None) -> bool:
        """Tell whether a decision hangs on less than what a batch's sums may differ by."""
        first, second = np.sort(probabilities)[:-3:-1]
        close = first - second < CLOSE or abs(first - CONFIDENCE_FLOOR) < CLOSE or abs(second - UNDECIDED) < CLOSE
        if close or self._rejection is None or f6 is None:
            return bool(close)
        return abs(float(self._rejection.distances(f6[None])[0]) / self._rejection.limit - 1.0) < CLOSE

    def _or_several(self, single: _Single, answer: Prediction) -> Prediction:
        """Say of a picture that it has several digits, if it has."""
        found, alone = single.found, single.alone
        others = written(found) & ~alone if len(alone) else alone
        if found.free:
            others &= free_pieces(found.pieces, found.sides)  # a neighbour's rest makes no second digit
        tall = others.any() and found.pieces.heights[others].max() >= TALL * found.pieces.heights[alone].max()
        if not tall and (answer.is_digit or found.pieces.widths[alone].sum() < 2 * MIN_DIGIT):
            return answer
        marks = [mark for mark in self._page(found).digits if mark.is_digit]
        if len(marks) < 2:
            return answer
        return replace(answer, is_digit=False, reason=f"{_in_words(len(marks))} digits")

    def _page(self, found: Ink) -> Page:
        """Read all digits of a picture's ink."""
        batches: list[tuple[np.ndarray, np.ndarray | None]] = []

        def read(fields: np.ndarray) -> np.ndarray:
            batches.append(self._read_all(fields))
            return np.log(np.maximum(batches[-1][0].max(axis=1), 1e-9))

        lines = read_lines(found, read)
        if not lines:
            return Page((), nothing(found))
        probabilities = np.concatenate([batch[0] for batch in batches])
        units_of = [batch[1] for batch in batches if batch[1] is not None]
        f6 = np.concatenate(units_of) if units_of else None
        answers = []
        for number, line in enumerate(lines):
            marks = []
            for mark in line:
                shares = probabilities[mark.number]
                units = None if f6 is None else f6[mark.number]
                is_digit, reason = self._judged(mark.field, shares, units, SIGNS.get(mark.sign, ""))
                top, left, bottom, right = (side * found.scale for side in mark.box)
                box, sign = (left, top, right, bottom), "" if mark.sign == LOW else mark.sign
                digit = int(shares.argmax())
                marks.append(PageDigit(digit, shares, is_digit, reason, mark.field, box, sign=sign, line=number))
            answers.append(Line(tuple(marks)))
        return Page(tuple(answers), "")

    def predict_strokes(self, strokes: Any) -> Prediction:
        """Read one digit in pen strokes.

        Args:
            strokes: List of (n, 2) arrays or lists of numbers, x right and y down; any unit, place and size.

        Returns:
            The prediction; a drawing without any extent is a speck, and lines one above the other are no one digit.

        Raises:
            InputError: Not strokes, or a coordinate that is not a finite number.
        """
        with turns.take(long=False):
            checked = check_strokes(strokes)
            speck = bool(checked) and not np.ptp(np.concatenate(checked), axis=0).any()
            bars = bool(checked) and all(is_bar(stroke) for stroke in checked)
            lines = len(lines_of_strokes(checked)) if 1 < len(checked) <= MOST_STROKES else 1
            reason = "speck" if speck else "bars" if bars else f"{_in_words(lines)} lines" if lines > 1 else ""
            return self._predict(strokes_to_mnist(checked), reason)

    def predict_number(self, strokes: Any) -> Number:
        """Read the digits of a number, written side by side, or of several, one above the other.

        Args:
            strokes: As for `predict_strokes`, in any order.

        Returns:
            The digits from left to right, line by line, and the signs between them; `text` puts them together.

        Raises:
            InputError: Not strokes, more than `MOST_STROKES` of them or `MOST_POINTS` points, or a coordinate that is
                not a finite number.
        """
        checked = check_strokes(strokes)
        if not checked:
            return Number(())
        kept = [k for k, stroke in enumerate(strokes) if np.size(stroke)]  # those without a point keep their number
        for found, most, what in (
            (len(checked), MOST_STROKES, "strokes"),
            (sum(map(len, checked)), MOST_POINTS, "points"),
        ):
            if found > most:
                expected, remedy = f"at most {most:,}", "read fewer digits at a time"
                raise InputError(f"{what} of a number", found=f"{found:,}", expected=expected, remedy=remedy)
        with turns.take(long=sum(map(len, checked)) > LONG_NUMBER):
            return self._read_number(checked, kept)

    def _read_number(self, strokes: list[np.ndarray], numbers: list[int]) -> Number:
        """Read the digits of checked strokes, which go by `numbers` in the answer."""
        batches: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []

        def read(candidates: list[list[np.ndarray]]) -> np.ndarray:
            fields = drawings_to_mnist(flatten(candidates))
            batches.append((fields, *self._read_all(fields)))
            return np.log(np.maximum(batches[-1][1].max(axis=1), 1e-9))

        groups = split(strokes, read)
        fields, probabilities = (np.concatenate([batch[k] for batch in batches]) for k in (0, 1))
        units_of = [batch[2] for batch in batches if batch[2] is not None]
        f6 = np.concatenate(units_of) if units_of else None
        digits = []
        for group in groups:
            field = fields[group.candidate]
            units = None if f6 is None else f6[group.candidate]
            known = SIGNS.get(group.sign, group.reason)
            is_digit, reason = self._judged(field, probabilities[group.candidate], units, known)
            digits.append(
                NumberDigit(
                    digit=int(probabilities[group.candidate].argmax()),
                    probabilities=probabilities[group.candidate],
                    is_digit=is_digit,
                    reason=reason,
                    image=field,
                    strokes=tuple(numbers[k] for k in group.strokes),
                    box=group.box,
                    sign=group.sign,
                    line=group.line,
                )
            )
        return Number(tuple(digits))

    def _predict(self, field: np.ndarray, reason: str = "") -> Prediction:
        """Read one picture in MNIST's form; `reason`: why it is known not to be a digit."""
        all_probabilities, f6 = self._pass(field[None])
        probabilities = self._calibrated(all_probabilities)[0]
        is_digit, reason = self._judged(field, probabilities, None if f6 is None else f6[0], reason)
        return Prediction(int(probabilities.argmax()), probabilities, is_digit, reason, field)

    def _pass(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the network once: probabilities (n, classes); F6 (n, 84) in units of A, if rejection asks for it."""
        plan = self._plans.get()
        if self._rejection is None:
            return plan.probabilities(fields, refresh=False), None
        return plan.read(fields, refresh=False)

    def _judged(
        self, field: np.ndarray, probabilities: np.ndarray, f6: np.ndarray | None, reason: str
    ) -> tuple[bool, str]:
        """Decide whether a picture is a digit, and why not: the one place where that is done."""
        if not field.any():
            reason = reason or "blank"
        if not reason:
            distance = limit = None
            if self._rejection is not None and f6 is not None:
                distance, limit = float(self._rejection.distances(f6[None])[0]), self._rejection.limit
            reason = decide(probabilities, distance, limit)
            grains = grain(field)
            # A model that was taught what is no digit knows noise by itself; another one needs to be told.
            if grains > (GRAIN if self._rejection is None else SOME_GRAIN) or (reason and grains > SOME_GRAIN):
                reason = "noise"
        return not reason, reason

    def _calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Bring probabilities (n, classes) to the model's temperature: softmax(z / T) from softmax(z)."""
        if self._sharpness == 1.0:
            return probabilities
        powers = probabilities**self._sharpness
        return powers / powers.sum(axis=1, keepdims=True)

    def _read_all(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Read some pictures in MNIST's form: probabilities (n, classes), and F6 as `_pass` gives it.

        Always BATCH at a time: for each new number the plan would prepare its calls anew.
        """
        padded = np.zeros((-(-len(fields) // BATCH) * BATCH, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
        padded[: len(fields)] = fields
        probabilities, f6 = self._pass(padded)
        return self._calibrated(probabilities[: len(fields)]), None if f6 is None else f6[: len(fields)]


def _in_words(count: int) -> str:
    """Write a count in words where it is small."""
    return IN_WORDS[count] if count < len(IN_WORDS) else str(count)
