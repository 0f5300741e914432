"""Training on few pictures: an epoch shows each of them many times, distorted anew each time.

A recipe's number of epochs is chosen for tens of thousands of images. Two hundred would give it a few dozen steps, in
which no network learns to read; repeated and varied, they give as many as it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lenet_gpu.training.recipe import Recipe

LEAST_PATTERNS = 96_000
"""Patterns that a whole training shows at least: 3,000 steps of 32, after which hardly anything is gained."""

FEW = 2_000
"""Pictures of digits below which fine-tuning a model that reads digits does better (docs/howto/fine_tuning.md)."""


def for_few(recipe: Recipe, images: int) -> Recipe:
    """Fit a recipe to the number of images there are to learn from.

    Args:
        recipe: The recipe.
        images: Number of training images.

    Returns:
        The recipe, for few images with so many `copies` that the training shows `LEAST_PATTERNS`; as it is where it
        adds images of its own (`sources`) or says itself how often each is shown (`copies`, `constant_order`).
    """
    if recipe.sources or recipe.constant_order or recipe.copies > 1:
        return recipe
    copies = -(-LEAST_PATTERNS // (recipe.epochs * images))
    return recipe.with_changes(copies=copies) if copies > 1 else recipe
