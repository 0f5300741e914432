"""What a data set is: images and labels, checked once and trusted from then on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet_gpu.errors import DataError
from lenet_gpu.ink.raster import Drawings

SIDE = 28  # pixels along each side of an MNIST image
CLASSES = 10
HOLD_OUT = 6  # every 6th sample of a class goes to the test split, near MNIST's 60,000 to 10,000

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Labelled images of one part of a data set.

    Args:
        images: (n, 28, 28) uint8, C-contiguous; 0 is the ground, 255 is full ink. n is at least 1.
        labels: (n,) uint8, each 0..9.
        drawings: The pen strokes that the images were drawn from, if they were.
        writers: (n,) integers, who wrote each, if that is known.

    Raises:
        DataError: If dtype, shape, number or a label is not as above.
    """

    images: Bytes
    labels: Bytes
    drawings: Drawings | None = None
    writers: np.ndarray | None = None

    def __post_init__(self) -> None:
        _demand(self.images, "images", ndim=3)
        _demand(self.labels, "labels", ndim=1)
        if self.images.shape[1:] != (SIDE, SIDE):
            rows, columns = self.images.shape[1:]
            raise DataError("images", found=f"{rows}x{columns} pixels each", expected=f"{SIDE}x{SIDE}")
        if len(self.images) != len(self.labels):
            raise DataError(
                "images and labels",
                found=f"{len(self.images)} images but {len(self.labels)} labels",
                expected="as many labels as images",
            )
        if len(self.images) == 0:
            raise DataError("images", found="none", expected="at least one labelled image")
        check_labels(self.labels, "labels")
        for thing, number in (
            ("drawings", None if self.drawings is None else len(self.drawings)),
            ("writers", None if self.writers is None else len(self.writers)),
        ):
            if number not in (None, len(self.labels)):
                raise DataError(thing, found=f"{number}", expected=f"{len(self.labels)}, one an image")
        object.__setattr__(self, "images", np.ascontiguousarray(self.images))
        object.__setattr__(self, "labels", np.ascontiguousarray(self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split({len(self)} images)"

    def take(self, which: npt.NDArray[Any]) -> Split:
        """Give a part of the samples, with all that belongs to them.

        Args:
            which: (n,) bool, or indices.
        """
        return Split(
            self.images[which],
            self.labels[which],
            None if self.drawings is None else self.drawings.take(which),
            None if self.writers is None else self.writers[which],
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split, with digests that tell exactly which data they were.

    Args:
        name: `"mnist"`, `"emnist-digits"`, `"pendigits"`, or the path as it was given to `load_dataset`.
        train: Samples to learn from.
        test: Samples to measure with, never learnt from.
        digests: SHA-256 (64 hexadecimal digits) by part. For idx data the parts are the four canonical
            file names and the digest is of the uncompressed file; for CSV and pendigits it is of each
            uncompressed file, by its name; for an image folder of a set's pixels followed by its labels.
    """

    name: str
    train: Split
    test: Split
    digests: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "digests", dict(self.digests))  # nobody else holds this copy


def check_labels(labels: Bytes, thing: str) -> None:
    """Refuse labels that are not digits.

    Args:
        labels: (n,) uint8.
        thing: What they came from, for the message.

    Raises:
        DataError: Naming the first label outside 0..9 and its position, counted from 0.
    """
    wrong = np.flatnonzero(labels >= CLASSES)
    if wrong.size:
        raise DataError(
            thing,
            found=f"label {int(labels[wrong[0]])} at position {int(wrong[0])}",
            expected=f"labels 0..{CLASSES - 1}",
            remedy="use data of the ten digits alone",
        )


def hold_out(images: Bytes, labels: Bytes, thing: str) -> tuple[Split, Split]:
    """Split a single set into one to learn from and one to test with (see `held_out`).

    Args:
        images: (n, 28, 28) uint8.
        labels: (n,) uint8.
        thing: What they came from, for the message.

    Returns:
        The training split and the test split, both in the order given.

    Raises:
        DataError: If no class has six samples, so that nothing would be left to test with.
    """
    whole, out = Split(images, labels), held_out(labels, thing)
    return whole.take(~out), whole.take(out)


def held_out(labels: Bytes, thing: str) -> npt.NDArray[np.bool_]:
    """Choose what of a single set is for the test: the 6th, 12th, 18th... sample of each class.

    Nothing random is drawn, so the same files give the same split everywhere; counting within a class
    keeps the classes' shares, whatever the order of the file.

    Args:
        labels: (n,) uint8.
        thing: What they came from, for the message.

    Returns:
        (n,) bool, True for the test.

    Raises:
        DataError: If no class has six samples.
    """
    in_test = np.zeros(len(labels), dtype=bool)
    for digit in range(CLASSES):
        in_test[np.flatnonzero(labels == digit)[HOLD_OUT - 1 :: HOLD_OUT]] = True
    if not in_test.any():
        raise DataError(
            thing,
            found=f"fewer than {HOLD_OUT} samples of each class",
            expected=f"at least {HOLD_OUT} of one, of which every {HOLD_OUT}th is kept for the test",
            remedy="add samples, or give a train and a test set",
        )
    return in_test


def _demand(array: Any, thing: str, ndim: int) -> None:
    if not isinstance(array, np.ndarray):
        raise DataError(thing, found=type(array).__name__, expected="a NumPy array of uint8")
    if array.dtype != np.uint8 or array.ndim != ndim:
        raise DataError(
            thing,
            found=f"{array.dtype} with {array.ndim} dimensions",
            expected=f"uint8 with {ndim} dimensions",
        )
