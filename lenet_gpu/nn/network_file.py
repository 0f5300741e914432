"""Networks in files: what describes a network, and how it is built again."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.nn import layers as shipped
from lenet_gpu.nn.extras import check_extras
from lenet_gpu.nn.layer import Layer
from lenet_gpu.nn.losses import LOSSES, Loss, loss_named
from lenet_gpu.paper import CLASSES
from lenet_gpu.storage import model_file
from lenet_gpu.storage.shipped_models import model_path

if TYPE_CHECKING:
    from lenet_gpu.backend import Backend
    from lenet_gpu.nn.network import Network

AnyNetwork = TypeVar("AnyNetwork", bound="Network")

UNITS_BELOW = 84
"""Units of F6, each of which has a weight to every output of a LeNet-5."""

SHIPPED_LAYERS: dict[str, type[Layer]] = {
    name: value
    for name, value in vars(shipped).items()
    if isinstance(value, type) and issubclass(value, Layer) and value is not Layer
}
"""Layers that every file may name."""

BUILDERS: dict[str, Callable[..., Network]] = {}
"""The builders of what files describe: "layers", a list of them (network.py); "variant", a LeNet-5 (lenet5.py)."""


NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
"""Kinds of arguments that a file can name."""


def describe(network: Network) -> dict[str, Any]:
    """Describe a network so that it can be built again, without its parameters.

    Args:
        network: Any network.

    Returns:
        Plain data.
    """
    return {
        "class": type(network).__name__,
        "layers": [layer.signature for layer in network.layers],
        "frozen": network.frozen,
        "loss": network.loss,
        "classes": network.classes,
        "class_labels": list(network.class_labels),
        "dtype": network.dtype,
        "background": network.background,
        "ink": network.ink,
    }


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a model file; see `Network.save`."""
    network.settle()
    for layer in network.layers:
        kinds = [p.kind for p in inspect.signature(type(layer).__init__).parameters.values()][1:]
        if any(
            kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY) for kind in kinds
        ):
            raise InputError(
                f"layer {layer!r}",
                found="a constructor with arguments that have no name (*, ** or /)",
                expected="named arguments, by which a model file can describe it",
            )
        for name, value in layer.signature.items():
            try:
                json.dumps(value)
            except TypeError:
                raise InputError(
                    f"argument {name} of layer {layer!r}",
                    found=type(value).__name__,
                    expected="a number, a text, or a list of them, which a model file can hold",
                    remedy="take a number or a text, and look up in the layer what it stands for",
                ) from None
    arrays = {name: np.asarray(view) for name, view in network.views_of(network.host_parameters()).items()}
    meta = {"architecture": network.architecture, "record": network.record}
    model_file.write(path, "model", meta, {**arrays, **network.extras})


def load(
    cls: type[AnyNetwork],
    model: str | os.PathLike[str],
    backend: str | Backend | None,
    layers: Sequence[type[Layer]],
    loss: Loss | Callable[..., Any] | None,
) -> AnyNetwork:
    """Read a model file; see `Network.load`."""
    path = model_path(model)
    meta, arrays = model_file.read(path, "model")
    count = sum(array.size for array in arrays.values())
    network = build(cls, meta.get("architecture"), backend, path, layers, loss, most_parameters=count)
    flat = np.empty(network.parameters.size, dtype=network.dtype)
    for name, view in network.views_of(flat).items():
        view[...] = model_file.take(path, arrays, name, view.shape, network.dtype)
    network.set_parameters(flat)
    record = meta.get("record") or {}
    if not isinstance(record, dict):
        found, remedy = f"{type(record).__name__} as record", "restore the model file, or train the model again"
        raise ModelFileError(path, found=found, expected="an object", remedy=remedy)
    network.record = record
    network.extras = {
        name: model_file.take(path, arrays, name, array.shape, str(array.dtype))
        for name, array in arrays.items()
        if name not in network.shapes
    }
    check_extras(path, network.extras, network.classes)
    return network


