"""Checks of the arrays that users hand in, one definition of each: grey values, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.paper import CLASSES


def check_gray_values(array: np.ndarray, thing: str, error: type[LenetError] = InputError) -> None:
    """Refuse pixels that are neither uint8 nor floating-point in 0..1.

    Args:
        array: Pixels, of any shape.
        thing: Their name in messages.
        error: The type of error raised.

    Raises:
        LenetError: Of the type `error`: another dtype, a value outside 0..1, NaN or infinity.
    """
    if array.dtype == np.uint8:
        return
    if array.dtype.kind != "f":
        raise error(thing, found=f"dtype {array.dtype}", expected="uint8, or float with 0..1")
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):  # NaN fails both comparisons
        raise error(
            thing,
            found=f"values {array.min():g} to {array.max():g}",
            expected="float in 0 to 1",
            remedy="divide by the greatest possible value, or pass uint8",
        )


def check_labels(
    labels: Any,
    n: int | None = None,
    classes: int = CLASSES,
    thing: str = "labels",
    error: type[LenetError] = InputError,
) -> np.ndarray:
    """Refuse labels that are not the numbers of classes.

    Args:
        labels: Integers from 0 to below `classes`.
        n: How many there must be; None: any number.
        classes: Number of classes.
        thing: Their name in messages.
        error: The type of error raised.

    Returns:
        (n,) the labels as an array, dtype unchanged.

    Raises:
        LenetError: Of the type `error`: another shape or dtype, or a label of no class, with its position.
    """
    array = np.asarray(labels)
    length = len(array) if n is None and array.ndim == 1 else n
    if array.shape != (length,) or array.dtype.kind not in "iu":
        expected = "integers in one dimension" if n is None else f"integers of shape ({n},)"
        raise error(thing, found=f"{array.dtype} {array.shape}", expected=expected)
    wrong = (array < 0) | (array >= classes)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise error(
            thing,
            found=f"label {int(array[at])} at position {at}",
            expected=f"labels 0..{classes - 1}",
            remedy=f"use data of the {'ten digits' if classes == CLASSES else f'{classes} classes'} alone",
        )
    return array
