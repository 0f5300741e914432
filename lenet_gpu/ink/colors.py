"""From colours to greyscale: brightness, unless ink and paper are about equally bright and differ in hue.

The differences between neighbours, taken together, say in which direction of the colour space edges are strongest
(S. Di Zenzo, "A note on the gradient of a multi-image", 1986). If brightness shows little of the strongest edges,
that direction replaces it.
"""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""

LOOKED_AT = 240
"""Longer side of the small picture that edges are looked for in, about."""

APART = 2
"""Distance of the neighbours in it."""

STRONG = 0.02
"""Share of the neighbours, those that differ most, that are edges."""

SHOWN = 0.3
"""Share of the edges' contrast that brightness shows, below which it is left."""

LEAST = 12.0
"""Grey levels between the neighbours at edges, below which there are none."""


def weights_of(small: np.ndarray) -> np.ndarray | None:
    """Choose how colours become grey levels.

    Args:
        small: (h, w, 3) uint8, a picture reduced to about `LOOKED_AT` pixels.

    Returns:
        (3,) float64, the absolute values summing to 1; None for brightness.
    """
    values = small.astype(np.float64)
    steps = np.concatenate(
        [
            (values[APART:] - values[:-APART]).reshape(-1, 3),
            (values[:, APART:] - values[:, :-APART]).reshape(-1, 3),
        ]
    )  # (p, 3)
    if not len(steps):
        return None
    lengths = (steps**2).sum(axis=1)
    many = max(1, int(STRONG * len(steps)))
    edges = steps[np.argpartition(lengths, len(steps) - many)[len(steps) - many :]]
    greatest, directions = np.linalg.eigh(edges.T @ edges / many)
    contrast = np.sqrt(greatest[-1] / 3.0)  # of a grey edge: its grey levels
    shown = np.sqrt(((edges @ LUMA) ** 2).mean())
    if contrast < LEAST or shown > SHOWN * contrast:
        return None
    direction = directions[:, -1]
    return direction / np.abs(direction).sum()


def offset_of(weights: np.ndarray) -> float:
    """Compute what brings weighted colours of 0 to 255 into that range again."""
    return float(-255.0 * np.minimum(weights, 0.0).sum())
