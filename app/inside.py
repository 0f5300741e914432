"""The pane of the network's inside."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kivy.clock import Clock
from kivy.lang import Builder, global_idmap
from kivy.metrics import dp, sp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from lenet_gpu.paper import SQUASH_A

from .field import PICTURE, Field
from .interfaces import Actions, Unit
from .layout import TARGET
from .panes import Pane, Words, when_tapped
from .states import UnitState
from .widgets.bars import Bars
from .widgets.explained import Explained
from .widgets.legend import Legend
from .widgets.look import look
from .widgets.maps import SHEETS, LayerMap, MapSheet
from .widgets.tap import Tap
from .widgets.text import Txt

global_idmap.update(look=look)
Builder.load_file(str(Path(__file__).with_name("inside.kv")))

OUTPUT = "output"
"""Name of the output layer, which has bars instead of a map."""

PICTURE_SIDE = 116.0
"""Side of the picture as the network takes it in, dp."""


class InsidePane(Pane):
    """The picture, all maps of all layers and the ten answers, and one unit taken apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hint = self.add_text(13)
        self.explained = Explained(size_hint_y=None)
        self._bring_explained = Clock.create_trigger(self._into_sight, 0)
        self.names: dict[str, Txt] = {}
        self.sheets: dict[str, MapSheet] = {}
        self.names[PICTURE] = self.add_text(13)
        self.sheets[PICTURE] = MapSheet(layer=PICTURE, size_hint_x=None, width=dp(PICTURE_SIDE))
        self.lecture, self.legend = Tap(most=15, size_hint_y=None, height=dp(TARGET)), Legend(size_hint_y=None)
        self.beside = BoxLayout(orientation="vertical", spacing=dp(8))
        for part in (self.lecture, self.legend, Widget()):
            self.beside.add_widget(part)
        self.add_row([self.sheets[PICTURE], self.beside], PICTURE_SIDE)
        self.frames = self.add_text(13)
        for layer in list(SHEETS)[1:]:
            self.names[layer] = self.add_text(13)
            self.sheets[layer] = self.add(LayerMap(layer=layer))
        self.maps = {name: one for name, one in self.sheets.items() if isinstance(one, LayerMap)}
        self.names[OUTPUT] = self.add_text(13)
        self.bars = self.add(Bars())
        self.arrange()

    def arrange(self, *_: Any) -> None:
        """Make the maps as wide as there is room, and never flatter than a finger."""
        super().arrange()
        if not hasattr(self, "explained"):
            return
        for layer, one in self.sheets.items():
            if layer != PICTURE:
                one.height = max(self.inner * one.aspect, dp(TARGET))
        self.legend.height = dp(17) + sp(18) * look.scale
        self.bars.set_columns(5 if self.inner > dp(5 * 110) else 2)
        self.bars.height = self.bars.least
        self.explained.fit(self.inner)

    def connect(self, actions: Actions) -> None:
        """Let tapped units and digits be taken apart, and what feeds them."""
        for one in self.maps.values():
            one.chose = actions.look_at
        self.bars.tapped = partial(actions.look_at, OUTPUT)
        self.explained.followed = actions.look_at
        when_tapped(self.explained.ids.close, actions.look_away)

    def show_maps(self, maps: dict[str, np.ndarray] | None, hint: str) -> None:
        """Show every layer's values by name, or none."""
        self.hint.say = hint
        for layer, one in self.sheets.items():
            if maps is None:
                one.clear()
            else:
                one.show_values(maps[layer])

    def show_fields(self, fields: dict[str, Field]) -> None:
        """Frame what a unit sees in every layer, by name; the unit itself has its mark."""
        for layer, one in self.sheets.items():
            one.show_field(fields.get(layer) if layer != next(iter(fields), "") else None)

    def mark_unit(self, layer: str | None, unit: Unit) -> None:
        """Mark the unit that is looked at, in its layer alone; no layer takes the mark away."""
        for name, one in self.maps.items():
            one.mark(None if name != layer else unit if isinstance(unit, tuple) else (unit, 0, 0))
        self.bars.select(unit if layer == OUTPUT and isinstance(unit, int) else None)

    def show_unit(self, unit: UnitState | None) -> None:
        """Show what feeds a unit, or nothing."""
        if unit is not None:
            self.explained.show(unit)
            self.explained.fit(self.inner)
        self._show_explained(unit.explanation.layer if unit is not None else None)

    def _show_explained(self, layer: str | None) -> None:
        """Put it below the layer's maps, where the finger is, and into sight."""
        column = self.column
        below = self.bars if layer == OUTPUT else self.maps.get(layer) if layer else None
        at = column.children.index(below) if below is not None else len(column.children) - 1
        present = self.explained.parent is not None
        if layer is None:
            if present:
                column.remove_widget(self.explained)
            return
        if present and column.children[max(at - 1, 0)] is self.explained:
            return
        if present:
            column.remove_widget(self.explained)
            at = column.children.index(below) if below is not None else len(column.children) - 1
        column.add_widget(self.explained, index=at)
        self._bring_explained()

    def _into_sight(self, *_: Any) -> None:
        """Scroll to what was taken apart, from its top on; with the layer above it where both have room."""
        one, hidden = self.explained, self.column.height - self.height
        if one.parent is None or hidden <= 0:
            return
        at = self.column.children.index(one) + 1
        above = self.column.children[at] if at < len(self.column.children) else one
        top = one.top if one.height > self.height else min(above.top, one.y + self.height)
        self.scroll_y = min(max((top - self.column.y - self.height) / hidden, 0.0), 1.0)

    def offer_lecture(self, on: bool) -> None:
        """Show the way into the teacher's mode, or none."""
        if on != (self.lecture.parent is not None):
            if on:
                self.beside.add_widget(self.lecture, index=len(self.beside.children))
            else:
                self.beside.remove_widget(self.lecture)

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.lecture.say, self.frames.say = words("lecture"), words("legend_frames")
        for layer, name in self.names.items():
            name.say = words(f"layer_{layer}")
        self.legend.numbers = [f"−{SQUASH_A:.1f}", "0", f"+{SQUASH_A:.1f}"]
        self.explained.names = [words("unit_inputs"), words("unit_kernel"), words("unit_products")]
