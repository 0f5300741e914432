"""The answer, large, with what the network saw beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kivy.graphics.texture import Texture
from kivy.metrics import dp
from kivy.properties import NumericProperty, ObjectProperty, StringProperty
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from ..layout import TARGET
from .look import look
from .tap import Tap


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
    """The answer; its layout is in lenet.kv.

    Attributes:
        chose: Called with the index of a number's digit that is tapped.
    """

    big = StringProperty("")
    headline = StringProperty("")
    line = StringProperty("")
    note = StringProperty("")
    chosen = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        self.chose: Callable[[int], None] = lambda index: None
        self.chips: list[Tap] = []
        super().__init__(**kwargs)

    def show_digits(self, digits: str, chosen: int) -> None:
        """Show the digits of a number as buttons; an empty text takes them away."""
        row = self.ids.chips
        while len(self.chips) > len(digits):
            row.remove_widget(self.chips.pop())
        while len(self.chips) < len(digits):
            index = len(self.chips)
            chip = Tap(most=28, strong=True, size_hint=(None, 1), width=dp(TARGET), halign="center")
            chip.bind(on_release=lambda _, index=index: self.chose(index))
            self.chips.append(chip)
            row.add_widget(chip)
        for index, (chip, digit) in enumerate(zip(self.chips, digits, strict=True)):
            chip.say, chip.chosen = digit, index == chosen
        self.ids.strip.height = dp(TARGET) if digits else 0
