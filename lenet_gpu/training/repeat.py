"""The command that repeats a run, made of its checkpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lenet_gpu.datasets.load import KNOWN
from lenet_gpu.errors import typed
from lenet_gpu.training.recipes import RECIPES, with_distortions, with_loss

if TYPE_CHECKING:
    from lenet_gpu.training.checkpoint import Checkpoint
    from lenet_gpu.training.recipe import Recipe

CHANGEABLE = {"copies": "--copies", "batch_size": "--batch-size", "learning_rate": "--learning-rate"}
"""Options by the fields of a recipe that they change; the number of epochs is always named."""


def repeating_command(checkpoint: Checkpoint) -> str:
    """Write the command line that makes the same run again: on the same machine, the same bytes.

    A run that was resumed with other epochs, another engine or another number of workers is repeated as if it had
    begun with them.

    Args:
        checkpoint: The run's state after any epoch.

    Returns:
        One line for a shell. It names the data where they were found, and no folder to write to.
    """
    recipe = checkpoint.recipe
    words: list[Any] = ["lenet-gpu", "train", "--recipe", recipe.name, *_changes(recipe), "--seed", checkpoint.seed]
    words += ["--dataset", checkpoint.data_paths[0] if checkpoint.data_paths else checkpoint.dataset]
    for source in checkpoint.added:
        words += ["--add", source]
    if checkpoint.validation:
        words += ["--validation", checkpoint.validation]
    if checkpoint.patience:
        words += ["--patience", checkpoint.patience]
    if checkpoint.backend:
        words += ["--backend", checkpoint.backend]
    words += ["--engine", checkpoint.engine]
    if checkpoint.engine.startswith("cpu"):
        words += ["--threads", checkpoint.workers]
    return _line(words)


def fine_tuning_command(model: str | os.PathLike[str], dataset: str) -> str:
    """Write the command line that fine-tunes the same model to the same digits again.

    Args:
        model: The model as it was named: a shipped model, a file or the folder of a run.
        dataset: The data set as it was named.

    Returns:
        One line for a shell, which names no folder to write to.
    """
    named = os.path.abspath(model) if os.path.exists(model) else model
    return _line(["lenet-gpu", "train", "--from", named, "--dataset", located(dataset)])


def located(dataset: str) -> str:
    """Name a data set so that it is found from any folder: those known by name as they are, paths absolute."""
    return dataset if dataset in KNOWN else os.path.abspath(os.path.expanduser(dataset))


def _line(words: list[Any]) -> str:
    return " ".join(typed(word) for word in words)


def _changes(recipe: Recipe) -> list[Any]:
    """List the options that make this recipe of the one with its name."""
    words: list[Any] = ["--epochs", recipe.epochs]  # always: without them, few pictures are shown more often
    named = RECIPES.get(recipe.name)
    if named is None:
        return words
    if recipe.constant_order and recipe.augmentation != named.augmentation:
        named = with_distortions(named)
        words += ["--distortions"]
    if recipe.loss != named.loss:
        named = with_loss(named, recipe.loss)
        words += ["--loss", recipe.loss]
    for field, option in CHANGEABLE.items():
        value = getattr(recipe, field)
        if value != getattr(named, field):
            words += [option, value]
    return words
