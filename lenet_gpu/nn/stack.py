"""A stack of layers over one flat parameter buffer: what runs forward and backward, and nothing else.

The readable way through any network, and the oracle of all fast code.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.backend import Backend
from lenet_gpu.errors import InputError
from lenet_gpu.nn.initialisation import INITIALISATIONS
from lenet_gpu.nn.layer import Array, Layer, Shape, named_views

DTYPES = ("float32", "float64")


class LayerStack:
    """Layers in a row, whose parameters are views of one flat buffer.

    Args:
        layers: The layers in order. Layers with parameters need names of their own.
        backend: Where the arrays live.
        seed: Seed of the initial weights.
        dtype: "float32", or "float64" for gradient checks.

    Attributes:
        parameters: The one flat parameter buffer, (parameters,) on the backend.
        gradients: The flat gradient buffer of the same layout.
        views: Views of `parameters` by name ("c1.weight").
        gradient_views: Views of `gradients`, likewise.
        initialisation: The name, in `INITIALISATIONS`, of how the parameters begin.

    Raises:
        InputError: A layer that does not fit, or an argument that makes no sense.
    """

    initialisation = "paper"

    def __init__(self, layers: Iterable[Layer], backend: Backend, seed: int, dtype: str) -> None:
        if dtype not in DTYPES:
            raise InputError("dtype", found=repr(dtype), expected=" or ".join(map(repr, DTYPES)))
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= seeds.MAX_SEED:
            raise InputError("seed", found=repr(seed), expected=f"0 to {seeds.MAX_SEED}")
        self.backend, self.dtype, self.seed = backend, dtype, int(seed)
        self.layers = checked_layers(layers)
        self._lock = threading.RLock()  # layers remember their last pass: one at a time
        self.allocate()

    def allocate(self) -> None:
        """Make the buffers, and hand the layers their views; parameters begin at 0.

        A layer of another network is copied, and brings the values of its parameters along.
        """
        self.layers, brought = _unbound(self.layers)
        self._shapes = _shapes_of(self.layers)
        count = sum(math.prod(shape) for shape in self._shapes.values())
        self.parameters: Array = self.backend.xp.zeros(count, dtype=self.dtype)
        self.gradients: Array = self.backend.xp.zeros(count, dtype=self.dtype)
        self.views: Mapping[str, Array] = MappingProxyType(self.views_of(self.parameters))
        self.gradient_views: Mapping[str, Array] = MappingProxyType(self.views_of(self.gradients))
        self._bind(brought)

    def _bind(self, brought: Mapping[str, np.ndarray]) -> None:
        """Hand the layers their views, and write the values that some have brought along."""
        for index, layer in enumerate(self.layers):
            layer.needs_input_gradient = index > 0
            views = {key: self.views[f"{layer.name}.{key}"] for key in layer.shapes}
            gradients = {key: self.gradient_views[f"{layer.name}.{key}"] for key in layer.shapes}
            layer.bind(self.backend.xp, MappingProxyType(views), MappingProxyType(gradients))
        self._bound = list(self.layers)
        self._brought = dict(brought)
        self._restore_brought()

    def _restore_brought(self) -> None:
        for name, values in self._brought.items():
            self.views[name][...] = self.backend.asarray(values.astype(self.dtype))

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every parameter by its name, in the order of the flat buffer."""
        return dict(self._shapes)

    @property
    def frozen(self) -> list[str]:
        """Names of the layers whose parameters training leaves as they are."""
        return [layer.name for layer in self.layers if layer.frozen and layer.shapes]

    def frozen_parameters(self) -> list[str]:
        """List the names of the parameters that training leaves as they are."""
        return [f"{layer.name}.{key}" for layer in self.layers if layer.frozen for key in layer.shapes]

    def views_of(self, flat: Array) -> dict[str, Array]:
        """Cut any flat array with the layout of `parameters` (host or device) into named views."""
        return named_views(flat, self._shapes)

    # ---- parameters

    def initial_parameters(self, seed: int) -> np.ndarray:
        """Draw initial values on the host: the same on every backend.

        Args:
            seed: Seed of the run.

        Returns:
            (parameters,) float64; see `Initialisation`.
        """
        begin = INITIALISATIONS[self.initialisation]
        rng = seeds.generator(seed, seeds.WEIGHTS)
        flat = np.zeros(self.parameters.size)
        views = self.views_of(flat)
        for layer in self.layers:
            for key, shape in layer.shapes.items():
                view = views[f"{layer.name}.{key}"]
                if key in layer.fan_in:
                    fan_in = np.asarray(layer.fan_in[key], dtype=float)
                    bound = begin.bound(fan_in.reshape(-1, *[1] * (len(shape) - 1)))
                    view[...] = rng.uniform(-1.0, 1.0, shape) * bound
                else:
                    view[...] = begin.coefficient if key == "coefficient" else 0.0
        return flat

    def set_parameters(self, flat: np.ndarray) -> None:
        """Overwrite all parameters.

        Args:
            flat: (parameters,) host array of any float dtype.
        """
        self.parameters[...] = self.backend.asarray(np.ascontiguousarray(flat, dtype=self.dtype))

    def host_parameters(self) -> np.ndarray:
        """Copy the flat parameter buffer to the host, (parameters,)."""
        return np.array(self.backend.to_host(self.parameters))

    # ---- computing

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Give each layer its random numbers of an epoch, of which `Layer.uniform` draws.

        Args:
            seed: The run's seed.
            epoch: Number of the epoch, counted from 1.
        """
        for index, layer in enumerate(self.layers):
            layer._generator = seeds.generator(seed, epoch, seeds.LAYERS + index)

    def forward_layers(self, x: Array, training: bool = False) -> Array:
        """Run all layers forward: input layer (n, 1, 32, 32) -> output layer (n, classes), on the backend."""
        self.settle()
        for layer in self.layers:
            layer.training = training
            x = forward_layer(layer, x)
        return x

    def settle(self) -> None:
        """Bind layers that were put into the list after construction.

        Raises:
            InputError: The parameters of the list are no longer those that the buffer has room for.
        """
        if self.layers == self._bound:
            return
        checked_layers(self.layers)
        if list(_shapes_of(self.layers).items()) != list(self._shapes.items()):
            raise InputError(
                "layers",
                found="other parameters, or another order of them, than when the network was made",
                expected="the same names and shapes",
                remedy="make a new Network of the list of layers",
            )
        strangers = [layer for layer in self.layers if not any(layer is known for known in self._bound)]
        replaced, brought = _unbound(strangers)
        copies = dict(zip(map(id, strangers), replaced, strict=True))
        self.layers[:] = [copies.get(id(layer), layer) for layer in self.layers]
        self._bind(brought)

    def backward_layers(self, dy: Array) -> None:
        """Run all layers backward from dE/doutput (n, classes); fills the gradient buffer."""
        for layer in reversed(self.layers):
            try:
                dx = layer.backward(dy)
            except (ValueError, TypeError, IndexError, KeyError) as error:
                raise InputError(
                    f"layer {layer!r}",
                    found=f"{type(error).__name__} in backward for derivatives of shape {tuple(dy.shape)} ({error})",
                    expected="the derivative by its input",
                ) from error
            if dx is None and layer.needs_input_gradient:
                raise InputError(
                    f"layer {layer!r}", found="None from backward", expected="the derivative by its input"
                )
            dy = dx

    def output_shapes(self, x: Array) -> list[Shape]:
        """Run an input through the layers and list the shape that each of them returns."""
        shapes = []
        for layer in self.layers:
            layer.training = False
            x = forward_layer(layer, x)
            shapes.append(tuple(x.shape))
        return shapes

    def __getstate__(self) -> dict[str, Any]:
        """Return what to copy or pickle: the parameters on the host, without device arrays."""
        bound = ("parameters", "gradients", "views", "gradient_views", "_lock", "_bound", "_brought")
        return {**{k: v for k, v in vars(self).items() if k not in bound}, "flat": self.host_parameters()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make buffers anew; for copy.deepcopy and for other processes."""
        flat = state.pop("flat")
        vars(self).update(state)
        self._lock = threading.RLock()
        self.allocate()
        self.set_parameters(flat)


