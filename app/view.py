"""The window's contents: which widgets there are, where they lie, how they look, and the states they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kivy.lang import Builder, global_idmap
from kivy.metrics import dp
from kivy.uix.floatlayout import FloatLayout

from .buttons import LECTURE_TOOLS, TABS, TOOLS, ButtonRow
from .field import Field
from .ink import Box, Ink
from .inside import InsidePane
from .interfaces import Actions, Teaching, Transfers, Unit
from .layout import plan
from .lesson_pane import LessonPane
from .panes import AnswerPane, TeachPane, when_tapped
from .part import Part
from .safe_area import NONE, Insets
from .settings import PALETTES, Settings
from .states import AnswerState, LessonState, SamplesState, ToolsState, UnitState
from .strings import LANGUAGES, Strings
from .widgets.answer import AnswerPanel
from .widgets.canvas import InkCanvas
from .widgets.look import SERIES, look

# Not `#:import` in the file itself: the app goes by two names, app in the checkout and lenet_gpu_app where installed.
global_idmap.update(look=look, SERIES=SERIES)
Builder.load_file(str(Path(__file__).with_name("lenet.kv")))

NUMBER_PEN = 0.6
"""A number's digits are smaller than a single one: so is the pen, by this factor."""


class View(FloatLayout):
    """Everything that is seen. It knows no session: it shows what it is told to.

    Args:
        ink: What the canvas draws, and draws into.
        settings: Sizes and sides until `dress` brings others.
        has_voice: There is text-to-speech to be switched on.
        hidden: Names of tabs that are not there.

    Attributes:
        page: The canvas.
        answer: The answer panel.
        bars: The ten bars.
        tools: Buttons under the canvas, by name.
        tabs: Buttons of the panes, by name.
        panes: Panes by their tab's name; "more" is made when it is first opened.
        pane: Name of the pane that is open.
        shape: The window's shape, of `app.layout`.
        shown: The widgets that are in the window now.
        safe: Pixels at the window's edges that are the system's.
        lecture: The teacher's mode is on.
        fill: Shows the window on the whole screen, or as before.
    """

    def __init__(self, ink: Ink, settings: Settings, has_voice: bool, hidden: Sequence[str] = ()) -> None:
        super().__init__()
        self.hidden = tuple(hidden)
        self.safe: Insets = NONE
        self._settings, self._strings, self._has_voice = settings, Strings(settings.language_in_use), has_voice
        self._actions: Actions | None = None
        self._exchange: Transfers | None = None
        self.pane, self.shape = "draw", ""
        self.shown: list[Any] = []
        self.page, self.answer = InkCanvas(ink), AnswerPanel()
        self.lecture = False
        self.fill: Callable[[bool], None] = lambda on: None
        self.tool_row, self.tab_row = ButtonRow({**TOOLS, **LECTURE_TOOLS}), ButtonRow(TABS)
        self.tools, self.tabs = self.tool_row.buttons, self.tab_row.buttons
        self.panes: dict[str, Any] = {
            "answer": AnswerPane(), "inside": InsidePane(), "teach": TeachPane(), "lesson": LessonPane(),
        }  # fmt: skip
        self.bars = self.panes["answer"].bars
        self.bind(size=self.place, pos=self.place)

    def connect(self, actions: Actions, exchange: Transfers, lecture: Teaching) -> None:
        """Let buttons and strokes do something.

        Args:
            actions: What they do.
            exchange: What they do with the rest of the device.
            lecture: What they do in the teacher's mode.
        """
        self._actions, self._exchange = actions, exchange
        self.page.changed, self.page.lifted, self.page.picked = actions.ink_changed, actions.ink_lifted, lecture.ask
        self.answer.chose, self.bars.tapped, self.answer.acted = actions.choose, actions.select, actions.act
        self.tool_row.connect(
            {
                "undo": actions.undo, "redo": actions.redo, "erase": actions.toggle_eraser, "clear": actions.clear,
                "number": actions.toggle_number, "before": partial(lecture.step, -1),
                "after": partial(lecture.step, 1), "replay": lecture.replay, "without": lecture.toggle_asking,
            }
        )  # fmt: skip
        self.tab_row.connect({name: partial(actions.open_pane, name) for name in TABS if name != "leave"})
        self.tab_row.connect({"leave": lecture.leave})
        when_tapped(self.answer.ids.seen, lambda: actions.open_pane("inside"))
        when_tapped(self.panes["inside"].lecture, lecture.toggle)
        self.panes["inside"].connect(actions)
        self.panes["teach"].connect(actions, exchange)
        self.panes["lesson"].connect(lecture)

    # ---- looks and places

    def dress(self, settings: Settings, strings: Strings, lecture: bool) -> None:
        """Take on language, colours, sizes and sides.

        Args:
            settings: The user's choices.
            strings: The texts.
            lecture: The teacher's mode is on.
        """
        self._settings, self._strings, self.lecture = settings, strings, lecture
        look.apply(settings.palette, settings.high_contrast, settings.text_scale_in_use, strings.rtl)
        for name, tool in self.tools.items():
            tool.say = strings.logical(name)
        for name, tab in self.tabs.items():
            tab.say = strings.logical(f"tab_{name}")
        for name in ("answer", "inside", "teach", "lesson"):
            self.panes[name].say(strings.logical)
        self.panes["inside"].offer_lecture(not lecture)
        if "more" in self.panes:
            self.panes["more"].show(settings, strings)
        self.page.erase_hint = strings.logical("erase_hint")
        self.page.pen_width = settings.pen_width * (NUMBER_PEN if settings.number_mode and not lecture else 1.0)
        # Where writing runs from the right, so do the rows; a left hand wants the other end.
        names = list(LECTURE_TOOLS if lecture else TOOLS)
        self.tool_row.show(names[::-1] if settings.left_handed != strings.rtl else names, strings.rtl)
        self.place()

    def place(self, *_: Any) -> None:
        """Put every widget where the window's size wants it."""
        unit, settings = dp(1), self._settings
        left, top, right, bottom = self.safe
        free = ((self.width - left - right) / unit, (self.height - top - bottom) / unit)
        drawn = plan(*free, settings.text_scale_in_use, settings.left_handed, self.pane, self.lecture)
        names = [name for name in drawn.tabs if name not in self.hidden]
        if self.pane not in names:
            self.pane = names[0]
        self.shape = drawn.shape
        widgets: dict[str, Any] = {
            "answer": self.answer, "canvas": self.page, "tools": self.tool_row, "tabs": self.tab_row,
        }  # fmt: skip
        if "pane" in drawn.rects:
            widgets["pane"] = self.pane_of(self.pane)
        if "bars" in drawn.rects:
            widgets["bars"] = self.panes["answer"]
        if "maps" in drawn.rects:
            widgets["maps"] = self.panes["inside"]
        self._show([widget for name, widget in widgets.items() if name in drawn.rects])
        self.tab_row.show(names[:: -1 if self._strings.rtl else 1], self._strings.rtl)
        for name, tab in self.tabs.items():
            tab.chosen = name == self.pane
        for name, (x, y, width, height) in drawn.rects.items():
            widgets[name].pos = (self.x + left + x * unit, self.y + bottom + y * unit)
            widgets[name].size = (width * unit, height * unit)

    def keep_clear(self, safe: Insets) -> None:
        """Leave the window's edges to the system.

        Args:
            safe: Left, top, right, bottom, pixels.
        """
        if safe != self.safe:
            self.safe = safe
            self.place()

    def _show(self, widgets: list[Any]) -> None:
        """Bring these widgets into the window, and no others."""
        if widgets == self.shown:
            return
        if self.page in self.shown and self.page not in widgets:
            self.page.lift_all()
        for widget in self.shown:
            self.remove_widget(widget)
        for widget in widgets:
            widget.size_hint = (None, None)
            self.add_widget(widget)
        self.shown = widgets

    def pane_of(self, name: str) -> Any:
        """Return a pane by its tab's name."""
        if name == "more" and name not in self.panes:
            from .more import MorePane

            assert self._actions is not None
            assert self._exchange is not None
            self.panes["more"] = more = MorePane(LANGUAGES, PALETTES, self._actions, self._exchange)
            if not self._has_voice:
                more.hide_voice()
            more.show(self._settings, self._strings)
        return self.panes[name]

    def open_pane(self, name: str) -> None:
        """Bring a pane into sight; where it is not a tab of its own here, it is in sight already."""
        if name not in self.hidden:
            self.pane = name
            self.place()

    def open_canvas(self) -> None:
        """Bring the canvas into sight; only the compact shape hides it."""
        if self.shape == "compact":
            self.open_pane("draw")

    # ---- states

    def show_tools(self, state: ToolsState) -> None:
        """Show what the tools can do."""
        self.tools["undo"].disabled = not state.can_undo
        self.tools["redo"].disabled = not state.can_redo
        self.tools["erase"].chosen = self.page.erasing = state.erasing
        self.tools["number"].chosen = state.number_mode
        self.tools["without"].chosen = self.page.asking = state.asking
        self.tools["replay"].chosen = state.replaying
        self.page.hint = state.hint

    def show_samples(self, state: SamplesState) -> None:
        """Show what can be done with the samples."""
        self.panes["teach"].show(state)

    def show_answer(self, state: AnswerState) -> None:
        """Show the answer."""
        self.answer.big, self.answer.headline, self.answer.line = state.big, state.headline, state.line
        self.answer.show_digits(state.digits, state.chosen)
        self.answer.ids.seen.show(state.image)

    def show_bars(self, probabilities: np.ndarray | None, is_digit: bool, selected: int | None) -> None:
        """Show ten probabilities, or none, and which bar is selected."""
        self.bars.show(probabilities, is_digit)
        self.bars.select(selected)
        self.panes["inside"].bars.show(probabilities, is_digit)

    @property
    def shows_inside(self) -> bool:
        """True while the network's maps are in sight."""
        return self.panes["inside"] in self.shown

    def show_maps(self, maps: dict[str, np.ndarray] | None, hint: str) -> None:
        """Show the maps of all layers by name, or none."""
        self.panes["inside"].show_maps(maps, hint)

    def show_unit(self, unit: UnitState | None) -> None:
        """Show a unit taken apart, or none."""
        self.panes["inside"].show_unit(unit)

    def mark_unit(self, layer: str | None, unit: Unit) -> None:
        """Mark the unit that is looked at, in its layer alone; no layer takes the mark away."""
        self.panes["inside"].mark_unit(layer, unit)

    def show_fields(self, fields: dict[str, Field], on_ink: Box | None) -> None:
        """Frame what a unit sees in every layer by name, and on the canvas, in ink units."""
        self.panes["inside"].show_fields(fields)
        self.page.sight.show(on_ink)

    def show_lesson(self, lesson: LessonState) -> None:
        """Show a step of a lesson."""
        self.panes["lesson"].show(lesson)

    def show_note(self, text: str, acts: Sequence[str]) -> None:
        """Show a message, with buttons, in the place of the answer; an empty one uncovers it."""
        self.answer.show_note(text, acts)

    # ---- the canvas

    def show_outlines(self, boxes: Sequence[Box], chosen: int) -> None:
        """Outline the marks of a number on the canvas, and the one that is looked at more strongly."""
        self.page.under.show_outlines(boxes, chosen)

    def show_picture(self, image: np.ndarray | None) -> None:
        """Show a grey picture on the canvas; None takes it away."""
        self.page.under.show_picture(image)

    def redraw_ink(self) -> None:
        """Show the ink after it was replaced, not added to; a blank canvas takes its first scale again."""
        self.page.sync_replaced()

    def show_part(self, part: Part | None) -> None:
        """Show a part of the ink as what counts, the rest faintly; None shows all of it."""
        self.page.show_part(part)

    def fill_screen(self, on: bool) -> None:
        """Show the window on the whole screen, or as before."""
        self.fill(on)

    def save_canvas(self, path: str) -> None:
        """Write the canvas to a PNG file."""
        self.page.export_to_png(path)
