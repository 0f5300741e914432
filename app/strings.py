"""The app's words in the user's language, and Hebrew in the order in which it is drawn.

Kivy draws characters from left to right as they come. So Hebrew has to be handed over in visual order, and a
line must be broken before it is reordered, not after:

- a label of one line: `strings("clear")`, ready to draw;
- a text that may wrap: `strings.lines(strings.logical("teach_hint"), fits)` breaks it where `fits(line)` says
  so and returns ready lines; a widget that breaks lines itself calls `strings.visual(line)` on each of them;
- what goes to the clipboard, a file or a voice: `strings.logical(...)`, never the visual form.

Align to the right where `strings.rtl`. Kivy's own font for Hebrew is data/fonts/DejaVuSans.ttf; Roboto has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from importlib import import_module
from itertools import groupby
from typing import Any

from .texts import TEXTS

LANGUAGES = {"en": "English", "de": "Deutsch", "he": "עברית"}
"""Name of each language in itself, in logical order."""

RIGHT_TO_LEFT = ("he",)


class Strings:
    """The texts of one language.

    Args:
        language: Key of `LANGUAGES`; anything else is taken as English.

    Attributes:
        language: Key of `LANGUAGES`.
        rtl: Whether lines run from right to left.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language if language in LANGUAGES else "en"
        self.rtl = self.language in RIGHT_TO_LEFT
        self._texts: dict[str, str] = dict(TEXTS)
        if self.language != "en":
            self._texts.update(import_module(f".translations.{self.language}", __package__).TEXTS)

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text, ready to draw on lines that are not wrapped any more.

        Args:
            key: Key of `app.texts.TEXTS`.
            values: What its words in braces stand for.

        Returns:
            The text in visual order, line by line.
        """
        return "\n".join(map(self.visual, self.logical(key, **values).split("\n")))

    def logical(self, key: str, **values: Any) -> str:
        """Return a text in the order in which it is read.

        Args:
            key: Key of `app.texts.TEXTS`; an unknown one is returned itself, so that a slip shows, not stops.
            values: What its words in braces stand for.
        """
        return self._texts.get(key, key).format(**values)

    def visual(self, line: str) -> str:
        """Return one line, already broken, in the order in which it is drawn from left to right."""
        return visual(line) if self.rtl else line

    def lines(self, text: str, fits: Callable[[str], bool]) -> list[str]:
        """Break a text into lines and put each into visual order.

        Args:
            text: Text in logical order; its own line breaks are kept.
            fits: Whether a line is narrow enough. A single word stands on its own line even if it is not.

        Returns:
            The lines from top to bottom, ready to draw.
        """
        broken = []
        for paragraph in text.split("\n"):
            line = ""
            for word in paragraph.split(" "):
                longer = f"{line} {word}" if line else word
                if line and not fits(longer):
                    broken.append(line)
                    longer = word
                line = longer
            broken.append(line)
        return [self.visual(line) for line in broken]


def language_name(language: str) -> str:
    """Return a language's name in itself, ready to draw: for the list of languages, whichever is in use."""
    return visual(LANGUAGES[language]) if language in RIGHT_TO_LEFT else LANGUAGES[language]


def visual(line: str) -> str:
    """Put one line of right-to-left text into visual order.

    The part of the Unicode bidirectional algorithm (UAX #9) that texts without embeddings need: words of
    Latin letters and numbers keep their order, what lies between two Latin words goes with them, everything
    else runs from right to left, and brackets there are mirrored.

    Args:
        line: One line in logical order; a right-to-left line, even if it begins with a Latin word.

    Returns:
        The same characters from left to right as they are drawn.
    """
    if line.isascii() and not any(c.isalnum() for c in line):
        return line  # "+", "..." : a sign alone has no direction
    forward = [kind != "R" for kind in _resolved(line)]
    turned = [c if ahead else c.translate(_MIRRORED) for c, ahead in zip(line, forward, strict=True)]
    drawn: list[str] = []
    for ahead, run in groupby(zip(turned, forward, strict=True), key=lambda pair: pair[1]):
        characters = [character for character, _ in run]
        drawn += characters[::-1] if ahead else characters
    return "".join(reversed(drawn))  # the whole line turns round: what runs forward has now been turned twice


def _resolved(line: str) -> list[str]:
    """Find each character's direction: "L" and "EN" run forward, "R" backward (rules W2 to N2 of UAX #9)."""
    kinds = [{"AL": "R", "AN": "EN"}.get(kind, kind) for kind in map(unicodedata.bidirectional, line)]
    n = len(kinds)
    for i in range(n - 1):  # beyond UAX #9: the sign of -1.5 stays on its left, as if the number were isolated
        if line[i] in "-+\u2212" and kinds[i + 1] == "EN" and (i == 0 or line[i - 1].isspace()):
            kinds[i] = "EN"
    for i in range(1, n - 1):  # 1.5 and 10-3: a separator between two digits belongs to the number
        if kinds[i] in ("CS", "ES") and kinds[i - 1] == kinds[i + 1] == "EN":
            kinds[i] = "EN"
    for i in [*range(1, n), *range(n - 1)[::-1]]:  # 50%: signs that touch a number belong to it
        if kinds[i] == "ET" and "EN" in (kinds[i - 1 : i] + kinds[i + 1 : i + 2]):
            kinds[i] = "EN"
    strong = "R"
    for i, kind in enumerate(kinds):  # C5: a number after a Latin letter goes with it
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"
    for word in _LATIN_WORD.finditer(line):  # beyond UAX #9: /home/me/x.csv keeps its slash, as if isolated
        kinds[word.start() : word.end()] = ["L"] * (word.end() - word.start())
    i = 0
    while i < n:  # blanks and signs: with their neighbours if both are Latin, else with the line
        stop = i
        while stop < n and kinds[stop] not in ("L", "R", "EN"):
            stop += 1
        before, after = kinds[i - 1] if i else "R", kinds[stop] if stop < n else "R"
        kinds[i:stop] = ["L" if before == after == "L" else "R"] * (stop - i)
        i = stop + 1
    return kinds


_LATIN_WORD = re.compile(r"[/~.\\]*[A-Za-z][!-~]*[\w/\\]", re.ASCII)
"""A Latin word with the signs in it, a path among them; signs that end a sentence are not part of it."""

_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
