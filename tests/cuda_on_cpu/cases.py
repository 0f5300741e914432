"""Real digits, parameters at which there is something to see, and training steps of the kernels with both."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.datasets import load_dataset
from lenet_gpu.engine.cuda.source import kernel_source
from lenet_gpu.nn.lenet5 import VARIANTS, LeNet5
from lenet_gpu.paper import CLASSES, CODES, NOT_A_DIGIT, SQUASH_A, SQUASH_S

from . import harness
from .steps import KERNELS, Steps

DATA = Path(__file__).parents[2] / "data" / "mnist"


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_dataset("mnist", data_dir=DATA, download=False)
    return np.ascontiguousarray(data.train.images[:640]), np.ascontiguousarray(data.train.labels[:640])


def with_no_digits(labels: np.ndarray) -> np.ndarray:
    """The labels, every fifth of which now says that the image shows no digit."""
    labels = labels.copy()
    labels[::5] = NOT_A_DIGIT
    return labels


def labels_of(classes: int) -> np.ndarray:
    """Labels of the digits as if there were that many classes: all of them, and every fifth "none of them"."""
    labels = np.random.default_rng(classes).integers(0, classes, len(digits()[1]), dtype=np.uint8)
    labels[::5] = classes
    return labels


@functools.cache
def library(variant: str = "modern", classes: int = CLASSES, form: str = "portable") -> Path:
    return harness.build(kernel_source(variant, classes, form), KERNELS)


@functools.cache
def trained_parameters(variant: str = "modern", classes: int = CLASSES) -> np.ndarray:
    """Parameters at which every layer's gradient is of a healthy size, as early initial ones are not.

    Those of "paper" draw something between a 6 and a 8: by loss (9) it is one of the two, or no digit.
    """
    network = LeNet5(variant, seed=3, classes=classes)
    flat = network.initial_parameters(3)
    flat += np.random.default_rng(3).normal(0, 0.05, flat.shape)
    if variant == "paper":
        views = network.views_of(flat)
        views["f6.weight"] *= 0.25
        drawing = 0.5 * (np.array(CODES[6]) + np.array(CODES[8]))
        views["f6.bias"][...] = np.arctanh(drawing / SQUASH_A) / SQUASH_S
    return flat.astype(np.float32)


def variant_of(loss: str) -> str:
    return next(name for name, variant in VARIANTS.items() if loss in variant.losses)


def oracle_of(loss: str, dtype: str = "float64", classes: int = CLASSES) -> LeNet5:
    """The readable network at `trained_parameters`."""
    variant = variant_of(loss)
    network = LeNet5(variant, dtype=dtype, classes=classes)
    network.set_parameters(trained_parameters(variant, classes))
    network.loss = loss
    return network


def relative_errors(network: LeNet5, found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Largest error of each parameter's array, relative to the array's largest value."""
    views, named = network.views_of(found), network.views_of(expected).items()
    return {name: float(np.abs(views[name] - view).max() / np.abs(view).max()) for name, view in named}


def assert_close(network: LeNet5, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Each parameter's array (or gradient) agrees, in relation to its largest value."""
    for name, error in relative_errors(network, found, expected).items():
        assert error < tolerance, f"{name}: {error}"


def make_steps(
    order: np.ndarray,
    batch_size: int,
    loss: str = "cross_entropy",
    classes: int = CLASSES,
    form: str = "portable",
    **options: object,
) -> Steps:
    """Steps on digits from `trained_parameters`; with another number of classes than ten labelled by `labels_of`."""
    built = library(variant_of(loss), classes, form)
    return Steps(built, form=form, **make_options(order, batch_size, loss, classes, options))


def make_options(
    order: np.ndarray, batch_size: int, loss: str, classes: int, options: dict[str, object]
) -> dict[str, object]:
    """Everything that `make_steps` makes steps of but the library."""
    images, labels = digits()
    if classes != CLASSES:
        labels = labels_of(classes)
    count = -(-len(order) // batch_size)
    if "nesterov" in options:
        options.setdefault("shares", np.linspace(1.0, 0.2, count, dtype=np.float32))
    return {
        "images": images,
        "labels": labels,
        "order": order.astype(np.int32),
        "batch_size": batch_size,
        "parameters": trained_parameters(variant_of(loss), classes).copy(),
        "learning_rates": np.linspace(0.08, 0.04, count).astype(np.float32),
        "loss": loss,
        "classes": classes,
        **options,
    }


def everything(order: np.ndarray) -> dict[str, object]:
    """Options of steps with all there is: distortions, Nesterov's momentum, weight decay and average."""
    return {"distortions": STANDARD.draw(7, 1, len(order)), "nesterov": (0.9, 0.01)}


def permutation(n: int) -> np.ndarray:
    return np.random.default_rng(5).permutation(len(digits()[0]))[:n]
