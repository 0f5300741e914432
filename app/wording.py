"""A finding put into words, with what the user has said of it. No Kivy here."""

from __future__ import annotations

from .corrections import Corrections
from .jobs import BLANK, TOO_MUCH, Found, Reading
from .reading import answer, number_answer


def reading_of(found: Found, corrections: Corrections) -> Reading:
    """Put what was read into words.

    Args:
        found: What was read.
        corrections: What the user has said of drawings.

    Returns:
        The reading, to be shown.
    """
    if found.too_much:
        return TOO_MUCH
    if not found.predictions:
        return BLANK
    said = tuple(corrections.said(found.key(i)) for i in range(len(found.predictions)))
    whole = (
        number_answer(found.predictions, said, found.lines)
        if found.is_number
        else answer(found.predictions[0], said[0])
    )
    return Reading(whole, found.predictions, found.strokes, found.chosen, said, found.boxes, found.lines)
