"""The answer, large, with what the network saw beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from kivy.clock import Clock
from kivy.graphics.texture import Texture
from kivy.metrics import dp
from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from ..layout import TARGET
from .look import look
from .tap import Tap

NARROW = 3
"""Most digits of a number that stand beside the picture in a narrow panel."""


class Seen(ButtonBehavior, Widget):
    """The 28x28 picture that the network saw; tapping looks inside."""

    texture = ObjectProperty(None, allownone=True)
    side = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image: np.ndarray | None = None
        self.texture = Texture.create(size=(28, 28), colorfmt="rgb")
        self.texture.mag_filter = "nearest"
        self.show(None)
        look.bind(version=lambda *_: self.show(self.image))

    def show(self, image: np.ndarray | None) -> None:
        """Show (28, 28) uint8, or an empty field."""
        self.image = image
        field = np.zeros((28, 28), dtype=np.uint8) if image is None else image
        paper, ink = np.array(look.surface[:3]), np.array(look.text[:3])
        content = paper + (ink - paper) * (field[::-1, :, None] / 255.0)
        self.texture.blit_buffer(
            np.rint(content * 255.0).astype(np.uint8).tobytes(), colorfmt="rgb", bufferfmt="ubyte"
        )
        self.canvas.ask_update()


class AnswerPanel(BoxLayout):
    """The answer, or a message with what can be done about it; its layout is in lenet.kv.

    Attributes:
        chose: Called with the index of a number's digit that is tapped.
        acted: Called with the index of a message's button that is tapped.
        acts: Number of a message's buttons: they take the place of a number's digits.
        crowded: The number has more digits than have room beside the picture where the panel is narrow.
        free: Height that the texts have, pixels.
    """

    big = StringProperty("")
    headline = StringProperty("")
    line = StringProperty("")
    note = StringProperty("")
    acts = NumericProperty(0)
    crowded = BooleanProperty(False)
    free = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        self.chose: Callable[[int], None] = lambda index: None
        self.acted: Callable[[int], object] = lambda index: None
        self.chips: list[Tap] = []
        self.buttons: list[Tap] = []
        super().__init__(**kwargs)
        column = self.ids.column
        column.bind(height=self._share)
        look.bind(version=self._mirror)
        self._show_newest = Clock.create_trigger(self._scroll, -1)
        self._chosen = 0
        self._mirror()

    def show_digits(self, digits: str, chosen: int) -> None:
        """Show the digits of a number as buttons; an empty text takes them away."""
        while len(self.chips) > len(digits):
            self.chips.pop()
        while len(self.chips) < len(digits):
            index = len(self.chips)
            chip = Tap(most=28, strong=True, size_hint=(None, 1), width=dp(TARGET), halign="center")
            chip.bind(on_release=lambda _, index=index: self.chose(index))
            self.chips.append(chip)
        for index, (chip, digit) in enumerate(zip(self.chips, digits, strict=True)):
            chip.say, chip.chosen = digit, index == chosen
        self._chosen = chosen
        self._arrange()

    def show_note(self, text: str, acts: Sequence[str] = ()) -> None:
        """Show a message in the place of the answer, with buttons; an empty one uncovers the answer."""
        self.note = text
        while len(self.buttons) > len(acts):
            self.buttons.pop()
        while len(self.buttons) < len(acts):
            index = len(self.buttons)
            button = Tap(most=15)
            button.bind(on_release=lambda _, index=index: self.acted(index))
            self.buttons.append(button)
        row, other = (self.ids.beside, self.ids.acts) if len(acts) == 1 else (self.ids.acts, self.ids.beside)
        other.clear_widgets()  # first: a button has one place
        _fill(row, self.buttons)
        for button, name in zip(self.buttons, acts, strict=True):
            button.say = name
        self.acts = len(acts)
        self._arrange()

    def _arrange(self) -> None:
        """Give the strip of digits, the buttons and the texts their heights."""
        shown = [] if self.acts else self.chips
        _fill(self.ids.chips, shown)
        self.crowded = len(shown) > NARROW
        self.ids.strip.height = dp(TARGET) if shown else 0
        self.ids.acts.height = dp(TARGET) if self.acts > 1 else 0
        self._share()
        self._show_newest()

    def _share(self, *_: Any) -> None:
        self.free = max(self.ids.column.height - self.ids.strip.height - self.ids.acts.height, 0)

    def _scroll(self, *_: Any) -> None:
        """Bring the digit that is looked at, the newest as a rule, into sight."""
        strip, row = self.ids.strip, self.ids.chips
        if not self.chips or self.acts:
            return
        row.width = row.minimum_width = len(self.chips) * (dp(TARGET) + row.spacing) - row.spacing
        hidden = row.width - strip.width
        if hidden <= 0:
            strip.scroll_x = 0.0
            return
        left = self._chosen * (dp(TARGET) + row.spacing)
        first = strip.scroll_x * hidden
        first = min(max(first, left + dp(TARGET) - strip.width), left)
        strip.scroll_x = min(max(first / hidden, 0.0), 1.0)

    def _mirror(self, *_: Any) -> None:
        """Begin at the side where reading begins."""
        parts = [self.ids[name] for name in ("big", "column", "beside", "seen")]
        _fill(self, parts[::-1] if look.rtl else parts)


def _fill(row: BoxLayout, wanted: Sequence[Widget]) -> None:
    """Let a row hold these widgets, in this order."""
    if list(reversed(row.children)) != list(wanted):
        row.clear_widgets()
        for widget in wanted:
            row.add_widget(widget)
