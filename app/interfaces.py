"""The interfaces by which view, presenter and commands know one another.

    buttons, keys, strokes --> Actions (commands) --> session, then Presentation (presenter) --> Screen (view)

Each of them knows the others by these interfaces alone. No Kivy here: the presenter and the commands run, and are
tested, without a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .field import Field
from .ink import Box
from .part import Part
from .reading import Say
from .settings import Settings
from .states import AnswerState, LessonState, SamplesState, ToolsState, UnitState
from .strings import Strings

Unit = tuple[int, ...] | int
"""Index of a unit in its layer: (map, row, column), or the unit's number."""


class Screen(Protocol):
    """Shows states: the view, as the presenter sees it."""

    @property
    def shows_inside(self) -> bool:
        """True while the network's maps are in sight."""

    def dress(self, settings: Settings, strings: Strings, lecture: bool) -> None:
        """Take on language, colours, sizes and sides, and the teacher's mode."""

    def show_tools(self, state: ToolsState) -> None:
        """Show what the tools can do."""

    def show_samples(self, state: SamplesState) -> None:
        """Show what can be done with the samples."""

    def show_answer(self, state: AnswerState) -> None:
        """Show the answer."""

    def show_bars(self, probabilities: np.ndarray | None, is_digit: bool, selected: int | None) -> None:
        """Show the ten probabilities, or none, and which bar is selected."""

    def show_outlines(self, boxes: Sequence[Box], chosen: int) -> None:
        """Outline the marks of a number, in ink units or in pixels of the picture, and the one that is looked at."""

    def show_maps(self, maps: dict[str, np.ndarray] | None, hint: str) -> None:
        """Show the maps of all layers by name, or none."""

    def show_unit(self, unit: UnitState | None) -> None:
        """Show a unit taken apart, or none."""

    def mark_unit(self, layer: str | None, unit: Unit) -> None:
        """Mark the unit that is looked at, in its layer alone; no layer takes the mark away."""

    def show_fields(self, fields: dict[str, Field], on_ink: Box | None) -> None:
        """Frame what a unit sees in every layer by name, and on the canvas, in ink units."""

    def show_lesson(self, lesson: LessonState) -> None:
        """Show a step of a lesson."""

    def show_note(self, text: str, acts: Sequence[str]) -> None:
        """Show a message, with the names of its buttons, in the place of the answer; an empty one uncovers it."""


class Workspace(Protocol):
    """The view, as the commands see it: the canvas and the panes."""

    def open_pane(self, name: str) -> None:
        """Bring a pane into sight."""

    def open_canvas(self) -> None:
        """Bring the canvas into sight."""

    def show_picture(self, image: np.ndarray | None) -> None:
        """Show a grey picture on the canvas; None takes it away."""

    def redraw_ink(self) -> None:
        """Show the ink after it was replaced, not added to."""

    def show_part(self, part: Part | None) -> None:
        """Show a part of the ink as what counts, the rest faintly; None shows all of it."""

    def fill_screen(self, on: bool) -> None:
        """Show the window without a frame on the whole screen, or as before."""

    def save_canvas(self, path: str) -> None:
        """Write the canvas to a PNG file."""


