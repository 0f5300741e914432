"""Buttons, and what the keyboard can stop at."""

from __future__ import annotations

from typing import Any

from kivy.metrics import dp, sp
from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.behaviors import ButtonBehavior

from ..strings import visual
from .look import SERIES, look
from .text import Txt, text_width


class Stop:
    """Mix-in: something the keyboard can stop at. `focused` draws a ring around it."""

    focused = BooleanProperty(False)

    def press_key(self, key: str) -> bool:
        """Take a key while this has the focus; returns whether it meant anything here."""
        return False


class Pressable(Stop, ButtonBehavior):
    """Mix-in: something to press, by finger, by the mouse's left button and by key."""

    def press_key(self, key: str) -> bool:
        """Press it with Enter or Space."""
        if key in ("enter", "numpadenter", "spacebar") and not self.disabled:
            self.dispatch("on_release")
            return True
        return False

    def on_touch_down(self, touch: Any) -> bool:
        """Press; the mouse's wheel and other buttons are none of ours."""
        if getattr(touch, "button", "left") not in ("left", None):
            return False
        return super().on_touch_down(touch)


class Tap(Pressable, Txt):
    """A button with a text; `chosen` marks the one of several that is on."""

    focused = BooleanProperty(False)
    chosen = BooleanProperty(False)


class Tool(Tap):
    """A button with a sign, and its name below or beside it.

    Attributes:
        mates: The buttons of its row, itself among them: their names have one size.
    """

    icon = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        self.mates: list[Tool] = [self]
        super().__init__(**kwargs)
        self.fbind("icon", self._fit)

    @property
    def beside(self) -> bool:
        """True where the name has more room beside the sign than below it."""
        return self.width > 2.4 * self.height and self.width >= dp(110)

    def name_size(self) -> float:
        """Return the largest size of the name that has room, pixels."""
        width, height = self.room()
        room = width - height if self.beside else width
        size = min(sp(14) * look.scale, height * (0.4 if self.beside else 0.32))
        while text_too_wide(self.say, size, room) and size > sp(7):
            size -= 0.5
        return size

    def fit(self, *_: Any) -> None:
        """Show the sign and the name, as large as there is room."""
        width, height = self.room()
        self.markup, self.halign, self.text_size = True, "center", (self.width, None)
        name = visual(self.say) if look.rtl else self.say
        size = min(mate.name_size() for mate in self.mates)
        self.font_name, self.font_size, self.line_height = look.font, size, 1.0
        room = height * 0.7 if self.beside else height * 0.94 - 1.25 * size
        big = round(min(sp(20) * look.scale, room * 0.8))
        while text_too_wide(self.icon, big, width, SERIES) and big > 6:
            big -= 1
        sign = f"[font={SERIES}][size={big}]{self.icon}[/size][/font]"
        parts = [sign, name]
        self.text = "  ".join(parts[::-1] if look.rtl else parts) if self.beside else "\n".join(parts)


def text_too_wide(text: str, size: float, width: float, font: str = "") -> bool:
    """Return whether a line does not fit."""
    return text_width(text, font or look.font, round(size, 1), False) > width
