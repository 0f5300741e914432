"""States of what is shown, as the presenter hands them to the view. No Kivy here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .explain import Explanation


@dataclass(frozen=True)
class ToolsState:
    """The tools under the canvas, and what the blank canvas says.

    Attributes:
        can_undo: There is a step to take back.
        can_redo: There is an undo to take back.
        erasing: The eraser is on.
        number_mode: Several digits are read side by side.
        hint: Text on the blank canvas, or empty.
    """

    can_undo: bool
    can_redo: bool
    erasing: bool
    number_mode: bool
    hint: str


@dataclass(frozen=True)
class SamplesState:
    """The choices that the user's samples allow.

    Attributes:
        summary: How many there are, as a text.
        some: There is at least one.
        can_tune: The model can learn from them now.
        can_reset: A tuned model is in use.
    """

    summary: str
    some: bool
    can_tune: bool
    can_reset: bool


@dataclass(frozen=True)
class AnswerState:
    """The answer as it is shown large.

    Attributes:
        big: One digit, or empty.
        headline: A short sentence, or empty.
        line: The reason or the doubt, or empty.
        digits: The digits of a number, or empty.
        chosen: Index of the number's digit that is looked at.
        image: (28, 28) uint8 that the network saw; None on a blank canvas.
    """

    big: str
    headline: str
    line: str
    digits: str
    chosen: int
    image: np.ndarray | None


@dataclass(frozen=True)
class UnitState:
    """One unit of the network taken apart: texts, and the numbers to draw."""

    title: str
    sum_line: str
    explanation: Explanation
