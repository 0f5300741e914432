"""What the user does: every button, key and stroke ends in a method of the desk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from kivy.clock import Clock

from .picture_file import load_greyscale
from .sending import copy_text, save_drawing
from .session import Session
from .settings import PEN_WIDTHS, TEXT_SCALES
from .showing import Showing

SLOW = 0.012
"""A reading that takes longer (seconds) is not made every frame while the pen is down."""


class Desk(Showing):
    """All of the app.

    Args:
        session: What the app works on.
    """

    def __init__(self, session: Session, **kwargs: Any) -> None:
        actions: dict[str, Callable[..., None]] = {
            "undo": self.undo, "redo": self.redo, "erase": self.toggle_eraser,
            "clear": self.clear, "number": self.toggle_number,
            "teach": self.teach, "forget": self.forget_sample, "tune": self.tune,
            "reset": self.reset_model, "export": self.export,
            "copy": self.copy, "share": self.share, "picture": self.open_picture,
            "step": self.step, "change": self.toggle, "palette": lambda name: self.change(palette=name),
            "language": lambda code: self.change(language=code),
        }  # fmt: skip
        super().__init__(session, actions, **kwargs)
        self.page.changed, self.page.lifted = self.ink_changed, self.ink_lifted
        self.answer.chose, self.bars.tapped = self.choose, self.teach
        self.dress()
        self.show_messages()

    # ---- reading

    def ink_changed(self) -> None:
        """The ink has grown: read along, if that is wanted and fast enough."""
        if self.session.picture is not None:
            self.session.drop_picture()
            self.page.show_picture(None)
        if self.answer.note:
            self._clear_note()
        if not self.session.settings.live:
            self._show_state()
        elif self._reading_cost < SLOW or perf_counter() >= self._read_next:
            self.refresh()

    def ink_lifted(self) -> None:
        """The ink has come to rest: read at once."""
        self.refresh()
        if self.session.settings.speak:
            self._speak()

    def choose(self, index: int) -> None:
        """Look at one digit of a number."""
        self.session.choose(index)
        self._show_reading()

    # ---- drawing

    def undo(self) -> None:
        """Take back the last step."""
        self.session.ink.undo()
        self._ink_replaced()

    def redo(self) -> None:
        """Take back the last undo."""
        self.session.ink.redo()
        self._ink_replaced()

    def clear(self) -> None:
        """Take all ink away, or the picture."""
        self.session.ink.clear()
        self._ink_replaced()

    def _ink_replaced(self) -> None:
        self.session.drop_picture()
        self.page.show_picture(None)
        if self.session.ink.empty:
            self.page._place()
        self.page.sync()
        self._clear_note()
        self._show_state()
        self.refresh()

    def toggle_eraser(self) -> None:
        """Between pen and eraser."""
        self.erasing = not self.erasing
        self._show_state()

    def toggle_number(self) -> None:
        """Between one digit and a number."""
        self.change(number_mode=not self.session.settings.number_mode)
        self.refresh()

    def open_picture(self, path: str) -> None:
        """Read a picture."""
        if path and self.session.open_picture(path, load_greyscale):
            prediction = self.session.read().prediction
            assert prediction is not None
            self.page.sync()
            self.page.show_picture(prediction.image)
            self.open_pane("draw" if self.shape == "compact" else self.pane)
        self.show_messages()
        self.refresh()

    # ---- teaching

    def teach(self, digit: int) -> None:
        """This digit is the right one."""
        self.session.teach(digit)
        self._after()

    def forget_sample(self) -> None:
        """The last sample was a mistake."""
        self.session.forget_sample()
        self._after()

    def tune(self) -> None:
        """Learn from the samples, beside the drawing."""
        if self.tuning or not len(self.session.samples):
            return
        self.tuning = True
        self.note(self.words.logical("tuning"), lasting=True)
        self._show_state()
        samples = list(self.session.samples)

        def learn() -> None:
            try:
                fit: Any = self.session.tuner.fit(samples)
            except Exception as error:  # shown to the user: a thread's traceback helps nobody
                fit = error
            Clock.schedule_once(lambda _: self._learned(fit))

        threading.Thread(target=learn, daemon=True).start()

    def _learned(self, fit: Any) -> None:
        self.tuning = False
        if isinstance(fit, Exception):
            self.note(self.words.logical("unexpected", reason=str(fit)))
        else:
            self.session.accept(fit)
        self._after()

    def reset_model(self) -> None:
        """Back to the shipped model."""
        self.session.reset_model()
        self._after()

    def export(self) -> None:
        """Write the samples as a data set."""
        self.session.export(Path(self.session.settings.folder) / "digits.csv")
        self._after()

    def _after(self) -> None:
        self.show_messages()
        self.refresh()

    # ---- settings

    def change(self, **values: Any) -> None:
        """Change settings."""
        self.session.change(**values)
        self.dress()
        self.show_messages()

    def toggle(self, name: str) -> None:
        """Turn a switch."""
        self.change(**{name: not getattr(self.session.settings, name)})

    def step(self, name: str, direction: int) -> None:
        """A pen or text one step smaller or larger."""
        settings = self.session.settings
        field, step, limits = {
            "pen": ("pen_width", 0.25, PEN_WIDTHS),
            "text_size": ("text_scale", 0.1, TEXT_SCALES),
        }[name]
        value = round(getattr(settings, field) + direction * step, 2)
        self.change(**{field: min(max(value, limits[0]), limits[1])})

    # ---- sending

    def copy(self) -> None:
        """Put the answer on the clipboard."""
        text = self.session.read().answer.big
        if text:
            copy_text(text)
        self.note(self.words.logical("copied", text=text) if text else self.words.logical("copy_nothing"))

    def share(self) -> None:
        """Save the drawing as a picture, and put it on the clipboard where that works."""
        self.note(save_drawing(self.page, Path(self.session.settings.folder) / "drawings", self.words.logical))
