"""LeNet-5: the paper's layers, with its own output or with softmax."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn import network_file
from lenet_gpu.nn.layer import Layer
from lenet_gpu.nn.layers import Convolution, Dense, Flatten, RadialBasis, ScaledTanh, Subsampling
from lenet_gpu.nn.losses import LOSSES, Loss
from lenet_gpu.nn.network import Network
from lenet_gpu.nn.state import INPUT, fitted, host_arrays, input_values, variant_of_state
from lenet_gpu.paper import BACKGROUND, C3_TABLE, CLASSES, INK

if TYPE_CHECKING:
    from lenet_gpu.backend import Backend

LOGGER = logging.getLogger("lenet_gpu")


def hidden_layers() -> list[Layer]:
    """Make C1 to F6 of the paper (LeCun et al. 1998, section II.B), every one of them squashed."""
    return [
        # input (n, 1, 32, 32)
        Convolution("c1", 1, 6),  # (n, 6, 28, 28)
        ScaledTanh(),
        Subsampling("s2", 6),  # (n, 6, 14, 14)
        ScaledTanh(),
        Convolution("c3", 6, 16, C3_TABLE),  # (n, 16, 10, 10)
        ScaledTanh(),
        Subsampling("s4", 16),  # (n, 16, 5, 5)
        ScaledTanh(),
        Convolution("c5", 16, 120),  # (n, 120, 1, 1)
        ScaledTanh(),
        Flatten(),  # (n, 120)
        Dense("f6", 120, 84),  # (n, 84)
        ScaledTanh(),
    ]


class Variant(NamedTuple):
    """The difference between the networks: the output layer behind F6, and its losses.

    Attributes:
        output: Makes the output layer for a number of classes.
        losses: Losses it can be trained with, of `losses.LOSSES`; the first unless another is asked for.
    """

    output: Callable[[int], Layer]
    losses: tuple[str, ...]


VARIANTS = {
    # A linear layer before softmax: 60,850 parameters for ten classes.
    "modern": Variant(lambda classes: Dense("output", 84, classes), ("cross_entropy",)),  # (n, classes)
    # The paper's distances from fixed codes, penalties of which the smallest wins: 60,000 parameters.
    "paper": Variant(lambda classes: RadialBasis("output"), ("rbf", "map")),  # (n, 10)
}
"""The networks by name."""


class LeNet5(Network):
    """A LeNet-5 on one backend.

    Args:
        variant: "modern": the paper's C1 to F6 with a softmax output. "paper": with the paper's own output, radial
            basis functions around fixed codes.
        backend: Where the arrays live: "cpu", "gpu", "auto", or a `Backend`; the CPU if None.
        seed: Seed of the initial weights.
        dtype: "float32", or "float64" for gradient checks.
        background: Input value of an empty pixel; -0.1 if None (paper, section II.B).
        ink: Input value of a full pixel; 1.175 if None (paper).
        initialisation: How the weights begin, one of `INITIALISATIONS`; "paper" if None (appendix A).
        classes: Number of classes, from 2; the paper's output layer knows the ten digits alone.
        loss: What training minimises, one of the variant's losses or one of your own; the variant's first if None.

    A recipe says how values begin that are None here; it never changes those that were given.

    Attributes:
        variant: Likewise.
        views: Views of `parameters`, (60850,), by name: c1.weight (6, 1, 5, 5), c1.bias (6,), s2.coefficient (6,),
            s2.bias (6,), c3.weight (60, 5, 5) (a kernel for each connected pair of Table I, in order of
            C3 map, then S2 map), c3.bias (16,), s4.coefficient (16,), s4.bias (16,),
            c5.weight (120, 16, 5, 5), c5.bias (120,), f6.weight (84, 120), f6.bias (84,),
            output.weight (10, 84), output.bias (10,); "paper", (60000,), has none of the last two.

    Raises:
        InputError: An argument that makes no sense.
    """

    _classes_are_known = True

    def __init__(
        self,
        variant: str = "modern",
        backend: str | Backend | None = None,
        seed: int = 0,
        *,
        dtype: str = "float32",
        background: float | None = None,
        ink: float | None = None,
        initialisation: str | None = None,
        classes: int = CLASSES,
        loss: str | Loss | Callable[..., Any] | None = None,
    ) -> None:
        if variant not in VARIANTS:
            raise InputError("network variant", found=repr(variant), expected=" or ".join(map(repr, VARIANTS)))
        if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < 2:
            raise InputError("classes", found=repr(classes), expected="a whole number from 2")
        if variant == "paper" and classes != CLASSES:
            raise InputError(
                "classes",
                found=str(classes),
                expected=f"{CLASSES}: the paper's output layer has codes of the ten digits alone",
                remedy="take the variant 'modern'",
            )
        fitting = VARIANTS[variant].losses
        if isinstance(loss, str) and loss in LOSSES and loss not in fitting:
            raise InputError(f"loss of the network {variant}", found=repr(loss), expected=" or ".join(fitting))
        self.variant, classes = variant, int(classes)
        super().__init__(
            [*hidden_layers(), VARIANTS[variant].output(classes)],
            fitting[0] if loss is None else loss,
            backend,
            seed,
            dtype=dtype,
            background=background,
            ink=ink,
            initialisation=initialisation,
            classes=classes,
        )
        if loss is None:
            self._given.discard("loss")

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any],
        backend: str | Backend | None = None,
        *,
        variant: str | None = None,
        background: float | None = None,
        ink: float | None = None,
        class_labels: Sequence[int | str] = (),
    ) -> Self:
        """Make a network of parameters that come from elsewhere, by their names and shapes.

        Names and shapes are those of `views`; also taken are a dense C3, (16, 6, 5, 5) with zeros where Table I has
        no connection, coefficients and biases as (maps, 1, 1), C5 as (120, 400), and a common prefix of all names.

        Args:
            state: Arrays, or tensors of PyTorch, by name; `background` and `ink` may be among them.
            backend: Where the arrays shall live; the CPU if None.
            variant: "modern" or "paper"; if None, "paper" for a state with `codes` and without an output layer.
            background: Input value of an empty pixel; the state's own if None, and else the paper's.
            ink: Input value of a full pixel; likewise.
            class_labels: What the classes are called; 0 to classes - 1 if empty.

        Returns:
            The network; the number of classes is that of the output layer's rows.

        Raises:
            InputError: Anything that is missing, left over or of another shape; all of it is named.
        """
        arrays = host_arrays(state)
        variant = variant_of_state(arrays) if variant is None else variant
        output = arrays.get("output.weight")
        classes = output.shape[0] if variant == "modern" and output is not None and output.ndim == 2 else CLASSES
        values = input_values(arrays)
        values |= {name: value for name, value in zip(INPUT, (background, ink), strict=True) if value is not None}
        if len(values) < len(INPUT):
            LOGGER.warning(
                "nothing says how pixels are scaled for these parameters: taken are the paper's values, "
                "%g for background and %g for ink", BACKGROUND, INK,
            )  # fmt: skip
        network = cls(variant, backend, classes=classes, background=values.get("background"), ink=values.get("ink"))
        found = fitted(arrays, network.shapes)
        network.set_parameters(np.concatenate([found[name].ravel() for name in network.shapes]))
        network.class_labels = _checked_labels(class_labels, classes)
        return network

    @property
    def architecture(self) -> dict[str, Any]:
        """Facts by which a file can build the network again; with the layers where they are no longer the paper's."""
        facts = network_file.describe(self)
        theirs = [layer.signature for layer in (*hidden_layers(), VARIANTS[self.variant].output(self.classes))]
        if facts["layers"] == theirs:
            del facts["layers"]
            facts["variant"] = self.variant
        return facts


def _checked_labels(labels: Sequence[int | str], classes: int) -> tuple[int | str, ...]:
    """Refuse labels that can't be those of a number of classes; none where they are the numbers themselves."""
    found = tuple(labels)
    if found in ((), tuple(range(classes))):
        return ()
    kinds = {type(label) for label in found}
    if len(found) != classes or len(set(found)) != classes or kinds not in ({int}, {str}):
        shown = ", ".join(map(repr, found[:6]))
        raise InputError("class labels", found=shown, expected=f"{classes} different integers, or {classes} texts")
    return found


def _from_variant(
    cls: type[Network], architecture: dict[str, Any], backend: str | Backend | None, **values: Any
) -> Network:
    """Build the network that a file names by its variant; files of the first edition say no number of classes."""
    made = cls if issubclass(cls, LeNet5) else LeNet5
    return made(architecture["variant"], backend, classes=architecture.get("classes", CLASSES), **values)


network_file.BUILDERS["variant"] = _from_variant
