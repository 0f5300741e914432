"""The command that repeats a run, made of its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenet_gpu.errors import typed
from lenet_gpu.training.recipes import RECIPES, with_distortions, with_loss

if TYPE_CHECKING:
    from lenet_gpu.training.checkpoint import Checkpoint
    from lenet_gpu.training.recipes import Recipe

CHANGEABLE = {"epochs": "--epochs", "batch_size": "--batch-size", "learning_rate": "--learning-rate"}
"""Options by the fields of a recipe that they change."""


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
    return " ".join(typed(word) for word in words)


def _changes(recipe: Recipe) -> list[Any]:
    """List the options that make this recipe of the one with its name."""
    named = RECIPES.get(recipe.name)
    if named is None:
        return []
    words: list[Any] = []
    if recipe.copies != named.copies and recipe.name == "paper":  # elsewhere few pictures alone make copies, again
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