class Presentation(Protocol):
    """The presenter, as the commands see it."""

    def dress(self) -> None:
        """Show everything anew, in the settings' language and looks."""

    def refresh(self) -> None:
        """Read the ink before the next frame, and show the answer."""

    def read_along(self) -> None:
        """Read while the ink grows, if that is wanted and fast enough."""

    def speak(self) -> None:
        """Say the answer when the ink has rested, if that is wanted."""

    def show_state(self) -> None:
        """Show the tools and the samples."""

    def show_reading(self) -> None:
        """Show the answer that there is."""

    def note(self, said: Say, lasting: bool = False, acts: Sequence[Act] = ()) -> None:
        """Show a message for a while, or until the next, with what can be done about it."""

    def act(self, index: int) -> bool:
        """Press a message's button; says whether it has one."""

    def show_messages(self) -> None:
        """Show the session's messages."""

    def clear_note(self) -> None:
        """Take the message away."""

    def said(self, said: Say) -> str:
        """Put something into words of the language in use; nothing stays empty."""

    def show_lesson(self, lesson: LessonState) -> None:
        """Show a step of a lesson."""

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit apart."""

    def look_away(self) -> None:
        """Take no unit apart any more."""


class Actions(Protocol):
    """Everything a user can do: the commands, as buttons, keys and the canvas see them."""

    def ink_changed(self) -> None:
        """React to ink that grows."""

    def ink_lifted(self) -> None:
        """React to a lifted pen."""

    def undo(self) -> None:
        """Take back the last step."""

    def redo(self) -> None:
        """Take back the last undo."""

    def clear(self) -> None:
        """Take all ink away."""

    def toggle_eraser(self) -> None:
        """Change between pen and eraser."""

    def toggle_number(self) -> None:
        """Change between one digit and a number."""

    def choose(self, index: int) -> None:
        """Look at one digit of a number."""

    def choose_beside(self, step: int) -> None:
        """Look at the next digit of a number, or at the one before."""

    def open_pane(self, name: str) -> None:
        """Bring a pane into sight."""

    def open_canvas(self) -> None:
        """Bring the canvas into sight."""

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit apart."""

    def look_away(self) -> None:
        """Take no unit apart any more."""

    def select(self, digit: int) -> None:
        """Select a digit's bar: nothing is taught yet."""

    def teach(self, digit: int) -> None:
        """Say what the drawing is."""

    def act(self, index: int) -> bool:
        """Press a message's button; says whether it has one."""

    def forget_sample(self) -> None:
        """Forget the last sample."""

    def tune(self) -> None:
        """Learn from the samples."""

    def reset_model(self) -> None:
        """Go back to the shipped model."""

    def change(self, **values: Any) -> None:
        """Change settings."""

    def toggle(self, name: str) -> None:
        """Turn a setting on or off."""

    def step(self, name: str, direction: int) -> None:
        """Make the pen or the text a step smaller or larger."""


class Transfers(Protocol):
    """Everything that passes between the app and the rest of the device: the exchange, as buttons and keys see it.

    Attributes:
        can_take: There is a camera.
        can_choose: There is a gallery, or a dialog.
        can_share: There are other apps to hand things to.
        has_paths: Files are known by their paths here.
    """

    can_take: bool
    can_choose: bool
    can_share: bool
    has_paths: bool

    def open_picture(self, path: str) -> None:
        """Read a picture's file."""

    def choose_picture(self) -> None:
        """Let the user choose a picture."""

    def take_picture(self) -> None:
        """Let the user take a picture."""

    def copy(self) -> None:
        """Copy the answer."""

    def share_answer(self) -> None:
        """Hand the answer to another app."""

    def share(self) -> None:
        """Save the drawing, or hand it to another app."""

    def export(self) -> None:
        """Write the samples as a data set, or hand it to another app."""


class Teaching(Protocol):
    """Everything in the teacher's mode that a user can do: the lecture, as buttons and keys see it."""

    def toggle(self) -> None:
        """Enter the teacher's mode, or leave it."""

    def leave(self) -> bool:
        """Leave the teacher's mode; says whether it was on."""

    def choose(self, index: int) -> None:
        """Begin a lesson."""

    def turn(self, step: int) -> None:
        """Go to the next step of the lesson (1), or to the one before (-1)."""

    def replay(self) -> None:
        """Draw the drawing again, or stop doing so."""

    def step(self, step: int) -> None:
        """Draw a step more (1) or less (-1) of the drawing."""

    def toggle_asking(self) -> None:
        """Change between drawing and asking what is read without a stroke."""

    def ask(self, stroke: int) -> None:
        """Read the drawing without a stroke, or with it again."""


@dataclass(frozen=True)
class Act:
    """A message's button: its name, and what it does."""

    name: Say
    do: Callable[[], None]
