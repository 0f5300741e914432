"""The answers of a recogniser: a digit, or the digits of a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lenet_gpu.recognition.rejection import UNDECIDED_BETWEEN

NOT_READ = "?"
"""Stands in a number's text for what is not a digit."""

SURE = 0.85
"""Probability from which an answer needs no word of doubt."""

RIVAL = 0.2
"""Probability of the second digit from which it is named beside the first."""


@dataclass(frozen=True)
class Prediction:
    """The answer to one drawing.

    Attributes:
        digit: The most probable digit.
        probabilities: Probability of each class, (classes,) float32, summing to 1; of each digit 0..9 as a rule.
        is_digit: Whether there is a digit at all; if not, `digit` means nothing.
        reason: Why it is not a digit ("blank", "too faint", "only a frame", "only lines", "two digits", "two lines",
            "speck", "bars", "noise", "unlike any digit", "undecided between 4 and 9"); empty otherwise.
        image: The 28x28 uint8 picture that the network saw.
        sign: "-", "." or "," where a mark among digits is one of these, in pictures also ":", "/" or "'"; empty
            otherwise.
        line: Number of the line that a mark is in, from the top.
    """

    digit: int
    probabilities: np.ndarray
    is_digit: bool
    reason: str
    image: np.ndarray
    sign: str = field(default="", kw_only=True)
    line: int = field(default=0, kw_only=True)

    @property
    def confidence(self) -> float:
        """Probability of `digit`, 0..1."""
        return float(self.probabilities[self.digit])


def number_text(predictions: Iterable[Prediction]) -> str:
    """Write digits and signs as a string, with a line break between lines.

    Of two digits between which it is undecided the more probable; "?" for what is neither digit nor sign.
    """
    text, line = "", None
    for p in predictions:
        undecided = p.reason.startswith(UNDECIDED_BETWEEN)
        text += "" if line in (None, p.line) else "\n"
        text += p.sign or (str(p.digit) if p.is_digit or undecided else NOT_READ)
        line = p.line
    return text


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
    """The answer to strokes that may be several digits.

    Attributes:
        digits: The digits from left to right, line by line, and signs and non-digits between them.
    """

    digits: tuple[NumberDigit, ...]

    @property
    def text(self) -> str:
        """The digits as a string; see `number_text`."""
        return number_text(self.digits)

    @property
    def confidence(self) -> float:
        """Probability that all digits are right, as far as the network knows; 0 if there is none."""
        shares = [digit.confidence for digit in self.digits if not digit.sign]
        return float(np.prod(shares)) if shares else 0.0


@dataclass(frozen=True)
class PageDigit(Prediction):
    """One mark of a page: a digit, a sign, or what is neither.

    Attributes:
        box: Left, top, right, bottom, in pixels of the picture; right and bottom lie outside.
    """

    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """A line of digits, as it is written.

    Attributes:
        digits: From left to right, with the signs between them.
    """

    digits: tuple[PageDigit, ...]

    @property
    def text(self) -> str:
        """The line as a string; see `number_text`."""
        return number_text(self.digits)


@dataclass(frozen=True)
class Page:
    """The answer to a picture that may have several digits.

    Attributes:
        lines: From top to bottom.
        reason: Why there is none ("blank", "too faint", "only lines"); empty otherwise.
    """

    lines: tuple[Line, ...]
    reason: str

    @property
    def text(self) -> str:
        """All lines, a line break between each two."""
        return "\n".join(line.text for line in self.lines)

    @property
    def digits(self) -> tuple[PageDigit, ...]:
        """All marks in reading order, signs left out."""
        return tuple(mark for line in self.lines for mark in line.digits if not mark.sign)
