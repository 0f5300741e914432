"""Answers in words: from the recognizer's numbers to a plain answer. No Kivy here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lenet_gpu.recognition.answers import NOT_READ, RIVAL, SURE, Prediction, number_text
from lenet_gpu.recognition.rejection import UNDECIDED_BETWEEN

NO_DIGIT = -1
"""Label of a drawing that is no digit at all, as the user says it."""

KNOWN_REASONS = {"speck": "why_dot", "bars": "why_bars", "noise": "why_noise"}
"""Reasons that have a text of their own whatever the probabilities; "blank" says nothing at all."""


@dataclass(frozen=True)
class Say:
    """A text by its key, and the values to fill in."""

    key: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer, as the app shows it large.

    Attributes:
        kind: "blank", "digit", "either" (two are close), "not_digit" or "number".
        big: Text to show large: a digit, or several.
        headline: A short sentence.
        line: The reason, or how sure.
    """

    kind: str
    big: str = ""
    headline: Say = Say()
    line: Say = Say()


def percent(share: float) -> str:
    """Write a probability in whole per cents that never round a doubt away: 99.7 % is not 100 %."""
    value = round(share * 100.0)
    if value == 100 and share < 0.995:
        value = 99
    if value == 0 and share > 0.0:
        return "<1" if share >= 0.0005 else "0"
    return str(value)


def best_two(probabilities: np.ndarray) -> tuple[int, int]:
    """Return the two most probable digits, the better first."""
    order = np.argsort(-probabilities, kind="stable")
    return int(order[0]), int(order[1])


def answer(prediction: Prediction, said: int | None = None) -> Answer:
    """Answer for one digit.

    Args:
        prediction: What the network read.
        said: What the user has said it is, which counts; None for nothing.
    """
    if said is not None:
        read = Say("said_read", {"read": prediction.digit}) if prediction.is_digit else Say("said_read_none")
        if said == NO_DIGIT:
            return Answer("not_digit", "", Say("you_said_none"), read)
        return Answer("digit", str(said), Say("you_said", {"label": said}), read)
    first, second = best_two(prediction.probabilities)
    share, other = float(prediction.probabilities[first]), float(prediction.probabilities[second])
    if prediction.reason == "blank":
        return Answer("blank")
    undecided = prediction.reason.startswith(UNDECIDED_BETWEEN)
    if not prediction.is_digit and not undecided:
        key = KNOWN_REASONS.get(prediction.reason, "why_unsure" if share < 0.5 else "why_unlike")
        values = {"first": first, "percent": percent(share)}
        return Answer("not_digit", "", Say("not_digit"), Say(key, values))
    if undecided or other >= RIVAL:
        values = {"first": first, "second": second, "percent": percent(share), "other": percent(other)}
        why = "undecided_why" if undecided else "either_why"
        return Answer("either", str(first), Say("either", values), Say(why, values))
    key = "sure" if share >= SURE else "probably"
    return Answer("digit", str(first), Say(key, {"percent": percent(share)}))


def number_answer(
    predictions: Sequence[Prediction], said: Sequence[int | None] = (), lines: Sequence[int] = ()
) -> Answer:
    """Answer for a whole number: its text, and the digit that is least sure where one is.

    Args:
        predictions: What the network read, from left to right.
        said: What the user has said of each of them; None for nothing.
        lines: Number of the line that each is in; all in one if empty.
    """
    if not predictions:
        return Answer("blank")
    told = list(said) or [None] * len(predictions)
    letters = [number_text([one]) for one in predictions]  # one character a mark
    for i, label in enumerate(told):
        if label is not None:
            letters[i] = NOT_READ if label == NO_DIGIT else str(label)
    rows = list(lines) or [0] * len(predictions)
    text = letters[0]
    for i in range(1, len(letters)):
        text += letters[i] if rows[i] == rows[i - 1] else f"\n{letters[i]}"
    count = sum(not one.sign for one in predictions)
    headline = Say("number_read", {"count": count}) if count > 1 else Say("number_one")
    open_ones = [i for i, label in enumerate(told) if label is None and not predictions[i].sign]
    if not open_ones:
        return Answer("number", text, headline)
    doubt = min(open_ones, key=lambda i: predictions[i].is_digit and predictions[i].confidence)
    first, second = best_two(predictions[doubt].probabilities)
    if predictions[doubt].is_digit and float(predictions[doubt].probabilities[second]) < RIVAL:
        return Answer("number", text, headline)
    values: dict[str, Any] = {"position": doubt + 1, "first": first, "second": second}
    key = "number_unlike" if letters[doubt] == NOT_READ else "number_doubt"
    return Answer("number", text, headline, Say(key, values))


def spoken(said: Answer) -> Say:
    """Choose what is said aloud."""
    if said.kind == "not_digit":
        return Say("said_not_digit")
    if said.kind == "either":
        return Say("said_either", said.headline.values)
    return Say("said_number", {"text": said.big}) if said.big else Say()
