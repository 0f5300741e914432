"""A recipe: everything about a training run except the network, the data and the seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from lenet_gpu.augment import augmentation as augment
from lenet_gpu.augment.augmentation import Augmentation
from lenet_gpu.errors import InputError
from lenet_gpu.nn.initialisation import INITIALISATIONS
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.nn.optim import SGD, Nesterov, Optimizer
from lenet_gpu.nn.schedules import step_decay, warm_up_cosine
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import BACKGROUND, INK, SDLM_MU, SDLM_SAMPLES

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "gradient_descent": SGD,
    "nesterov": Nesterov,
    "sdlm": SDLM,
}
"""The optimisers by name."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training.

    Attributes:
        name: Name for the command line.
        summary: One line for the help.
        epochs: Passes over the training set.
        batch_size: Images a step.
        learning_rate: Step size of the first epoch (schedule "step"), the peak (schedule "cosine"), or a factor of
            all `rates` (schedule "table").
        schedule: "step": `decay` every `decay_every` epochs. "cosine": rise over `warm_up`, then half a cosine.
            "table": the rates of `rates`, one an epoch; later epochs have the last one.
        decay: Factor of the step decay.
        decay_every: Epochs between two decays.
        warm_up: Share of all steps until the peak.
        rates: Learning rates by epoch.
        optimizer: "gradient_descent", "nesterov" or "sdlm".
        momentum: See `optim.Nesterov`.
        weight_decay: See `optim.Nesterov`.
        average_decay: See `optim.Nesterov`.
        mu: See `sdlm.SDLM`.
        samples: See `sdlm.SDLM`.
        variant: Network it is for, one of `lenet5.VARIANTS`.
        loss: What is minimised, one of `losses.LOSSES` that fits the network.
        initialisation: How a new network begins, one of `lenet5.INITIALISATIONS`.
        background: Input value of an empty pixel of a new network.
        ink: Input value of a full pixel of a new network.
        augmentation: How the training images are varied; None: not at all.
        calm_epochs: How many epochs at the end distort `patterns.CALM` times as much, and leave strokes as wide as
            they are: the small network ends on images like those that it is for.
        copies: How many times an epoch shows every image, each time varied anew. With `constant_order`: fixed
            patterns, the image itself and distorted copies of it that are the same in all epochs.
        constant_order: Whether all epochs visit the patterns in the same random order.
        sources: Names of what is trained on besides the data set; see sources.py.
        temperature: What the trained network's outputs are divided by before softmax, so that its probabilities are
            the shares of right answers (Guo et al. 2017, "On calibration of modern neural networks").
    """

    name: str
    summary: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "step"
    decay: float = 1.0
    decay_every: int = 1
    warm_up: float = 0.0
    rates: tuple[float, ...] = ()
    optimizer: str = "gradient_descent"
    momentum: float = 0.0
    weight_decay: float = 0.0
    average_decay: float = 0.0
    mu: float = SDLM_MU
    samples: int = SDLM_SAMPLES
    variant: str = "modern"
    loss: str = "cross_entropy"
    initialisation: str = "paper"
    background: float = BACKGROUND
    ink: float = INK
    augmentation: Augmentation | None = None
    calm_epochs: int = 0
    copies: int = 1
    constant_order: bool = False
    sources: tuple[str, ...] = ()
    temperature: float = 1.0

    def learning_rates(self, epoch: int, steps: int) -> np.ndarray:
        """Compute the learning rate of every step of an epoch.

        Args:
            epoch: Number of the epoch, counted from 1.
            steps: Steps of the epoch.

        Returns:
            (steps,) float64.
        """
        if self.schedule == "cosine":
            return warm_up_cosine(self.learning_rate, self.warm_up, self.epochs, epoch, steps)
        if self.schedule == "table":
            return np.full(steps, self.learning_rate * self.rates[min(epoch, len(self.rates)) - 1])
        return step_decay(self.learning_rate, self.decay, self.decay_every, epoch, steps)

    def make_optimizer(self) -> Optimizer:
        """Make the optimizer, not yet prepared for a network."""
        kind = OPTIMIZERS[self.optimizer]
        return kind(**{name: getattr(self, name) for name in kind().settings})

    @property
    def description(self) -> str:
        """The recipe in a line, for the header of a training run."""
        kind = self.optimizer.replace("_", " ")
        rate = "" if self.schedule == "table" else f", learning rate {self.learning_rate:g} ({self.schedule})"
        parts = [f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}, batch {self.batch_size}, {kind}{rate}"]
        if self.augmentation is not None:
            parts.append(f"augmentation of strength {self.augmentation.strength:g}")
        if self.copies > 1:
            parts.append(f"{self.copies} patterns an image")
        if self.sources:
            parts.append(f"with {', '.join(self.sources)}")
        return "; ".join(parts)

    def with_changes(self, **changes: Any) -> Recipe:
        """Return the recipe with some fields replaced; None leaves a field as it is.

        Raises:
            InputError: A value that makes no sense.
        """
        return validated(replace(self, **{k: v for k, v in changes.items() if v is not None}))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for files."""
        return asdict(self)


