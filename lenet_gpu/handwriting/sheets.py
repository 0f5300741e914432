"""Many drawings on one picture, for review by eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.handwriting.variation import Drawing
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.paper import IMAGE_SIZE

GAP = 2
"""Blank pixels between neighbours."""


def sheet(drawings: Sequence[Drawing], columns: int = 24) -> np.ndarray:
    """Put drawings side by side, each the way a network sees it.

    Args:
        drawings: At least one, each a list of strokes (points, 2).
        columns: Drawings in a row.

    Returns:
        (rows * 30 - 2, columns * 30 - 2) uint8, ink 255 on ground 0; cells left over are blank.

    Raises:
        InputError: No drawings, or no columns.
    """
    if not drawings or columns < 1:
        raise InputError(
            "sheet", found=f"{len(drawings)} drawings in {columns} columns", expected="at least 1 of each"
        )
    images = drawings_to_mnist(drawings)  # (n, 28, 28)
    rows = -(-len(images) // columns)
    cell = IMAGE_SIZE + GAP
    cells = np.zeros((rows * columns, cell, cell), dtype=np.uint8)
    cells[: len(images), :IMAGE_SIZE, :IMAGE_SIZE] = images
    grid = cells.reshape(rows, columns, cell, cell).swapaxes(1, 2)  # (rows, 30, columns, 30)
    return np.ascontiguousarray(grid.reshape(rows * cell, columns * cell)[:-GAP, :-GAP])
