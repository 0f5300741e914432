"""Digits as strokes, by the thousand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lenet_gpu.handwriting.glyphs import STYLES
from lenet_gpu.handwriting.templates import Template
from lenet_gpu.handwriting.variation import Drawing, write


def draw_digits(rng: np.random.Generator, labels: npt.ArrayLike) -> list[Drawing]:
    """Draw digits in styles chosen by how common they are.

    Args:
        rng: Where all chance comes from; `seeds.generator(seed, stream)` gives one.
        labels: (n,) integers 0..9: what to draw.

    Returns:
        n drawings, each a list of strokes (points, 2) float64, x right, y down, about 1 high about the origin.
    """
    wanted = np.asarray(labels).reshape(-1)
    drawings: list[Drawing] = [[] for _ in wanted]
    for digit, styles in STYLES.items():
        places = np.flatnonzero(wanted == digit)
        for place, drawing in zip(places.tolist(), draw_templates(rng, len(places), styles), strict=True):
            drawings[place] = drawing
    return drawings


def draw_templates(rng: np.random.Generator, n: int, templates: tuple[Template, ...]) -> list[Drawing]:
    """Draw any of some templates, each as often as its weight asks, in random order.

    Args:
        rng: Where all chance comes from.
        n: Number of drawings.
        templates: What to choose from.

    Returns:
        n drawings.
    """
    weights = np.array([template.weight for template in templates])
    chosen = rng.choice(len(templates), n, p=weights / weights.sum())
    drawings: list[Drawing] = [[] for _ in range(n)]
    for k, template in enumerate(templates):
        places = np.flatnonzero(chosen == k)
        if len(places):
            for place, drawing in zip(places.tolist(), write(rng, template, len(places)), strict=True):
                drawings[place] = drawing
    return drawings
