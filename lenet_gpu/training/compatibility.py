"""Checks that a recipe, a network and a data set fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lenet_gpu.errors import InputError
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.paper import CLASSES

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.nn.network import Network
    from lenet_gpu.training.recipe import Recipe

OF_PENALTIES = ("rbf", "map")
"""Losses of penalties, of which the smallest wins; the others are of logits."""


def check_recipe(model: Network, recipe: Recipe) -> None:
    """Refuse a recipe that is for another network."""
    penalties = model.sign < 0  # the paper's output layer, of which the smallest wins
    if penalties != (recipe.variant == "paper"):
        found, expected = ("penalties", "logits") if penalties else ("logits", "penalties")
        raise InputError(
            f"recipe {recipe.name}",
            found=f"a network {getattr(model, 'variant', type(model).__name__)}, which returns {found}",
            expected=f"a network {recipe.variant}, which returns {expected}",
            remedy=f"make it with LeNet5(variant={recipe.variant!r}), or take another recipe",
        )
    if recipe.sources and model.classes != CLASSES:
        raise InputError(
            f"recipe {recipe.name}",
            found=f"a network for {model.classes} classes",
            expected=f"one for the ten digits, which the recipe adds ({', '.join(recipe.sources)})",
            remedy="take another recipe",
        )


def check_loss(model: Network) -> None:
    """Refuse one of our losses for outputs that it is not made for.

    Raises:
        InputError: A loss of penalties for logits, or the other way round.
    """
    ours = model.loss in LOSSES and model.criterion is LOSSES[model.loss]
    if ours and (model.sign < 0) != (model.loss in OF_PENALTIES):
        fitting = [name for name in LOSSES if (name in OF_PENALTIES) == (model.sign < 0)]
        outputs = "penalties" if model.sign < 0 else "logits"
        raise InputError(f"loss for a network of {outputs}", found=model.loss, expected=" or ".join(fitting))


def check_data(model: Network, recipe: Recipe, data: Dataset) -> None:
    """Refuse data that the network or the recipe is not for.

    Raises:
        InputError: More classes than the network has, or other classes than those that the recipe adds.
    """
    if data.classes > model.classes:
        raise InputError(
            f"data set {data.name}",
            found=f"{data.classes} classes",
            expected=f"at most the {model.classes} of the network",
            remedy=f"make the network for {data.classes} classes",
        )
    if recipe.sources and data.class_labels != tuple(range(CLASSES)):
        raise InputError(
            f"recipe {recipe.name}",
            found=f"data of the classes {', '.join(map(str, data.class_labels[:8]))}",
            expected="digits, which the recipe adds",
            remedy="take another recipe",
        )


def same_data(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Tell whether two data sets have the same contents by their digests; CSV files may have new names.

    Args:
        before: SHA-256 by the names that `Dataset.digests` gives them.
        now: Likewise.
    """
    return _by_part(before) == _by_part(now)


def _by_part(digests: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name the data set's own CSV files by the part that they are of it; those of added sets keep their names."""
    files = [name for name in digests if name.lower().endswith(".csv") and "/" not in name]
    parts = {name: "test" if len(files) > 1 and "train" not in name.lower() else "train" for name in files}
    return sorted((parts.get(name, name), digest) for name, digest in digests.items())
