"""The teacher's mode: lessons, a drawing drawn again, and what is read without a stroke. No Kivy here."""

from __future__ import annotations

from typing import Any

from .commands import Commands
from .course import Lesson, load_lessons
from .part import Part, replay, without
from .reading import Say, percent
from .states import LessonState

STEP_SECONDS = 0.15
"""Seconds that a step of a replay is seen."""


class Lecture:
    """Leads through lessons, or through a class's own drawings.

    Args:
        commands: Everything else that a user can do.

    Attributes:
        lessons: All there are; read when the mode is first entered.
    """

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.session, self.workspace, self.presenter = commands.session, commands.workspace, commands.presenter
        self.lessons: list[Lesson] = []
        self._lesson, self._step = 0, 0
        self._drawing: tuple[int, str] | None = None
        self._parts: list[Part] = []
        self._at = 0
        self._left_out: frozenset[int] = frozenset()
        self._next = commands.timer.create_trigger(self._play, STEP_SECONDS)

    # ---- in and out

    def toggle(self) -> None:
        """Enter the teacher's mode, or leave it."""
        if not self.leave():
            self.lessons = self.lessons or load_lessons()
            self.session.lecture, self.session.erasing = True, False
            self.workspace.fill_screen(True)
            self.presenter.clear_note()
            self.presenter.dress()
            self.show()
            self.commands.open_pane("lesson")

    def leave(self) -> bool:
        """Leave the teacher's mode; the drawing stays. Says whether it was on."""
        if not self.session.lecture:
            return False
        self._whole()
        self.session.lecture = False
        self.workspace.fill_screen(False)
        self.presenter.clear_note()
        self.presenter.dress()
        self.commands.open_pane("inside")
        return True

    # ---- lessons

    def choose(self, index: int) -> None:
        """Begin a lesson.

        Args:
            index: Its place among all.
        """
        self._lesson, self._step, self._drawing = index, 0, None
        self._set_up()

    def turn(self, step: int) -> None:
        """Go to the next step of the lesson (1), or to the one before (-1), as far as there is one."""
        if not self.session.lecture:
            return
        if self._drawing is not None:  # the first turn of all begins the lesson
            self._step = min(max(self._step + step, 0), len(self.lessons[self._lesson].steps) - 1)
        self._set_up()

    def _set_up(self) -> None:
        """Bring the step's drawing on the canvas, unless it is there or was drawn over, and look at its unit."""
        lesson = self.lessons[self._lesson]
        step = lesson.steps[self._step]
        self._whole()
        if self._drawing != (self._lesson, step.drawing):
            self._drawing = (self._lesson, step.drawing)
            self.session.ink.replace(lesson.drawings[step.drawing])
            self.commands.ink_replaced()
        if step.without:
            self._leave_out(step.without)
        self.show()
        self.session.read()
        self.presenter.show_reading()
        if step.look is None:
            self.presenter.look_away()
        else:
            self.presenter.look_at(*step.look)

    def show(self) -> None:
        """Show the step in the language in use."""
        lesson, language = self.lessons[self._lesson], self.session.settings.language_in_use
        step = lesson.steps[self._step]
        count = len(lesson.steps)
        titles = tuple(in_language(one.title, language) for one in self.lessons)
        place = self.presenter.said(Say("lesson_place", {"step": self._step + 1, "count": count}))
        ends = (self._step == 0, self._step == count - 1)
        text = in_language(step.text, language)
        self.presenter.show_lesson(LessonState(titles[self._lesson], text, place, *ends, titles, self._lesson))

    # ---- step by step

    def replay(self) -> None:
        """Draw the drawing again by itself, or stop where it is."""
        if self.session.replaying:
            self.session.replaying = False
            self.presenter.show_state()
            return
        self._begin_replay(-1)
        if self._parts:
            self.session.replaying = True
            self._play()

    def step(self, step: int) -> None:
        """Draw a step more (1) or less (-1) of the drawing; after the whole it begins anew."""
        self.session.replaying = False
        if self.session.part is None or not self._parts:
            self._begin_replay(-1 if step > 0 else self._count())
        self._go(self._at + step)

    def _count(self) -> int:
        return len(replay(self.session.ink.arrays())) - 1

    def _begin_replay(self, at: int) -> None:
        self._whole()
        self._parts = replay(self.session.ink.arrays())
        self._at = at

    def _go(self, at: int) -> None:
        if not self._parts:
            return
        self._at = min(max(at, 0), len(self._parts) - 1)
        last = self._at == len(self._parts) - 1
        self._look_at_part(None if last else self._parts[self._at])

    def _play(self, *_: Any) -> None:
        if not self.session.replaying:
            return
        at = self._at + 1
        if at >= len(self._parts) - 1:
            self.session.replaying = False
        self._go(at)
        if self.session.replaying:
            self._next()

    # ---- without a stroke

    def toggle_asking(self) -> None:
        """Change between drawing and asking what is read without a stroke."""
        asking = not self.session.asking
        self._whole()
        self.session.asking = asking
        if asking:
            self.presenter.note(Say("ask_hint"), lasting=True)
        else:
            self.presenter.clear_note()
        self.presenter.show_state()

    def ask(self, stroke: int) -> None:
        """Read the drawing without a stroke, or with it again.

        Args:
            stroke: Its place in the drawing.
        """
        self._leave_out(self._left_out ^ {stroke})

    def _leave_out(self, strokes: frozenset[int]) -> None:
        asking = self.session.asking
        self.session.part = None
        before = self._words()
        self._left_out = strokes
        self.session.asking = asking
        if strokes:
            self._look_at_part(without(self.session.ink.arrays(), strokes))
            self.presenter.note(Say("ask_said", {"before": before, "after": self._words()}), lasting=True)
        else:
            self._look_at_part(None)
            self.presenter.note(Say("ask_hint"), lasting=True)

    def _words(self) -> str:
        """Say what is read now."""
        reading = self.session.read()
        prediction = reading.prediction
        if prediction is None or not prediction.is_digit or reading.answer.kind == "number":
            return reading.answer.big or self.presenter.said(Say("said_not_digit"))
        share = percent(float(prediction.confidence))
        return self.presenter.said(Say("read_as", {"digit": prediction.digit, "percent": share}))

    # ---- what both do

    def _look_at_part(self, part: Part | None) -> None:
        self.session.part = part
        self.workspace.show_part(part)
        self.session.read()
        self.presenter.show_state()
        self.presenter.show_reading()

    def _whole(self) -> None:
        """Look at the whole drawing again."""
        self._left_out, self._parts = frozenset(), []
        if self.session.part is not None or self.session.asking or self.session.replaying:
            self.session.forget_part()
            self.workspace.show_part(None)
            self.presenter.clear_note()
            self.presenter.show_state()
            self.presenter.refresh()


def in_language(texts: dict[str, str], language: str) -> str:
    """Return a text in a language, or else in English."""
    return texts.get(language, texts["en"])
