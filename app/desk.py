"""The window's contents: where the parts lie, and what happens when they are used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from kivy.clock import Clock
from kivy.lang import Builder
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from app import explain
from app.layout import plan
from app.panes import AnswerPane, InsidePane, TeachPane
from app.picture_file import load_greyscale
from app.reading import spoken
from app.sending import copy_text, save_drawing
from app.session import Session
from app.settings import PALETTES, PEN_WIDTHS, TEXT_SCALES
from app.speech import Voice
from app.strings import LANGUAGES, Strings
from app.widgets.answer import AnswerPanel
from app.widgets.canvas import InkCanvas
from app.widgets.look import look
from app.widgets.tap import Tap, Tool

Builder.load_file(str(Path(__file__).with_name("lenet.kv")))

TOOLS = {"undo": "↶", "redo": "↷", "erase": "⌫", "clear": "✕", "number": "123"}
"""Tools by name, with their signs."""

MESSAGE_SECONDS = 6.0
SPEAK_AFTER = 0.7
"""Seconds of rest after the last stroke until the answer is said."""

SLOW = 0.012
"""A reading that takes longer (seconds) is not made every frame while the pen is down."""


class Desk(FloatLayout):
    """All of the app.

    Args:
        session: What the app works on.
    """

    def __init__(self, session: Session, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.session, self.pane, self.shape = session, "draw", ""
        self.words = Strings(session.settings.language)
        self.voice = Voice()
        self.erasing = self.tuning = False
        self._reading_cost, self._read_next = 0.0, 0.0
        self._spoken: object = None
        self._unit: tuple[str, Any] | None = None
        self._shown: list[Any] = []
        self.refresh = Clock.create_trigger(self._refresh, -1)
        self._place = Clock.create_trigger(self.place, -1)
        self._speak = Clock.create_trigger(self._say, SPEAK_AFTER)
        self._quiet = Clock.create_trigger(self._clear_note, MESSAGE_SECONDS)
        self._build()
        self.bind(size=self.place, pos=self.place)
        self.dress()
        self.show_messages()

    def _build(self) -> None:
        session = self.session
        self.page = InkCanvas(session.ink)
        self.page.changed, self.page.lifted = self.ink_changed, self.ink_lifted
        self.answer = AnswerPanel()
        self.answer.chose = self.choose
        self.answer.ids.seen.bind(on_release=lambda _: self.open_pane("inside"))
        self.tools = BoxLayout(spacing=dp(4))
        actions: dict[str, Callable[[], None]] = {
            "undo": self.undo, "redo": self.redo, "erase": self.toggle_eraser,
            "clear": self.clear, "number": self.toggle_number,
        }  # fmt: skip
        self.tool: dict[str, Tool] = {}
        for name, icon in TOOLS.items():
            self.tool[name] = tool = Tool(icon=icon)
            tool.bind(on_release=lambda _, name=name: actions[name]())
        self.tabs = BoxLayout(spacing=dp(4))
        self.tab: dict[str, Tap] = {}
        for name in ("draw", "answer", "inside", "teach", "more"):
            self.tab[name] = one = Tap(most=15)
            one.bind(on_release=lambda _, name=name: self.open_pane(name))
        self.panes: dict[str, Any] = {
            "answer": AnswerPane(),
            "inside": InsidePane(),
            "teach": TeachPane(
                teach=self.teach,
                forget=self.forget_sample,
                tune=self.tune,
                reset=self.reset_model,
                export=self.export,
            ),
        }
        self.bars = self.panes["answer"].bars
        self.bars.tapped = self.teach
        inside = self.panes["inside"]
        for one in inside.maps.values():
            one.chose = self.look_at
        inside.explained.ids.close.bind(on_release=lambda _: self.look_away())

    def pane_of(self, name: str) -> Any:
        """A pane by its tab's name."""
        if name == "more" and name not in self.panes:
            from app.more import MorePane

            self.panes["more"] = more = MorePane(
                LANGUAGES, PALETTES, copy=self.copy, share=self.share, picture=self.open_picture, step=self.step,
                change=self.toggle, palette=lambda name: self.change(palette=name),
                language=lambda code: self.change(language=code),
            )  # fmt: skip
            if not self.voice.available:
                more.hide_voice()
            more.show(self.session.settings, self.words)
        return self.panes[name]

    # ---- looks

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
        self.page.pen_width = settings.pen_width
        order = list(TOOLS)[::-1] if settings.left_handed else list(TOOLS)
        self.tools.clear_widgets()
        for name in order:
            self.tools.add_widget(self.tool[name])
        self.place()
        self._show_state()
        self._show_reading()

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
        self.refresh()

    def _show_state(self) -> None:
        ink, session = self.session.ink, self.session
        self.tool["undo"].disabled = not ink.can_undo
        self.tool["redo"].disabled = not ink.can_redo
        self.tool["erase"].chosen = self.page.erasing = self.erasing
        self.tool["number"].chosen = session.settings.number_mode
        self.page.hint = (
            self.words.logical("hint_number" if session.settings.number_mode else "hint_draw")
            if ink.empty and session.picture is None
            else ""
        )
        teach, count = self.panes["teach"], len(session.samples)
        teach.count.say = (
            self.words.logical("samples_count", count=count, wrong=session.misread)
            if count
            else self.words.logical("samples_none")
        )
        teach.forget.disabled = teach.export.disabled = not count
        teach.tune.disabled = not count or self.tuning
        teach.reset.disabled = not session.tuner.tuned

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

    def _refresh(self, *_: Any) -> None:
        start = perf_counter()
        before = self.session.reading
        reading = self.session.read()
        if reading is not before:
            self._reading_cost = perf_counter() - start
            self._read_next = start + 4 * self._reading_cost
        self._show_state()
        self._show_reading()

    def _show_reading(self) -> None:
        reading, words, panel = self.session.reading, self.words.logical, self.answer
        said, prediction = reading.answer, reading.prediction
        number = said.kind == "number"
        panel.big = "" if number else said.big
        headline, line = (words(part.key, **part.values) if part.key else "" for part in (said.headline, said.line))
        # Under a row of digits there is room for one line: the doubt, if there is one.
        panel.headline, panel.line = ("", line or headline) if number else (headline, line)
        if said.kind == "blank":
            panel.headline = words("title")
        panel.show_digits(said.big if number else "", reading.chosen)
        panel.ids.seen.show(prediction.image if prediction is not None else None)
        if prediction is None:
            self.bars.show(None)
        else:
            self.bars.show(prediction.probabilities, prediction.is_digit)
        if self.panes["inside"] in self._shown:
            self._show_inside()

    def _show_inside(self) -> None:
        inside, prediction = self.panes["inside"], self.session.reading.prediction
        words = self.words.logical
        inside.hint.say = words("inside_hint" if prediction is not None else "inside_empty")
        if prediction is None:
            for one in inside.maps.values():
                one.clear()
            inside.explain(False)
            return
        network = self.session.recognizer.network
        for layer, values in explain.maps(network, prediction.image).items():
            inside.maps[layer].show_values(values)
        if self._unit is not None:
            self._show_unit(*self._unit)

    def look_at(self, layer: str, place: Any) -> None:
        """Take a unit apart."""
        self._unit = (layer, place)
        for name, one in self.panes["inside"].maps.items():
            if name != layer and one.unit is not None:
                one.choose(None)
        if self.session.reading.prediction is not None:
            self._show_unit(layer, place)

    def look_away(self) -> None:
        """No unit is looked at any more."""
        self._unit = None
        for one in self.panes["inside"].maps.values():
            one.choose(None)
        self.panes["inside"].explain(False)

    def _show_unit(self, layer: str, place: Any) -> None:
        prediction, words = self.session.reading.prediction, self.words.logical
        assert prediction is not None
        found = explain.explain_unit(self.session.recognizer.network, prediction.image, layer, place)
        shown, name = self.panes["inside"].explained, layer.upper()
        if isinstance(place, tuple):
            index, row, column = place
            shown.title = words("unit_map", layer=name, map=index, row=row, column=column)
        else:
            shown.title = words("unit_single", layer=name, unit=place)
        values = {"sum": f"{found.sum:.2f}", "bias": f"{found.bias:.2f}", "value": f"{found.value:.2f}"}
        shown.sum_line = words("unit_sum", **values)
        self.panes["inside"].explain(True)
        shown.show(found)

    def choose(self, index: int) -> None:
        """Look at one digit of a number."""
        self.session.choose(index)
        self._show_reading()

    def _say(self, *_: Any) -> None:
        reading = self.session.reading
        said = spoken(reading.answer)
        if said.key and (reading.answer, self.session.ink.version) != self._spoken:
            self._spoken = (reading.answer, self.session.ink.version)
            self.voice.say(self.words.logical(said.key, **said.values), self.words.language)

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

    # ---- messages

    def note(self, text: str, lasting: bool = False) -> None:
        """Say something to the user for a while."""
        self.answer.note = text
        if lasting:
            self._quiet.cancel()
        else:
            self._quiet.cancel()
            self._quiet()

    def show_messages(self) -> None:
        """Say what the session has to say, the last first."""
        if self.session.messages:
            texts = [self.words.logical(said.key, **said.values) for said in self.session.messages]
            self.session.messages.clear()
            self.note("\n".join(texts))

    def _clear_note(self, *_: Any) -> None:
        if not self.tuning:
            self.answer.note = ""
