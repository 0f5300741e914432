"""Looking inside the network while it reads a digit: what every unit answers, and why.

The readable layers of `lenet_gpu.nn.layers` do the work. They remember their inputs for a backward pass, so they
run as copies here that share the parameters: looking at a network changes nothing in it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn.inputs import check_images
from lenet_gpu.nn.layers import Convolution, Dense, Layer, ScaledTanh, Subsampling
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import KERNEL_SIZE

STRONGEST = 10
"""Inputs that are listed of a unit which is connected to all units below it."""


@dataclass(frozen=True)
class Source:
    """What one map (or one unit) below contributes to a unit.

    Attributes:
        layer: Layer that it lies in: "input", "c1" ... "f6".
        place: Index there: a map for patches, a unit for single inputs.
        corner: (row, column) of the patch's first unit in its map; None for single units.
        inputs: (5, 5) or (2, 2) patch, or () for a single unit, float32.
        weights: What the inputs are multiplied by, of the same shape.
        contribution: Sum of inputs x weights.
    """

    layer: str
    place: int
    corner: tuple[int, int] | None
    inputs: np.ndarray
    weights: np.ndarray
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """How one unit came to its value: `sum` = all contributions + `rest` + `bias`, `value` = its squashed sum.

    Attributes:
        layer: The unit's layer.
        index: (map, row, column), or (unit,).
        sources: What feeds it; of C5, F6 and the output only the strongest, by size of their contribution.
        rest: Contribution of all inputs not listed, together.
        bias: The unit's bias.
        sum: Weighted sum, before squashing.
        value: The unit's value; the output layer is not squashed.
        coefficient: The map's coefficient in S2 and S4, which the source's weights repeat; None elsewhere.
    """

    layer: str
    index: tuple[int, ...]
    sources: list[Source] = field(repr=False)
    rest: float
    bias: float
    sum: float
    value: float
    coefficient: float | None = None


@dataclass(frozen=True)
class _Step:
    """One named layer's pass over an image: its input, weighted sums and values, without the batch axis."""

    layer: Layer
    below: str
    x: np.ndarray
    sums: np.ndarray
    values: np.ndarray


def _steps(network: LeNet5, images: np.ndarray) -> Iterator[_Step]:
    """Run a network layer by layer on copies of its layers, and yield every layer that has a name."""
    x = network.input_layer(images)  # (n, 1, 32, 32)
    below, pending = "input", None
    for layer in map(copy.copy, network.layers):
        y = layer.forward(x)
        if isinstance(layer, ScaledTanh) and pending is not None:
            yield _Step(*pending, y)
            below, pending = pending[0].name, None
        elif layer.name:
            pending = (layer, below, x, y)
        x = y
    if pending is not None:  # the output layer is not squashed
        yield _Step(*pending, pending[3])


def _image(network: LeNet5, image: Any) -> np.ndarray:
    """One checked image as a batch of one, on a network that lives on the CPU."""
    if network.backend.name != "cpu":
        raise InputError("network", found=f"one on the {network.backend.name}", expected="one on the CPU")
    images = check_images(image)
    if len(images) != 1:
        raise InputError("image", found=f"{len(images)} images", expected="one")
    return images


def maps(network: LeNet5, image: Any) -> dict[str, np.ndarray]:
    """Values of all hidden units while the network reads an image.

    Args:
        network: A network on the CPU.
        image: (28, 28), uint8 or float in 0..1.

    Returns:
        After squashing, float32: c1 (6, 28, 28), s2 (6, 14, 14), c3 (16, 10, 10), s4 (16, 5, 5), c5 (120,),
        f6 (84,).

    Raises:
        InputError: Not one image, or a network on another backend.
    """
    values = {step.layer.name: step.values[0] for step in _steps(network, _image(network, image))}
    values.pop("output", None)
    values["c5"] = values["c5"].reshape(-1)  # (120, 1, 1) -> (120,)
    return {name: np.asarray(value, dtype=np.float32) for name, value in values.items()}


