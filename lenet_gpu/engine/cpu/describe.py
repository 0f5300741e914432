"""Prepared calls as text, one a line, with the names and shapes of their arrays."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from lenet_gpu.engine.cpu.ops import Call, Recorder

REDUCTIONS: dict[np.ufunc, str] = {np.add: "sum", np.maximum: "max"}
"""The recorder's names for the `reduce` of NumPy's functions."""


def describe(passes: Mapping[str, Recorder], arrays: Mapping[str, np.ndarray]) -> str:
    """Write down recorded calls.

    Args:
        passes: What was recorded, by the name of the pass.
        arrays: The arrays that the calls use, by name.

    Returns:
        A line for each call, `function(operand (shape), ...) -> output (shape)`, under headings for passes and
        layers. `a[i:j]` lies within rows i to j - 1 of the array a, `a.T` is transposed.
    """
    lines = [f"{sum(len(do.calls) for do in passes.values())} calls"]
    for name, do in passes.items():
        lines += ["", f"{name}: {len(do.calls)} calls"]
        layers = dict(do.layers)
        for i, call in enumerate(do.calls):
            if i in layers:
                lines.append(f"  {layers[i]}")
            lines.append(f"    {_call(call, arrays)}")
    return "\n".join(lines)


def _call(call: Call, arrays: Mapping[str, np.ndarray]) -> str:
    """Write down one call."""
    function, arguments = call
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if isinstance(owner, np.ufunc):
        name = REDUCTIONS[owner]
    operands = [owner, *arguments] if isinstance(owner, np.ndarray) else list(arguments)
    if name in ("copyto", "fill"):
        out = operands.pop(0)
    else:
        out = [x for x in operands if isinstance(x, np.ndarray)][-1]
        del operands[next(i for i in reversed(range(len(operands))) if operands[i] is out) :]
    axis = [f"axis={x}" for x in operands[1:] if isinstance(x, int)]
    shown = [_operand(x, arrays) for x in operands if isinstance(x, np.ndarray | float)]
    if name == "fill":
        shown, axis = [f"{operands[0]:g}"], []
    return f"{name}({', '.join(shown + axis)}) -> {_operand(out, arrays)}"


def _span(array: np.ndarray) -> tuple[int, int]:
    """First byte of an array, and the one behind its last."""
    start = array.__array_interface__["data"][0]
    return start, start + array.itemsize + sum(s * (m - 1) for s, m in zip(array.strides, array.shape, strict=True))


def _operand(x: np.ndarray | float, arrays: Mapping[str, np.ndarray]) -> str:
    """Name and shape of an array, by the narrowest of the named arrays that it lies in."""
    if not isinstance(x, np.ndarray):
        return f"{x:g}"
    start, stop = _span(x)
    around = []
    for name, array in arrays.items():
        first, last = _span(array)
        if first <= start and stop <= last:
            around.append((last - first, first, name, array))
    if not around:
        return f"{float(x):.6g}" if x.ndim == 0 else f"unnamed {x.shape}"
    size, first, name, array = min(around, key=lambda found: found[0])
    if x.ndim == 0:
        return name
    rows = ""
    if stop - start < size:
        row = prod(array.shape[1:]) * array.itemsize
        rows = f"[{(start - first) // row}:{-(-(stop - first) // row)}]"
    turned = ".T" if x.ndim == 2 and 0 < x.strides[0] < x.strides[1] and min(x.shape) > 1 else ""
    return f"{name}{rows}{turned} {x.shape}"
