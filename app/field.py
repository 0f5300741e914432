"""The field of view of a unit: what feeds it in every layer below, down to the picture. No Kivy here."""

from __future__ import annotations

from dataclasses import dataclass

from lenet_gpu.nn.layers import Convolution, Dense, Layer, Subsampling
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import KERNEL_SIZE

PICTURE = "input"
"""Name of the picture as the network takes it in, 32x32."""

KINDS = (Convolution, Subsampling, Dense)
"""Layers that connect units; the others work on each unit alone."""


@dataclass(frozen=True)
class Field:
    """The part of a layer that feeds a unit: the same rectangle in some of its maps.

    Attributes:
        maps: Their indices; of a layer of single units the units.
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    maps: tuple[int, ...]
    top: int
    left: int
    height: int
    width: int


def field_of_view(network: LeNet5, layer: str, unit: int | tuple[int, ...]) -> dict[str, Field]:
    """Follow a unit's connections down to the picture.

    Args:
        network: LeNet-5 with a softmax output.
        layer: "c1", "s2", "c3", "s4", "c5", "f6" or "output".
        unit: (map, row, column) in C1 to S4, the unit in C5, F6 and the output.

    Returns:
        By layer, from the unit's own down to "input": the part that it depends on, the unit itself first.
    """
    index, row, column = unit if isinstance(unit, tuple) and len(unit) == 3 else (_single(unit), 0, 0)
    field = Field((index,), row, column, 1, 1)
    found = {layer: field}
    down = [one for one in network.layers if isinstance(one, KINDS)][::-1]
    down = down[[one.name for one in down].index(layer) :]
    for one, source in zip(down, [*(lower.name for lower in down[1:]), PICTURE], strict=True):
        field = found[source] = _below(one, field)
    return found


def _single(unit: int | tuple[int, ...]) -> int:
    return unit[0] if isinstance(unit, tuple) else unit


def _below(layer: Layer, field: Field) -> Field:
    """Return the part of the layer below that feeds a part of a layer."""
    if isinstance(layer, Convolution):
        tables = [range(layer.in_maps) if layer.table is None else layer.table[i] for i in field.maps]
        maps = tuple(sorted({i for table in tables for i in table}))
        more = KERNEL_SIZE - 1
        return Field(maps, field.top, field.left, field.height + more, field.width + more)
    if isinstance(layer, Subsampling):
        return Field(field.maps, 2 * field.top, 2 * field.left, 2 * field.height, 2 * field.width)
    assert isinstance(layer, Dense)
    return Field(tuple(range(layer.inputs)), 0, 0, 1, 1)
