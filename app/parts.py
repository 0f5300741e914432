"""The window's parts: what there is, where it lies, and how it looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.lang import Builder, global_idmap
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from .layout import plan
from .panes import AnswerPane, InsidePane, TeachPane
from .session import Session
from .settings import PALETTES
from .speech import Voice
from .strings import LANGUAGES, Strings
from .widgets.answer import AnswerPanel
from .widgets.canvas import InkCanvas
from .widgets.look import SERIES, look
from .widgets.tap import Tap, Tool

# Not `#:import` in the file itself: the app goes by two names, app in the checkout and lenet_gpu_app where installed.
global_idmap.update(look=look, SERIES=SERIES)
Builder.load_file(str(Path(__file__).with_name("lenet.kv")))

TOOLS = {"undo": "↶", "redo": "↷", "erase": "⌫", "clear": "✕", "number": "123"}
"""Tools by name, with their signs."""

NUMBER_PEN = 0.6
"""A number's digits are smaller than a single one: so is the pen, by this factor."""

TEACHING = ("teach", "forget", "tune", "reset", "export")
"""Actions of the pane to teach in."""

SETTING = ("copy", "share", "picture", "step", "change", "palette", "language")
"""Actions of the pane of settings and the rest."""


class Parts(FloatLayout):
    """Everything that is seen, without what it shows.

    Args:
        session: What the app works on.
        actions: What buttons do, by the names in TOOLS, TEACHING and SETTING.
    """

    def __init__(self, session: Session, actions: dict[str, Callable[..., None]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.session, self.actions, self.pane, self.shape = session, actions, "draw", ""
        self.words = Strings(session.settings.language)
        self.voice = Voice()
        self._shown: list[Any] = []
        self._place = Clock.create_trigger(self.place, -1)
        self._build()
        self.bind(size=self.place, pos=self.place)

    def _build(self) -> None:
        self.page = InkCanvas(self.session.ink)
        self.answer = AnswerPanel()
        self.answer.ids.seen.bind(on_release=lambda _: self.open_pane("inside"))
        self.tools = BoxLayout(spacing=dp(4))
        self.tool: dict[str, Tool] = {}
        for name, icon in TOOLS.items():
            self.tool[name] = tool = Tool(icon=icon)
            tool.bind(on_release=lambda _, name=name: self.actions[name]())
        self.tabs = BoxLayout(spacing=dp(4))
        self.tab: dict[str, Tap] = {}
        for name in ("draw", "answer", "inside", "teach", "more"):
            self.tab[name] = one = Tap(most=15)
            one.bind(on_release=lambda _, name=name: self.open_pane(name))
        self.panes: dict[str, Any] = {
            "answer": AnswerPane(),
            "inside": InsidePane(),
            "teach": TeachPane(**{name: self.actions[name] for name in TEACHING}),
        }
        self.bars = self.panes["answer"].bars

    def pane_of(self, name: str) -> Any:
        """A pane by its tab's name."""
        if name == "more" and name not in self.panes:
            from .more import MorePane

            self.panes["more"] = more = MorePane(
                LANGUAGES, PALETTES, **{name: self.actions[name] for name in SETTING}
            )
            if not self.voice.available:
                more.hide_voice()
            more.show(self.session.settings, self.words)
        return self.panes[name]

    def dress(self) -> None:
        """Take on the settings: language, colours, sizes, sides."""
        settings = self.session.settings
        self.words = Strings(settings.language)
        look.apply(settings.palette, settings.high_contrast, settings.text_scale, self.words.rtl)
        words = self.words.logical
        for name, tool in self.tool.items():
            tool.say = words(name)
        for name, tab in self.tab.items():
            tab.say = words(f"tab_{name}")
        for name in ("answer", "inside", "teach"):
            self.panes[name].say(words)
        if "more" in self.panes:
            self.panes["more"].show(settings, self.words)
        self.page.pen_width = settings.pen_width * (NUMBER_PEN if settings.number_mode else 1.0)
        order = list(TOOLS)[::-1] if settings.left_handed else list(TOOLS)
        self.tools.clear_widgets()
        for name in order:
            self.tools.add_widget(self.tool[name])
        self.place()

    def place(self, *_: Any) -> None:
        """Put every part where the window's size wants it."""
        one = dp(1)
        settings = self.session.settings
        drawn = plan(self.width / one, self.height / one, settings.text_scale, settings.left_handed, self.pane)
        if self.pane not in drawn.tabs and "pane" in drawn.rects:
            self.pane = drawn.tabs[0]
        self.shape = drawn.shape
        parts: dict[str, Any] = {"answer": self.answer, "canvas": self.page, "tools": self.tools, "tabs": self.tabs}
        if "pane" in drawn.rects:
            parts["pane"] = self.pane_of(self.pane)
        if "bars" in drawn.rects:
            parts["bars"] = self.panes["answer"]
        wanted = [
            parts[name] for name in ("answer", "canvas", "tools", "tabs", "pane", "bars") if name in drawn.rects
        ]
        if wanted != self._shown:
            if self.page in self._shown and self.page not in wanted:
                self.page.lift_all()
            for part in self._shown:
                self.remove_widget(part)
            for part in wanted:
                part.size_hint = (None, None)
                self.add_widget(part)
            self._shown = wanted
        tabs = [self.tab[name] for name in drawn.tabs]
        if list(reversed(self.tabs.children)) != tabs:
            self.tabs.clear_widgets()
            for tab in tabs:
                self.tabs.add_widget(tab)
        for name, tab in self.tab.items():
            tab.chosen = name == self.pane
        for name, (x, y, width, height) in drawn.rects.items():
            parts[name].pos = (self.x + x * one, self.y + y * one)
            parts[name].size = (width * one, height * one)

    def open_pane(self, name: str) -> None:
        """Show a pane; where it is not a tab of its own here, it is in sight already."""
        self.pane = name
        self.place()
