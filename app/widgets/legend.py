"""The colours of the maps, from the least value to the greatest; looks are in inside.kv."""

from __future__ import annotations

from typing import Any

from kivy.graphics.texture import Texture
from kivy.properties import ListProperty, ObjectProperty
from kivy.uix.boxlayout import BoxLayout

from .look import look


class Legend(BoxLayout):
    """A strip of all colours, with three numbers below it."""

    texture = ObjectProperty(None, allownone=True)
    numbers = ListProperty(["", "", ""])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.texture = Texture.create(size=(256, 1), colorfmt="rgb")
        look.bind(version=self._recolor)
        self._recolor()

    def _recolor(self, *_: Any) -> None:
        self.texture.blit_buffer(look.table.tobytes(), colorfmt="rgb", bufferfmt="ubyte")
        self.canvas.ask_update()
