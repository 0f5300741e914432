"""What the parts show: the answer, the bars, the maps, the state of the tools, and what there is to say."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from kivy.clock import Clock

from . import explain
from .parts import Parts
from .reading import spoken

MESSAGE_SECONDS = 6.0
SPEAK_AFTER = 0.7
"""Seconds of rest after the last stroke until the answer is said."""


class Showing(Parts):
    """The parts, showing what the session has read; arguments as for `Parts`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.erasing = self.tuning = False
        self._reading_cost, self._read_next = 0.0, 0.0
        self._spoken: object = None
        self._unit: tuple[str, Any] | None = None
        self.refresh = Clock.create_trigger(self._refresh, -1)
        self._speak = Clock.create_trigger(self._say, SPEAK_AFTER)
        self._quiet = Clock.create_trigger(self._clear_note, MESSAGE_SECONDS)
        for one in self.panes["inside"].maps.values():
            one.chose = self.look_at
        self.panes["inside"].explained.ids.close.bind(on_release=lambda _: self.look_away())

    def dress(self) -> None:
        """Take on the settings, in what is shown as well."""
        super().dress()
        self._show_state()
        self._show_reading()

    def open_pane(self, name: str) -> None:
        """Show a pane, and in it what was read."""
        super().open_pane(name)
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

    def _say(self, *_: Any) -> None:
        reading = self.session.reading
        said = spoken(reading.answer)
        if said.key and (reading.answer, self.session.ink.version) != self._spoken:
            self._spoken = (reading.answer, self.session.ink.version)
            self.voice.say(self.words.logical(said.key, **said.values), self.words.language)

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
