"""Separate ink from its background: light or dark paper, under even or uneven light, with grain."""

from __future__ import annotations

import numpy as np

MIN_CONTRAST = 24
"""Grey levels (of 255) between background and ink, below which a picture counts as blank."""

NOISE = 0.12
"""Share of the contrast that still counts as background: paper grain, compression artefacts."""

EVEN = 0.6
"""Share of the frame of exactly the background's level, from which the ground counts as even."""

AT_ONCE = 1 << 24
"""Pixels whose light is computed at a time."""


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Compute the share of ink in each pixel, 0..1: polarity found, background and noise removed.

    Args:
        grey: (h, w) float32, 0..255.

    Returns:
        (h, w) float32; all 0 when nothing stands out.
    """
    # The frame of a picture is background, save where a stroke crosses it: the median does not mind.
    frame = _frame(grey)
    background = float(np.median(frame))
    # A drawing on perfectly even ground has no grain: its faintest edges are real.
    even = (frame == background).mean() >= EVEN
    ink = grey - (background if even else _light(grey))
    darker, lighter = -float(ink.min()), float(ink.max())
    if darker > lighter:
        np.negative(ink, out=ink)
    contrast = max(darker, lighter)
    grain = 0.0 if even else 1.4826 * float(np.median(abs(_frame(ink))))  # standard deviation of normal noise
    if contrast < max(MIN_CONTRAST, 8.0 * grain):
        return np.zeros_like(grey)
    ink /= contrast
    if not even:
        ink[ink < max(NOISE, 5.0 * grain / contrast)] = 0.0
        ink[_neighbours(ink > 0.0) < 3] = 0.0  # dust
    return np.maximum(ink, 0.0)


def _frame(picture: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of a picture."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _light(grey: np.ndarray) -> np.ndarray:
    """Fit the brightness of the paper under uneven light: a quadratic surface through what is not ink.

    Args:
        grey: (h, w) float32.

    Returns:
        (h, w) float32.
    """
    (height, width), cells = grey.shape, 24
    row_edges = np.unique(np.linspace(0, height, cells + 1).astype(int))
    column_edges = np.unique(np.linspace(0, width, cells + 1).astype(int))
    sums = np.add.reduceat(np.add.reduceat(grey, row_edges[:-1], axis=0), column_edges[:-1], axis=1)
    means = sums / (np.diff(row_edges)[:, None] * np.diff(column_edges))  # (rows, columns) of cells
    low_rows, low_columns = (
        _powers(0.5 * (edges[1:] + edges[:-1]), edges[-1]) for edges in (row_edges, column_edges)
    )
    terms = [(i, j) for i in range(3) for j in range(3 - i)]
    design = np.stack([np.outer(low_rows[:, i], low_columns[:, j]).ravel() for i, j in terms], axis=1)
    values = means.ravel().astype(np.float64)
    paper = np.zeros(means.shape, dtype=bool)
    paper[[0, -1]] = paper[:, [0, -1]] = True
    rim = use = paper.ravel()
    # The rim is paper, but for a stroke or two; then ever more cells join that fit the surface found so far.
    for _ in range(6):
        surface = design @ np.linalg.lstsq(design[use], values[use], rcond=None)[0]
        misfit = np.abs(values - surface)
        use = misfit <= max(3.0 * 1.4826 * float(np.median(misfit[rim])), 2.0)
        if use.sum() < len(terms):
            break
    factors = np.linalg.lstsq(design, surface, rcond=None)[0]
    rows, columns = _powers(np.arange(height) + 0.5, height), _powers(np.arange(width) + 0.5, width)
    square = np.zeros((3, 3))
    for (i, j), factor in zip(terms, factors, strict=True):
        square[i, j] = factor
    if grey.size <= AT_ONCE:
        return (rows @ square @ columns.T).astype(np.float32)
    light = np.empty(grey.shape, dtype=np.float32)
    step = max(AT_ONCE // width, 1)
    for start in range(0, height, step):  # float64 for all of a large picture would be most of the memory it takes
        light[start : start + step] = rows[start : start + step] @ square @ columns.T
    return light


def _powers(at: np.ndarray, size: int) -> np.ndarray:
    """Return 1, t and t*t of positions along a side, t from -1 to 1; (n, 3)."""
    t = 2.0 * at / size - 1.0
    return np.stack([np.ones_like(t), t, t * t], axis=1)


def _neighbours(mask: np.ndarray) -> np.ndarray:
    """Count how many of the 3x3 pixels around each pixel, itself included, are set."""
    padded = np.pad(mask, 1).astype(np.uint8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]  # (h, w + 2)
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
