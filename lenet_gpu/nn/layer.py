"""The base class of layers, ours and everybody's own.

A layer works on `xp`, the array module it is handed: the same lines run on NumPy and on CuPy. It keeps the dtype
that it is given (float32 to train, float64 for gradient checks) and never moves data to the host.

A layer is used in three moves::

    y  = layer.forward(x)      # remembers what backward needs
    dx = layer.backward(dy)    # dE/dy -> dE/dx; writes dE/dparameter into layer.gradients

Shapes: n images, feature maps as (n, maps, height, width). E is the loss; dy stands for dE/dy.

A fourth move serves the second-order learning rates of appendix C (sdlm.py); only networks that are trained with
them need it::

    d2x = layer.curvature(d2y) # d2E/dy2 -> d2E/dx2, writes d2E/dparameter2 into layer.gradients

A layer of your own is a class with `forward` and `backward`::

    class ReLU(Layer):
        def forward(self, x):
            self._on = x > 0
            return x * self._on

        def backward(self, dy):
            return dy * self._on

With parameters it also names their shapes, and for those that start at random the number of inputs of a unit::

    class Scale(Layer):
        def __init__(self, name, units):
            super().__init__(name)
            self.shapes = {"weight": (units,)}
            self.fan_in = {"weight": 1}
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from lenet_gpu.paper import C3_TABLE

Array = Any
"""An array of the layer's array module: numpy.ndarray or cupy.ndarray."""

Shape = tuple[int, ...]

OWN_MODULE = "lenet_gpu.nn.layers"
"""The module of the layers that the engines know."""


def named_views(flat: Array, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Cut a flat buffer into named views.

    Args:
        flat: One-dimensional buffer.
        shapes: Shape of each part, in the order in which the parts lie in the buffer.

    Returns:
        A view for each name.
    """
    views, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        views[name] = flat[start:stop].reshape(shape)
        start = stop
    return views


class Layer:
    """A differentiable function with parameters that live in the network's buffer.

    Args:
        name: The paper's name in lower case ("c1"). A layer with parameters needs one.

    Attributes:
        name: Likewise; empty for layers without parameters, as a rule.
        shapes: Shape of each parameter by its name.
        fan_in: Number of inputs of the units, parameter by parameter: a number or, where units differ, one
            number for each entry along the first axis. A parameter without an entry (biases, coefficients)
            does not start at random but at 0, one called "coefficient" at a value that the initialisation says.
        parameters: Views of the network's flat parameter buffer by name (after `bind`).
        gradients: Views of the flat gradient buffer by name (after `bind`).
        xp: The array module (after `bind`).
        training: Whether the step that runs is one of training.
        frozen: Set to True to keep the parameters as they are in training.
        needs_input_gradient: False in the first layer of a network, where nobody needs `backward`'s result.
        sign: By what a network's outputs are multiplied to become scores, of which the largest wins: -1 for an
            output layer of penalties.
    """

    name = ""
    training = False
    frozen = False
    needs_input_gradient = True
    sign = 1.0
    xp: Any = None
    remembered: tuple[str, ...] = ()
    """Names of what `forward` leaves behind for `backward`; copies of the layer do without."""

    shapes: dict[str, Shape]
    fan_in: dict[str, int | Sequence[int]]
    parameters: Mapping[str, Array]
    gradients: Mapping[str, Array]
    _arguments: dict[str, Any]
    _generator: np.random.Generator | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remember the constructor's arguments, by which a file describes the layer."""
        self = super().__new__(cls)
        self.shapes, self.fan_in, self.parameters, self.gradients = {}, {}, {}, {}
        try:
            bound = inspect.signature(cls.__init__).bind(self, *args, **kwargs)
        except TypeError:  # the constructor itself is about to say so; or a copy is being made
            self._arguments = {}
            return self
        bound.apply_defaults()
        self._arguments = dict(list(bound.arguments.items())[1:])
        return self

    def __init__(self, name: str = "") -> None:
        self.name = name

    def bind(self, xp: Any, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Hand the layer its array module and its views of the flat buffers.

        Args:
            xp: numpy, cupy or a stand-in.
            parameters: One view for each entry of `shapes`.
            gradients: Likewise; `backward` overwrites them.
        """
        self.xp, self.parameters, self.gradients = xp, parameters, gradients

    # ---- what it computes

    def forward(self, x: Array) -> Array:
        """Compute the layer's output and remember what `backward` needs."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """Turn dE/dy into dE/dx and overwrite the parameters' gradients (summed over the batch)."""
        raise NotImplementedError

    def curvature(self, d2y: Array) -> Array:
        """Turn d2E/dy2 into d2E/dx2; second derivatives by the parameters overwrite `gradients`.

        Called after `forward` (and, in an output layer whose units are not linear, after `backward`).
        LeCun et al. 1998, appendix C.
        """
        raise NotImplementedError

    def uniform(self, shape: Sequence[int], dtype: Any = "float32") -> Array:
        """Draw random numbers for a step of training, as dropout needs them.

        They come from the run's counter-based generator on the host: seed, epoch and layer decide them, on every
        backend alike.

        Args:
            shape: Shape of the result.
            dtype: "float32" or "float64".

        Returns:
            Numbers from 0 to below 1, on the layer's backend.

        Raises:
            RuntimeError: Not in a step of training.
        """
        if self._generator is None:
            raise RuntimeError(f"{self}: random numbers outside a step of training; ask for self.training first")
        return self.xp.asarray(self._generator.random(tuple(shape), dtype=np.dtype(dtype).type))

    # ---- what it is

    @property
    def trainable(self) -> int:
        """Number of trainable parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def connections(self, height: int, width: int) -> int:
        """Count the connections, biases included, for a map of outputs (height, width)."""
        return self.trainable * height * width

    @property
    def signature(self) -> dict[str, Any]:
        """The facts that decide the layer's computation: its kind and, by name, the constructor's arguments.

        An argument counts with the value that the attribute of the same name has now, if there is one.
        """
        now = {name: getattr(self, name, value) for name, value in self._arguments.items()}
        return {"kind": kind_of(self), **{name: _plain(value) for name, value in now.items()}}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to copy or pickle, without the arrays that `bind` or `forward` set."""
        left = ("xp", "parameters", "gradients", "_generator", *self.remembered)
        return {name: value for name, value in vars(self).items() if name not in left}

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self).__init__).parameters
        values = self.signature
        shown = []
        for name in self._arguments:
            if name == "name":
                shown += [repr(values[name])] if values[name] else []
            elif name not in parameters or values[name] != _plain(parameters[name].default):
                shown.append(f"{name}={'Table I' if values[name] == C3_TABLE else repr(values[name])}")
        return f"{type(self).__name__}({', '.join(shown)})"


def kind_of(layer: Layer) -> str:
    """Name a layer's class: "Convolution" for one of ours, with its module for everybody's own ("__main__.ReLU").

    A method that is another one in this object is named, too.
    """
    cls = type(layer)
    name = cls.__qualname__ if cls.__module__ == OWN_MODULE else f"{cls.__module__}.{cls.__qualname__}"
    changed = [method for method in vars(layer) if callable(getattr(cls, method, None))]
    return f"{name} with another {changed[0]}" if changed else name


def _plain(value: Any) -> Any:
    """Bring an argument into a form that compares and that JSON knows, where that is possible."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(_plain(each) for each in value)
    return value
