"""The windows that the CPU plan's two convolutions see, gathered by tiles to train; to read, see gather_lines.py.

Both leave the same arrays behind (layout.py), but for the order of C1 and S2. `Tiles` copies every window whole,
so that one product over all tiles gives a gradient of the weights, and windows can be folded back onto what they
were cut from. `Lines` serves where there is no way back: windows that lie below each other share their lines in
memory, which is half of the copying; so C1 may have windows of two outputs instead of four, which spares
multiplications; and there are more and smaller products.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lenet_gpu.engine.cpu.layout import (
    C1_LINE,
    C1_MAPS,
    C1_ONES,
    C1_TILES,
    C1_WINDOW,
    C3_HALF,
    C3_MAPS,
    C3_ROWS,
    C3_TILES,
)
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import GRID
from lenet_gpu.engine.cpu.weights import Weights

Arrays = Mapping[str, np.ndarray]
"""The plan's arrays by name, as `Buffers.cut` gives them."""

Pairs = list[tuple[np.ndarray, np.ndarray]]
"""(destination, source) views of equal shape."""


class Gather(Protocol):
    """A way to gather windows, and the products with them.

    Attributes:
        sizes: Rows, and columns for each image, of the arrays that it needs: images, c1_in, c3_in.
    """

    sizes: ClassVar[dict[str, tuple[int, int]]]

    def restore(self, do: Recorder, b: Arrays) -> None:
        """Record what writes all that the other calls expect to find; needed after another number of images."""

    def load(self, do: Recorder, b: Arrays, n: int) -> None:
        """Record the gathering of C1's windows from the images."""

    def c1(self, do: Recorder, b: Arrays, n: int, weights: Weights, line: int) -> None:
        """Record the product that gives an output line of all of C1's tiles."""

    def c3(self, do: Recorder, b: Arrays, n: int, weights: Weights) -> None:
        """Record the gathering of C3's windows from S2, and the products with them."""


class Tiles:
    """Every window copied whole, as layout.py draws it.

    Args:
        grid: Whether images come as whole grids of 32x32.
    """

    sizes: ClassVar[dict[str, tuple[int, int]]] = {
        "images": (16, 64), "c1_in": (1 + C1_WINDOW**2, C1_TILES**2), "c3_in": (C3_ROWS, C3_TILES**2),
    }  # fmt: skip

    def __init__(self, grid: bool) -> None:
        self._phases = grid_phases if grid else image_quarters

    def restore(self, do: Recorder, b: Arrays) -> None:
        """Record rows of ones and an empty margin."""
        do.fill(b["images"], 0)
        do.fill(b["c1_in"][C1_ONES], 1)
        do.fill(b["c3_in"][0], 1)
        do.fill(b["c3_in"][-1], 1)

    def load(self, do: Recorder, b: Arrays, n: int) -> None:
        """Record the gathering of C1's windows."""
        for destination, source in self._phases(b["rows"], b["images"], n):
            do.copyto(destination, source)
        do.copyto(c1_window_rows(b["c1_in"], n), c1_windows(b["images"], n))

    def c1(self, do: Recorder, b: Arrays, n: int, weights: Weights, line: int) -> None:
        """Record an output line of all tiles: one product."""
        out = b["c1"].reshape(4, 4 * C1_MAPS, -1)[line]
        do.product_by_rows(weights.c1[line], c1_line(b["c1_in"], line), out=out)

    def c3(self, do: Recorder, b: Arrays, n: int, weights: Weights) -> None:
        """Record C3's windows, and a product for each of the two output lines of all tiles."""
        windows = c3_windows(b["s2"], n)
        upper, lower = b["c3"].reshape(2, 2 * C3_MAPS, -1)  # line, (x, map), (tile, image)
        do.copyto(b["c3_in"][1:-1].reshape(windows.shape), windows)
        do.product_by_columns(weights.c3[: 2 * C3_MAPS, :C3_HALF], b["c3_in"][:C3_HALF], out=upper, unit=n)
        do.product_by_columns(weights.c3[2 * C3_MAPS :, -C3_HALF:], b["c3_in"][-C3_HALF:], out=lower, unit=n)


# ---- tiles


