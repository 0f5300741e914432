"""Training images besides the data set: strokes of people with a stylus, synthetic hands, non-digits.

Strokes become images by the same rasteriser that the app uses, with pens of many widths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.datasets import load_dataset
from lenet_gpu.handwriting import KINDS, ROTATED, draw_digits, draw_nondigits
from lenet_gpu.ink.preprocess import BOX, drawings_to_mnist
from lenet_gpu.paper import CLASSES, IMAGE_SIZE, NOT_A_DIGIT

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset, Split

PEN_WIDTHS = (1.4, 3.2)
ALL_PEN_WIDTHS = (0.5, 4.0)
PEN_SOFTNESS = (0.8, 1.6)
"""Ranges from which each drawing's pen is taken, output pixels; see `raster.Pen`. Half of the pens may be as thin or
fat as any that people use: a digit is 20 pixels high."""

LEAST_SUM = 1.5
"""Least sum of a pen's width and softness, output pixels: more than the diagonal of a pixel."""

PENDIGITS_PENS = 4
"""Pens with which every digit of pendigits is drawn."""

HANDWRITING_COUNT = 80_000
NONDIGITS_COUNT = 24_000
OVERLAPS, TURNS, NOISES = 5_000, 3_000, 2_000
"""Synthetic digits; drawings that are no digits; and what is made of the training set that is no digit."""

Material = tuple[np.ndarray, np.ndarray]
"""Images (n, 28, 28) uint8 and labels (n,) uint8."""

Loaded = Mapping[str, "Dataset"]
"""The data sets of sources, by the source's name."""

DATASETS = {"pendigits": "pendigits"}
"""Data sets that sources are made of, by the source's name; the others are drawn by the program alone."""


def random_pens(rng: np.random.Generator, n: int) -> np.ndarray:
    """Width and softness of n pens, (n, 2)."""
    usual, softness, any_width = (rng.uniform(*r, n) for r in (PEN_WIDTHS, PEN_SOFTNESS, ALL_PEN_WIDTHS))
    width = np.where(rng.random(n) < 0.5, any_width, usual)
    # Thin and sharp, a dot between four pixels would leave no ink.
    return np.stack([width, np.maximum(softness, LEAST_SUM - width)], axis=1)


def handwriting(split: Split, rng: np.random.Generator, loaded: Loaded) -> Material:
    """Digits in many styles, drawn by `lenet_gpu.handwriting`."""
    labels = np.arange(HANDWRITING_COUNT) % CLASSES
    images = drawings_to_mnist(draw_digits(rng, labels), random_pens(rng, len(labels)))
    return images, labels.astype(np.uint8)


def pendigits(split: Split, rng: np.random.Generator, loaded: Loaded) -> Material:
    """Draw two thirds of the digits of UCI's pendigits training set; the last third is for validation."""
    train = loaded["pendigits"].train
    assert train.drawings is not None
    first = np.arange(len(train) * 2 // 3)
    drawings, labels = train.drawings.take(first), train.labels[first]
    images = [drawings_to_mnist(drawings, random_pens(rng, len(labels))) for _ in range(PENDIGITS_PENS)]
    return np.concatenate(images), np.tile(labels, PENDIGITS_PENS).astype(np.uint8)


def nondigits(split: Split, rng: np.random.Generator, loaded: Loaded) -> Material:
    """Letters, signs and scribbles; training digits over each other or on their side; noise."""
    drawings, _ = draw_nondigits(rng, NONDIGITS_COUNT, KINDS)
    images = np.concatenate(
        [
            drawings_to_mnist(drawings, random_pens(rng, len(drawings))),
            overlaps(split, rng, OVERLAPS),
            turns(split, rng, TURNS),
            noises(rng, NOISES),
        ]
    )
    return images, np.full(len(images), NOT_A_DIGIT, np.uint8)


def overlaps(split: Split, rng: np.random.Generator, n: int) -> np.ndarray:
    """Two training digits of different classes in one place, (n, 28, 28) uint8."""
    first, second = rng.integers(len(split.labels), size=(2, 2 * n))
    different = np.flatnonzero(split.labels[first] != split.labels[second])[:n]
    return np.maximum(split.images[first[different]], split.images[second[different]])


def turns(split: Split, rng: np.random.Generator, n: int) -> np.ndarray:
    """Training digits turned by a quarter to either side, (n, 28, 28) uint8."""
    chosen = rng.choice(np.flatnonzero(np.isin(split.labels, ROTATED)), n)
    # A 7 turned to the left would be a 1 with a long flag.
    left = (rng.random(n) < 0.5) & (split.labels[chosen] != 7)
    images = split.images[chosen]
    return np.where(left[:, None, None], np.rot90(images, 1, (1, 2)), np.rot90(images, -1, (1, 2)))


def noises(rng: np.random.Generator, n: int) -> np.ndarray:
    """Fields of noise, fine to coarse, sparse to dense, over the whole image or the digits' box, (n, 28, 28)."""
    images = np.zeros((n, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for image in images:
        side = BOX if rng.random() < 0.5 else IMAGE_SIZE
        grain = int(rng.integers(1, 4))
        cells = -(-side // grain)
        field = rng.random((cells, cells))
        if rng.random() < 0.5:  # black and white; else all greys
            field = (field < rng.uniform(0.1, 0.6)).astype(float)
        margin = (IMAGE_SIZE - side) // 2
        coarse = np.kron(field, np.ones((grain, grain)))[:side, :side]
        image[margin : margin + side, margin : margin + side] = np.rint(255 * coarse)
    return images


def again(split: Split, rng: np.random.Generator, loaded: Loaded) -> Material:
    """Show the training set twice an epoch, each time distorted anew, so that it is not lost among the others."""
    return split.images, split.labels


SOURCES: dict[str, Callable[[Split, np.random.Generator, Loaded], Material]] = {
    "handwriting": handwriting,
    "pendigits": pendigits,
    "nondigits": nondigits,
    "again": again,
}
"""The sources by name."""


def load_sources(names: tuple[str, ...], *, download: bool = True) -> dict[str, Dataset]:
    """Load the data sets that sources are made of.

    Args:
        names: Names of sources, from `SOURCES`.
        download: Whether the network may be used for what is not on this machine.

    Returns:
        The data sets by the source's name; none for sources that need none.

    Raises:
        DataError: One is nowhere, or damaged.
    """
    return {name: load_dataset(DATASETS[name], download=download) for name in names if name in DATASETS}


def add_sources(split: Split, names: tuple[str, ...], seed: int, loaded: Loaded | None = None) -> Material:
    """Add the images of sources to a training set.

    Args:
        split: The training set.
        names: Names of sources, from `SOURCES`.
        seed: The run's seed.
        loaded: What `load_sources` returned for these names; loaded now if None.

    Returns:
        Images and labels, the training set first.
    """
    loaded = load_sources(names) if loaded is None else loaded
    made = [SOURCES[name](split, seeds.generator(seed, 1 + i, seeds.SOURCES), loaded) for i, name in enumerate(names)]
    return (
        np.concatenate([split.images, *(images for images, _ in made)]),
        np.concatenate([split.labels, *(labels for _, labels in made)]),
    )
