"""Text that fits where it stands: wrapped by us, smaller where it must be.

Kivy knows no right-to-left text: a text is broken into lines in the order in which it is read, and then each line is
put into the order in which it is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.metrics import sp
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.label import Label

from ..strings import visual
from .look import SERIES, look

SHARES = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6)
"""Sizes tried, as shares of the largest one."""

SMALLEST = 9.0
"""Letters are made smaller than these shares say, down to this (sp), before a text is cut or a word broken."""

_BLANK = re.compile(" (?!%)")
"""Blanks at which a line may end: none between a number and its sign."""

LINE = 1.22
"""Height of a line in font sizes."""


@lru_cache(maxsize=4096)
def text_width(text: str, font: str, size: float, bold: bool) -> float:
    """Measure the width of a text in pixels."""
    return CoreLabel(font_name=font, font_size=size, bold=bold).get_extents(text)[0]


def break_lines(text: str, width: float, measure: Callable[[str], float]) -> list[str] | None:
    """Break a text into lines.

    Args:
        text: In the order in which it is read; its own line breaks are kept.
        width: Room, in the measure's unit.
        measure: Width of a text.

    Returns:
        The lines from top to bottom; None when a single word is too wide.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in _BLANK.split(paragraph):
            if measure(word) > width:
                return None
            longer = f"{line} {word}" if line else word
            if line and measure(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines


class Txt(Label):
    """A label whose text is fitted into its box.

    Attributes:
        say: The text in the order in which it is read.
        most: Its largest font size, sp before text scaling.
        strong: Bold.
        foreign: The text may be of another language than the app's (a language's own name).
    """

    say = StringProperty("")
    most = NumericProperty(15.0)
    strong = BooleanProperty(False)
    foreign = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        self._fit = Clock.create_trigger(self.fit, -1)
        super().__init__(**kwargs)
        self.fbind("say", self._fit)
        self.fbind("most", self._fit)
        self.fbind("size", self._fit)
        # `bind` holds a method weakly; `fbind` would keep every label alive for as long as the look lives.
        look.bind(version=self._look_changed)
        self._fit()

    def _look_changed(self, *_: Any) -> None:
        self._fit()

    def room(self) -> tuple[float, float]:
        """Return the width and height that the text has, pixels."""
        return max(self.width - self.padding[0] - self.padding[2], 1.0), max(self.height, 1.0)

    @property
    def face(self) -> str:
        """The font."""
        return SERIES if self.foreign else look.font

    def broken(self, size: float, width: float) -> list[str] | None:
        """Break the text into lines at a font size; None if a word is too wide."""
        face, bold, rounded = self.face, self.strong, round(size, 1)
        return break_lines(self.say, width, lambda text: text_width(text, face, rounded, bold))

    def fit(self, *_: Any) -> None:
        """Choose size and lines."""
        self.font_name, self.bold = self.face, self.strong
        self.halign_for_direction()
        width, height = self.room()
        # Kivy takes the padding off the width. A height would make it drop the last of three or more lines.
        self.text_size = (self.width, None)
        if width < 8 or not self.say:
            self.text = ""
            return
        lines: list[str] | None = None
        size = 1.0
        for size in self.sizes():
            lines = self.broken(size, width)
            if lines is not None and len(lines) * size * LINE <= height + 1.0:
                break
        self.font_size = size
        self.text = "\n".join(
            visual(line) if look.rtl or (self.foreign and not line.isascii()) else line
            for line in self.cut(lines, size, height)
        )

    def sizes(self) -> list[float]:
        """List the font sizes to try, from the largest to the smallest that can be read, pixels."""
        largest = sp(self.most) * look.scale
        found = [largest * share for share in SHARES]
        while found[-1] * 0.92 > sp(SMALLEST):
            found.append(found[-1] * 0.92)
        return found

    def cut(self, lines: list[str] | None, size: float, height: float) -> list[str]:
        """Keep of the lines what has room at the smallest size."""
        if lines is None:  # a word (a path) wider than the box: broken anywhere
            letters = max(int(self.room()[0] / (0.56 * size)), 1)
            lines = [self.say[i : i + letters] for i in range(0, len(self.say), letters)]
        most = max(int((height + 1.0) / (size * LINE)), 1)
        if len(lines) > most:
            lines = lines[:most]
            lines[-1] = lines[-1][:-1] + "…"
        return lines

    def halign_for_direction(self) -> None:
        """Turn left into right where writing runs so."""
        if self.halign != "center":  # type: ignore[has-type]
            self.halign = "right" if look.rtl else "left"

    @property
    def needed(self) -> float:
        """Height that the text takes in the width it has, at the largest size at which no word is broken, pixels."""
        for size in self.sizes():
            lines = self.broken(size, self.room()[0])
            if lines is not None:
                return len(lines) * size * LINE
        return 2 * sp(self.most) * look.scale * LINE
