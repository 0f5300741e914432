"""One stroke as it is drawn on the screen."""

from __future__ import annotations

from typing import Any

from kivy.graphics import Color, Ellipse, InstructionGroup, Line

CHUNK = 64
"""Points of one Line: appending to a Line costs time in proportion to its points."""


class Trace(InstructionGroup):
    """One stroke's line on the screen, which can grow.

    Args:
        width: Of the pen, pixels.
        color: Of the ink.

    Attributes:
        drawn: Number of the points that are on the screen.
    """

    def __init__(self, width: float, color: Any) -> None:
        super().__init__()
        self._width, self.drawn = width, 0
        self._last: list[float] = []
        self.add(Color(*color))
        self._dot: Ellipse | None = None
        self._line: Line | None = None

    def extend(self, flat: list[float]) -> None:
        """Draw the points after those already drawn.

        Args:
            flat: All points so far, x, y, x, y, ...
        """
        count, radius = len(flat) // 2, self._width / 2
        if count == self.drawn:
            return
        if count == 1:
            self._dot = Ellipse(pos=(flat[0] - radius, flat[1] - radius), size=(2 * radius, 2 * radius))
            self.add(self._dot)
            self.drawn = 1
            return
        start = max(self.drawn, 1)
        while start < count:
            if self._line is None or len(self._last) >= 2 * CHUNK:
                # A new line begins where the last one ends, so that there is no gap.
                self._last = flat[2 * (start - 1) : 2 * start]
                self._line = Line(points=[], width=radius, cap="round", joint="round")
                self.add(self._line)
            stop = min(count, start + CHUNK - len(self._last) // 2)
            self._append(flat[2 * start : 2 * stop])
            self._line.points = self._last
            start = stop
        self.drawn = count

    def _append(self, flat: list[float]) -> None:
        """Draw points much nearer than the pen is wide as one: Kivy's joints tear where a line turns in place."""
        least = (self._width / 10) ** 2
        last = self._last
        for i in range(0, len(flat), 2):
            x, y = flat[i], flat[i + 1]
            # The newest point is always drawn, but only for now where the one before is as near.
            if len(last) >= 4 and (last[-2] - last[-4]) ** 2 + (last[-1] - last[-3]) ** 2 < least:
                last[-2:] = [x, y]
            else:
                last += [x, y]
