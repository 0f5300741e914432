"""A trained LeNet-5 as plain arrays and facts: what every export begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu._version import __version__
from lenet_gpu.engine.cover import first_difference, variant_of
from lenet_gpu.errors import InputError
from lenet_gpu.nn.extras import TEMPERATURE
from lenet_gpu.paper import BACKGROUND, C3_TABLE, CODES, INK, SQUASH_A, SQUASH_S

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

C3_PAIRS = np.array([(o, i) for o, row in enumerate(C3_TABLE) for i in row])
"""The connected pairs of maps of C3 and S2, (60, 2), in the order of C3's kernels."""


@dataclass(frozen=True)
class PlainNetwork:
    """A LeNet-5 without anything that computes.

    Attributes:
        variant: "modern", with a softmax output, or "paper", with penalties.
        parameters: Arrays by the names and in the shapes of `LeNet5.views`.
        background: Input value of an empty pixel.
        ink: Input value of a full pixel.
        classes: Number of classes.
        class_labels: What each class is called.
        temperature: What the Recognizer divides the outputs by before softmax; only the page does, too.
        extras: What the model file holds beside, by name; only the page needs it.
    """

    variant: str
    parameters: Mapping[str, np.ndarray]
    background: float = BACKGROUND
    ink: float = INK
    classes: int = 10
    class_labels: tuple[int | str, ...] = ()
    temperature: float = 1.0
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network) -> PlainNetwork:
        """Take a network apart.

        Args:
            network: A LeNet-5, of either variant and any number of classes.

        Raises:
            InputError: Another network; the first difference is named.
        """
        difference = first_difference(network, training=False)
        if difference is not None:
            raise InputError(
                f"export of {type(network).__name__}",
                found=difference,
                expected="LeNet-5, the only network that other forms are written for",
                remedy="keep it as a model file of lenet-gpu (Network.save), or take its parameters from views",
            )
        views = network.views_of(network.host_parameters())
        if not all(np.isfinite(array).all() for array in views.values()):
            raise InputError(
                f"export of {type(network).__name__}",
                found="parameters that are NaN or infinite",
                expected="a trained network",
                remedy="train it again, with a lower learning rate",
            )
        return cls(
            variant_of(network),
            {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in views.items()},
            network.background,
            network.ink,
            network.classes,
            network.class_labels or tuple(range(network.classes)),
            float(network.extras.get(TEMPERATURE, np.ones(1))[0]),
            dict(network.extras),
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Facts that a file carries beside the arrays, as plain data for JSON."""
        return {
            "format": "lenet-gpu weights",
            "version": 1,
            "package_version": __version__,
            "variant": self.variant,
            "classes": self.classes,
            "class_labels": list(self.class_labels),
            "background": self.background,
            "ink": self.ink,
            "temperature": self.temperature,
        }

    def dense_c3(self, kernels: np.ndarray | None = None) -> np.ndarray:
        """Give C3's kernels, (16, 6, 5, 5), with zeros where Table I has no connection.

        Args:
            kernels: (60, 5, 5) to take instead of the network's own.
        """
        pairs = self.parameters["c3.weight"] if kernels is None else kernels
        dense = np.zeros((len(C3_TABLE), 6, *pairs.shape[1:]), dtype=pairs.dtype)
        dense[C3_PAIRS[:, 0], C3_PAIRS[:, 1]] = pairs
        return dense

    def folded(self) -> dict[str, np.ndarray]:
        """Fold every constant factor into the weights, so that others compute as little as can be.

        The folded network takes pixels 0 to 255 with a margin of zeros: the input layer's scale and background are
        in C1. Its squashing function is a plain tanh: f(a) = A tanh(S a), S is in the weights before it and A in
        those behind. A unit of S2 or S4 is tanh(coefficient x (sum of four tanh) + bias).

        Returns:
            float64 arrays: {c1, c3, c5, f6, output}.{weight, bias} in the shapes of `LeNet5.views` (c3.weight for
            each connected pair), {s2, s4}.{coefficient, bias}. With RBF units output.weight is 2 A times the codes:
            in -sum (x - w)^2 = 2 w x - |x|^2 - |w|^2 the last two are the same for all classes, and softmax does
            not see them.
        """
        a, s, p = SQUASH_A, SQUASH_S, {name: array.astype(np.float64) for name, array in self.parameters.items()}
        folded = {
            "c1.weight": s * (self.ink - self.background) / 255.0 * p["c1.weight"],
            "c1.bias": s * (p["c1.bias"] + self.background * p["c1.weight"].sum(axis=(1, 2, 3))),
        }
        for name, part in (("s2", "coefficient"), ("c3", "weight"), ("s4", "coefficient")):
            folded |= {f"{name}.{part}": s * a * p[f"{name}.{part}"], f"{name}.bias": s * p[f"{name}.bias"]}
        for name in ("c5", "f6"):
            folded |= {f"{name}.weight": s * a * p[f"{name}.weight"], f"{name}.bias": s * p[f"{name}.bias"]}
        if self.variant == "paper":
            return {**folded, "output.weight": 2.0 * a * np.array(CODES, float), "output.bias": np.zeros(len(CODES))}
        return {**folded, "output.weight": a * p["output.weight"], "output.bias": p["output.bias"]}
