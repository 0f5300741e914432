"""The comparison of a network with what the fast engines know.

The engines are written for LeNet-5 alone. Before one of them runs a network, the network is compared with LeNet-5
layer by layer, and so are the loss, the way the network computes, and what is trained; the first difference is named.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lenet_gpu.errors import InputError
from lenet_gpu.nn.layer import Layer, kind_of
from lenet_gpu.nn.lenet5 import VARIANTS, LeNet5, hidden_layers
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.nn.network import Network
from lenet_gpu.nn.network_file import SHIPPED_LAYERS
from lenet_gpu.nn.optim import SGD, Nesterov, Optimizer
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.nn.stack import LayerStack

MOST_CLASSES = 64
"""Classes of the softmax output that the fast engines are built for."""

OPTIMIZERS = (SGD, Nesterov, SDLM)
"""Update rules that worker processes and kernels know; classes derived from them are others."""

COMPUTING = (
    "input_layer",
    "grid_layer",
    "forward_layers",
    "backward_layers",
    "input_loss_backward",
    "outputs",
    "readable_outputs",
    "readable_activations",
    "sign",
    "views_of",
)
"""Attributes of a network that decide what it computes."""

CLASSES = (*SHIPPED_LAYERS.values(), Layer, LayerStack, Network, LeNet5, *OPTIMIZERS)
ORIGINALS = {(cls, name): value for cls in CLASSES for name, value in vars(cls).items() if callable(value)}
"""The methods as they were written: a class whose method was replaced is no longer the one that the engines know."""


@cache
def expected_layers(variant: str, classes: int) -> tuple[dict[str, Any], ...]:
    """Describe the layers that the fast engines know: LeNet-5's, by their signatures."""
    return tuple(layer.signature for layer in (*hidden_layers(), VARIANTS[variant].output(classes)))


def variant_of(network: Network) -> str:
    """Name the LeNet-5 whose output layer a network has: "paper" or "modern"."""
    return "paper" if kind_of(network.layers[-1]) == "RadialBasis" else "modern"


def first_difference(network: Network, *, training: bool = True) -> str | None:
    """Tell in what a network differs from the LeNet-5 that the fast engines know.

    Args:
        network: Any network.
        training: Whether it is to be trained; answers depend neither on its loss nor on frozen layers.

    Returns:
        The first difference in a few words; None if there is none.
    """
    variant = variant_of(network)
    found, known = network.layers, expected_layers(variant, network.classes)
    for place, (layer, expected) in enumerate(zip(found, known, strict=False), 1):
        if layer.signature != expected:
            return f"layer {place} is {layer!r}, not {_described(expected, layer)}"
    if len(found) != len(known):
        return f"{len(found)} layers, not {len(known)}"
    if network.sign != (-1.0 if variant == "paper" else 1.0):
        return f"the output layer has the sign {network.sign:g}"
    if not 2 <= network.classes <= MOST_CLASSES:
        return f"{network.classes} classes, not 2 to {MOST_CLASSES}"
    changed = [name for name in COMPUTING if _is_changed(network, name)]
    if changed:
        return f"{type(network).__name__} has another {changed[0]}"
    replaced = next((key for key, value in ORIGINALS.items() if vars(key[0]).get(key[1]) is not value), None)
    if replaced is not None:
        return f"{replaced[0].__name__}.{replaced[1]} was replaced"
    if not training:
        return None
    fitting = VARIANTS[variant].losses
    if network.loss not in fitting or network.criterion != LOSSES[network.loss]:
        return f"the loss is {network.loss}, not {' or '.join(fitting)}"
    if network.frozen:
        return f"{network.frozen[0]} is frozen"
    return None


def unknown_optimizer(optimizer: Optimizer | None) -> str | None:
    """Tell that an optimiser is none that worker processes and kernels know; None if they do."""
    if optimizer is None or (type(optimizer) in OPTIMIZERS and "update" not in vars(optimizer)):
        return None
    known = ", ".join(kind.__name__ for kind in OPTIMIZERS)
    if type(optimizer) in OPTIMIZERS:
        return f"the optimizer has another update than {type(optimizer).__name__}'s"
    return f"the optimizer is {type(optimizer).__name__}, not one of {known}"


def refuse(engine: str, difference: str | None) -> None:
    """Raise InputError for what an engine does not cover; nothing for None."""
    if difference is not None:
        raise InputError(
            f"engine {engine}",
            found=difference,
            expected="LeNet-5 as the engine knows it",
            remedy="take the engine auto or layered",
        )


def _is_changed(network: Network, name: str) -> bool:
    """Tell if a network computes with a method of its own instead of ours."""
    return name in vars(network) or getattr(type(network), name) not in (
        getattr(Network, name), getattr(LeNet5, name)
    )  # fmt: skip


def _described(expected: dict[str, Any], layer: Layer) -> str:
    """Say what a layer should have been: its kind, or of the right kind the first argument that differs."""
    found = layer.signature
    if found["kind"] != expected["kind"]:
        return str(expected["kind"])
    name, value = next((name, value) for name, value in expected.items() if found.get(name) != value)
    return f"{name} {'Table I' if name == 'table' else repr(value)}"
