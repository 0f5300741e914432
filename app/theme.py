"""Colours of the app: three palettes and one for high contrast. Plain data.

Text keeps a contrast of at least 4.5 : 1 against what it stands on (7 : 1 in high contrast), bars, outlines and the
focus ring one of 3 : 1 (WCAG 2.1, success criteria 1.4.3 and 1.4.11), and no meaning is carried by a colour alone.
Activations run from blue (below 0) to orange (above), which every kind of colour vision tells apart.
"""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float, float]


def rgb(code: str) -> Color:
    """Make a colour of "rrggbb"."""
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255, 1.0)


@dataclass(frozen=True)
class Theme:
    """The colours of one palette.

    Attributes:
        ground: Behind everything.
        surface: Of the canvas and the panes.
        raised: Of buttons.
        text: Of text and ink.
        muted: Of text that matters less.
        accent: Of what is chosen, and of the bars.
        contrary: Text on `accent`.
        warn: Of what needs a look.
        line: Outlines.
        focus: The ring around what the keyboard acts on.
        below: Activation of the least value.
        zero: Activation of 0.
        above: Activation of the greatest value.
    """

    ground: Color
    surface: Color
    raised: Color
    text: Color
    muted: Color
    accent: Color
    contrary: Color
    warn: Color
    line: Color
    focus: Color
    below: Color
    zero: Color
    above: Color


def _theme(*codes: str) -> Theme:
    return Theme(*map(rgb, codes))


THEMES = {
    "calm": _theme(
        "efece4", "fffdf9", "e4e0d6", "1c2530", "566170", "1f6b8a", "ffffff", "9a4a12", "7d776a", "b3470a",
        "2166ac", "f6f4ef", "d9731a",
    ),
    "dark": _theme(
        "12161b", "1c2229", "2b333d", "eef1f4", "a9b4c0", "7cc4e8", "0d1a22", "f2b066", "7c8896", "ffd166",
        "4a9fe0", "20262d", "f5a04a",
    ),
    "safe": _theme(
        "f2f4f7", "ffffff", "dfe5ec", "101418", "4b5661", "00619a", "ffffff", "a34700", "6d7782", "a34700",
        "0072b2", "f7f7f7", "e69f00",
    ),
}  # fmt: skip
"""Palettes by the names in `app.settings.PALETTES`."""

HIGH_CONTRAST = _theme(
    "000000", "000000", "000000", "ffffff", "b4b4b4", "ffe600", "000000", "ffe600", "ffffff", "00e5ff",
    "3d8bff", "000000", "ffffff",
)  # fmt: skip


def theme(palette: str, high_contrast: bool) -> Theme:
    """Return the colours of a palette; an unknown name gives the first."""
    return HIGH_CONTRAST if high_contrast else THEMES.get(palette, THEMES["calm"])


def contrast(one: Color, other: Color) -> float:
    """Compute the contrast ratio of two colours, 1..21 (WCAG 2.1, "contrast ratio")."""

    def luminance(color: Color) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
