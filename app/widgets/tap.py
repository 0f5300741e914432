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


class Tap(Stop, ButtonBehavior, Txt):
    """A button with a text; `chosen` marks the one of several that is on."""

    focused = BooleanProperty(False)
    chosen = BooleanProperty(False)

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


class Tool(Tap):
    """A button with a sign, and its name below where there is room."""

    icon = StringProperty("")

    def fit(self, *_: Any) -> None:
        """Show the sign, and the name where there is room."""
        width, height = self.room()
        named = width >= dp(62) * max(look.scale, 1.0) and height >= dp(44)
        self.markup, self.halign, self.text_size = True, "center", self.size
        big = round(min(sp(20) * look.scale, height * 0.44))
        while text_too_wide(self.icon, big, width, SERIES) and big > 6:
            big -= 1
        sign = f"[font={SERIES}][size={big}]{self.icon}[/size][/font]"
        if not named:
            self.text = sign
            return
        size = min(sp(12) * look.scale, height * 0.26)
        while text_too_wide(self.say, size, width - dp(6)) and size > sp(8):
            size -= 1.0
        self.font_name, self.font_size = look.font, size
        self.line_height = 1.0
        self.text = f"{sign}\n{visual(self.say) if look.rtl else self.say}"


def text_too_wide(text: str, size: float, width: float, font: str = "") -> bool:
    """Return whether a line does not fit."""
    return text_width(text, font or look.font, round(size, 1), False) > width
