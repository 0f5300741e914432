"""The idea of the CPU plan in readable form: C1 to S4 forward, a line of a tile of outputs by one matrix product.

Nothing computes with this; it is for readers, and a test holds it to the layers. layout.py has the same tiles with
the batch innermost, so that every run of numbers in memory is long; forward.py has the same products as prepared
calls; weights.py builds the same matrices with one `take`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lenet_gpu.paper import C3_TABLE, SQUASH_A, SQUASH_S
from lenet_gpu.paper import KERNEL_SIZE as K


def line_matrix(kernels: np.ndarray, tile: int) -> np.ndarray:
    """Build the Toeplitz matrix that turns 5 lines of a window into a line of outputs.

    Args:
        kernels: (maps, maps below, 5, 5).
        tile: Outputs in the line, which see tile + 4 columns.

    Returns:
        (tile * maps, 5 * (tile + 4) * maps below): the kernels once for each output, shifted, zeros around them.
    """
    maps, below = kernels.shape[:2]
    matrix = np.zeros((tile, maps, K, tile + K - 1, below), kernels.dtype)
    for x in range(tile):
        matrix[x, :, :, x : x + K] = kernels.transpose(0, 2, 3, 1)  # map, line, column, map below
    return matrix.reshape(tile * maps, -1)


def convolve(x: np.ndarray, kernels: np.ndarray, bias: np.ndarray, tile: int) -> np.ndarray:
    """Convolve maps (n, h, w, maps below) tile by tile -> (n, tiles, tiles, tile, tile, maps)."""
    side = tile + K - 1  # of the window that a tile of outputs sees; windows overlap by 4
    windows = sliding_window_view(x, (side, side), axis=(1, 2))[:, ::tile, ::tile]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (n, tile y, tile x, line, column, map below)
    n, tiles = windows.shape[:2]
    matrix = line_matrix(kernels, tile)
    lines = [
        windows[:, :, :, k : k + K].reshape(n, tiles, tiles, -1) @ matrix.T  # output line k sees lines k to k + 4
        for k in range(tile)
    ]
    return np.stack(lines, axis=3).reshape(n, tiles, tiles, tile, tile, -1) + bias


def squash(a: np.ndarray) -> np.ndarray:
    """Compute f(a) = A tanh(S a)."""
    return SQUASH_A * np.tanh(SQUASH_S * a)


def subsample(tiles: np.ndarray, coefficient: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Add the 2x2 cells of all tiles, scale, squash -> maps (n, h, w, maps): a tile has whole cells only."""
    n, count, _, tile, _, maps = tiles.shape
    half = tile // 2
    cells = tiles.reshape(n, count, count, half, 2, half, 2, maps).sum(axis=(4, 6))
    y = squash(coefficient * cells + bias)  # (n, tile y, tile x, cell y, cell x, map)
    return y.transpose(0, 1, 3, 2, 4, 5).reshape(n, count * half, count * half, maps)


def c1_to_s4(x: np.ndarray, parameters: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Run the first half of LeNet-5 by tiles.

    Args:
        x: The input layer, (n, 1, 32, 32).
        parameters: The network's parameters by name.

    Returns:
        S2's output (n, 6, 14, 14) and S4's (n, 16, 5, 5).
    """
    p = parameters
    c1 = squash(convolve(x.transpose(0, 2, 3, 1), p["c1.weight"], p["c1.bias"], tile=4))  # 7x7 tiles of 4x4
    s2 = subsample(c1, p["s2.coefficient"], p["s2.bias"])  # (n, 14, 14, 6)
    kernels = np.zeros((16, 6, K, K), x.dtype)  # where Table I has no connection they stay 0
    pairs = [(o, i) for o, row in enumerate(C3_TABLE) for i in row]
    kernels[tuple(np.transpose(pairs))] = p["c3.weight"]
    c3 = squash(convolve(s2, kernels, p["c3.bias"], tile=2))  # 5x5 tiles of 2x2
    s4 = subsample(c3, p["s4.coefficient"], p["s4.bias"])  # (n, 5, 5, 16)
    return s2.transpose(0, 3, 1, 2), s4.transpose(0, 3, 1, 2)
