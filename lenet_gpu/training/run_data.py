"""Bring what a run is given to learn from into one form, and hold it to what the run began with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lenet_gpu.datasets import Dataset
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.training.compatibility import same_data

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.training.recipe import Recipe


def as_dataset(model: Network, data: Any, labels: Any, validation: Any, seed: int) -> Dataset:
    """Make one data set of what `Trainer.fit` was given.

    Args:
        model: The network that learns from it.
        data: A `Dataset`, or images.
        labels: Their labels; None beside a `Dataset`.
        validation: A share, a pair of images and labels, or None.
        seed: Decides which images are held out.

    Returns:
        The data set.

    Raises:
        InputError: Labels beside a data set or images without labels, or images and labels of another form.
    """
    if isinstance(data, Dataset):
        if labels is not None:
            raise InputError("labels", found="labels beside a data set", expected="a data set alone")
        return data if validation is None else data.with_validation(validation, seed)
    if labels is None:
        raise InputError("labels", found="none", expected="one for each image: fit(images, labels)")
    held = 0.0 if validation is None else validation
    return Dataset.from_arrays(data, labels, validation=held, classes=model.class_labels or model.classes, seed=seed)


def check_same_data(data: Dataset, digests: Mapping[str, str]) -> None:
    """Refuse other data than the run began with.

    Args:
        data: The data.
        digests: Of the data that the run began with; empty before it has begun.

    Raises:
        DataError: They differ.
    """
    if digests and not same_data(digests, data.digests):
        raise DataError(
            f"data set {data.name}",
            found="other digests than the checkpoint's",
            expected="the data the run began with",
            remedy="give the same data, or start a new run",
        )


def load_recipe_sources(
    recipe: Recipe, digests: Mapping[str, str] | None, download: bool
) -> tuple[dict[str, Dataset], dict[str, str]]:
    """Load what the recipe adds to the data.

    Args:
        recipe: The recipe.
        digests: What the run began with, by source and file; None if it begins now.
        download: Whether the network may be used.

    Returns:
        The data sets by source, and their digests.

    Raises:
        DataError: One is missing, or has other contents than the run began with.
    """
    from lenet_gpu.training.sources import load_sources  # hundreds of templates, which only such recipes need

    loaded = load_sources(recipe.sources, download=download)
    found = {
        f"{source}/{member}": digest for source, data in loaded.items() for member, digest in data.digests.items()
    }
    if digests is not None and digests != found:
        raise DataError(
            f"the sources of recipe {recipe.name} ({', '.join(loaded)})",
            found="other digests than the checkpoint's",
            expected="the data the run began with",
            remedy="bring back the same files, or start a new run",
        )
    return loaded, found
