"""Reading digits in pictures and pen strokes with a trained network: NumPy alone, on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.engine.cpu.threads import turns
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
from lenet_gpu.ink.segmentation import Group, is_bar, split
from lenet_gpu.ink.shadows import without_shadow
from lenet_gpu.ink.signs import TALL
from lenet_gpu.ink.stroke_lines import lines_of_strokes
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import CLASSES
from lenet_gpu.recognition.answers import Line, Number, NumberDigit, Page, PageDigit, Prediction
from lenet_gpu.recognition.fields import BATCH, FieldReader, Readings
from lenet_gpu.recognition.page import LOW, Read, read_lines
from lenet_gpu.storage.shipped_models import default_model, model_path

LONG_PICTURE = 1 << 18
"""Pixels of a picture whose ink is looked for while other threads compute, see engine/cpu/threads.py."""

LONG_NUMBER = 5_000
"""Points of a number that is read likewise."""

MIN_DIGIT = 5
"""Width in pixels below which no two digits are looked for in one mark."""

IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

SIGNS = {"-": "minus", ".": "point", ",": "comma", LOW: "speck"}
"""Reasons of marks that are signs, or too low for a digit."""

SIGNS_IN_INK = {**SIGNS, "'": "apostrophe", ":": "colon", "/": "slash"}
"""The same of marks in pictures."""

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
        self._fields = FieldReader(network)

    def refresh(self) -> None:
        """Take in the network's parameters again after a change of them."""
        self._fields.refresh()

    def read(self, field: np.ndarray) -> Prediction:
        """Read a picture that is in MNIST's form already.

        Args:
            field: (28, 28) uint8.

        Returns:
            The prediction.
        """
        with turns.take(long=False):
            return self._fields.read(field)

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
        return self._or_several(single, self._fields.read(single.field, single.reason))

    def _all_singles(self, singles: list[_Single]) -> list[Prediction]:
        """Read the one digit of each of some pictures."""
        if not singles:
            return []
        with turns.take(long=False):
            fields, reasons = np.stack([single.field for single in singles]), [single.reason for single in singles]
            answers = self._fields.read_several(fields, reasons)
            return [self._or_several(single, answer) for single, answer in zip(singles, answers, strict=True)]

    def _or_several(self, single: _Single, answer: Prediction) -> Prediction:
        """Say of a picture that it has several digits, if it has."""
        single, answer = self._in_shadow(single, answer)
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

    def _in_shadow(self, single: _Single, answer: Prediction) -> tuple[_Single, Prediction]:
        """Read a digit that a narrow shadow lies across once more without it; the same if there is none."""
        lit = without_shadow(single.found)
        if lit is None:
            return single, answer
        found, is_certain = lit
        again = _Single.of(found)
        other = self._fields.read(again.field, again.reason)
        return (again, other) if other.is_digit and (is_certain or not answer.is_digit) else (single, answer)

    def _page(self, found: Ink) -> Page:
        """Read all digits of a picture's ink."""
        readings = Readings(self._fields)
        lines = read_lines(found, readings.read)
        if not lines:
            return Page((), nothing(found))
        return Page(
            tuple(
                Line(tuple(self._page_digit(mark, number, found.scale, readings) for mark in line))
                for number, line in enumerate(lines)
            ),
            "",
        )

    @staticmethod
    def _page_digit(mark: Read, line: int, scale: int, readings: Readings) -> PageDigit:
        answer = readings.answer(mark.number, SIGNS_IN_INK.get(mark.sign, ""))
        top, left, bottom, right = (side * scale for side in mark.box)
        sign = "" if mark.sign == LOW else mark.sign
        return PageDigit(*_parts(answer), (left, top, right, bottom), sign=sign, line=line)

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
            return self._fields.read(strokes_to_mnist(checked), reason)

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
        readings = Readings(self._fields)
        groups = split(strokes, lambda candidates: readings.read(drawings_to_mnist(flatten(candidates))))
        return Number(tuple(self._number_digit(group, numbers, readings) for group in groups))

    @staticmethod
    def _number_digit(group: Group, numbers: list[int], readings: Readings) -> NumberDigit:
        answer = readings.answer(group.candidate, SIGNS.get(group.sign, group.reason))
        members = tuple(numbers[k] for k in group.strokes)
        return NumberDigit(*_parts(answer), members, group.box, sign=group.sign, line=group.line)


def _parts(answer: Prediction) -> tuple[int, np.ndarray, bool, str, np.ndarray]:
    """Give what a mark among others has in common with a digit alone."""
    return answer.digit, answer.probabilities, answer.is_digit, answer.reason, answer.image


def _in_words(count: int) -> str:
    """Write a count in words where it is small."""
    return IN_WORDS[count] if count < len(IN_WORDS) else str(count)
