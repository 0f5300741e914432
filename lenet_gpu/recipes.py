"""Training recipes as data: everything about a run except the network, the data and the seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: Name for the command line.
        summary: One line for the help.
        epochs: Passes over the training set.
        batch_size: Images a step.
        learning_rate: Step size of the first epoch.
        decay: Factor of the step decay.
        decay_every: Epochs between two decays.
    """

    name: str
    summary: str
    epochs: int
    batch_size: int
    learning_rate: float
    decay: float
    decay_every: int

    def learning_rates(self, epoch: int, steps: int) -> np.ndarray:
        """Learning rate of every step of an epoch.

        Args:
            epoch: Number of the epoch, counted from 1.
            steps: Steps of the epoch.

        Returns:
            (steps,) float64.
        """
        return np.full(steps, self.learning_rate * self.decay ** ((epoch - 1) // self.decay_every))

    def with_changes(self, **changes: Any) -> Recipe:
        """The recipe with some fields replaced; None leaves a field as it is.

        Raises:
            InputError: A value that makes no sense.
        """
        return validated(replace(self, **{k: v for k, v in changes.items() if v is not None}))

    def as_dict(self) -> dict[str, Any]:
        """The fields, for files."""
        return asdict(self)


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
    )
}
"""All recipes by name."""

DEFAULT = "classic"


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


def from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe as a file holds it; the inverse of `Recipe.as_dict`.

    Raises:
        InputError: Missing or unknown fields, or a value that makes no sense.
    """
    names = {field.name for field in fields(Recipe)}
    if not isinstance(values, dict) or set(values) != names:
        raise InputError("recipe", found=repr(values), expected=f"the fields {', '.join(sorted(names))}")
    return validated(Recipe(**values))


def validated(recipe: Recipe) -> Recipe:
    """The recipe itself, once its values are known to make sense.

    Raises:
        InputError: They do not.
    """
    for name in ("epochs", "batch_size", "decay_every"):
        value = getattr(recipe, name)
        if not isinstance(value, int) or value < 1:
            raise InputError(name.replace("_", " "), found=repr(value), expected="a whole number from 1")
    for name in ("learning_rate", "decay"):
        value = getattr(recipe, name)
        if not isinstance(value, float | int) or not 0 < value < float("inf"):
            raise InputError(name.replace("_", " "), found=repr(value), expected="a number above 0")
    return recipe
