"""The recipes that have a name."""

from __future__ import annotations

from typing import Any

from lenet_gpu.augment import augmentation as augment
from lenet_gpu.augment.augmentation import Augmentation
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.paper import SDLM_RATES
from lenet_gpu.training.recipe import Recipe, validated

MNIST_MEAN, MNIST_DEVIATION = 0.1307, 0.3081
"""Mean and standard deviation of MNIST's training pixels / 255."""

STANDARD_BACKGROUND = -MNIST_MEAN / MNIST_DEVIATION
STANDARD_INK = (1.0 - MNIST_MEAN) / MNIST_DEVIATION
"""Input values for which the input layer of MNIST has mean 0 and variance 1."""

PAPER_COPIES = 10
"""Patterns of every image in the paper's training with distortions: itself and nine distorted ones."""

MODERN: dict[str, Any] = {
    "batch_size": 64,
    "learning_rate": 0.03,
    "schedule": "cosine",
    "warm_up": 0.15,
    "optimizer": "nesterov",
    "momentum": 0.9,
    "weight_decay": 5e-5,
    "initialisation": "lecun",
    "background": STANDARD_BACKGROUND,
    "ink": STANDARD_INK,
}
"""The common settings of the recipes `fast`, `record`, `best` and `touch`."""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="classic",
            summary="mini-batch gradient descent with step decay, no augmentation",
            epochs=7,
            batch_size=32,
            learning_rate=0.05,
            decay=0.5,
            decay_every=2,
        ),
        Recipe(
            name="fast",
            summary="5 epochs with momentum and distortions",
            epochs=5,
            average_decay=0.995,
            augmentation=Augmentation(strength=0.6),
            **{**MODERN, "batch_size": 32, "learning_rate": 0.02},
        ),
        Recipe(
            name="record",
            summary="99 of 100 test digits right in the least time on a GPU, in 3 epochs",
            epochs=3,
            average_decay=0.9806,
            augmentation=Augmentation(strength=0.5, elastic=0.0),
            calm_epochs=1,
            **{**MODERN, "batch_size": 128, "learning_rate": 0.13, "momentum": 0.85, "warm_up": 0.25},
        ),
        Recipe(
            name="best",
            summary="40 epochs with distortions and stroke widths, for the highest accuracy on MNIST",
            epochs=40,
            average_decay=0.9995,
            augmentation=Augmentation(strength=0.8, stroke_widths=(-0.4, 0.0, 0.4)),
            calm_epochs=6,
            **MODERN,
        ),
        Recipe(
            name="touch",
            summary="the app's model: MNIST, stylus strokes, synthetic hands, and what is not a digit",
            epochs=40,
            average_decay=0.9995,
            augmentation=Augmentation(strength=0.7),
            calm_epochs=8,
            sources=("handwriting", "pendigits", "nondigits", "again"),
            temperature=0.75,
            **MODERN,
        ),
        Recipe(
            name="paper",
            summary="as in 1998: RBF output, a learning rate for each weight (SDLM), one image a step",
            epochs=20,
            batch_size=1,
            learning_rate=1.0,
            schedule="table",
            rates=SDLM_RATES,
            optimizer="sdlm",
            variant="paper",
            loss="map",
            initialisation="sqrt",
            constant_order=True,
        ),
    )
}
"""All recipes by name."""

DEFAULT = "fast"


def get_recipe(recipe: str | Recipe) -> Recipe:
    """Find a recipe.

    Args:
        recipe: Name, or a recipe of your own.

    Returns:
        The recipe.

    Raises:
        InputError: Unknown name, or a recipe with a value that makes no sense.
    """
    if isinstance(recipe, Recipe):
        return validated(recipe)
    if recipe not in RECIPES:
        raise InputError("recipe", found=repr(recipe), expected=" or ".join(RECIPES))
    return RECIPES[recipe]


def with_distortions(recipe: Recipe) -> Recipe:
    """Return the recipe `paper` with the paper's distorted patterns: 540,000 beside the 60,000 (section III.C).

    Raises:
        InputError: Another recipe, which has distortions of its own or none.
    """
    if recipe.name != "paper":
        raise InputError(
            "--distortions",
            found=f"recipe {recipe.name}",
            expected="recipe paper",
            remedy="fast, record, best and touch distort their images anyway",
        )
    return recipe.with_changes(augmentation=augment.PAPER, copies=PAPER_COPIES)


def with_loss(recipe: Recipe, loss: str) -> Recipe:
    """Return the recipe `paper` with another of the losses, and the output layer that it is for.

    Raises:
        InputError: Another recipe, or an unknown loss.
    """
    if recipe.name != "paper":
        raise InputError("--loss", found=f"recipe {recipe.name}", expected="recipe paper", remedy="leave it out")
    variants = [name for name, variant in VARIANTS.items() if loss in variant.losses]
    if not variants:
        raise InputError("--loss", found=repr(loss), expected=" or ".join(LOSSES))
    return recipe.with_changes(loss=loss, variant=variants[0])