def from_dict(values: dict[str, Any]) -> Recipe:
    """Make a recipe of what a file holds; the inverse of `Recipe.as_dict`.

    Raises:
        InputError: Missing or unknown fields, or a value that makes no sense.
    """
    names = {field.name for field in fields(Recipe)}
    if not isinstance(values, dict) or set(values) != names:
        raise InputError("recipe", found=repr(values), expected=f"the fields {', '.join(sorted(names))}")
    values = dict(values)
    try:
        values["sources"], values["rates"] = tuple(values["sources"]), tuple(values["rates"])
        if values["augmentation"] is not None:
            values["augmentation"] = augment.from_dict(values["augmentation"])
    except TypeError as error:
        raise InputError("recipe", found=str(error), expected="values as a run writes them") from None
    return validated(Recipe(**values))


CHOICES = {
    "schedule": ("step", "cosine", "table"),
    "variant": tuple(VARIANTS),
    "loss": tuple(LOSSES),
    "optimizer": tuple(OPTIMIZERS),
    "initialisation": tuple(INITIALISATIONS),
}
"""Fields that name something."""


MOST = 1_000_000_000
"""Greatest number of epochs, images a step and the like."""


def validated(recipe: Recipe) -> Recipe:
    """Return the recipe itself, once its values are known to make sense.

    Raises:
        InputError: They do not.
    """
    for name in ("epochs", "batch_size", "decay_every", "copies", "samples"):
        value = getattr(recipe, name)
        if not isinstance(value, int) or not 1 <= value <= MOST:
            raise InputError(name.replace("_", " "), found=repr(value), expected=f"a whole number from 1 to {MOST:,}")
    for name in ("learning_rate", "decay", "mu", "temperature"):
        value = getattr(recipe, name)
        if not isinstance(value, float | int) or not 0 < value < float("inf"):
            raise InputError(name.replace("_", " "), found=repr(value), expected="a number above 0")
    for name in ("warm_up", "momentum", "weight_decay", "average_decay"):
        value = getattr(recipe, name)
        if not isinstance(value, float | int) or not 0 <= value < 1:
            raise InputError(name.replace("_", " "), found=repr(value), expected="a number from 0 to below 1")
    for name, choices in CHOICES.items():
        value = getattr(recipe, name)
        if value not in choices:
            raise InputError(name, found=repr(value), expected=" or ".join(choices))
    if not isinstance(recipe.calm_epochs, int) or recipe.calm_epochs < 0:
        raise InputError("calm epochs", found=repr(recipe.calm_epochs), expected="a whole number from 0")
    if recipe.loss not in VARIANTS[recipe.variant].losses:
        fitting = " or ".join(VARIANTS[recipe.variant].losses)
        raise InputError(f"loss of the network {recipe.variant}", found=recipe.loss, expected=fitting)
    if recipe.sources:
        from lenet_gpu.training.sources import SOURCES  # hundreds of templates, which only such recipes need

        unknown = set(recipe.sources) - set(SOURCES)
        if unknown:
            raise InputError("sources", found=", ".join(sorted(unknown)), expected=" or ".join(SOURCES))
    if recipe.schedule == "table" and not (recipe.rates and min(recipe.rates) > 0):
        raise InputError("rates", found=repr(recipe.rates), expected="a learning rate above 0 for each epoch")
    if recipe.augmentation is not None:
        recipe.augmentation.validated()
    return recipe
