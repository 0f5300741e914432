"""The present look: one object that all widgets and lenet.kv watch."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from kivy.event import EventDispatcher
from kivy.properties import BooleanProperty, ColorProperty, NumericProperty, StringProperty

from .. import heat
from ..theme import Theme, theme

SERIES = "data/fonts/DejaVuSans.ttf"
"""Kivy's own font with Hebrew letters and arrows."""


class Look(EventDispatcher):
    """Colours by their names in `Theme`, the font, and the factor of all text sizes."""

    ground = ColorProperty()
    surface = ColorProperty()
    raised = ColorProperty()
    text = ColorProperty()
    muted = ColorProperty()
    accent = ColorProperty()
    contrary = ColorProperty()
    warn = ColorProperty()
    line = ColorProperty()
    focus = ColorProperty()
    below = ColorProperty()
    zero = ColorProperty()
    above = ColorProperty()
    font = StringProperty("Roboto")
    scale = NumericProperty(1.0)
    rtl = BooleanProperty(False)
    strong = BooleanProperty(False)
    version = NumericProperty(0)

    def __init__(self) -> None:
        super().__init__()
        self.theme: Theme = theme("", False)
        self.table: np.ndarray = heat.table(self.theme)
        self.apply("calm", False, 1.0, False)

    def apply(self, palette: str, high_contrast: bool, scale: float, rtl: bool) -> None:
        """Take on a palette, a text size and a direction of writing."""
        self.theme = theme(palette, high_contrast)
        self.table = heat.table(self.theme)
        for field in fields(Theme):
            setattr(self, field.name, getattr(self.theme, field.name))
        self.strong, self.scale, self.rtl = high_contrast, scale, rtl
        self.font = SERIES if rtl else "Roboto"
        self.version += 1


look = Look()
"""The one look of the running app."""
