"""Which parameter stands where in the weight matrices of the CPU plan's tiles (drawn in layout.py).

A layer's parameters are its "terms". A matrix is filled with one `take`, from the terms and a zero behind them;
its gradient is collected with one `take` and a sum over a tile's outputs.
"""

from __future__ import annotations

import numpy as np

from lenet_gpu.engine.cpu.layout import (
    C1_LINE,
    C1_MAPS,
    C1_ONES,
    C1_TERMS,
    C1_WINDOW,
    C3_HALF,
    C3_KERNELS,
    C3_LINE,
    C3_MAPS,
    C3_ROWS,
    C3_TERMS,
    C3_WINDOW,
    K,
)
from lenet_gpu.paper import C3_TABLE


def c1_places() -> tuple[np.ndarray, np.ndarray]:
    """C1's matrices, one for each of the tile's 4 lines: rows (x % 2, x // 2, map), columns the rows that it sees.

    Returns:
        Which term stands at each place, (4, 24, 41), and where in there, flat, the terms of each of the tile's 16
        outputs are, (16, 156).
    """
    terms = np.full((4, 4 * C1_MAPS, C1_LINE), C1_TERMS, np.intp)
    places = np.zeros((16, C1_TERMS), np.intp)
    numbers = np.arange(C1_TERMS).reshape(C1_MAPS, -1)
    u, v = np.indices((K, K))
    for output in range(16):
        line, x = output // 4, output % 4
        rows = (x % 2 * 2 + x // 2) * C1_MAPS + np.arange(C1_MAPS)
        ones = C1_ONES - line * C1_WINDOW
        kernel = (u * C1_WINDOW + x + v).ravel()
        columns = np.append(kernel + (kernel >= ones), ones)  # of a kernel and its bias
        terms[line, rows[:, None], columns] = numbers
        places[output, numbers] = (line * 4 * C1_MAPS + rows[:, None]) * C1_LINE + columns
    return terms, places


def c3_places() -> tuple[np.ndarray, np.ndarray]:
    """C3's matrix: rows (line, x, map) of the tile, columns bias, (y, x, S2 map) of the window, bias.

    The upper line has its bias in the first column, the lower one in the last: each is one piece with the window's
    lines that it sees.

    Returns:
        Which term stands at each place, (64, 218), and where in the transposed gradients of the two halves,
        (2, 181, 32) flat, the terms of each of the tile's 4 outputs are, (4, 1516).
    """
    terms = np.full((4 * C3_MAPS, C3_ROWS), C3_TERMS, np.intp)
    places = np.zeros((4, C3_TERMS), np.intp)
    pairs = [(o, i) for o, row in enumerate(C3_TABLE) for i in row]
    biases = C3_KERNELS * K * K + np.arange(C3_MAPS)
    u, v = np.indices((K, K))
    for output in range(4):
        line, x = output // 2, output % 2
        half, first = line * C3_HALF * 2 * C3_MAPS, line * (1 + C3_LINE)  # in the gradients; its first column
        for pair, (o, i) in enumerate(pairs):
            kernel = np.arange(pair * K * K, (pair + 1) * K * K)
            columns = (1 + ((line + u) * C3_WINDOW + x + v) * C1_MAPS + i).ravel()
            terms[output * C3_MAPS + o, columns] = kernel
            places[output, kernel] = half + (columns - first) * 2 * C3_MAPS + x * C3_MAPS + o
        bias_column = line * (C3_ROWS - 1)
        terms[output * C3_MAPS + np.arange(C3_MAPS), bias_column] = biases
        places[output, biases] = half + (bias_column - first) * 2 * C3_MAPS + x * C3_MAPS + np.arange(C3_MAPS)
    return terms, places
