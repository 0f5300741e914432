"""The CPU plan's arrays: how numbers lie in memory, so that a convolution is one matrix product.

A convolution is quickest as one large matrix product, and NumPy's elementwise functions are quickest on
long contiguous runs. Three choices give both:

1. The batch is the innermost axis. A matrix has one row for each (map, position inside a tile) and one
   column for each (tile, image); n images beside each other keep every run at least n numbers long.

2. A product computes a line of a tile of outputs, not one output. C1 turns 5x8 pixels into 1x4 outputs of
   its 6 maps, C3 turns 5x6 cells of the 6 S2 maps into 1x2 outputs of its 16 maps; two such lines are
   exactly one S4 cell. The 5x5 kernel stands in the weight matrix once for every output of the line,
   shifted, with zeros around it (a Toeplitz matrix; Table I's missing connections are zeros as well). More
   multiplications than needed, but far fewer copies, and products of a shape that BLAS runs at full speed.
   The lines of a tile share its window: each sees some rows of it.

3. Images are kept by "phase": pixel (4 i + p, 4 j + q) lies in row (p, q), column (i, j). Then the pixels
   at one position of all tiles are one run, and gathering the tiles of a batch is one `copyto`.

The first half of the network for n images, as it is trained (sizes are rows x columns; o is a row of ones, for the
biases; where one only reads, c1_in and c3_in are others, see gather_lines.py)::

    images      16 x 64n   rows (y%4, x%4)           columns (y//4, x//4, image)      32x32 pixels, uint8
       |  gather: an 8x8 window at each of the 7x7 tiles
    c1_in       65 x 49n   window lines 0-3 | o | lines 4-7, of 8 pixels    columns (tile y, tile x, image)
       |  four products with (24 x 41) weights: output line k of the tile sees rows 8k to 8k + 40,
       |  which are window lines k to k + 4 and, somewhere among them, o
    c1     4 x 24 x 49n    rows line x (x%2, x//2, map)  =  2 x phase x 12 S2 rows
       |  squash; add the four phases (the 2x2 cells that S2 adds)
    s2          24 x 49n   rows (y%2, x%2, map)      columns (y//2, x//2, image)      6 maps of 14x14
       |  coefficient, bias, squash; gather: a 6x6 window at each of the 5x5 tiles
    c3_in      218 x 25n   o | rows (y, x, map) of 6x6x6 | o    columns (tile y, tile x, image)
       |           rows   0-180: o, window lines 0-4  -->  output line 0 of the tile
       |           rows 37-217: window lines 1-5, o   -->  output line 1
       |  two products, each with half of the (64 x 218) weights (which in one piece serve the way back)
    c3          64 x 25n   rows (phase, map), phase (line, x)
       |  squash; add the four phases
    s4          16 x 25n   rows (map)                columns (y, x, image)            16 maps of 5x5
       |  coefficient, bias, squash; the same memory seen as 400 x n
    c5, f6, output         (120, 84, classes) x n: plain products with the parameters as they lie
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lenet_gpu.engine.cpu.spec import GRID, PIXELS, PlanSpec
from lenet_gpu.paper import C3_TABLE, KERNEL_SIZE

K = KERNEL_SIZE
GRID_STRIDE = GRID + 16
"""From grid to grid in `rows`: at 4096 bytes one pixel of all images would compete for one line of the cache."""
C1_MAPS, C3_MAPS, C5_MAPS, F6_UNITS = 6, 16, 120, 84

C1_TILES = 7
"""C1's 28x28 outputs are 7x7 tiles of 4x4; S2's 14x14 cells are 7x7 tiles of 2x2."""
C1_WINDOW = 8
"""A 4x4 tile of outputs sees 8x8 pixels."""
C1_LINE = 1 + K * C1_WINDOW
"""Rows of `c1_in` that an output line of a tile sees: the ones, and 5 lines of 8 pixels."""
C1_ONES = 4 * C1_WINDOW
"""Row of `c1_in` that holds the ones: in the middle of the window, where all four output lines see it."""
C1_PAIR = 6
"""Pixels of a line that two outputs of C1 side by side see."""
C1_PARAMETERS = C1_MAPS * (K * K + 1)
"""C1's parameters, map by map: the kernel, then the bias."""

