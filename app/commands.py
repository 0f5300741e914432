"""The user's commands: every button, key and stroke ends in a method here. No Kivy here."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from .interfaces import Presentation, Timer, Unit, Workspace
from .picture_file import load_greyscale
from .reading import Say
from .sending import copy_text, save_drawing
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
    """

    def __init__(self, session: Session, workspace: Workspace, presenter: Presentation, timer: Timer) -> None:
        self.session, self.workspace, self.presenter, self.timer = session, workspace, presenter, timer

    # ---- drawing

    def ink_changed(self) -> None:
        """React to ink that grows: it takes the place of a picture, and is read along."""
        if self.session.picture is not None:
            self._drop_picture()
        self.presenter.clear_note()
        self.presenter.read_along()

    def ink_lifted(self) -> None:
        """React to a lifted pen: read at once."""
        self.presenter.refresh()
        self.presenter.speak()

    def undo(self) -> None:
        """Take back the last step."""
        self.session.ink.undo()
        self._ink_replaced()

    def redo(self) -> None:
        """Take back the last undo."""
        self.session.ink.redo()
        self._ink_replaced()

    def clear(self) -> None:
        """Take all ink away, or the picture; what follows is drawn, not erased."""
        self.session.ink.clear()
        self.session.erasing = False
        self._ink_replaced()

    def _ink_replaced(self) -> None:
        self._drop_picture()
        self.workspace.redraw_ink()
        self.presenter.clear_note()
        self.presenter.show_state()
        self.presenter.refresh()

    def _drop_picture(self) -> None:
        self.session.drop_picture()
        self.workspace.show_picture(None)

    def toggle_eraser(self) -> None:
        """Change between pen and eraser."""
        self.session.erasing = not self.session.erasing
        self.presenter.show_state()

    def toggle_number(self) -> None:
        """Change between one digit and a number."""
        self.change(number_mode=not self.session.settings.number_mode)
        self.presenter.refresh()

    def open_picture(self, path: str) -> None:
        """Read a picture's file.

        Args:
            path: The file; an empty text is none.
        """
        if path and self.session.open_picture(path, load_greyscale):
            prediction = self.session.read().prediction
            assert prediction is not None
            self.workspace.redraw_ink()
            self.workspace.show_picture(prediction.image)
            self.workspace.open_canvas()
        self.presenter.show_messages()
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

    def teach(self, digit: int) -> None:
        """Keep the drawing as a sample.

        Args:
            digit: What it is.
        """
        self.session.teach(digit)
        self._session_changed()

    def forget_sample(self) -> None:
        """Forget the last sample: it was a mistake."""
        self.session.forget_sample()
        self._session_changed()

    def tune(self) -> None:
        """Learn from the samples in a thread of its own, beside the drawing."""
        if self.session.tuning or not len(self.session.samples):
            return
        self.session.tuning = True
        self.presenter.note(Say("tuning"), lasting=True)
        self.presenter.show_state()
        samples = list(self.session.samples)

        def learn() -> None:
            try:
                fit: Any = self.session.tuner.fit(samples)
            except Exception as error:  # shown to the user: a thread's traceback helps nobody
                fit = error
            self.timer.schedule_once(lambda _: self._learned(fit))

        threading.Thread(target=learn, daemon=True).start()

    def _learned(self, fit: Any) -> None:
        self.session.tuning = False
        if isinstance(fit, Exception):
            self.presenter.note(Say("unexpected", {"reason": str(fit)}))
        else:
            self.session.accept(fit)
        self._session_changed()

    def reset_model(self) -> None:
        """Go back to the shipped model."""
        self.session.reset_model()
        self._session_changed()

    def export(self) -> None:
        """Write the samples as a data set."""
        self.session.export(Path(self.session.settings.folder) / "digits.csv")
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
        value = round(getattr(self.session.settings, setting) + direction * step, 2)
        self.change(**{setting: min(max(value, least), most)})

    # ---- sending

    def copy(self) -> None:
        """Put the answer on the clipboard."""
        text = self.session.read().answer.big
        if text:
            copy_text(text)
        self.presenter.note(Say("copied", {"text": text}) if text else Say("copy_nothing"))

    def share(self) -> None:
        """Save the drawing as a picture, and put it on the clipboard where that works."""
        folder = Path(self.session.settings.folder) / "drawings"
        self.presenter.note(save_drawing(self.workspace.save_canvas, folder))