def image_quarters(rows: np.ndarray, images: np.ndarray, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pair the (destination, source) views that turn n images of 28x28 into phases, batch innermost.

    An image's first pixel is pixel (2, 2) of the padded 32x32 grid: lines with y % 4 of 2 and 3 start at
    y // 4 = 0, those with 0 and 1 at y // 4 = 1. So each axis falls into two halves, an image into four quarters.

    Args:
        rows: (1, 784 n), the images one after another.
        images: (16, 64 n), the phases.
        n: Number of images.

    Returns:
        Four pairs of views of equal shape (2, 2, 7, 7, n).
    """
    source = rows.reshape(n, 7, 2, 2, 7, 2, 2)  # image, y // 4, y half, y % 2, x // 4, x half, x % 2
    phases = images.reshape(4, 4, 8, 8, n)
    halves = ((slice(2, 4), slice(0, 7)), (slice(0, 2), slice(1, 8)))  # phases and tiles of each
    pairs = []
    for y, (y_phase, y_tile) in enumerate(halves):
        for x, (x_phase, x_tile) in enumerate(halves):
            quarter = source[:, :, y, :, :, x, :].transpose(2, 4, 1, 3, 0)  # (2, 2, 7, 7, n)
            pairs.append((phases[y_phase, x_phase, y_tile, x_tile], quarter))
    return pairs


def grid_phases(rows: np.ndarray, images: np.ndarray, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pair the (destination, source) views that turn n whole grids of 32x32 into phases, batch innermost.

    Args:
        rows: (1, GRID_STRIDE n), the grids one after another.
        images: (16, 64 n), the phases.
        n: Number of images.

    Returns:
        One pair of views of shape (4, 4, 8, 8, n), in a list as `image_quarters` gives it.
    """
    source = rows.reshape(n, -1)[:, :GRID].reshape(n, 8, 4, 8, 4)  # image, y // 4, y % 4, x // 4, x % 4
    return [(images.reshape(4, 4, 8, 8, n), source.transpose(2, 4, 1, 3, 0))]


def c1_windows(images: np.ndarray, n: int) -> np.ndarray:
    """View the phases as the 8x8 window of every C1 tile.

    Line y of the window is phase y % 4 of the tile y // 4 further down.

    Args:
        images: (16, 64 n), the phases.
        n: Number of images.

    Returns:
        (2, 4, 2, 4, 7, 7 n) view: y // 4, y % 4, x // 4, x % 4, tile y, (tile x, image).
    """
    phases = images.reshape(4, 4, 8, 8 * n)
    p, q, line, one = phases.strides
    return as_strided(phases, (2, 4, 2, 4, C1_TILES, C1_TILES * n), (line, p, n * one, q, line, one))


def c1_window_rows(c1_in: np.ndarray, n: int) -> np.ndarray:
    """View the rows of `c1_in` above and below the ones in the shape of `c1_windows`, which is copied there."""
    row, one = c1_in.strides
    shape = (2, 4, 2, 4, C1_TILES, C1_TILES * n)
    strides = ((C1_ONES + 1) * row, C1_WINDOW * row, 4 * row, row, C1_TILES * n * one, one)
    return as_strided(c1_in, shape, strides)


def c1_line(c1_in: np.ndarray, line: int) -> np.ndarray:
    """View the rows of `c1_in` that an output line of all tiles sees, (41, 49 n)."""
    return c1_in[line * C1_WINDOW : line * C1_WINDOW + C1_LINE]


def c3_windows(s2: np.ndarray, n: int) -> np.ndarray:
    """View S2 as the 6x6 window of every C3 tile in all 6 maps.

    Args:
        s2: (24, 49 n), rows (y % 2, x % 2, map).
        n: Number of images.

    Returns:
        (3, 2, 3, 12, 5, 5 n) view: y // 2, y % 2, x // 2, (x % 2, map), tile y, (tile x, image).
    """
    cells = s2.reshape(2, 2 * C1_MAPS, C1_TILES, C1_TILES * n)
    p, row, line, one = cells.strides
    shape = (3, 2, 3, 2 * C1_MAPS, C3_TILES, C3_TILES * n)
    return as_strided(cells, shape, (line, p, n * one, row, line, one))
