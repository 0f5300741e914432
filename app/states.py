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
        asking: A tapped stroke is left out, to see what is read without it.
        replaying: The drawing is being drawn again by itself.
    """

    can_undo: bool
    can_redo: bool
    erasing: bool
    number_mode: bool
    hint: str
    asking: bool = False
    replaying: bool = False


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
class SourceState:
    """One of the inputs of a unit: a map or a unit below it.

    Attributes:
        name: Of the map or unit.
        value: Its contribution, as a text.
        contribution: The same as a number.
        target: Layer and unit that a tap leads to; None for the picture.
    """

    name: str
    value: str
    contribution: float
    target: tuple[str, tuple[int, ...] | int] | None


@dataclass(frozen=True)
class UnitState:
    """One unit of the network taken apart: texts, and the numbers to draw.

    Attributes:
        title: Its name.
        sum_line: How its value came about.
        sees: The part of the picture that it depends on, as a text.
        explanation: The numbers.
        sources: Its inputs, as the explanation lists them.
    """

    title: str
    sum_line: str
    sees: str
    explanation: Explanation
    sources: tuple[SourceState, ...] = ()


@dataclass(frozen=True)
class LessonState:
    """A step of a lesson.

    Attributes:
        title: Of the lesson.
        text: Of the step.
        place: The step among all, as a text.
        first: It is the first step.
        last: It is the last step.
        titles: Of all lessons.
        chosen: Index of the lesson.
    """

    title: str
    text: str
    place: str
    first: bool
    last: bool
    titles: tuple[str, ...]
    chosen: int
