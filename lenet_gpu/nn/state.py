"""LeNet-5's parameters by name from somewhere else: another program's file, or a PyTorch module's state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn.layer import Shape
from lenet_gpu.paper import C3_TABLE, CODES

INPUT = ("background", "ink")
"""Names of the two numbers that say how pixels are scaled, where a state has them."""

ANCHOR = "c5.weight"
"""The name by which a prefix of all names is found, such as "model." of a wrapped module."""

MOST_LISTED = 12
"""Misfits that an error names one by one."""


def host_arrays(state: Any) -> dict[str, np.ndarray]:
    """Bring a state's values to NumPy, and its names to those without a common prefix.

    Args:
        state: Arrays, tensors or nested lists by name.

    Returns:
        Arrays by name, in their own dtypes.

    Raises:
        InputError: No mapping of names to arrays of numbers.
    """
    expected = "arrays by name, such as a module's state_dict()"
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise InputError("state", found=type(state).__name__, expected=expected)
    anchors = [name for name in state if name == ANCHOR or name.endswith(f".{ANCHOR}")]
    prefix = anchors[0].removesuffix(ANCHOR) if len(anchors) == 1 else ""
    arrays: dict[str, np.ndarray] = {}
    for name, value in state.items():
        for move in ("detach", "float", "cpu", "get"):  # a tensor of PyTorch, an array of CuPy
            value = getattr(value, move)() if hasattr(value, move) and not isinstance(value, Mapping) else value
        try:
            array = np.asarray(value)
            array = array if array.dtype.kind in "fiu" else array.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"state, {name}", found=type(value).__name__, expected=expected) from error
        arrays[name.removeprefix(prefix)] = array
    return arrays


def variant_of_state(arrays: Mapping[str, np.ndarray]) -> str:
    """Tell which network a state is of: "paper" if it has the RBF units' codes and no output layer to train."""
    return "paper" if "codes" in arrays and "output.weight" not in arrays else "modern"


def fitted(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    """Bring arrays into a network's shapes, or list what does not fit.

    Args:
        arrays: The arrays by name.
        shapes: Shape of every parameter of the network.

    Returns:
        float32 arrays in these shapes.

    Raises:
        InputError: Parameters that are missing, strangers, other shapes, values that are not finite, weights where
            Table I has no connection, or other codes; all are named.
    """
    found: dict[str, np.ndarray] = {}
    misfits = [name for name in shapes if name not in arrays]
    misfits = [f"no {', no '.join(misfits)}"] if misfits else []
    for name, array in arrays.items():
        if name in INPUT:
            continue
        if name == "codes":
            if array.shape != np.shape(CODES) or (array != np.array(CODES)).any():
                misfits.append("other codes than the paper's")
        elif name not in shapes:
            misfits.append(f"{name} {array.shape}, which LeNet-5 has not")
        elif (value := _shaped(name, array, shapes[name])) is None:
            misfits.append(f"{name} {array.shape} instead of {shapes[name]}")
        elif isinstance(value, str):
            misfits.append(f"{name} {value}")
        else:
            found[name] = value
    if misfits:
        more = len(misfits) - MOST_LISTED
        raise InputError(
            "state",
            found="; ".join(misfits[:MOST_LISTED]) + (f"; and {more} more" if more > 0 else ""),
            expected="the parameters of LeNet-5 by name and shape",
            remedy="rename or convert them to the names and shapes that export --to npz writes",
        )
    return found


def input_values(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Give the numbers of `INPUT` that a state has.

    Raises:
        InputError: One is more than a number.
    """
    values = {}
    for name in INPUT:
        if name in arrays:
            if arrays[name].size != 1:
                raise InputError(f"state, {name}", found=f"shape {arrays[name].shape}", expected="one number")
            # What float32 says of -0.1 is -0.1 again.
            values[name] = float(str(arrays[name].reshape(()).astype(np.float32)))
    return values


def _shaped(name: str, array: np.ndarray, shape: Shape) -> np.ndarray | str | None:
    """Bring one array into its shape; None if it has another, a text if something else is wrong with it."""
    if not np.isfinite(array).all():
        return "with NaN or infinity"
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        return "with values beyond float32"
    if array.shape == shape:
        return values
    if name == "c3.weight" and array.shape == (len(C3_TABLE), 6, *shape[1:]):
        connected = np.zeros(array.shape[:2], dtype=bool)
        for out, row in enumerate(C3_TABLE):
            connected[out, list(row)] = True
        return values[connected] if not values[~connected].any() else "with weights where Table I has no connection"
    if array.size == math.prod(shape) and [n for n in array.shape if n > 1] == [n for n in shape if n > 1]:
        return values.reshape(shape)  # (maps, 1, 1) for (maps,)
    if name == "c5.weight" and array.shape == (shape[0], math.prod(shape[1:])):
        return values.reshape(shape)  # (120, 400) -> (120, 16, 5, 5)
    return None