def build(
    cls: type[AnyNetwork],
    architecture: Any,
    backend: str | Backend | None,
    path: object,
    layers: Sequence[type[Layer]] = (),
    loss: Loss | Callable[..., Any] | None = None,
    most_parameters: int | None = None,
) -> AnyNetwork:
    """Build the network that a file describes, with initial parameters.

    Args:
        cls: The class asked for; the result is one of its objects.
        architecture: What `describe` said, or an older version of it.
        backend: Where the arrays shall live.
        path: The file, for error messages.
        layers: Classes of layers that are not ours.
        loss: A loss that is not ours.
        most_parameters: A network with more is refused before anything is allocated for it; None: any number.

    Raises:
        ModelFileError: The description makes no sense, or names layers that are not known.
    """
    try:
        values = {key: architecture[key] for key in ("dtype", "background", "ink")}
        frozen, labels = _lists(architecture)
        if "variant" in architecture:
            _demand_size(UNITS_BELOW * architecture.get("classes", CLASSES), most_parameters)
            network = BUILDERS["variant"](cls, architecture, backend, **values)
        else:
            network = _from_layers(cls, architecture, backend, path, layers, values, most_parameters)
        stored = architecture.get("loss", network.loss)  # files of the first edition name none
        network.loss = loss if loss is not None else stored if stored in LOSSES else missing_loss(stored)
        for layer in network.layers:
            layer.frozen = layer.name in frozen
        if labels and len(labels) != network.classes:
            raise ValueError(f"{len(labels)} class labels for {network.classes} classes")
        network.class_labels = labels
    except ModelFileError:
        raise
    except (
        *(TypeError, LookupError, ValueError, AttributeError, ArithmeticError, RecursionError),
        InputError,
    ) as error:
        if isinstance(error, InputError) and error.thing == "layers":
            raise
        raise ModelFileError(
            path,
            found=f"architecture {str(architecture)[:200]} ({error})",
            expected="a network that this version knows",
            remedy="update lenet-gpu, or train the model again",
        ) from None
    written = architecture.get("class", "LeNet5")
    if written not in ("Network", "LeNet5", cls.__name__):
        raise ModelFileError(
            path,
            found=f"a network of the class {written}, which is not one of lenet-gpu",
            expected="its class",
            remedy=f"load it with {written}.load",
        )
    if not isinstance(network, cls):
        raise ModelFileError(
            path,
            found=f"a {type(network).__name__} of its own layers",
            expected=f"a {cls.__name__}",
            remedy="load it with Network.load",
        )
    return network


def _from_layers(
    cls: type[AnyNetwork],
    architecture: dict[str, Any],
    backend: str | Backend | None,
    path: object,
    layers: Sequence[type[Layer]],
    values: dict[str, Any],
    most_parameters: int | None,
) -> Network:
    if not isinstance(layers, Sequence) or not all(
        isinstance(each, type) and issubclass(each, Layer) for each in layers
    ):
        raise InputError("layers", found=repr(layers), expected="a list of layer classes", remedy="layers=[ReLU]")
    made = []
    for signature in architecture["layers"]:
        arguments = dict(signature)
        kind = arguments.pop("kind")
        made.append(_layer_class(kind, path, layers)(**arguments))
    _demand_size(sum(layer.trainable for layer in made), most_parameters)
    network_class: Any = BUILDERS["layers"]
    # A class with another constructor takes other things.
    build_network = cls if cls.__init__ is network_class.__init__ else network_class
    network = build_network(made, None, backend, **values)
    if network.classes != architecture["classes"]:
        raise ValueError(f"{network.classes} outputs for {architecture['classes']!r} classes")
    return network


def _layer_class(kind: str, path: object, layers: Sequence[type[Layer]]) -> type[Layer]:
    """Find the class that a file names: one of ours by its name alone, others among `layers`."""
    if kind in SHIPPED_LAYERS:
        return SHIPPED_LAYERS[kind]
    name = kind.rpartition(".")[2]
    exact = [layer for layer in layers if f"{layer.__module__}.{layer.__qualname__}" == kind]
    found = exact or [layer for layer in layers if layer.__name__ == name]
    if len(found) == 1 or exact:
        return found[0]
    raise ModelFileError(
        path,
        found=f"the layer {name}, which is not one of lenet-gpu" if not found else f"{len(found)} classes {name}",
        expected="its class",
        remedy=f"give it: Network.load(path, layers=[{name}])",
    )


def _lists(architecture: dict[str, Any]) -> tuple[list[str], tuple[int | str, ...]]:
    """Return the frozen layers and the class labels that a file names, once they are known to be lists of such."""
    frozen, labels = architecture.get("frozen", []), architecture.get("class_labels", [])
    if not isinstance(frozen, list) or not all(isinstance(name, str) for name in frozen):
        raise TypeError(f"frozen layers {frozen!r}")
    if not isinstance(labels, list) or len({type(label) for label in labels} | {int, str}) > 2:
        raise TypeError(f"class labels {labels!r}")
    return frozen, tuple(labels)


def _demand_size(parameters: Any, most: int | None) -> None:
    """Refuse a description of more parameters than the file holds."""
    if isinstance(parameters, bool) or not isinstance(parameters, int) or parameters < 0:
        raise TypeError(f"sizes that make {parameters!r} parameters")
    if most is not None and parameters > most:
        raise ValueError(f"sizes that make {parameters:,} parameters, where the file has {most:,}")


def missing_loss(name: str) -> Loss:
    """Stand in for a loss of one's own that was not handed to `load`: enough to read with, not to train."""

    def value(*_: Any) -> Any:
        raise InputError(
            "loss", found=f"{name}, which is not one of lenet-gpu", expected="the loss itself",
            remedy="give it: Network.load(path, loss=...)",
        )  # fmt: skip

    return loss_named(Loss(value, name=name))[1]
