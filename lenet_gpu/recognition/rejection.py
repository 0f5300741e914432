"""Out-of-distribution rejection: how far an image's F6 units are from every digit's, and how sure the network is.

The units of F6 of a class scatter about their mean. Their Mahalanobis distance to the nearest class' mean tells
drawings unlike any digit of the training set, which a softmax alone may be sure about (Lee et al. 2018, "A simple
unified framework for detecting out-of-distribution samples and adversarial attacks", section 2.1). A network
that was also trained on non-digits says so with its probabilities: none of them is high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.errors import ModelFileError
from lenet_gpu.nn.extras import CONFIDENCE_FLOOR, REJECTION, gives_distances
from lenet_gpu.paper import SQUASH_A

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

FEATURES = "f6"
"""Name of the layer whose units are compared."""

UNITS = 84
"""Units of F6."""

SAMPLES = 5_000
"""Training images from which means and scatter are estimated."""

ROWS = 500
"""Images whose distances are computed at a time, which bounds the memory."""

RIDGE = 1e-4
"""Share of the identity in the scatter, in case some unit never moves."""

ROUNDING = 1e-6
"""Difference, in units of A, that an engine's rounding may make of units of F6 that are the same."""

REFUSED = 0.004
"""Share of the training digits that lie beyond the limit of the distance."""

UNDECIDED = 0.25
"""Probability of the second-best digit, from which the two are named as the reason."""


GRAIN = 27
"""Diagonal contacts that a picture of a digit may have: clean drawings with thin lines have up to 27; noise of single
pixels in the digits' box has 28 at least."""

SOME_GRAIN = 12
"""Diagonal contacts that a picture may have before it is called noise where the network takes it for no digit, or was
not taught what is none: of MNIST's 60,000 training digits 10 have more, and none of the 7,494 of pendigits more than
4."""

UNLIKE = "unlike any digit"
"""The reason of what is sharp and dark and no digit: letters, scribbles."""

UNDECIDED_BETWEEN = "undecided between"
"""The beginning of the reason that names two digits."""


@dataclass(frozen=True)
class Rejection:
    """The distribution of the F6 units of the training set.

    Attributes:
        means: Mean F6 units of each class, (classes, 84) float32, in units of A.
        precision: Inverse of the scatter that all classes share, (84, 84) float32.
        limit: Largest squared distance of a digit.
    """

    means: np.ndarray
    precision: np.ndarray
    limit: float

    @classmethod
    def fit(cls, network: Network, images: np.ndarray, labels: np.ndarray) -> Rejection:
        """Estimate means, scatter and limit from the first `SAMPLES` training digits.

        Args:
            network: The trained network.
            images: (n, 28, 28) uint8.
            labels: (n,) integers from 0 to below the number of classes.
        """
        images, labels = images[:SAMPLES], labels[:SAMPLES]
        f6 = features(network, images).astype(np.float64)
        means = np.zeros((network.classes, UNITS))
        for number in range(network.classes):
            if (labels == number).any():
                means[number] = f6[labels == number].mean(axis=0)
        deviations = f6 - means[labels]
        scatter = deviations.T @ deviations / len(f6) + RIDGE * np.eye(UNITS)
        rejection = cls(means.astype(np.float32), np.linalg.inv(scatter).astype(np.float32), 0.0)
        limit = float(np.quantile(rejection.distances(f6.astype(np.float32)), 1.0 - REFUSED))
        return cls(rejection.means, rejection.precision, limit)

    @property
    def tells_apart(self) -> bool:
        """Tell whether digits of a class differ by more than rounding, so that distances mean something."""
        return gives_distances(self.precision, self.limit) and self.limit > UNITS * ROUNDING**2 / RIDGE

    def distances(self, f6: np.ndarray) -> np.ndarray:
        """Compute the squared Mahalanobis distance to the nearest class' mean.

        Args:
            f6: (n, 84) float32, in units of A.

        Returns:
            (n,) float32.
        """
        found = np.empty(len(f6), dtype=np.float32)
        for start in range(0, len(f6), ROWS):
            part = slice(start, start + ROWS)
            away = f6[part, None, :] - self.means  # (rows, classes, 84)
            found[part] = np.einsum("nki,nki->nk", away @ self.precision, away).min(axis=1)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Give what a model file holds of it."""
        return dict(zip(REJECTION, (self.means, self.precision, np.float32(self.limit).reshape(1)), strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Rejection | None:
        """Read what `arrays` gave, once `nn.extras.check_extras` has passed it; None for a model without.

        Raises:
            ModelFileError: They are of a layer with another number of units.
        """
        if REJECTION[0] not in arrays:
            return None
        means, precision, limit = (arrays[name] for name in REJECTION)
        if means.shape[1] != UNITS:
            raise ModelFileError(
                REJECTION[0],
                found=f"{means.shape[1]} units",
                expected=f"the {UNITS} of F6",
                remedy="restore the model file, or train the model again",
            )
        return cls(means, precision, float(limit[0]))


def features(network: Network, images: np.ndarray) -> np.ndarray:
    """Compute the units of F6, in units of the squashing function's A.

    Args:
        network: A network with a layer "f6".
        images: (n, 28, 28), uint8 or float in 0..1, on the host.

    Returns:
        (n, 84) of the network's dtype, on the host.
    """
    return network.activations(images, (FEATURES,))[FEATURES] / np.dtype(network.dtype).type(SQUASH_A)


def grain(field: np.ndarray) -> int:
    """Count diagonal contacts: two pixels of ink that touch by their corners alone, as grains do and strokes do not.

    Args:
        field: (28, 28) uint8.

    Returns:
        The number of 2x2 windows with ink in two opposite corners and none in the others.
    """
    ink = field > 127
    a, b, c, d = ink[:-1, :-1], ink[:-1, 1:], ink[1:, :-1], ink[1:, 1:]
    return int(((a == d) & (b == c) & (a != b)).sum())


def decide(probabilities: np.ndarray, distance: float | None, limit: float | None) -> str:
    """Say why an image is not a digit.

    Args:
        probabilities: (classes,).
        distance: Of its F6 units; None if unknown.
        limit: Largest distance of a digit; None if unknown.

    Returns:
        "undecided between a and b", "unlike any digit", or nothing if it is one.
    """
    order = np.argsort(probabilities)
    best, second = int(order[-1]), int(order[-2])
    if probabilities[best] < CONFIDENCE_FLOOR:
        if probabilities[second] >= UNDECIDED:
            return f"{UNDECIDED_BETWEEN} {min(best, second)} and {max(best, second)}"
        return UNLIKE
    if distance is not None and limit is not None and distance > limit:
        return UNLIKE
    return ""
