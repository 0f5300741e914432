"""The panes beside the canvas: bars, and teaching; inside.py, lesson_pane.py and more.py have the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kivy.metrics import dp, sp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from .interfaces import Actions, Transfers
from .layout import TARGET
from .reading import NO_DIGIT
from .states import SamplesState
from .widgets.bars import Bars
from .widgets.look import look
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
        """Choose heights for the width there is."""
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
        turn(row)
        for tap in taps:
            row.add_widget(tap)
        return self.add(row, rows * (height + 4) - 4)


def turn(row: GridLayout) -> None:
    """Let a row run as writing does, now and whenever the language changes."""

    def follow(*_: Any) -> None:
        row.orientation = "rl-tb" if look.rtl else "lr-tb"

    look.bind(version=follow)
    follow()


def when_tapped(button: Any, action: Callable[[], object]) -> None:
    """Let a button do something."""
    button.bind(on_release=lambda _: action())


def tap(action: Callable[[], None], most: float = 15.0) -> Tap:
    """Make a button that does something."""
    button = Tap(most=most)
    when_tapped(button, action)
    return button


class AnswerPane(Pane):
    """The ten bars."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hint = self.add_text(13)
        self.bars = self.add(Bars(), 256)

    def arrange(self, *_: Any) -> None:
        """Lay the bars in one column if it has room, else in two; the bars take the height that there is."""
        super().arrange()
        one = self.height >= dp(10 * (TARGET + 4) + 8) or self.width < dp(2 * 110)
        self.bars.set_columns(1 if one else 2)
        free = self.height - self.hint.height - dp(8 + 6)
        self.bars.height = min(max(self.bars.least, free), self.bars.rows * dp(76))

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.hint.say = words("bars_hint")


class TeachPane(Pane):
    """Samples, and learning from them."""

    def __init__(self) -> None:
        super().__init__()
        self.hint = self.add_text(14)
        self.this = self.add_text(15, muted=False)
        self.digits = [Tap(most=20) for _ in range(10)]
        for digit, button in enumerate(self.digits):
            button.say = str(digit)
        self.digit_rows = self.add_row(self.digits, columns=5)
        self.none = Tap(most=15)
        self.add_row([self.none])
        self.count = self.add_text(15, muted=False)
        self.forget, self.tune, self.reset, self.export = (Tap(most=15) for _ in range(4))
        self.add_row([self.forget, self.tune], 52)
        self.add_row([self.reset, self.export], 52)
        self._shares = False

    def connect(self, actions: Actions, exchange: Transfers) -> None:
        """Let the buttons do something."""
        for digit, button in enumerate(self.digits):
            when_tapped(button, partial(actions.teach, digit))
        when_tapped(self.none, partial(actions.teach, NO_DIGIT))
        when_tapped(self.forget, actions.forget_sample)
        when_tapped(self.tune, actions.tune)
        when_tapped(self.reset, actions.reset_model)
        when_tapped(self.export, exchange.export)
        self._shares = exchange.can_share

    def show(self, state: SamplesState) -> None:
        """Show what can be done with the samples."""
        self.count.say = state.summary
        self.forget.disabled = self.export.disabled = not state.some
        self.tune.disabled = not state.can_tune
        self.reset.disabled = not state.can_reset

    def arrange(self, *_: Any) -> None:
        """Lay as many digits in a row as fingers can tell apart."""
        super().arrange()
        if hasattr(self, "digit_rows"):
            columns = int(min(max(self.inner // dp(TARGET + 4), 2), 5))
            rows = -(-10 // columns)
            self.digit_rows.cols = columns
            self.digit_rows.height = rows * dp(TARGET + 4) - dp(4)

    def say(self, words: Words) -> None:
        """Take on a language."""
        self.hint.say, self.this.say = words("teach_hint"), words("teach_this")
        self.none.say = words("teach_none")
        self.forget.say, self.tune.say = words("sample_undo"), words("tune")
        self.reset.say, self.export.say = words("reset_model"), words("share_samples" if self._shares else "export")


def stops(widget: Widget) -> list[Any]:
    """List what the keyboard can stop at under a widget, in reading order."""
    found: list[Any] = []
    if isinstance(widget, Stop) and not getattr(widget, "disabled", False):
        found.append(widget)
    # A horizontal box is filled from the left, whichever way its parts are read.
    backwards = look.rtl and isinstance(widget, BoxLayout) and widget.orientation == "horizontal"
    for child in widget.children if backwards else reversed(widget.children):
        found += stops(child)
    return found
