"""Looking inside the network while it reads a digit: what every unit answers, and why.

`activations` alone asks the network; everything else here is arithmetic on its answer and on the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn.inputs import check_images
from lenet_gpu.nn.layers import Convolution, Dense, Layer, Subsampling
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import KERNEL_SIZE

STRONGEST = 10
"""Inputs that are listed of a unit which is connected to all units below it."""


@dataclass(frozen=True)
class Source:
    """The contribution of one map (or one unit) below to a unit.

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
    """One unit's value, taken apart: `sum` = all contributions + `rest` + `bias`, `value` = its squashed sum.

    Attributes:
        layer: The unit's layer.
        index: (map, row, column), or (unit,).
        sources: Inputs; of C5, F6 and the output only the strongest, by size of their contribution.
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


Activations = dict[str, np.ndarray]
"""Values of the layers by name: c1, s2, c3, s4, c5, f6, output."""


def activations(network: LeNet5, images: Any) -> Activations:
    """Compute the values of every layer that has a name.

    Args:
        network: A network on the CPU.
        images: (28, 28) or (n, 28, 28), uint8 or float in 0..1.

    Returns:
        After squashing (the output layer is not squashed), for one image without an axis for it: c1 (6, 28, 28),
        s2 (6, 14, 14), c3 (16, 10, 10), s4 (16, 5, 5), c5 (120,), f6 (84,), output (10,).

    Raises:
        InputError: Not images of 28x28, or a network on another backend.
    """
    if network.backend.name != "cpu":
        raise InputError("network", found=f"one on the {network.backend.name}", expected="one on the CPU")
    return network.activations(images)


def maps(network: LeNet5, image: Any) -> Activations:
    """Return the values of all hidden units while the network reads an image.

    Args:
        network: A network on the CPU.
        image: (28, 28), uint8 or float in 0..1.

    Returns:
        As `activations`, without the output layer.

    Raises:
        InputError: Not one image, or a network on another backend.
    """
    return hidden(activations(network, _one(image)))


def hidden(values: Activations) -> Activations:
    """Leave the output layer out."""
    return {name: layer for name, layer in values.items() if name != "output"}


def _one(image: Any) -> np.ndarray:
    images = check_images(image)
    if len(images) != 1:
        raise InputError("image", found=f"{len(images)} images", expected="one")
    return images[0]


def explain_unit(
    network: LeNet5, image: Any, layer: str, index: int | tuple[int, ...], values: Activations | None = None
) -> Explanation:
    """Take one unit's value apart.

    Args:
        network: A `modern` network on the CPU (of another variant: C1 to F6).
        image: (28, 28), uint8 or float in 0..1.
        layer: "c1", "s2", "c3", "s4", "c5", "f6" or "output".
        index: (map, row, column) in C1 to S4, the unit in C5, F6 and the output.
        values: `activations` of the image, where they are at hand.

    Returns:
        The explanation; its numbers add up.

    Raises:
        InputError: No such layer or unit.
    """
    image = _one(image)
    values = activations(network, image) if values is None else values
    names = list(values)
    if layer not in names:
        raise InputError("layer", found=repr(layer), expected=", ".join(names))
    unit = _checked(layer, values[layer], (index,) if isinstance(index, int) else tuple(index))
    if layer == names[0]:
        below = _Below("input", network.input_layer(image[None])[0])  # (1, 32, 32)
    else:
        name = names[names.index(layer) - 1]
        below = _Below(name, values[name])
    found = next(one for one in network.layers if one.name == layer)
    return _explain(found, below, unit, float(values[layer][unit]))


def _checked(layer: str, values: np.ndarray, unit: tuple[int, ...]) -> tuple[int, ...]:
    shape = values.shape
    if len(unit) != len(shape) or not all(0 <= i < n for i, n in zip(unit, shape, strict=True)):
        raise InputError(f"unit of {layer}", found=str(unit), expected=f"an index into {shape}")
    return unit


class _Below(NamedTuple):
    """Give the input of a layer: the name of the layer below, and its values."""

    name: str
    values: np.ndarray


def _explain(layer: Layer, below: _Below, unit: tuple[int, ...], value: float) -> Explanation:
    coefficient = None
    if isinstance(layer, Convolution):
        sources = list(_receptive_fields(layer, below, unit))
    elif isinstance(layer, Subsampling):
        coefficient = float(layer.parameters["coefficient"][unit[0]])
        sources = [_neighbourhood(coefficient, below, unit)]
    elif isinstance(layer, Dense):
        sources = list(_inputs(layer, below, unit[0]))
    else:
        raise InputError("layer", found=layer.name, expected="a layer of weighted sums")
    bias = float(layer.parameters["bias"][unit[0]])
    total, rest = bias + sum(source.contribution for source in sources), 0.0
    if layer.name in ("c5", "f6", "output"):
        sources = sorted(sources, key=lambda source: -abs(source.contribution))[:STRONGEST]
        rest = total - bias - sum(source.contribution for source in sources)
    return Explanation(layer.name, unit, sources, rest, bias, total, value, coefficient)


def _source(below: _Below, place: int, corner: tuple[int, int] | None, inputs: Any, weights: Any) -> Source:
    inputs, weights = np.array(inputs), np.array(weights)
    contribution = float((inputs.astype(np.float64) * weights).sum())
    return Source(below.name, place, corner, inputs, weights, contribution)


def _receptive_fields(layer: Convolution, below: _Below, unit: tuple[int, ...]) -> Iterator[Source]:
    """Yield the 5x5 patch of every connected map below (Table I for C3)."""
    out, row, column = unit if len(unit) == 3 else (*unit, 0, 0)  # C5's maps have one unit each
    kernels = layer.dense_weight()[out]  # (in_maps, 5, 5)
    for i in range(layer.in_maps) if layer.table is None else layer.table[out]:
        patch = below.values[i, row : row + KERNEL_SIZE, column : column + KERNEL_SIZE]
        yield _source(below, i, (row, column), patch, kernels[i])


def _neighbourhood(coefficient: float, below: _Below, unit: tuple[int, ...]) -> Source:
    """Return the four units below a unit of S2 or S4."""
    out, row, column = unit[0], 2 * unit[1], 2 * unit[2]
    patch = below.values[out, row : row + 2, column : column + 2]
    return _source(below, out, (row, column), patch, np.full_like(patch, coefficient))


def _inputs(layer: Dense, below: _Below, unit: int) -> Iterator[Source]:
    """Yield every unit below, one by one."""
    for i, (x, w) in enumerate(zip(below.values, layer.parameters["weight"][unit], strict=True)):
        yield _source(below, i, None, x, w)
