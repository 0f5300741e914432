"""Arrays as pictures: activations to colours, and many small maps on one sheet. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lenet_gpu.paper import SQUASH_A

from .theme import Theme


def table(theme: Theme) -> np.ndarray:
    """Make the 256 colours from the least to the greatest value, (256, 3) uint8."""
    stops = np.array([theme.below[:3], theme.zero[:3], theme.above[:3]])
    places = np.linspace(-1.0, 1.0, 256)
    columns = [np.interp(places, [-1.0, 0.0, 1.0], stops[:, i]) for i in range(3)]
    return np.rint(np.stack(columns, axis=1) * 255.0).astype(np.uint8)


def colors(values: np.ndarray, color_table: np.ndarray, reach: float = SQUASH_A) -> np.ndarray:
    """Colour every value.

    Args:
        values: (h, w) float; NaN takes the middle colour.
        color_table: (256, 3) uint8.
        reach: The value that gets the strongest colour, likewise its negative.

    Returns:
        (h, w, 3) uint8.
    """
    share = np.nan_to_num(values, nan=0.0) * (127.5 / max(reach, 1e-9)) + 127.5
    return color_table[np.clip(np.rint(share), 0, 255).astype(np.uint8)]


@dataclass(frozen=True)
class Sheet:
    """The arrangement of maps of one size on a sheet, row by row, with a pixel between two.

    Attributes:
        count: Number of maps.
        columns: Maps in a row.
        height: Of a map, pixels.
        width: Of a map, pixels.
        gap: Pixels between two maps.
    """

    count: int
    columns: int
    height: int
    width: int
    gap: int = 1

    @property
    def rows(self) -> int:
        """Rows of maps."""
        return -(-self.count // self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the sheet, pixels."""
        return (
            self.rows * (self.height + self.gap) - self.gap,
            self.columns * (self.width + self.gap) - self.gap,
        )

    def corner(self, index: int) -> tuple[int, int]:
        """Return the first row and column of a map on the sheet."""
        row, column = divmod(index, self.columns)
        return row * (self.height + self.gap), column * (self.width + self.gap)

    def lay(self, maps: np.ndarray) -> np.ndarray:
        """Put maps on a sheet.

        Args:
            maps: (count, height, width).

        Returns:
            `shape` float32, NaN between the maps.
        """
        sheet = np.full(self.shape, np.nan, dtype=np.float32)
        for index, one in enumerate(np.reshape(maps, (self.count, self.height, self.width))):
            top, left = self.corner(index)
            sheet[top : top + self.height, left : left + self.width] = one
        return sheet

    def unit_at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Find the unit under a place on the sheet.

        Args:
            x: Share of the sheet's width from the left, 0..1.
            y: Share of its height from the top, 0..1.

        Returns:
            map, row, column; in a gap the unit beside it; None outside or where no map lies.
        """
        height, width = self.shape
        if not (0.0 <= x < 1.0 and 0.0 <= y < 1.0):
            return None
        row, inner_row = divmod(int(y * height), self.height + self.gap)
        column, inner_column = divmod(int(x * width), self.width + self.gap)
        index = row * self.columns + column
        if index >= self.count:
            return None
        return index, min(inner_row, self.height - 1), min(inner_column, self.width - 1)


def patches(parts: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay small arrays of one shape side by side, (h, w) float32 with NaN between; single numbers become 1x1."""
    stack = np.stack([np.atleast_2d(np.asarray(part, dtype=np.float32)) for part in parts])
    return Sheet(len(stack), min(columns, len(stack)), *stack.shape[1:]).lay(stack)
