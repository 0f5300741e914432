"""The sampling plan of an epoch: its images, their order and their distortions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.augment.distort import IDENTITY
from lenet_gpu.augment.stroke_width import stroke_width_variants

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset, Split
    from lenet_gpu.training.recipe import Recipe


CALM = 0.25
"""Strength of the distortions in the final low-augmentation epochs, relative to the others."""


class Patterns:
    """The training patterns of a run.

    A pattern is an image of the training set or of the recipe's further sources, as it is or varied. Nothing
    but the seed and the number of the epoch decides what an epoch shows.

    Args:
        split: The training set.
        recipe: Says what is added to it and how images are varied.
        seed: The run's seed.
        loaded: The data sets of the recipe's further sources, see `sources.load_sources`; loaded now if None.

    Attributes:
        images: (rows, 28, 28) uint8: every image once for each stroke width (thinner and thicker ones behind).
        labels: (rows,) uint8, digits or `paper.NOT_A_DIGIT`.
        count: Patterns of an epoch.
    """

    def __init__(self, split: Split, recipe: Recipe, seed: int, loaded: Mapping[str, Dataset] | None = None) -> None:
        self._recipe, self._seed = recipe, seed
        images, labels = split.images, split.labels
        if recipe.sources:
            from lenet_gpu.training.sources import add_sources

            images, labels = add_sources(split, recipe.sources, seed, loaded)
        self._different = len(labels)
        self.count = self._different * recipe.copies
        self._widths = 1
        if recipe.augmentation is not None and recipe.augmentation.stroke_widths != (0.0,):
            variants = stroke_width_variants(images, recipe.augmentation.stroke_widths)  # (widths, n, 28, 28)
            self._widths = len(variants)
            images = variants.reshape(-1, *images.shape[1:])
            labels = np.tile(labels, self._widths)
        self.images, self.labels = images, labels

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Plan the patterns of an epoch in their order.

        Args:
            epoch: Number of the epoch, counted from 1.

        Returns:
            The rows of `images` to show, (count,) int64, and how each of them is distorted, (count, 8) float32
            as `Engine.train` takes it; None: not at all.
        """
        recipe, seed = self._recipe, self._seed
        order = seeds.epoch_order(seed, 1 if recipe.constant_order else epoch, self.count)
        augmentation = recipe.augmentation
        if augmentation is None:
            return order % self._different, None
        if recipe.copies > 1 and recipe.constant_order:  # fixed: every image as it is, and its distorted copies
            distortions = augmentation.draw(seed, 1, self.count)
            distortions[: self._different] = IDENTITY
            return order % self._different, distortions[order]
        rows = order % self._different
        calm = epoch > recipe.epochs - recipe.calm_epochs
        if calm:
            augmentation = replace(augmentation, strength=CALM * augmentation.strength)
        if self._widths > 1 and not calm:
            rows += self._different * augmentation.draw_variants(seed, epoch, self.count)
        elif self._widths > 1:
            rows += self._different * np.abs(augmentation.stroke_widths).argmin()
        return rows, augmentation.draw(seed, epoch, self.count) if augmentation.distorts else None
