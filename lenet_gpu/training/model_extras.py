"""Learn what the Recognizer wants to know of a trained network besides its parameters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.nn.extras import TEMPERATURE
from lenet_gpu.recognition.rejection import FEATURES, ROUNDING, SAMPLES, UNITS, Rejection, features

if TYPE_CHECKING:
    from lenet_gpu.datasets import Split
    from lenet_gpu.nn.network import Network
    from lenet_gpu.training.divergence import Divergence
    from lenet_gpu.training.recipe import Recipe

LOGGER = logging.getLogger("lenet_gpu")


def add_extras(model: Network, recipe: Recipe, split: Split, epochs: int, divergence: Divergence) -> None:
    """Give a trained network the recipe's temperature, and the distances by which it refuses what is no digit.

    Args:
        model: The network.
        recipe: How it was trained.
        split: What it was trained on.
        epochs: For how many epochs.
        divergence: Says that the run diverged.

    Raises:
        TrainingError: F6 is the same for every image, though the images differ.
    """
    model.extras = {TEMPERATURE: np.array([recipe.temperature], dtype=np.float32)}
    knows_itself = "nondigits" in recipe.sources  # a network that has learnt them says so itself
    if knows_itself or model.shapes.get(f"{FEATURES}.bias") != (UNITS,):
        return
    rejection = Rejection.fit(model, split.images, split.labels)
    if rejection.tells_apart:
        model.extras |= rejection.arrays()
        return
    images = split.images[:SAMPLES]
    if np.ptp(features(model, images), axis=0).max() <= ROUNDING and not (images == images[0]).all():
        raise divergence.error("F6 is the same for every image", "after", epochs, epochs)
    LOGGER.warning("F6 is the same for the images of each class: the model can't tell what is unlike all of them")
