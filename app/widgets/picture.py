"""An array of numbers as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from kivy.graphics.texture import Texture
from kivy.properties import ListProperty, ObjectProperty
from kivy.uix.widget import Widget

from .. import heat
from .look import look


class Picture(Widget):
    """An array as a picture, without smoothing, as large as fits with square pixels."""

    texture = ObjectProperty(None, allownone=True)
    drawn_pos = ListProperty([0, 0])
    drawn_size = ListProperty([0, 0])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._values: np.ndarray | None = None
        self._reach = 1.0
        self.bind(pos=self._fit, size=self._fit)
        look.bind(version=self._recolor)

    def show(self, values: np.ndarray, reach: float) -> None:
        """Show (h, w) values; `reach` gets the strongest colour."""
        self._values, self._reach = values, reach
        height, width = values.shape
        if self.texture is None or self.texture.size != (width, height):
            self.texture = Texture.create(size=(width, height), colorfmt="rgb")
            self.texture.mag_filter = self.texture.min_filter = "nearest"
            self._fit()
        content = heat.colors(values, look.table, reach)[::-1]
        self.texture.blit_buffer(np.ascontiguousarray(content).tobytes(), colorfmt="rgb", bufferfmt="ubyte")
        self.canvas.ask_update()

    def _recolor(self, *_: Any) -> None:
        if self._values is not None:
            self.show(self._values, self._reach)

    def _fit(self, *_: Any) -> None:
        if self._values is None:
            return
        height, width = self._values.shape
        scale = min(self.width / width, self.height / height)
        self.drawn_size = [width * scale, height * scale]
        # Not center_x: Kivy may still remember the centre of the old size here.
        self.drawn_pos = [
            self.x + (self.width - width * scale) / 2,
            self.y + (self.height - height * scale) / 2,
        ]
