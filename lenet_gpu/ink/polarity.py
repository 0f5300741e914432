"""Tell dark ink on light paper from light ink on dark paper."""

from __future__ import annotations

import numpy as np

from lenet_gpu.ink.absorption import is_clean
from lenet_gpu.ink.outlines import greatest_outlined
from lenet_gpu.ink.windows import closed, pooled

SIDE = 96
"""Longer side of the picture that is looked at: strokes of most pictures are then a few pixels wide."""

TAIL = 0.002
"""Share of the pixels at either end of the grey levels that do not count: specks, highlights."""

NARROW = (3, 5)
"""Windows, in pixels of the small picture, that strokes fit into and the gaps between them mostly do not."""

THICK = 0.08
"""Thickness of a frame, as a share of the shorter side, at most."""

MEAN, FRAME, CORNERS, HATS = 1.0, 3.0, 3.0, 0.5
"""Weights: fitted by logistic regression to MNIST's training digits cropped to their ink, pendigits' strokes drawn
with lines of 1 to 25 % of their height, and both with shadows, rules and all else of tests/made_pictures.py;
rounded."""

UNSURE = 2.5
"""Sum of these below which what they say is unsure, and strokes are looked for in both polarities: two dark areas, a
strip of table and a shadow say, may hide which is the paper."""


def is_light_on_dark(gray: np.ndarray) -> bool:
    """Tell whether ink is lighter than its paper.

    Four things speak for light paper: light pixels are many; they make up the picture's frame; they make up its
    corners, also in a picture cropped to its ink; and what is narrow is dark. The last holds under shadows that no
    threshold cuts: closing fills what is dark and narrow, opening what is light and narrow, and of their
    differences to the picture (the hats, see F. Meyer, "Contrast feature extraction", 1979) strokes have the greater
    one. Where the four balance, that polarity is right in which the greater mark is set off from its ground.

    Args:
        gray: (h, w) uint8.
    """
    if is_clean(gray) and gray[0, 0] in (gray.min(), gray.max()):  # no paper is clearer
        return bool(gray[0, 0] < gray.max())
    every = max(1, int(np.sqrt(gray.size / 250_000)))
    low, high = np.quantile(gray[::every, ::every], (TAIL, 1.0 - TAIL))
    small = pooled(gray, -(-max(gray.shape) // SIDE))
    if high - low < 1.0:
        low, high = float(small.min()), float(small.max()) + 1e-3
    level = np.clip((small.astype(np.float32) - low) / (high - low) * 2.0 - 1.0, -1.0, 1.0)
    level = _unframed(level)
    height, width = level.shape
    frame = _frame(level)
    a, b = max(1, height // 10), max(1, width // 10)
    corners = [level[rows, columns].mean() for rows in (np.s_[:a], np.s_[-a:]) for columns in (np.s_[:b], np.s_[-b:])]
    found = MEAN * level.mean() + FRAME * frame.mean() + CORNERS * np.mean(corners)
    for window in NARROW:
        margin = min(window, height // 4, width // 4)
        inside = np.s_[margin : height - margin, margin : width - margin]
        dark = closed(level, window) - level
        light = level + closed(-level, window)
        found += HATS * np.clip(np.log(_energy(dark[inside]) / _energy(light[inside])), -4.0, 4.0)
    if abs(found) < UNSURE:
        dark, light = greatest_outlined(gray), greatest_outlined(np.uint8(255) - gray)
        if dark is not None and light is not None and dark != light:
            return bool(light > dark)
    return bool(found < 0.0)


def _unframed(level: np.ndarray) -> np.ndarray:
    """Take a frame off that is dark all around where most of the picture is light, or light where it is dark."""
    for _ in range(int(np.ceil(THICK * min(level.shape)))):
        frame, middle = _frame(level), float(np.median(level))
        if min(level.shape) < 8 or abs(middle) < 0.2 or not (frame * np.sign(middle) < -0.2).all():
            break
        level = level[1:-1, 1:-1]
    return level


def _frame(level: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of a picture."""
    return np.concatenate([level[0], level[-1], level[1:-1, 0], level[1:-1, -1]])


def _energy(hat: np.ndarray) -> float:
    return float((hat**3).mean()) + 1e-4