RESERVED = ("outputs", "calibration", "rejection")
"""Names that files and answers use for other things."""


def checked_layers(layers: Iterable[Layer]) -> list[Layer]:
    """Refuse a list of layers that can't be a network."""
    try:
        found = list(layers)
    except TypeError:
        raise InputError("layers", found=repr(layers), expected="a list of layers") from None
    if not found:
        raise InputError("layers", found="none", expected="a list of layers")
    names: set[str] = set()
    for layer in found:
        if not isinstance(layer, Layer):
            hint = "make an object of the class: write () behind it" if isinstance(layer, type) else None
            raise InputError("layers", found=repr(layer), expected="objects of lenet_gpu.nn.Layer", remedy=hint)
        thing = f"name of layer {layer!r}"
        if not isinstance(layer.name, str):
            raise InputError(thing, found=repr(layer.name), expected="a text", remedy="give the name first")
        if layer.shapes and not layer.name:
            raise InputError(f"layer {layer!r}", found="parameters but no name", expected="a name of its own")
        if "." in layer.name or layer.name in RESERVED:
            expected = f"a name without a dot, and none of {', '.join(RESERVED)}"
            raise InputError(thing, found=repr(layer.name), expected=expected)
        if layer.name and layer.name in names:
            raise InputError(thing, found=f"{layer.name!r} twice", expected="a name of its own")
        names.add(layer.name)
        if sum(layer is other for other in found) > 1:
            raise InputError(
                f"layer {layer!r}", found="the same object twice", expected="one object for each position"
            )
    return found


def _shapes_of(layers: Iterable[Layer]) -> dict[str, Shape]:
    """List the shapes of all parameters by name, in the order of the layers."""
    return {f"{layer.name}.{key}": tuple(shape) for layer in layers for key, shape in layer.shapes.items()}


def _unbound(layers: Iterable[Layer]) -> tuple[list[Layer], dict[str, np.ndarray]]:
    """Copy the layers that another network has; their parameters' values come along, by name, on the host."""
    found, brought = [], {}
    for layer in layers:
        if layer.xp is None:
            found.append(layer)
            continue
        for key, view in layer.parameters.items():
            brought[f"{layer.name}.{key}"] = np.array(view.get() if hasattr(view, "get") else view)
        found.append(copy.copy(layer))
    return found, brought


def forward_layer(layer: Layer, x: Array) -> Array:
    """Run one layer; an error that comes of sizes names it."""
    try:
        y = layer.forward(x)
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"layer {layer!r}",
            found=f"an input of shape {tuple(x.shape)} ({error})",
            expected="one that it can compute with",
            remedy="compare its sizes with those of the layer before",
        ) from error
    if not hasattr(y, "shape"):
        raise InputError(
            f"layer {layer!r}", found=f"{type(y).__name__} from forward", expected="an array", remedy="return one"
        )
    return y
