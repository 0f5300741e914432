"""Reading digits with a trained network: NumPy alone, on the CPU, by the prepared calls of the CPU plan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.backend import select_backend
from lenet_gpu.engine.cpu_plan import CpuPlan
from lenet_gpu.errors import ModelFileError
from lenet_gpu.lenet5 import LeNet5
from lenet_gpu.losses import softmax
from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.preprocess import image_to_mnist

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
"""Where the shipped models lie."""

DEFAULT_MODEL = "mnist"


@dataclass(frozen=True)
class Prediction:
    """What a network reads.

    Attributes:
        digit: The most probable digit.
        probabilities: Probability of each digit 0..9, (10,) float32, summing to 1.
        is_digit: Whether there is a digit at all; if not, `digit` means nothing.
        reason: Why it is not a digit ("blank"); empty otherwise.
        image: The 28x28 uint8 picture that the network saw.
    """

    digit: int
    probabilities: np.ndarray
    is_digit: bool
    reason: str
    image: np.ndarray

    @property
    def confidence(self) -> float:
        """Probability of `digit`, 0..1."""
        return float(self.probabilities[self.digit])


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in WEIGHTS_FOLDER.glob("*.npz"))


def model_path(model: str | os.PathLike[str]) -> Path:
    """File of a model given by name or path.

    Args:
        model: Name of a shipped model, path of a model file, or folder of a training run.

    Raises:
        ModelFileError: Neither exists.
    """
    path = Path(model)
    if path.is_dir():
        path = path / "model.npz"
    if path.exists():
        return path
    if str(model) in shipped_models():
        return WEIGHTS_FOLDER / f"{model}.npz"
    raise ModelFileError(
        path,
        found="no such file",
        expected=f"a model file, the folder of a run, or a shipped model ({', '.join(shipped_models())})",
        remedy="check the path",
    )


class Recognizer:
    """Reads digits with a trained model, on the CPU.

    Args:
        model: Name of a shipped model, or path of a model file.

    Raises:
        ModelFileError: No such model, or a damaged file.
    """

    def __init__(self, model: str | os.PathLike[str] = DEFAULT_MODEL) -> None:
        self.network = network = LeNet5.load(model_path(model), select_backend("cpu"))
        # In this process and for one image at a time: worker processes would only cost time here.
        self._plan = CpuPlan(
            network.parameters, [], network.shapes, capacity=1, background=network.background, ink=network.ink
        )
        self.refresh()

    def refresh(self) -> None:
        """Take in the network's parameters again after a change of them."""
        self._plan.outputs(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8))

    def predict_image(self, image: Any) -> Prediction:
        """Read one digit in a picture.

        Args:
            image: (h, w) greyscale, uint8 or float in 0..1; either polarity, any size, the digit anywhere.

        Returns:
            The prediction.

        Raises:
            InputError: Not a greyscale picture.
        """
        field = image_to_mnist(image)
        blank = not field.any()
        probabilities = softmax(np, self._plan.outputs(field[None], refresh=False))[0]
        return Prediction(
            digit=int(probabilities.argmax()),
            probabilities=probabilities,
            is_digit=not blank,
            reason="blank" if blank else "",
            image=field,
        )