C3_TILES = 5
"""C3's 10x10 outputs are 5x5 tiles of 2x2, which S4 turns into 5x5 cells."""
C3_WINDOW = 6
"""A 2x2 tile of outputs sees 6x6 cells of S2."""
C3_LINE = C3_WINDOW * C1_MAPS
"""Rows of `c3_in` that are a line of the window."""
C3_ROWS = 2 + C3_WINDOW * C3_LINE
"""Rows of `c3_in`."""
C3_HALF = 1 + K * C3_LINE
"""Rows of it that an output line of a tile sees: the ones, and 5 lines of 6 cells of 6 maps."""
C3_KERNELS = sum(len(row) for row in C3_TABLE)
C3_PARAMETERS = C3_KERNELS * K * K + C3_MAPS
"""C3's parameters: its kernels, then its biases."""


def aligned(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Make an array of zeros that begins with a cache line of 64 bytes, which makes products a little faster."""
    size = prod(shape) * np.dtype(dtype).itemsize
    flat = np.zeros(size + 64, np.uint8)
    start = -flat.ctypes.data % 64
    return flat[start : start + size].view(dtype).reshape(shape)


class Buffers:
    """The plan's arrays for as many images as its capacity; `cut` hands out what n images use of them.

    Args:
        spec: What the plan is made for.
        gathered: Rows, and columns for each image, of the arrays that windows are gathered in; see `Gather`.

    Attributes:
        ready_for: The number of images for which rows of ones and empty margins have been written.
    """

    def __init__(self, spec: PlanSpec, gathered: Mapping[str, tuple[int, int]]) -> None:
        dtype, pixels = spec.dtype, spec.pixel_dtype
        s2, s4 = (4 * C1_MAPS, C1_TILES**2, dtype), (C3_MAPS, C3_TILES**2, dtype)
        self._sizes: dict[str, tuple[int, int, np.dtype]] = {
            "rows": (1, GRID_STRIDE if spec.grid else PIXELS, pixels),
            "images": (*gathered["images"], pixels),
            "c1_in": (*gathered["c1_in"], dtype),
            "c1": (16 * C1_MAPS, C1_TILES**2, dtype),
            "scratch": (16 * C1_MAPS, C1_TILES**2, dtype),  # for as much as is squashed at once
            "s2": s2,
            "c3_in": (*gathered["c3_in"], dtype),
            "c3": (4 * C3_MAPS, C3_TILES**2, dtype),
            "s4": s4,
        }
        self._dense: dict[str, tuple[int, int, np.dtype]] = {
            "c5": (C5_MAPS, 1, dtype), "f6": (F6_UNITS, 1, dtype), "dense_scratch": (C5_MAPS, 1, dtype),
        }  # fmt: skip
        if spec.training:
            self._sizes |= {
                "s2_sum": s2,
                "s4_sum": s4,
                "s2_delta": s2,
                "s4_delta": s4,
                "c5_delta": self._dense["c5"],
                "f6_delta": self._dense["f6"],
                # C3's windows on their way back to S2: see `fold_views`.
                "fold_y": (3 * 12 * C3_WINDOW, C1_TILES * C3_TILES, dtype),
                "fold_x": (3 * 4 * C1_MAPS, C1_TILES**2, dtype),
            }
        if spec.together > spec.capacity:
            self._dense["s4_together"] = (C3_MAPS * C3_TILES**2, 1, dtype)
        self._flat = {
            name: aligned((rows * columns * images,), kind)
            for sizes, images in ((self._sizes, spec.capacity), (self._dense, spec.together))
            for name, (rows, columns, kind) in sizes.items()
        }
        self.ready_for = 0

    def cut(self, n: int) -> dict[str, np.ndarray]:
        """Give views (rows, columns * n) for n images, n at most the capacity.

        All start where those of any other n start. What is to stay unchanged from step to step (rows of ones,
        empty margins) must be written again before the first step of another n.
        """
        return self._cut(self._sizes, n)

    def cut_dense(self, n: int) -> dict[str, np.ndarray]:
        """Give views of the fully connected layers' arrays for n images, n at most as many as go through together."""
        return self._cut(self._dense, n)

    def _cut(self, sizes: Mapping[str, tuple[int, int, np.dtype]], n: int) -> dict[str, np.ndarray]:
        return {
            name: self._flat[name][: rows * columns * n].reshape(rows, columns * n)
            for name, (rows, columns, _) in sizes.items()
        }


def maps_of(name: str, array: np.ndarray, n: int, *, training: bool) -> np.ndarray:
    """View a layer's array as the paper's maps.

    Args:
        name: "c1", "s2", "c3", "s4", "c5" or "f6".
        array: The buffer of that name, as `Buffers.cut` gives it.
        n: Number of images.
        training: Whether C1 and S2 lie as drawn above, or as where one only reads (gather_lines.py).

    Returns:
        (n, maps, height, width) view; (n, units) of c5 and f6.
    """
    if name == "c1" and not training:
        tiles = array.reshape(4, 2, C1_MAPS, C1_TILES, 2, C1_TILES, n)  # line, x % 2, map, tile y, p, tile x, n
        return tiles.transpose(6, 2, 3, 0, 5, 4, 1).reshape(n, C1_MAPS, 4 * C1_TILES, 4 * C1_TILES)
    if name == "s2" and not training:
        cells = array.reshape(2, C1_MAPS, C1_TILES, 2, C1_TILES, n)  # y % 2, map, y // 2, x % 2, x // 2, n
        return cells.transpose(5, 1, 2, 0, 4, 3).reshape(n, C1_MAPS, 2 * C1_TILES, 2 * C1_TILES)
    if name == "c1":
        tiles = array.reshape(4, 2, 2, C1_MAPS, C1_TILES, C1_TILES, n)  # line, x % 2, x // 2, map, tile y, tile x, n
        return tiles.transpose(6, 3, 4, 0, 5, 2, 1).reshape(n, C1_MAPS, 4 * C1_TILES, 4 * C1_TILES)
    if name == "s2":
        cells = array.reshape(2, 2, C1_MAPS, C1_TILES, C1_TILES, n)  # y % 2, x % 2, map, y // 2, x // 2, n
        return cells.transpose(5, 2, 3, 0, 4, 1).reshape(n, C1_MAPS, 2 * C1_TILES, 2 * C1_TILES)
    if name == "c3":
        tiles = array.reshape(2, 2, C3_MAPS, C3_TILES, C3_TILES, n)  # line, x, map, tile y, tile x, n
        return tiles.transpose(5, 2, 3, 0, 4, 1).reshape(n, C3_MAPS, 2 * C3_TILES, 2 * C3_TILES)
    if name == "s4":
        return array.reshape(C3_MAPS, C3_TILES, C3_TILES, n).transpose(3, 0, 1, 2)  # (n, 16, 5, 5)
    return array.T  # (n, units)


def fold_views(
    fold_y: np.ndarray, tall: np.ndarray, fold_x: np.ndarray, n: int
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """View the arrays through which the derivatives of C3's windows return to S2's cells, each in up to 9 windows.

    Line y of the window of tile line i is line y // 2 + i of S2's (phase's) 7 lines. So the third of the
    windows with y // 2 = k is written into an array of 7 lines that has k empty lines above it and 2 - k
    below: the thirds can be added as whole arrays. Then the same along x. The sums go elsewhere, for the empty
    lines must stay empty.

    Args:
        fold_y: (216, 35 n), rows (y // 2, y % 2, x // 2, (x % 2, map)), columns (7 lines, 5 tiles, image).
        tall: (2520 n,), receives the sum of fold_y's thirds.
        fold_x: (72, 49 n), rows (x // 2, y % 2, (x % 2, map)), columns (7, 7, image).
        n: Number of images.

    Returns:
        Where the product for each of the three y // 2 goes, (72, 25 n) each; `tall` and its destination in
        fold_x, both as (3, 2, 12, 7, 5 n): x // 2, y % 2, (x % 2, map), line, (tile, image).
    """
    line = C3_TILES * n
    thirds = fold_y.reshape(3, -1, C1_TILES * line)
    products = [third[:, k * line : (k + C3_TILES) * line] for k, third in enumerate(thirds)]
    source = tall.reshape(2, 3, 2 * C1_MAPS, C1_TILES, line).transpose(1, 0, 2, 3, 4)
    wide = fold_x.reshape(3, 2, 2 * C1_MAPS, C1_TILES, C1_TILES * n)
    k, p, row, y, one = wide.strides
    return products, source, as_strided(wide, source.shape, (k + n * one, p, row, y, one))
