"""What a recipe trains on besides the data set: strokes of people with a stylus, synthetic hands, non-digits.

Strokes become images by the same rasteriser that the app uses, with pens of many widths.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.paper import CLASSES, NOT_A_DIGIT
from lenet_gpu.preprocess import drawings_to_mnist
from lenet_gpu.raster import Drawings

PEN_WIDTHS = (1.4, 3.2)
PEN_SOFTNESS = (0.8, 1.6)
"""Ranges from which each drawing's pen is taken, output pixels; see `raster.Pen`."""

HANDWRITING_COUNT = 60_000
NONDIGITS_COUNT = 15_000
PENDIGITS_PENS = 4
"""Synthetic digits; drawings that are no digits; pens with which every digit of pendigits is drawn."""

Material = tuple[np.ndarray, np.ndarray]
"""Images (n, 28, 28) uint8 and labels (n,) uint8."""


def random_pens(rng: np.random.Generator, n: int) -> np.ndarray:
    """Width and softness of n pens, (n, 2)."""
    return np.stack([rng.uniform(*PEN_WIDTHS, n), rng.uniform(*PEN_SOFTNESS, n)], axis=1)


def handwriting(seed: int) -> Material:
    """Digits in many styles, drawn by `lenet_gpu.handwriting`."""
    rng = seeds.generator(seed, 1, seeds.SOURCES)
    labels = np.arange(HANDWRITING_COUNT) % CLASSES
    images = drawings_to_mnist(draw_digits(rng, labels), random_pens(rng, len(labels)))
    return images, labels.astype(np.uint8)


def nondigits(seed: int) -> Material:
    """Letters, signs, scribbles and the like, none of which is a digit."""
    from lenet_gpu.handwriting import draw_nondigits

    rng = seeds.generator(seed, 2, seeds.SOURCES)
    drawings, _ = draw_nondigits(rng, NONDIGITS_COUNT)
    images = drawings_to_mnist(drawings, random_pens(rng, len(drawings)))
    return images, np.full(len(images), NOT_A_DIGIT, np.uint8)


def pendigits(seed: int) -> Material:
    """The stylus digits of the first two thirds of the writers of UCI's pendigits training set."""
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.datasets.pendigits import split_writers

    data = load_dataset("pendigits")
    strokes, labels, _, _ = split_writers(data)
    rng = seeds.generator(seed, 3, seeds.SOURCES)
    images = [drawings_to_mnist(strokes, random_pens(rng, len(labels))) for _ in range(PENDIGITS_PENS)]
    return np.concatenate(images), np.tile(labels, PENDIGITS_PENS).astype(np.uint8)


SOURCES: dict[str, Callable[[int], Material]] = {
    "handwriting": handwriting,
    "nondigits": nondigits,
    "pendigits": pendigits,
}
"""The sources by name."""


def add_sources(images: np.ndarray, labels: np.ndarray, names: tuple[str, ...], seed: int) -> Material:
    """A training set and what is added to it.

    Args:
        images: (n, 28, 28) uint8.
        labels: (n,) uint8.
        names: Names of sources, from `SOURCES`.
        seed: The run's seed.

    Returns:
        Images and labels, the training set first.
    """
    more = [SOURCES[name](seed) for name in names]
    return (
        np.concatenate([images, *(material[0] for material in more)]),
        np.concatenate([labels, *(material[1] for material in more)]),
    )
