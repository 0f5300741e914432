"""Images and labels from the user's arrays and lists, brought into the one form that data sets have."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.array_checks import check_gray_values
from lenet_gpu.errors import DataError
from lenet_gpu.paper import IMAGE_SIZE

MAX_CLASSES = 64
"""Most classes that a data set may have."""

SHAPES = "(n, 28, 28), (n, 784), (n, 28, 28, 1) or (n, 1, 28, 28)"

Label = int | str


def convert_images(images: Any, thing: str = "images") -> np.ndarray:
    """Convert images to (n, 28, 28) uint8.

    Args:
        images: Array or nested lists of the shape (n, 28, 28), (n, 784), (n, 28, 28, 1) or (n, 1, 28, 28); uint8,
            other integers in 0..255, floating-point in 0..1, or bool. 0 is the ground, the greatest value full ink.
        thing: Their name in messages.

    Returns:
        (n, 28, 28) uint8; floating-point values are multiplied by 255 and rounded.

    Raises:
        DataError: Another shape, dtype or range.
    """
    try:
        array = np.asarray(images)
    except ValueError:  # lists of different lengths
        raise DataError(thing, found="lists of different lengths", expected=f"the shape {SHAPES}") from None
    if array.ndim not in (2, 3, 4) or array.shape[1:] not in (
        (IMAGE_SIZE, IMAGE_SIZE),
        (IMAGE_SIZE**2,),
        (IMAGE_SIZE, IMAGE_SIZE, 1),
        (1, IMAGE_SIZE, IMAGE_SIZE),
    ):
        raise DataError(
            thing,
            found=f"shape {array.shape}",
            expected=SHAPES,
            remedy="bring pictures of other sizes to 28x28 with lenet_gpu.ink.preprocess.image_to_mnist",
        )
    if not len(array):
        raise DataError(thing, found="none", expected="at least one labelled image")
    array = array.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)  # (n, 28, 28)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        check_gray_values(array, thing, DataError)
        return np.rint(array * array.dtype.type(255)).astype(np.uint8)
    if array.dtype.kind not in "iu":
        raise DataError(thing, found=f"dtype {array.dtype}", expected="uint8, other integers 0..255, or float 0..1")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 255:
        raise DataError(
            thing,
            found=f"integers {low} to {high}",
            expected="0 to 255",
            remedy="scale them, or pass float in 0 to 1",
        )
    if high == 1:  # 1 of 255 is next to black: these are two-valued pictures, and would train as blank ones
        raise DataError(
            thing,
            found="the integers 0 and 1 alone",
            expected="0 to 255",
            remedy="multiply by 255, or pass bool or float",
        )
    return array.astype(np.uint8)


def read_labels(labels: Any, n: int, thing: str = "labels") -> np.ndarray:
    """Check that labels are integers or strings, one for each image.

    Args:
        labels: Array or list.
        n: Number of images.
        thing: Their name in messages.

    Returns:
        (n,) integers or strings.

    Raises:
        DataError: Another number, shape or kind.
    """
    expected = f"{n} integers or strings, one an image"
    try:
        array = np.asarray(labels, dtype=None if isinstance(labels, np.ndarray) else object)
    except ValueError:
        raise DataError(thing, found="lists of different lengths", expected=expected) from None
    if array.ndim == 2 and array.shape[1] > 1:
        remedy = "pass the number of each image's class: labels.argmax(axis=1)"
        raise DataError(thing, found=f"shape {array.shape}", expected=expected, remedy=remedy)
    if array.ndim != 1:
        raise DataError(thing, found=f"shape {array.shape}", expected=expected, remedy="pass one dimension")
    if len(array) != n:
        raise DataError(
            "images and labels", found=f"{n} images but {len(array)} labels", expected="as many labels as images"
        )
    if array.dtype.kind == "O":
        kinds = {_kind_of(value) for value in array}
        if kinds == {"integer"}:
            try:
                return array.astype(np.int64)
            except OverflowError:
                raise DataError(thing, found="integers beyond 64 bits", expected=expected) from None
        if kinds == {"string"}:
            return array.astype(str)
        raise DataError(thing, found=" and ".join(sorted(kinds)) + " values", expected="all integers, or all strings")
    if array.dtype.kind not in "iuU":
        raise DataError(
            thing, found=f"dtype {array.dtype}", expected="integers or strings", remedy="convert them with astype"
        )
    return array


def find_classes(labels: np.ndarray, thing: str = "labels") -> tuple[Label, ...]:
    """Find the classes that labels name, in ascending order.

    Args:
        labels: (n,) integers or strings.
        thing: Their name in messages.

    Returns:
        The distinct labels, sorted; the position of each is the number of its class.

    Raises:
        DataError: Fewer than 2 classes, or more than 64.
    """
    classes = np.unique(labels).tolist()
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DataError(
            thing,
            found=f"{len(classes)} class{'es' * (len(classes) != 1)}",
            expected=f"2 to {MAX_CLASSES}",
            remedy="use fewer classes" if len(classes) > MAX_CLASSES else "add images of another class",
        )
    return tuple(classes)


def match_classes(labels: np.ndarray, classes: int | tuple[Label, ...], thing: str = "labels") -> tuple[Label, ...]:
    """Find what the classes are called where their number or their labels are known before.

    Args:
        labels: (n,) integers or strings.
        classes: The labels of the classes; or their number k, where labels 0 to k - 1 are the numbers themselves.
        thing: What to call them in messages.

    Returns:
        The label of each class, by its number.

    Raises:
        DataError: Labels that are neither 0 to k - 1 nor of k classes.
    """
    if isinstance(classes, tuple):
        return classes
    if labels.dtype.kind in "iu" and (not labels.size or (labels.min() >= 0 and labels.max() < classes)):
        return tuple(range(classes))
    found = np.unique(labels).tolist()
    if len(found) != classes:
        shown = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
        raise DataError(
            thing,
            found=f"{len(found)} class{'es' * (len(found) != 1)} ({shown})",
            expected=f"{classes} classes, as the network has, or the numbers 0 to {classes - 1}",
            remedy=f"make the network for {len(found)} classes" if len(found) > 1 else "add images of another class",
        )
    return tuple(found)


def number_labels(labels: np.ndarray, classes: tuple[Label, ...], thing: str = "labels") -> np.ndarray:
    """Replace labels by the numbers of their classes.

    Args:
        labels: (n,) integers or strings.
        classes: All labels there may be, sorted.
        thing: Their name in messages.

    Returns:
        (n,) uint8, 0 to below the number of classes.

    Raises:
        DataError: A label that is none of the classes.
    """
    known = np.asarray(classes)
    if (labels.dtype.kind == "U") != (known.dtype.kind == "U"):
        raise DataError(
            thing, found=f"dtype {labels.dtype}", expected=f"labels like those to train with: {known[0]!r}"
        )
    numbers = np.minimum(np.searchsorted(known, labels), len(known) - 1)
    wrong = known[numbers] != labels
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            thing,
            found=f"label {labels[at].item()!r} at position {at}",
            expected=f"one of the {len(known)} labels that there are training images of",
        )
    return numbers.astype(np.uint8)


def choose_share(labels: np.ndarray, share: float, seed: int, thing: str = "validation") -> np.ndarray:
    """Choose a random share of the samples, the same share of each class.

    Every class keeps one sample at least.

    Args:
        labels: (n,) uint8, numbers of classes.
        share: Share of each class, 0 to below 1.
        seed: The choice depends on it and on the labels alone.
        thing: The share's name in messages.

    Returns:
        (n,) bool, True for the samples chosen.

    Raises:
        DataError: The share is none, or so small that nothing would be chosen.
    """
    if not 0.0 < share < 1.0:
        raise DataError(thing, found=f"{share:g}", expected="a share from 0 to below 1, or a pair (images, labels)")
    chosen = np.zeros(len(labels), dtype=bool)
    shuffled = seeds.generator(seed, seeds.WEIGHTS, seeds.SOURCES).permutation(len(labels))
    for number in np.unique(labels):
        members = shuffled[labels[shuffled] == number]
        chosen[members[: min(round(share * len(members)), len(members) - 1)]] = True
    if not chosen.any():
        raise DataError(
            thing,
            found=f"a share of {share:g} of {len(labels)} images, which is not one of any class",
            expected="at least one image",
            remedy="raise the share, or add images",
        )
    return chosen


def _kind_of(value: object) -> str:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return "integer"
    return "string" if isinstance(value, str) else type(value).__name__
