"""The panes beside the canvas: bars, the network's inside, teaching, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kivy.metrics import dp, sp
from kivy.uix.gridlayout import GridLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from .layout import TARGET
from .widgets.bars import Bars
from .widgets.look import look
from .widgets.maps import SHEETS, Explained, LayerMap
from .widgets.tap import Stop, Tap
from .widgets.text import Txt

Words = Callable[..., str]
"""Text by key and values, as `app.strings.Strings` gives it."""


class Pane(ScrollView):
    """A column of parts that scrolls when it is too tall."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = GridLayout(cols=1, size_hint_y=None, spacing=dp(6), padding=[dp(4), dp(4), dp(8), dp(4)])
        self.column.bind(minimum_height=self.column.setter("height"))
        self.add_widget(self.column)
        self.bind(size=self.arrange)
        look.bind(version=self.arrange)

    @property
    def inner(self) -> float:
        """Width of the parts, pixels."""
        return max(self.width - dp(12), dp(TARGET))

    def arrange(self, *_: Any) -> None:
        """Heights for the width there is."""
        for part in self.column.children:
            if isinstance(part, Txt) and not isinstance(part, Tap):
                part.width = self.inner
                part.height = part.needed + sp(4)

    def add(self, part: Any, height: float | None = None) -> Any:
        """Add a part of a height in dp (texts find their own)."""
        part.size_hint_y = None
        if height is not None:
            part.height = dp(height)
        self.column.add_widget(part)
        return part

    def add_text(self, most: float = 14.0, muted: bool = True) -> Txt:
        """Add a text."""
        text = Txt(most=most, size_hint_y=None)
        if muted:
            text.color = look.muted
            look.bind(version=lambda *_: setattr(text, "color", look.muted))
        text.bind(say=self.arrange)
        return self.add(text)

    def add_row(self, taps: Sequence[Any], height: float = TARGET, columns: int = 0) -> GridLayout:
        """Add parts side by side."""
        columns = columns or len(taps)
        rows = -(-len(taps) // columns)
        row = GridLayout(cols=columns, spacing=dp(4))
        for tap in taps:
            row.add_widget(tap)
        return self.add(row, rows * (height + 4) - 4)


def tap(action: Callable[[], None], most: float = 15.0) -> Tap:
    """A button that does something."""
    button = Tap(most=most)
    button.bind(on_release=lambda _: action())
    return button


class AnswerPane(Pane):
    """The ten bars."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bars = self.add(Bars(), 256)
        self.hint = self.add_text(13)

    def arrange(self, *_: Any) -> None:
        """One column if it has room, else two; the bars take the height that there is."""
        super().arrange()
        one = self.height >= dp(10 * (TARGET + 4) + 8) or self.width < dp(2 * 110)
        self.bars.set_columns(1 if one else 2)
        free = self.height - self.hint.height - dp(8 + 6)
        self.bars.height = min(max(self.bars.least, free), self.bars.rows * dp(76))

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.hint.say = words("bars_hint")


class InsidePane(Pane):
    """All maps of all layers, and one unit taken apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hint = self.add_text(13)
        self.explained = Explained(size_hint_y=None)
        self.names: dict[str, Txt] = {}
        self.maps: dict[str, LayerMap] = {}
        for layer in SHEETS:
            self.names[layer] = self.add_text(13)
            self.maps[layer] = self.add(LayerMap(layer=layer))
        self.arrange()

    def arrange(self, *_: Any) -> None:
        """As wide as there is room, and never flatter than a finger."""
        super().arrange()
        if not hasattr(self, "explained"):
            return
        for one in self.maps.values():
            one.height = max(self.inner * one.aspect, dp(TARGET))
        self.explained.height = min(max(self.inner * 0.36, dp(90)), dp(180)) + dp(48 + 14) + sp(58) * look.scale

    def explain(self, shown: bool) -> None:
        """Show or hide what feeds the chosen unit."""
        present = self.explained.parent is not None
        if shown and not present:
            # Below the hint: the column counts its children from the end.
            self.column.add_widget(self.explained, index=len(self.column.children) - 1)
            self.scroll_y = 1.0
        elif present and not shown:
            self.column.remove_widget(self.explained)

    def say(self, words: Words) -> None:
        """Take on a language."""
        for layer, name in self.names.items():
            name.say = words(f"layer_{layer}")
        self.explained.names = [words("unit_inputs"), words("unit_kernel"), words("unit_products")]


class TeachPane(Pane):
    """Samples, and learning from them."""

    def __init__(self, **actions: Callable[..., None]) -> None:
        super().__init__()
        self.hint = self.add_text(14)
        self.this = self.add_text(15, muted=False)
        self.digits = [tap(partial(actions["teach"], digit), 20) for digit in range(10)]
        for digit, button in enumerate(self.digits):
            button.say = str(digit)
        self.digit_rows = self.add_row(self.digits, columns=5)
        self.count = self.add_text(15, muted=False)
        self.forget, self.tune = tap(actions["forget"]), tap(actions["tune"])
        self.reset, self.export = tap(actions["reset"]), tap(actions["export"])
        self.add_row([self.forget, self.tune], 52)
        self.add_row([self.reset, self.export], 52)

    def arrange(self, *_: Any) -> None:
        """As many digits in a row as fingers can tell apart."""
        super().arrange()
        if hasattr(self, "digit_rows"):
            columns = int(min(max(self.inner // dp(TARGET + 4), 2), 5))
            rows = -(-10 // columns)
            self.digit_rows.cols = columns
            self.digit_rows.height = rows * dp(TARGET + 4) - dp(4)

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.hint.say, self.this.say = words("teach_hint"), words("teach_this")
        self.forget.say, self.tune.say = words("sample_undo"), words("tune")
        self.reset.say, self.export.say = words("reset_model"), words("export")


def stops(widget: Widget) -> list[Any]:
    """What the keyboard can stop at under a widget, in reading order."""
    found: list[Any] = []
    if isinstance(widget, Stop) and not getattr(widget, "disabled", False):
        found.append(widget)
    for child in reversed(widget.children):
        found += stops(child)
    return found
