"""The insides of the network as pictures: one texture a layer, a unit to look at, and what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kivy.graphics import Color, InstructionGroup, Line
from kivy.metrics import dp
from kivy.properties import BooleanProperty, ListProperty, StringProperty

from .. import heat
from ..field import PICTURE, Field
from ..heat import Sheet
from .look import look
from .picture import Picture
from .tap import Stop

SHEETS = {
    PICTURE: Sheet(1, 1, 32, 32),
    "c1": Sheet(6, 6, 28, 28),
    "s2": Sheet(6, 6, 14, 14),
    "c3": Sheet(16, 8, 10, 10),
    "s4": Sheet(16, 8, 5, 5),
    "c5": Sheet(120, 30, 1, 1, 0),
    "f6": Sheet(84, 28, 1, 1, 0),
}
"""The arrangement of each layer's maps on its sheet."""

Place = tuple[int, ...] | int


class MapSheet(Picture):
    """One layer's maps on a sheet, with frames around the part that a unit sees.

    Attributes:
        layer: Key of `SHEETS`.
    """

    layer = StringProperty("c1")

    def __init__(self, **kwargs: Any) -> None:
        self._field: Field | None = None
        self._frames = InstructionGroup()
        super().__init__(**kwargs)
        self.canvas.after.add(self._frames)
        self.bind(drawn_pos=self._frame, drawn_size=self._frame)
        look.bind(version=self._frame)
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

    def show_field(self, field: Field | None) -> None:
        """Frame a part of each map that feeds a unit; None takes the frames away."""
        self._field = field
        self._frame()

    def _frame(self, *_: Any) -> None:
        self._frames.clear()
        field = self._field
        if field is None or not all(self.drawn_size):
            return
        height, width = self.sheet.shape
        step = self.drawn_size[0] / width
        boxes = [(*self.sheet.corner(i), field.height, field.width) for i in field.maps]
        if len(field.maps) == self.sheet.count and self.sheet.gap == 0:
            boxes = [(-field.top, -field.left, height, width)]  # single units, all of them: one frame around
        # Dark in light, or light in dark: seen on every colour of a map.
        for color, line in ((look.surface, dp(2)), (look.text, dp(1))):
            self._frames.add(Color(*color))
            for top, left, rows, columns in boxes:
                x = self.drawn_pos[0] + (left + field.left) * step
                y = self.drawn_pos[1] + (height - top - field.top - rows) * step
                self._frames.add(Line(rectangle=(x, y, columns * step, rows * step), width=line))


class LayerMap(Stop, MapSheet):
    """One layer's maps; a tap or the arrow keys choose a unit.

    Attributes:
        chose: Called with the layer and the place of the chosen unit.
    """

    focused = BooleanProperty(False)
    ring_pos = ListProperty([0, 0])
    ring_size = ListProperty([0, 0])

    def __init__(self, **kwargs: Any) -> None:
        self.chose: Callable[[str, Place], None] = lambda layer, place: None
        self.unit: tuple[int, ...] | None = None
        super().__init__(**kwargs)
        self.bind(drawn_pos=self._ring, drawn_size=self._ring)

    def place(self) -> Place:
        """Return the chosen unit as `app.explain` counts."""
        assert self.unit is not None
        return self.unit[0] if self.sheet.height == 1 else self.unit

    def choose(self, unit: tuple[int, ...]) -> None:
        """Choose a unit."""
        self.mark(unit)
        self.chose(self.layer, self.place())

    def mark(self, unit: tuple[int, ...] | None) -> None:
        """Mark a unit; None takes the mark away."""
        self.unit = unit
        self._ring()

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