def features(network: LeNet5, images: np.ndarray, batch_size: int = 50) -> np.ndarray:
    """F6's values of many images: all that the output layer sees of them.

    Args:
        network: A network on the CPU.
        images: (n, 28, 28) uint8.
        batch_size: Images computed at a time.

    Returns:
        (n, 84) float32.
    """
    found = [np.empty((0, 84), dtype=np.float32)]
    for start in range(0, len(images), batch_size):
        steps = _steps(network, images[start : start + batch_size])
        found.append(next(step.values for step in steps if step.layer.name == "f6"))
    return np.concatenate(found)


def explain_unit(network: LeNet5, image: Any, layer: str, index: int | tuple[int, ...]) -> Explanation:
    """Take one unit's value apart.

    Args:
        network: A `modern` network on the CPU (of another variant: C1 to F6).
        image: (28, 28), uint8 or float in 0..1.
        layer: "c1", "s2", "c3", "s4", "c5", "f6" or "output".
        index: (map, row, column) in C1 to S4, the unit in C5, F6 and the output.

    Returns:
        The explanation; its numbers add up.

    Raises:
        InputError: No such layer or unit.
    """
    place = (index,) if isinstance(index, int) else tuple(index)
    known: list[str] = []
    for step in _steps(network, _image(network, image)):
        if step.layer.name == layer:
            return _explain(step, _checked(step, place))
        known.append(step.layer.name)
    raise InputError("layer", found=repr(layer), expected=", ".join(known))


def _checked(step: _Step, place: tuple[int, ...]) -> tuple[int, ...]:
    shape = step.values.shape[1:]
    if step.layer.name == "c5":
        shape = shape[:1]  # (120, 1, 1): a unit a map
    if len(place) != len(shape) or not all(0 <= i < n for i, n in zip(place, shape, strict=True)):
        raise InputError(f"unit of {step.layer.name}", found=str(place), expected=f"an index into {shape}")
    return place


def _explain(step: _Step, place: tuple[int, ...]) -> Explanation:
    layer, full = step.layer, place + (0, 0) * (step.layer.name == "c5")
    coefficient = None
    sources: list[Source]
    if isinstance(layer, Convolution):
        sources = list(_receptive_fields(step, layer, full))
    elif isinstance(layer, Subsampling):
        coefficient = float(layer.parameters["coefficient"][place[0]])
        sources = [_neighbourhood(step, coefficient, full)]
    elif isinstance(layer, Dense):
        sources = list(_inputs(step, layer, place[0]))
    else:
        raise InputError("layer", found=layer.name, expected="a layer of weighted sums")
    bias, total = float(layer.parameters["bias"][place[0]]), float(step.sums[0][full])
    if layer.name in ("c5", "f6", "output"):
        sources = sorted(sources, key=lambda source: -abs(source.contribution))[:STRONGEST]
        rest = total - bias - sum(source.contribution for source in sources)
    else:
        rest = 0.0
    return Explanation(layer.name, place, sources, rest, bias, total, float(step.values[0][full]), coefficient)


def _source(step: _Step, place: int, corner: tuple[int, int] | None, inputs: Any, weights: Any) -> Source:
    inputs, weights = np.array(inputs), np.array(weights)
    contribution = float((inputs.astype(np.float64) * weights).sum())
    return Source(step.below, place, corner, inputs, weights, contribution)


def _receptive_fields(step: _Step, layer: Convolution, full: tuple[int, ...]) -> Iterator[Source]:
    """The 5x5 patch of every connected map below (Table I for C3)."""
    out, row, column = full
    kernels = layer.dense_weight()[out]  # (in_maps, 5, 5)
    for i in range(layer.in_maps) if layer.table is None else layer.table[out]:
        patch = step.x[0, i, row : row + KERNEL_SIZE, column : column + KERNEL_SIZE]
        yield _source(step, i, (row, column), patch, kernels[i])


def _neighbourhood(step: _Step, coefficient: float, full: tuple[int, ...]) -> Source:
    """The four units below a unit of S2 or S4."""
    out, row, column = full[0], 2 * full[1], 2 * full[2]
    patch = step.x[0, out, row : row + 2, column : column + 2]
    return _source(step, out, (row, column), patch, np.full_like(patch, coefficient))


def _inputs(step: _Step, layer: Dense, unit: int) -> Iterator[Source]:
    """Every unit below, one by one."""
    for i, (x, w) in enumerate(zip(step.x[0], layer.parameters["weight"][unit], strict=True)):
        yield _source(step, i, None, x, w)
