"""The windows that the CPU plan's two convolutions see, gathered by tiles to train and by lines to read.

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
    C1_PAIR,
    C1_TILES,
    C1_WINDOW,
    C3_HALF,
    C3_LINE,
    C3_MAPS,
    C3_ROWS,
    C3_TILES,
    K,
)
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import GRID, PlanSpec
from lenet_gpu.engine.cpu.weights import Weights

Arrays = Mapping[str, np.ndarray]
"""The plan's arrays by name, as `Buffers.cut` gives them."""

Pairs = list[tuple[np.ndarray, np.ndarray]]
"""(destination, source) views of equal shape."""

C1_GROUP = 4 * C1_PAIR + 1
"""Rows of `Lines`' `c1_in` from a tile to the one below: four lines of the window, and the ones."""

C3_LINES = 2 * C1_TILES
"""Lines of S2."""


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


class Lines:
    """Windows side by side copied, windows below each other as views of the same lines.

    A window of five lines is a run of rows, and the next window begins some rows further down. C1's tiles are two
    outputs wide; the even ones of a line and the odd ones stand together (p, below), as C3 wants S2's cells::

        images      32 x 32n    rows (y)    columns (x%2, x//2%2, x//4, image)
           |  gather: at each of 14 tiles in x, 6 pixels of every line
        c1_in  8 x 25 x 14n     eight times 4 lines of 6 pixels, then a row of ones; columns (p, tile x, image)
           |  for tile line i rows 25 i + 6 k to 25 i + 6 k + 30: window lines k to k + 4 and, among them, the ones;
           |  4 x 7 products with the (12 x 31) weights of output line k
        c1     4 x 12 x 98n     rows line x (x%2, map), columns (tile y, p, tile x, image)
        s2         12 x 98n     rows (y%2, map), columns (y//2, x%2, x//2, image)
           |  gather: at each of 5 tiles in x, 6 cells of 6 maps of every line, then a row of ones
        c3_in 14 x 37 x  5n
           |  for output line y rows 37 y to 37 y + 184: five lines; 10 products with the same (32 x 185) weights
        c3, s4                  as in layout.py

    Args:
        grid: Whether images come as whole grids of 32x32.
    """

    sizes: ClassVar[dict[str, tuple[int, int]]] = {
        "images": (32, 32), "c1_in": (8 * C1_GROUP, 2 * C1_TILES), "c3_in": (C3_LINES * (C3_LINE + 1), C3_TILES),
    }  # fmt: skip

    def __init__(self, grid: bool) -> None:
        self._grid = grid

    def restore(self, do: Recorder, b: Arrays) -> None:
        """Record rows of ones and an empty margin."""
        do.fill(b["images"], 0)
        do.fill(b["c1_in"].reshape(8, C1_GROUP, -1)[:, -1], 1)
        do.fill(b["c3_in"].reshape(C3_LINES, C3_LINE + 1, -1)[:, -1], 1)

    def load(self, do: Recorder, b: Arrays, n: int) -> None:
        """Record the gathering of C1's windows."""
        images = b["images"].reshape(32, 2, 2, 8, n)  # y, x % 2, x // 2 % 2, x // 4, image
        if self._grid:
            source = b["rows"].reshape(n, -1)[:, :GRID].reshape(n, 32, 8, 2, 2)
            do.copyto(images, source.transpose(1, 4, 3, 2, 0))
        else:  # an image's first pixel is pixel (2, 2) of the grid, as for `image_quarters`
            halves = b["rows"].reshape(n, 28, 7, 2, 2).transpose(3, 1, 4, 2, 0)  # x half, y, x % 2, x // 4, image
            do.copyto(images[2:-2, :, 1, :-1], halves[0])
            do.copyto(images[2:-2, :, 0, 1:], halves[1])
        for destination, windows in pair_windows(images, b["c1_in"], n):
            do.copyto(destination, windows)

    def c1(self, do: Recorder, b: Arrays, n: int, weights: Weights, line: int) -> None:
        """Record an output line of all tiles: a product for each line of tiles."""
        row, one = b["c1_in"].strides
        first, shape = b["c1_in"][line * C1_PAIR :], (C1_TILES, K * C1_PAIR + 1, 2 * C1_TILES * n)
        windows = as_strided(first, shape, (C1_GROUP * row, row, one))
        out = b["c1"].reshape(4, 2 * C1_MAPS, C1_TILES, -1)[line]  # (x % 2, map), tile y, (p, tile x, image)
        do.matmul(weights.c1_pairs[line], windows, out=out.transpose(1, 0, 2))

    def c3(self, do: Recorder, b: Arrays, n: int, weights: Weights) -> None:
        """Record C3's lines, and a product for each line of outputs."""
        cells = b["s2"].reshape(2, C1_MAPS, C1_TILES, 2, -1)  # y % 2, map, y // 2, x % 2, (x // 2, image)
        odd_y, cell, y, odd_x, one = cells.strides
        shape = (C1_TILES, 2, 3, 2, C1_MAPS, C3_TILES * n)  # y // 2, y % 2, x // 2, x % 2, map, (tile x, image)
        rows = b["c3_in"].reshape(C1_TILES, 2, C3_LINE + 1, -1)[:, :, :-1].reshape(shape)
        do.copyto(rows, as_strided(cells, shape, (y, odd_y, n * one, odd_x, cell, one)))
        row, column = b["c3_in"].strides
        line = (C3_LINE + 1) * row
        windows = as_strided(
            b["c3_in"], (C3_TILES, 2, K * (C3_LINE + 1), C3_TILES * n), (2 * line, line, row, column)
        )
        out = b["c3"].reshape(2, 2 * C3_MAPS, C3_TILES, -1)  # line, (x, map), tile y, (tile x, image)
        do.matmul(weights.c3_line, windows, out=out.transpose(2, 0, 1, 3))


def make_gather(spec: PlanSpec) -> Gather:
    """Choose the way to gather for a plan."""
    return Tiles(spec.grid) if spec.training else Lines(spec.grid)


# ---- lines


def pair_windows(images: np.ndarray, c1_in: np.ndarray, n: int) -> Pairs:
    """Pair the (destination, source) views that gather 6 pixels of every line at each of C1's 14 tiles in x.

    Pixels 2a and 2a + 1 of window (p, tile) have x // 2 = 2 tile + p + a, of which the images keep even and odd ones
    apart. Where both p and a are 0 or 1 more, p goes on by a tile and a by a half; what is left are two copies.

    Args:
        images: (32, 2, 2, 8, n): y, x % 2, x // 2 % 2, x // 4, image.
        c1_in: (200, 14 n): see `Lines`.
        n: Number of images.

    Returns:
        Three pairs.
    """
    line, odd, half, tile, pixel = images.strides
    row, one = c1_in.strides
    run, of_p = C1_TILES * n, C1_TILES * n * one
    far, near = (4 * line, line), (C1_GROUP * row, C1_PAIR * row)
    pairs = []
    for shape, where, first, strides, rows in (
        (
            (2, 2, 2, run),
            c1_in,
            images,
            (tile, half, odd, pixel),
            (of_p + 2 * row, 2 * row, row, one),
        ),  # p, a - p, x % 2
        ((2, run), c1_in[4:], images[:, :, 0, 1:], (odd, pixel), (row, one)),  # p = 0, a = 2
        ((2, run), c1_in[:, run:], images[:, :, 1], (odd, pixel), (row, one)),  # p = 1, a = 0
    ):
        pairs.append(
            (as_strided(where, (8, 4, *shape), (*near, *rows)), as_strided(first, (8, 4, *shape), (*far, *strides)))
        )
    return pairs


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
