"""The windows that the CPU plan's two convolutions see where one only reads, gathered by lines.

There is no way back to the windows then, so that those below each other may be views of the same lines (gather.py).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lenet_gpu.engine.cpu.gather import Arrays, Pairs
from lenet_gpu.engine.cpu.layout import C1_MAPS, C1_PAIR, C1_TILES, C3_LINE, C3_MAPS, C3_TILES, K
from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.engine.cpu.spec import GRID
from lenet_gpu.engine.cpu.weights import Weights

C1_GROUP = 4 * C1_PAIR + 1
"""Rows of `Lines`' `c1_in` from a tile to the one below: four lines of the window, and the ones."""

C3_LINES = 2 * C1_TILES
"""Lines of S2."""


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
