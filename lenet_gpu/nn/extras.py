"""Check the arrays that a model file holds beside a network's parameters: temperature, and the rejection's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lenet_gpu.errors import ModelFileError

TEMPERATURE = "calibration.temperature"
"""Name in a model file of what outputs are divided by before softmax, (1,) float32; see `Recipe.temperature`."""

REJECTION = ("rejection.means", "rejection.precision", "rejection.limit")
"""Names of what a model file holds of `recognition.rejection`, (classes, units), (units, units) and (1,) float32."""

CONFIDENCE_FLOOR = 0.6
"""Probability below which the best digit is none (chosen on a validation split; docs/explain/accuracy.md)."""

TEMPERATURES = (0.01, 100.0)
"""Least and greatest temperature: beyond, every answer would be certain, or none."""


def check_extras(path: object, arrays: Mapping[str, np.ndarray], classes: int) -> None:
    """Refuse extras that a recogniser could not use, or would use wrongly.

    Args:
        path: The file, for messages.
        arrays: The extras by name.
        classes: The network's number of classes.

    Raises:
        ModelFileError: A temperature out of range, rejection arrays of which one is missing or has another shape or
            dtype, or values that make no distance.
    """
    remedy = "restore the model file, or train the model again"
    if TEMPERATURE in arrays:
        temperature = _array(path, arrays, TEMPERATURE, (1,))
        if not TEMPERATURES[0] <= temperature[0] <= TEMPERATURES[1]:
            found, expected = f"{temperature[0]:g} as {TEMPERATURE}", "{:g} to {:g}".format(*TEMPERATURES)
            raise ModelFileError(path, found=found, expected=expected, remedy=remedy)
    present = [name for name in REJECTION if name in arrays]
    if not present:
        return
    if missing := [name for name in REJECTION if name not in arrays]:
        found = f"{' and '.join(present)} without {' and '.join(missing)}"
        raise ModelFileError(path, found=found, expected="all three of them, or none", remedy=remedy)
    units = arrays[REJECTION[0]].shape[-1] if arrays[REJECTION[0]].ndim else 0
    _array(path, arrays, REJECTION[0], (classes, units))
    precision = _array(path, arrays, REJECTION[1], (units, units))
    limit = _array(path, arrays, REJECTION[2], (1,))
    if not gives_distances(precision, float(limit[0])):
        found = f"{REJECTION[1]} and {REJECTION[2]} that give no distances"
        raise ModelFileError(path, found=found, expected="values above 0", remedy=remedy)


def gives_distances(precision: np.ndarray, limit: float) -> bool:
    """Tell whether the rejection's scatter, (units, units), and its limit tell any features apart."""
    return bool(np.isfinite(precision).all() and (np.diagonal(precision) > 0.0).all() and 0.0 < limit < np.inf)


def _array(path: object, arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = arrays[name]
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all() or not array.size:
        raise ModelFileError(
            path,
            found=f"{array.dtype} {array.shape} as {name}",
            expected=f"finite float32 {shape}",
            remedy="restore the model file, or train the model again",
        )
    return array
