"""One unit taken apart: what feeds it, by how much, and what it sees; looks are in inside.kv."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from kivy.metrics import dp, sp
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from .. import heat
from ..layout import TARGET
from ..states import SourceState, UnitState
from .look import look
from .tap import Pressable

NARROW = 300.0
"""Width below which sources stand one below the other, dp."""


class SourceRow(Pressable, BoxLayout):
    """One of the inputs of a unit: its name, and its contribution as a bar to the left or to the right of zero.

    Attributes:
        share: Contribution as a share of the greatest of all, -1..1.
    """

    focused = BooleanProperty(False)
    name = StringProperty("")
    value = StringProperty("")
    share = NumericProperty(0.0)


class Explained(BoxLayout):
    """The inputs of one unit, its weights, their products, the sum, and the units and maps behind it.

    Attributes:
        followed: Called with the layer and the unit of a source that is tapped.
    """

    title = StringProperty("")
    sum_line = StringProperty("")
    sees = StringProperty("")
    names = ListProperty(["", "", ""])
    count = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        self.followed: Callable[[str, Any], None] = lambda layer, unit: None
        self.rows: list[SourceRow] = []
        super().__init__(**kwargs)

    def show(self, unit: UnitState) -> None:
        """Show a unit taken apart."""
        self.title, self.sum_line, self.sees = unit.title, unit.sum_line, unit.sees
        sources = unit.explanation.sources
        inputs = [source.inputs for source in sources]
        weights = [source.weights for source in sources]
        products = [np.asarray(i) * np.asarray(w) for i, w in zip(inputs, weights, strict=True)]
        columns = math.ceil(math.sqrt(len(sources)))
        for name, parts in (("inputs", inputs), ("weights", weights), ("products", products)):
            sheet = heat.patches(parts, columns)
            reach = heat.SQUASH_A if name == "inputs" else float(max(np.nanmax(np.abs(sheet)), 1e-6))
            self.ids[name].show(sheet, reach)
        self.count = len(sources)
        self._show_rows(unit.sources)

    def _show_rows(self, sources: Sequence[SourceState]) -> None:
        grid = self.ids.sources
        if len(self.rows) != len(sources):
            grid.clear_widgets()
            self.rows = [SourceRow(size_hint_y=None, height=dp(TARGET)) for _ in sources]
            for row in self.rows:
                grid.add_widget(row)
        most = max((abs(source.contribution) for source in sources), default=0.0) or 1.0
        for row, source in zip(self.rows, sources, strict=True):
            row.name, row.value, row.share = source.name, source.value, source.contribution / most
            row.disabled = source.target is None
            row.funbind("on_release", getattr(row, "follow", None) or (lambda *_: None))
            row.follow = partial(self._follow, source)
            row.fbind("on_release", row.follow)

    def _follow(self, source: SourceState, *_: Any) -> None:
        if source.target is not None:
            self.followed(*source.target)

    def fit(self, width: float) -> None:
        """Take the height that all of it needs in a width, pixels."""
        inner = max(width - dp(16), dp(TARGET))
        grid = self.ids.sources
        grid.cols = 1 if inner < dp(NARROW) * min(look.scale, 1.5) else 2
        rows = math.ceil(len(self.rows) / grid.cols)
        grid.height = max(rows * dp(TARGET + 4) - dp(4), 0)
        grid.orientation = "rl-tb" if look.rtl else "lr-tb"
        for name in ("sum", "sees"):
            text = self.ids[name]
            text.width = inner
            text.height = text.needed + sp(4)
        pictures = min(max(width * 0.36, dp(90)), dp(180))
        self.ids.pictures.height = pictures
        texts = self.ids.sum.height + self.ids.sees.height
        self.height = dp(TARGET) + pictures + texts + grid.height + 4 * dp(4) + dp(12)
