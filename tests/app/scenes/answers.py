"""Every kind of answer, in each language and the smallest windows: what lies wrong, what is too small to read?"""

import numpy as np
from acting import faults
from kivy.core.window import Window

from app.interfaces import Act
from app.reading import Say, answer, number_answer
from app.session import Reading
from lenet_gpu.recognition.answers import Prediction

REASONS = ["", "speck", "bars", "noise", "unlike any digit", "undecided between 4 and 9"]
COUNTS = {"count": 120, "before": 7, "after": 113}
NOTES = [Say("tune_check_fell"), Say("tune_done", COUNTS), Say("taken", {"label": 4})]
"""What is said of a correction, with a button beside it."""

LEAST_TEXT = 9.0
"""Smallest letters, sp."""


def predictions():
    for reason in REASONS:
        shares = np.full(10, 0.005, np.float32)
        shares[[4, 9]] = 0.52, 0.44
        yield Prediction(4, shares, not reason, reason, np.zeros((28, 28), np.uint8))
    yield Prediction(4, np.full(10, 0.1, np.float32), False, "unlike any digit", np.zeros((28, 28), np.uint8))


def scene(app):
    view, commands, wrong, checked = app.view, app.commands, {}, 0
    singles = list(predictions())
    rows = [[one] for one in singles] + [[one, *singles[:1]] for one in singles] + [[singles[0]] * 12]
    for width, height, scale, language in app.options["shapes"]:
        Window.resize(width, height)
        commands.change(text_scale=scale, language=language)
        commands.open_pane("draw")
        yield 0.05
        for number in (False, True):
            for row in rows if number else rows[: len(singles)]:
                said = number_answer(row) if number else answer(row[0])
                app.session.reading = Reading(said, tuple(row), tuple([] for _ in row), 0)
                app.presenter.show_reading()
                yield 0.01
                found = faults(view)
                for text in (view.answer.ids.headline, view.answer.ids.line):
                    if text.text and (text.font_size < LEAST_TEXT or "…" in text.text):
                        found.append(f"{text.text!r} at {text.font_size}")
                checked += 1
                if found:
                    wrong[f"{width}x{height} x{scale} {language} {said.kind} {row[0].reason}"] = found[:6]
        for said in NOTES:
            app.presenter.note(said, acts=[Act(Say("undo"), lambda: None)])
            yield 0.02
            checked += 1
            if found := faults(view):
                wrong[f"{width}x{height} x{scale} {language} {said.key}"] = found[:6]
        app.presenter.clear_note()
    return {"wrong": wrong, "checked": checked}
