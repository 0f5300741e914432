"""Ten bars, one a digit: how probable it is; tapping one selects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kivy.metrics import dp
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.gridlayout import GridLayout
from kivy.uix.widget import Widget

from ..layout import TARGET
from ..reading import percent
from .look import look
from .tap import Pressable


class Bar(Pressable, Widget):
    """One digit's bar; how it looks is in lenet.kv."""

    focused = BooleanProperty(False)
    digit = StringProperty("")
    share = NumericProperty(0.0)
    number = StringProperty("")
    best = BooleanProperty(False)
    selected = BooleanProperty(False)


class Bars(GridLayout):
    """All ten; one column where ten rows of 48 dp have room, else two.

    Attributes:
        tapped: Called with a digit when its bar is tapped.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.tapped: Callable[[int], None] = lambda digit: None
        super().__init__(**kwargs)
        self.bars = [Bar(digit=str(digit)) for digit in range(10)]
        for digit, bar in enumerate(self.bars):
            bar.bind(on_release=lambda _, digit=digit: self.tapped(digit))
            self.add_widget(bar)
        self.spacing = dp(4)
        look.bind(version=self._turn)
        self._turn()
        self.set_columns(2)

    def _turn(self, *_: Any) -> None:
        self.orientation = "tb-rl" if look.rtl else "tb-lr"

    def set_columns(self, columns: int) -> None:
        """Lay ten digits in this many columns, counted downwards."""
        self.cols, self.rows = None, None
        self.rows = 10 // columns
        self.least = self.rows * (dp(TARGET) + dp(4)) - dp(4)

    def select(self, digit: int | None) -> None:
        """Mark one bar as selected, or none."""
        for index, bar in enumerate(self.bars):
            bar.selected = index == digit

    def show(self, probabilities: np.ndarray | None, is_digit: bool = True) -> None:
        """Show ten probabilities, or none."""
        best = int(probabilities.argmax()) if probabilities is not None and is_digit else -1
        for digit, bar in enumerate(self.bars):
            bar.share = 0.0 if probabilities is None else float(probabilities[digit])
            bar.number = "" if probabilities is None else f"{percent(bar.share)} %"
            bar.best = digit == best
