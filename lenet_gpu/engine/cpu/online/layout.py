"""Layout of parameters and windows in the plan for steps of one image (plan.py).

The gathers go through a half-way array that holds a map's rows shifted by 0 ... 4 columns: the pixels at one
position of all windows are then one long run of it. That takes 5 or 6 copies of short runs instead of 25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from lenet_gpu.engine.cpu.ops import Recorder
from lenet_gpu.nn.layer import named_views
from lenet_gpu.paper import C3_TABLE, KERNEL_SIZE, SQUASH_A, SQUASH_S

K = KERNEL_SIZE

C5_ROW, F6_ROW = 416, 128
"""Inputs of C5 (400) and F6 (120), a one for the bias, and zeros up to whole cache lines."""

OWN_SHAPES = {
    "c1": (6, K * K + 1),  # inputs u, v, bias
    "s2": (2, 6),  # coefficients, biases
    "c3": (16, K, K, 6),  # inputs u, v, map
    "c3_bias": (16,),
    "s4": (2, 16),
    "c5": (120, C5_ROW),
    "f6": (84, F6_ROW),
}
"""The plan's own parameter buffer."""

OWN_SIZE = sum(prod(shape) for shape in OWN_SHAPES.values())


def gather_c1(do: Recorder, grid: np.ndarray, shifted: np.ndarray, columns: np.ndarray) -> None:
    """Copy every 5x5 window of the input layer to a column, the four phases of S2's cells one after the other.

    The window of the unit at row 2y + p and column 2x + q, 0 <= p, q < 2, has its pixel (u, v) at row
    2y + (u + p) and column 2x + (v + q). So with rows and columns taken apart by parity, the pixels (u, v) of
    all windows of a phase are one run.

    Args:
        do: Receives the calls.
        grid: (32, 32).
        shifted: Receives grid[2m + r, 2x + s] at [s, r, m, x], (6, 2, 16, 14).
        columns: Receives the windows in its first 25 rows (u, v); columns (p, q, y, x), (26, 784).
    """
    row, one = grid.strides
    source = as_strided(grid, (6, 2, 16, 14), (one, row, 2 * row, 2 * one))
    s, r, m, _ = shifted.strides
    target = columns[:-1].reshape(K, K, 2, 2, 196)  # u, v, p, q, (y, x)
    even = as_strided(shifted, (3, K, 2, 2, 196), (m, s, r, s, one))  # u / 2, v, p, q
    # An odd u and p = 1 make an even row, one further down.
    odd = as_strided(shifted[:, 1:], (2, K, 2, 2, 196), (m, s, m - r, s, one))
    do.copyto(shifted, source)
    do.copyto(target[0::2], even)
    do.copyto(target[1::2], odd)


def gather_c3(do: Recorder, maps: np.ndarray, shifted: np.ndarray, columns: np.ndarray) -> None:
    """Copy every 5x5 window of S2's maps to a column.

    Args:
        do: Receives the calls.
        maps: (6, 14, 14).
        shifted: Receives the maps moved by v = 0 ... 4 columns, (5, 6, 14, 10).
        columns: Receives the windows; rows (u, v, map), columns (y, x), (150, 100).
    """
    map_, row, one = maps.strides
    source = as_strided(maps, (K, 6, 14, 10), (one, map_, row, one))
    m, r = shifted.strides[1:3]
    runs = as_strided(shifted, (K, K * 6, 100), (r, m, one))  # u, (v, map), (y, x)
    do.copyto(shifted, source)
    do.copyto(columns.reshape(K, K * 6, 100), runs)


def spread_c3(do: Recorder, delta: np.ndarray, padded: np.ndarray, runs: np.ndarray) -> None:
    """Copy C3's delta moved down by u = 0 ... 4 rows, with rows as wide as those of S2's maps.

    What unit (y, x) sends back to (y + u, x + v) is then at (y + u, x) of its row u, for every v; and since
    nothing but zeros stands to the right of x = 9, moving a whole map by v is moving one long run.

    Args:
        do: Receives the calls.
        delta: (16, 100).
        padded: Zeros but for rows 4 to 13 and columns 0 to 9, which receive delta, (16, 18, 14).
        runs: Receives the moved maps, (16, 5, 196).
    """
    o, row, one = padded.strides
    moved = as_strided(padded[:, K - 1 :], (16, K, 196), (o, -row, one))
    do.copyto(padded[:, 4:14, :10], delta.reshape(16, 10, 10))
    do.copyto(runs, moved)


def index_map(shapes: Mapping[str, Sequence[int]], pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Map the network's parameters to the plan's own buffer, and find what each is multiplied by.

    Args:
        shapes: Shape of each parameter by name.
        pixel: Input value of one step of a pixel.

    Returns:
        Two arrays in the order of the network's flat buffer: intp positions, float64 factors.
    """
    own = named_views(np.arange(OWN_SIZE), OWN_SHAPES)
    positions, factors = [], []
    for name, shape in shapes.items():
        layer, key = name.split(".")
        scale = SQUASH_S * SQUASH_A
        if key == "bias":
            scale = SQUASH_S
            if layer in ("s2", "s4"):
                found = own[layer][1]
            elif layer == "c3":
                found = own["c3_bias"]
            else:
                found = own[layer][:, {"c1": K * K, "c5": 400, "f6": 120}[layer]]
        elif key == "coefficient":
            found = own[layer][0]
        elif layer == "c3":
            found = np.stack([own["c3"][o, :, :, i] for o, row in enumerate(C3_TABLE) for i in row])
        else:
            found = own[layer][:, : prod(shape[1:])]
            if layer == "c1":
                scale = SQUASH_S * pixel
        positions.append(found.ravel())
        factors.append(np.full(found.size, scale))
    return np.concatenate(positions), np.concatenate(factors)
