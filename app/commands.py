"""The user's commands: every button, key and stroke ends in a method here. No Kivy here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .interfaces import Act, Presentation, Unit, Workspace
from .learner import Learner
from .reading import NO_DIGIT, Say, percent
from .services import Timer
from .session import Session
from .settings import PEN_WIDTHS, TEXT_SCALES

STEPS = {"pen": ("pen_width", 0.25, PEN_WIDTHS), "text_size": ("text_scale", 0.1, TEXT_SCALES)}
"""Setting, step and limits of what buttons make smaller and larger."""


class Commands:
    """Carries out what the user asks for.

    Args:
        session: What the app works on.
        workspace: The view's canvas and panes.
        presenter: Shows what came of it.
        timer: Kivy's Clock.

    Attributes:
        learner: Learns from the samples.
        drawn: Called when the drawing has changed and rests.
    """

    def __init__(self, session: Session, workspace: Workspace, presenter: Presentation, timer: Timer) -> None:
        self.session, self.workspace, self.presenter, self.timer = session, workspace, presenter, timer
        self.learner = Learner(session, timer)
        self.drawn: Callable[[], object] = lambda: None

    # ---- drawing

    def ink_changed(self) -> None:
        """React to ink that grows: it takes the place of a picture, and is read along."""
        if self.session.picture is not None:
            self._drop_picture()
        self._drop_part()
        self.presenter.clear_note()
        self.presenter.read_along()

    def ink_lifted(self) -> None:
        """React to a lifted pen: read at once."""
        self.presenter.refresh()
        self.presenter.speak()
        self.drawn()

    def undo(self) -> None:
        """Take back the last step."""
        self.session.ink.undo()
        self.ink_replaced()

    def redo(self) -> None:
        """Take back the last undo."""
        self.session.ink.redo()
        self.ink_replaced()

    def clear(self) -> None:
        """Take all ink away, or the picture; what follows is drawn, not erased."""
        self.session.ink.clear()
        self.session.erasing = False
        self.ink_replaced()

    def ink_replaced(self) -> None:
        """React to ink that is another now: it takes the place of a picture, and is read."""
        self._drop_picture()
        self._drop_part()
        self.workspace.redraw_ink()
        self.presenter.clear_note()
        self.presenter.show_state()
        self.presenter.refresh()
        self.drawn()

    def begin_anew(self) -> None:
        """Leave everything as whoever comes next shall find it."""
        self.session.begin_anew()
        self.presenter.look_away()
        self.presenter.dress()
        self.ink_replaced()
        self.open_pane("draw")

    def _drop_picture(self) -> None:
        self.session.drop_picture()
        self.workspace.show_picture(None)

    def _drop_part(self) -> None:
        if self.session.part is not None or self.session.asking:
            self.session.forget_part()
            self.workspace.show_part(None)

    def toggle_eraser(self) -> None:
        """Change between pen and eraser."""
        self.session.erasing = not self.session.erasing
        self.presenter.show_state()

    def toggle_number(self) -> None:
        """Change between one digit and a number."""
        self.change(number_mode=not self.session.settings.number_mode)
        self.presenter.refresh()

    # ---- looking

    def choose(self, index: int) -> None:
        """Look at one digit of a number.

        Args:
            index: Its place, from the left; one that there is not changes nothing.
        """
        self.session.choose(index)
        self.presenter.show_reading()

    def choose_beside(self, step: int) -> None:
        """Look at the next digit of a number (1), or at the one before (-1)."""
        self.choose(self.session.reading.chosen + step)

    def open_pane(self, name: str) -> None:
        """Bring a pane into sight, with what was read.

        Args:
            name: "draw", "answer", "inside", "teach" or "more".
        """
        self.workspace.open_pane(name)
        self.presenter.refresh()

    def open_canvas(self) -> None:
        """Bring the canvas into sight."""
        self.workspace.open_canvas()
        self.presenter.refresh()

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit of the network apart."""
        self.presenter.look_at(layer, unit)

    def look_away(self) -> None:
        """Take no unit apart any more."""
        self.presenter.look_away()

    # ---- teaching

    def select(self, digit: int) -> None:
        """Select a digit's bar, and offer what can be done with it; selected again, it is let go.

        Args:
            digit: 0..9.
        """
        reading = self.session.read()
        if self.session.lecture:
            self.presenter.look_at("output", digit)
            return
        if reading.prediction is None:
            self.presenter.note(Say("teach_nothing"))
        elif not self.session.select(digit):
            self.presenter.clear_note()
        else:
            share = percent(float(reading.prediction.probabilities[digit]))
            acts = [] if self.session.kiosk else [Act(Say("this_was", {"label": digit}), lambda: self.teach(digit))]
            if self.session.tuner.possible:
                acts.append(Act(Say("why_digit", {"label": digit}), lambda: self._why(digit)))
            self.presenter.note(Say("selected", {"label": digit, "percent": share}), acts=acts)
        self.presenter.show_reading()

    def _why(self, digit: int) -> None:
        """Show what speaks for a digit, and against it."""
        self.presenter.clear_note()
        self.open_pane("inside")
        self.presenter.look_at("output", digit)

    def act(self, index: int) -> bool:
        """Press a button of the message that is shown; says whether it has one."""
        return self.presenter.act(index)

    def teach(self, digit: int) -> None:
        """Say what the drawing is: the answer changes at once, and the model learns by itself.

        Args:
            digit: What it is; `app.reading.NO_DIGIT` for no digit.
        """
        correction = None if self.session.kiosk else self.session.teach(digit)
        if correction is None:
            self._session_changed()
            return
        learns = correction.added is not None
        key = ("taken_none" if digit == NO_DIGIT else "taken") + ("" if learns else "_plain")
        self._note_correction(Say(key, {"label": digit}))
        self.presenter.show_state()
        self.presenter.show_reading()
        if learns:
            self.learner.learn(self._note_result)
        elif correction.replaced is not None:
            self._unlearn()

    def _note_correction(self, said: Say) -> None:
        """Say what came of the last correction, with the way back."""
        if self.session.corrections.last is None:
            self.presenter.note(said)
        else:
            self.presenter.note(said, acts=[Act(Say("undo"), self.undo_correction)])

    def _note_result(self, result: Say) -> None:
        self.presenter.show_state()
        self.presenter.refresh()
        self._note_correction(result)

    def undo_correction(self) -> None:
        """Take the last correction back: answer, sample, and what was learned from it."""
        correction = self.session.undo_correction()
        if correction is not None:
            self.session.messages.append(Say("correction_undone"))
            self._unlearn()
        self._session_changed()

    def forget_sample(self) -> None:
        """Forget the last sample, and what was learned from it."""
        self.session.forget_sample()
        self._unlearn()
        self._session_changed()

    def _unlearn(self) -> None:
        if self.session.tuner.tuned or self.session.tuning:
            self.learner.learn(lambda _: self._session_changed())

    def tune(self) -> None:
        """Learn from all samples, beside the drawing."""
        if self.session.tuning or not len(self.session.samples):
            return
        self.presenter.note(Say("tuning"), lasting=True)
        self.learner.learn(self._note_result)
        self.presenter.show_state()

    def reset_model(self) -> None:
        """Go back to the shipped model."""
        self.session.reset_model()
        self._session_changed()

    def _session_changed(self) -> None:
        self.presenter.show_messages()
        self.presenter.refresh()

    # ---- settings

    def change(self, **values: Any) -> None:
        """Change settings.

        Args:
            values: New values by the settings' names.
        """
        self.session.change(**values)
        self.presenter.dress()
        self.presenter.show_messages()

    def toggle(self, name: str) -> None:
        """Turn a setting on or off."""
        self.change(**{name: not getattr(self.session.settings, name)})

    def step(self, name: str, direction: int) -> None:
        """Make something a step smaller or larger, within its limits.

        Args:
            name: "pen" or "text_size".
            direction: -1 or 1.
        """
        setting, step, (least, most) = STEPS[name]
        settings = self.session.settings
        value = settings.text_scale_in_use if name == "text_size" else getattr(settings, setting)
        value = round(value + direction * step, 2)
        self.change(**{setting: min(max(value, least), most)})
