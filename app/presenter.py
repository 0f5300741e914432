"""Turns what the session has read into what the screen shows: answer, bars, tools, samples and messages."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from .inspector import Inspector
from .interfaces import Act, Screen, Unit
from .jobs import Found, Job, NewestReader
from .reading import Say, spoken
from .services import Speaker, Timer
from .session import Session
from .states import AnswerState, LessonState, SamplesState, ToolsState
from .strings import Strings

MESSAGE_SECONDS = 6.0
SPEAK_AFTER = 0.7
"""Seconds of rest after the last stroke until the answer is said."""

SLOW = 0.012
"""A reading that takes longer (seconds) is not made every frame while the pen is down."""


class Presenter:
    """Shows a session on a screen.

    Args:
        session: What the app works on.
        screen: The view.
        timer: Kivy's Clock.
        speaker: Text-to-speech.

    Attributes:
        strings: The texts of the language in use.
        inspector: Shows the network's inside.
        reader: Reads beside the drawing what takes longer than a frame has to spare.
    """

    def __init__(self, session: Session, screen: Screen, timer: Timer, speaker: Speaker) -> None:
        self.session, self.screen, self.speaker = session, screen, speaker
        self.strings = Strings(session.settings.language_in_use)
        self.inspector = Inspector(session, screen, self.text)
        self._cost, self._read_next = 0.0, 0.0
        self._acts: Sequence[Act] = ()
        self.reader = NewestReader(lambda job, found: timer.schedule_once(lambda _: self._settle(job, found)))
        self._spoken: object = None
        self._read_soon = timer.create_trigger(self._read, -1)
        self._speak_soon = timer.create_trigger(self._speak, SPEAK_AFTER)
        self._quiet_soon = timer.create_trigger(self.clear_note, MESSAGE_SECONDS)

    def text(self, key: str, **values: Any) -> str:
        """Return a text of the language in use, in the order in which it is read."""
        return self.strings.logical(key, **values)

    def dress(self) -> None:
        """Show everything anew, in the settings' language and looks."""
        self.strings = Strings(self.session.settings.language_in_use)
        self.screen.dress(self.session.settings, self.strings, self.session.lecture)
        self.show_state()
        self.show_reading()

    # ---- reading

    def refresh(self) -> None:
        """Read the ink before the next frame, and show the answer."""
        self._read_soon()

    def read_along(self) -> None:
        """Read while the ink grows, if that is wanted and fast enough."""
        if not self.session.settings.live:
            self.show_state()
        elif self._cost < SLOW or perf_counter() >= self._read_next:
            self.refresh()

    def _read(self, *_: Any) -> None:
        start = perf_counter()
        job = self.session.job()
        if job is not None:
            found = job.glance()
            self._cost = perf_counter() - start
            self._read_next = start + 4 * self._cost
            if found is None:
                self.reader.ask(job)
            else:
                self.session.settle(job, found)
        self.show_state()
        self.show_reading()

    def _settle(self, job: Job, found: Found | Exception) -> None:
        """Show what was read beside the drawing, if nothing newer has been shown."""
        if isinstance(found, Exception):
            self.note(Say("unexpected", {"reason": str(found)}))
        elif self.session.settle(job, found):
            self.show_reading()

    def speak(self) -> None:
        """Say the answer when the ink has rested, if that is wanted."""
        if self.session.settings.speak:
            self._speak_soon()

    def _speak(self, *_: Any) -> None:
        if self.reader.busy:  # what is said shall be the answer to all that was drawn
            self._speak_soon()
            return
        answer = self.session.reading.answer
        said, drawing = spoken(answer), (answer, self.session.ink.version)
        if said.key and drawing != self._spoken:
            self._spoken = drawing
            self.speaker.say(self.said(said), self.strings.language)

    # ---- states

    def show_state(self) -> None:
        """Show the tools and the samples."""
        session, ink = self.session, self.session.ink
        number_mode = session.number_mode
        blank = ink.empty and session.picture is None
        hint = self.text("hint_number" if number_mode else "hint_draw") if blank else ""
        self.screen.show_tools(
            ToolsState(
                ink.can_undo, ink.can_redo, session.erasing, number_mode, hint, session.asking, session.replaying
            )
        )
        count = len(session.samples)
        summary = (
            self.text("samples_count", count=count, wrong=session.misread) if count else self.text("samples_none")
        )
        can_tune = bool(len(session.samples)) and not session.tuning
        self.screen.show_samples(SamplesState(summary, bool(count), can_tune, session.tuner.tuned))

    def show_reading(self) -> None:
        """Show the answer that there is, and the network's inside where it is in sight."""
        reading = self.session.reading
        answer, prediction = reading.answer, reading.prediction
        headline, line = self.said(answer.headline), self.said(answer.line)
        number = answer.kind == "number"
        if number:  # under a row of digits there is room for one line: the doubt, if there is one
            headline, line = "", line or headline
        if answer.kind == "blank":
            headline = self.text("title")
        big, digits = ("", answer.big.replace("\n", "")) if number else (answer.big, "")
        image = prediction.image if prediction is not None else None
        self.screen.show_answer(AnswerState(big, headline, line, digits, reading.chosen, image))
        self.screen.show_outlines(reading.boxes if number else (), reading.chosen)
        if prediction is None:
            self.screen.show_bars(None, False, None)
        else:
            self.screen.show_bars(prediction.probabilities, prediction.is_digit, self.session.selected)
        if self.screen.shows_inside or self.session.lecture:
            self.inspector.show()
        else:
            self.screen.show_fields({}, None)  # a frame on the page says nothing without the unit beside it

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit apart.

        Args:
            layer: "c1" ... "f6".
            unit: Its index there.
        """
        self.inspector.look_at(layer, unit)

    def look_away(self) -> None:
        """Take no unit apart any more."""
        self.inspector.look_away()

    def show_lesson(self, lesson: LessonState) -> None:
        """Show a step of a lesson."""
        self.screen.show_lesson(lesson)

    # ---- messages

    def note(self, said: Say, lasting: bool = False, acts: Sequence[Act] = ()) -> None:
        """Show a message.

        Args:
            said: The message.
            lasting: Until the next one, instead of a few seconds.
            acts: Its buttons; a message with buttons lasts.
        """
        self._note(self.said(said), lasting, acts)

    def show_messages(self) -> None:
        """Show the session's messages, one a line, and take them from it."""
        if self.session.messages:
            texts = [self.said(said) for said in self.session.messages]
            self.session.messages.clear()
            self._note("\n".join(texts), False, ())

    def _note(self, text: str, lasting: bool, acts: Sequence[Act]) -> None:
        self._acts = acts
        self.screen.show_note(text, [self.said(act.name) for act in acts])
        self._quiet_soon.cancel()
        if not lasting and not acts:
            self._quiet_soon()

    def act(self, index: int) -> bool:
        """Press a button of the message that is shown.

        Args:
            index: Its place.

        Returns:
            Whether there is such a button.
        """
        if not 0 <= index < len(self._acts):
            return False
        self._acts[index].do()
        return True

    def clear_note(self, *_: Any) -> None:
        """Take the message away, and its buttons."""
        self._quiet_soon.cancel()
        self._acts = ()
        self.screen.show_note("", [])

    def said(self, said: Say) -> str:
        """Put something into words of the language in use; nothing stays empty."""
        return self.text(said.key, **said.values) if said.key else ""
