"""Images for a benchmark on a machine that has none: rings, whose ink is about as much as a digit's."""

from __future__ import annotations

import numpy as np

from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.paper import CLASSES, IMAGE_SIZE

MADE_UP = 10_000
"""Images for training; a fifth as many for reading."""


def rings(n: int, seed: int = 0) -> np.ndarray:
    """Draw rings of random size, proportion and place.

    Args:
        n: How many.
        seed: Of the random numbers.

    Returns:
        (n, 28, 28) uint8, 0 is the ground.
    """
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[:IMAGE_SIZE, :IMAGE_SIZE]
    middle = IMAGE_SIZE / 2 + rng.uniform(-2, 2, (2, n, 1, 1))
    axes = rng.uniform(3, 9, (2, n, 1, 1))
    radius = np.hypot((y - middle[0]) / axes[0], (x - middle[1]) / axes[1])
    distance = np.abs(radius - 1) * axes.min(axis=0)  # pixels, about
    pixels: np.ndarray = (255 * np.clip(2.0 - distance, 0, 1)).astype(np.uint8)
    return pixels


def made_up_dataset(n: int = MADE_UP) -> Dataset:
    """Make a data set for the clock alone: rings with labels that mean nothing."""
    images = rings(n + n // 5)
    labels = (np.arange(len(images)) % CLASSES).astype(np.uint8)
    return Dataset("made-up", Split(images[:n], labels[:n]), Split(images[n:], labels[n:]), digests={})
