"""The pane of the lessons in the teacher's mode: a step's text, the way on and back, and the other lessons."""

from __future__ import annotations

from functools import partial

from .interfaces import Teaching
from .panes import Pane, Words, when_tapped
from .states import LessonState
from .widgets.tap import Tap


class LessonPane(Pane):
    """A lesson, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.title = self.add_text(18, muted=False)
        self.title.strong = True
        self.text = self.add_text(18, muted=False)
        self.place = self.add_text(14)
        self.back, self.on = Tap(most=16), Tap(most=16)
        self.add_row([self.back, self.on], 52)
        self.others = self.add_text(14)
        self.lessons: list[Tap] = []
        self.hint = self.add_text(13)
        self._lecture: Teaching | None = None

    def connect(self, lecture: Teaching) -> None:
        """Let the buttons do something."""
        self._lecture = lecture
        when_tapped(self.back, partial(lecture.turn, -1))
        when_tapped(self.on, partial(lecture.turn, 1))

    def show(self, lesson: LessonState) -> None:
        """Show a step of a lesson."""
        self.title.say, self.text.say, self.place.say = lesson.title, lesson.text, lesson.place
        self.back.disabled, self.on.disabled = lesson.first, lesson.last
        while len(self.lessons) < len(lesson.titles):
            assert self._lecture is not None
            button = Tap(most=15)
            when_tapped(button, partial(self._lecture.choose, len(self.lessons)))
            self.lessons.append(button)
            self.add_row([button], 52)
            self.column.remove_widget(self.hint)
            self.column.add_widget(self.hint)
        for index, (button, title) in enumerate(zip(self.lessons, lesson.titles, strict=True)):
            button.say, button.chosen = title, index == lesson.chosen
        self.scroll_y = 1.0

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.back.say, self.on.say = words("lesson_back"), words("lesson_on")
        self.others.say, self.hint.say = words("lessons"), words("lecture_hint")
