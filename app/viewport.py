"""The mapping of ink units to the canvas. No Kivy here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ink import Box, Point


@dataclass(frozen=True)
class Viewport:
    """The mapping of ink units to the canvas: the shorter side is one unit, less where the ink would not fit.

    Attributes:
        x: Left edge of the canvas, pixels.
        y: Lower edge of the canvas, pixels (pixels count upwards).
        width: Pixels.
        height: Pixels.
        scale: Pixels a unit.
    """

    x: float
    y: float
    width: float
    height: float
    scale: float

    @classmethod
    def fit(
        cls, x: float, y: float, width: float, height: float, bounds: Box | None, margin: float = 0.0
    ) -> Viewport:
        """Fit a canvas so that all ink is seen.

        Args:
            x: Left edge, pixels.
            y: Lower edge, pixels.
            width: Pixels.
            height: Pixels.
            bounds: Box around the ink, if any.
            margin: Room for half the pen, pixels.
        """
        width, height = max(width, 1.0), max(height, 1.0)
        scale = min(width, height)
        if bounds is not None:
            reach_x, reach_y = max(-bounds[0], bounds[2], 1e-9), max(-bounds[1], bounds[3], 1e-9)
            # Ink that lies inside stays as it is: a little tolerance keeps rounding from shrinking it.
            for reach, side in ((reach_x, width), (reach_y, height)):
                if reach * scale > side / 2 * (1 + 1e-6):
                    scale = max(side / 2 - margin, side / 4) / reach
        return cls(x, y, width, height, scale)

    def to_ink(self, x: float, y: float) -> Point:
        """Window pixels (y up) to ink units (y down)."""
        return (x - self.x - self.width / 2) / self.scale, (self.y + self.height / 2 - y) / self.scale

    def to_pixels(self, point: Point) -> Point:
        """Ink units to window pixels."""
        return self.x + self.width / 2 + point[0] * self.scale, self.y + self.height / 2 - point[1] * self.scale

    def points(self, points: np.ndarray) -> list[float]:
        """(n, 2) ink units to a flat list of pixels, as Kivy's Line takes them."""
        flat = points * (self.scale, -self.scale) + (self.x + self.width / 2, self.y + self.height / 2)
        return flat.ravel().tolist()

    @property
    def box(self) -> Box:
        """The canvas in ink units."""
        half_x, half_y = self.width / 2 / self.scale, self.height / 2 / self.scale
        return -half_x, -half_y, half_x, half_y
