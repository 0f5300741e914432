"""The insides of the network as pictures: one texture a layer, and a unit to look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from kivy.graphics.texture import Texture
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from .. import heat
from ..explain import Explanation
from ..heat import Sheet
from .look import look
from .tap import Stop

SHEETS = {
    "c1": Sheet(6, 6, 28, 28),
    "s2": Sheet(6, 6, 14, 14),
    "c3": Sheet(16, 8, 10, 10),
    "s4": Sheet(16, 8, 5, 5),
    "c5": Sheet(120, 30, 1, 1, 0),
    "f6": Sheet(84, 28, 1, 1, 0),
}
"""The arrangement of each layer's maps on its sheet."""

Place = tuple[int, ...] | int


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
        look.fbind("version", self._recolor)

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


class LayerMap(Stop, Picture):
    """One layer's maps; a tap or the arrow keys choose a unit.

    Attributes:
        layer: "c1" ... "f6".
        chose: Called with the layer and the place of the chosen unit.
    """

    focused = BooleanProperty(False)
    layer = StringProperty("c1")
    ring_pos = ListProperty([0, 0])
    ring_size = ListProperty([0, 0])

    def __init__(self, **kwargs: Any) -> None:
        self.chose: Callable[[str, Place], None] = lambda layer, place: None
        self.unit: tuple[int, int, int] | None = None
        super().__init__(**kwargs)
        self.bind(drawn_pos=self._ring, drawn_size=self._ring)
        self.clear()

    @property
    def sheet(self) -> Sheet:
        """The arrangement of the maps."""
        return SHEETS[self.layer]

    @property
    def aspect(self) -> float:
        """Height of the sheet as a share of its width; lines of single units are drawn taller."""
        height, width = self.sheet.shape
        return height / width

    def show_values(self, values: np.ndarray) -> None:
        """Show the layer's values."""
        self.show(self.sheet.lay(values), heat.SQUASH_A)

    def clear(self) -> None:
        """Show zeros: nothing is being read."""
        self.show_values(np.zeros(self.sheet.count * self.sheet.height * self.sheet.width))

    def place(self) -> Place:
        """Return the chosen unit as `app.explain` counts."""
        assert self.unit is not None
        return self.unit[0] if self.sheet.height == 1 else self.unit

    def choose(self, unit: tuple[int, int, int] | None) -> None:
        """Choose a unit; None takes the choice back."""
        self.unit = unit
        self._ring()
        if unit is not None:
            self.chose(self.layer, self.place())

    def _ring(self, *_: Any) -> None:
        if self.unit is None:
            self.ring_size = [0, 0]
            return
        height, width = self.sheet.shape
        top, left = self.sheet.corner(self.unit[0])
        step = self.drawn_size[0] / width
        self.ring_size = [step, step]
        self.ring_pos = [
            self.drawn_pos[0] + (left + self.unit[2]) * step,
            self.drawn_pos[1] + (height - 1 - top - self.unit[1]) * step,
        ]

    def on_touch_down(self, touch: Any) -> bool:
        """Choose the unit under a tap."""
        if getattr(touch, "button", "left") not in ("left", None) or not self.collide_point(*touch.pos):
            return False
        if not all(self.drawn_size):
            return False
        x = (touch.x - self.drawn_pos[0]) / self.drawn_size[0]
        y = 1.0 - (touch.y - self.drawn_pos[1]) / self.drawn_size[1]
        # Beside a flat strip the nearest unit is meant: the strip is thinner than a finger.
        unit = self.sheet.unit_at(min(max(x, 0.0), 0.999999), min(max(y, 0.0), 0.999999))
        if unit is not None:
            self.choose(unit)
        return True

    def press_key(self, key: str) -> bool:
        """Move the chosen unit over the sheet with the arrow keys."""
        moves = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
        if key in ("enter", "numpadenter", "spacebar"):
            self.choose(self.unit or (0, self.sheet.height // 2, self.sheet.width // 2))
            return True
        if key not in moves:
            return False
        if self.unit is None:
            self.choose((0, self.sheet.height // 2, self.sheet.width // 2))
            return True
        height, width = self.sheet.shape
        top, left = self.sheet.corner(self.unit[0])
        # A step off a map lands on the next one, across the gap.
        for reach in (1, 1 + self.sheet.gap):
            row = top + self.unit[1] + moves[key][0] * reach
            column = left + self.unit[2] + moves[key][1] * reach
            if not (0 <= row < height and 0 <= column < width):
                return True
            unit = self.sheet.unit_at((column + 0.5) / width, (row + 0.5) / height)
            if unit is not None and unit != self.unit:
                self.choose(unit)
                return True
        return True


class Explained(BoxLayout):
    """The inputs of one unit, its weights, their products and the sum; its looks are in lenet.kv."""

    title = StringProperty("")
    sum_line = StringProperty("")
    names = ListProperty(["", "", ""])
    count = NumericProperty(0)

    def show(self, explanation: Explanation) -> None:
        """Show the pictures of an explanation (the texts are properties)."""
        sources = explanation.sources
        inputs = [source.inputs for source in sources]
        weights = [source.weights for source in sources]
        products = [np.asarray(i) * np.asarray(w) for i, w in zip(inputs, weights, strict=True)]
        columns = math.ceil(math.sqrt(len(sources)))
        for name, parts in (("inputs", inputs), ("weights", weights), ("products", products)):
            sheet = heat.patches(parts, columns)
            reach = heat.SQUASH_A if name == "inputs" else float(max(np.nanmax(np.abs(sheet)), 1e-6))
            self.ids[name].show(sheet, reach)
        self.count = len(sources)
