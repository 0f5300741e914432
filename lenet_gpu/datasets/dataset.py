"""Data sets: images and labels, checked once and trusted from then on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lenet_gpu.array_checks import check_labels
from lenet_gpu.datasets.arrays import (
    Label,
    choose_share,
    convert_images,
    find_classes,
    match_classes,
    number_labels,
    read_labels,
)
from lenet_gpu.errors import DataError
from lenet_gpu.ink.raster import Drawings
from lenet_gpu.paper import CLASSES, IMAGE_SIZE

HOLD_OUT = 6  # a 6th of the samples of each class goes to the test split, near MNIST's 60,000 to 10,000

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Labelled images: those to train with, to validate with or to test with.

    Args:
        images: (n, 28, 28) uint8, C-contiguous; 0 is the ground, 255 is full ink. n is at least 1.
        labels: (n,) uint8, each 0 to below `classes`.
        drawings: The pen strokes that the images were drawn from, if they were.
        writers: (n,) integers, who wrote each, if that is known.
        classes: Number of classes.

    Raises:
        DataError: If dtype, shape, number or a label is not as above.
    """

    images: Bytes
    labels: Bytes
    drawings: Drawings | None = None
    writers: np.ndarray | None = None
    classes: int = CLASSES

    def __post_init__(self) -> None:
        _demand(self.images, "images", ndim=3)
        _demand(self.labels, "labels", ndim=1)
        if self.images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
            rows, columns = self.images.shape[1:]
            raise DataError("images", found=f"{rows}x{columns} pixels each", expected=f"{IMAGE_SIZE}x{IMAGE_SIZE}")
        if len(self.images) != len(self.labels):
            raise DataError(
                "images and labels",
                found=f"{len(self.images)} images but {len(self.labels)} labels",
                expected="as many labels as images",
            )
        if len(self.images) == 0:
            raise DataError("images", found="none", expected="at least one labelled image")
        check_labels(self.labels, classes=self.classes, error=DataError)
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
        """Return a subset.

        Args:
            which: (n,) bool, or indices.
        """
        return Split(
            self.images[which],
            self.labels[which],
            None if self.drawings is None else self.drawings.take(which),
            None if self.writers is None else self.writers[which],
            self.classes,
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to train with, to validate with and to test with, and digests that tell exactly which they are.

    Args:
        name: `"mnist"`, `"emnist-digits"`, `"pendigits"`, `"arrays"`, or the path given to `load_dataset`.
        train: Samples to learn from.
        test: Samples to measure with, never learnt from; None if there are none.
        digests: SHA-256 (64 hexadecimal digits) by name. For idx data the names are the four canonical
            file names and the digest is of the uncompressed file; for CSV and pendigits it is of each
            uncompressed file, by its name; for image folders and arrays of a split's pixels followed by its labels.
        validation: Samples to choose with, for example when to stop, never learnt from; None if there are none.
        class_labels: What the user calls each class, by its number: the digits, unless `from_arrays` met others.

    Raises:
        DataError: A split has another number of classes.
    """

    name: str
    train: Split
    test: Split | None
    digests: Mapping[str, str]
    validation: Split | None = None
    class_labels: tuple[Label, ...] = tuple(range(CLASSES))

    def __post_init__(self) -> None:
        for thing, split in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            if split is not None and split.classes != self.classes:
                raise DataError(
                    thing, found=f"{split.classes} classes", expected=f"{self.classes}, as the data set has"
                )
        object.__setattr__(self, "digests", dict(self.digests))  # nobody else holds this copy

    @property
    def classes(self) -> int:
        """Number of classes: 10 for digits."""
        return len(self.class_labels)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class, by its number: "0" to "9" for digits."""
        return tuple(map(str, self.class_labels))

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        labels: Any,
        *,
        validation: float | tuple[Any, Any] = 0.0,
        test: tuple[Any, Any] | None = None,
        name: str = "arrays",
        seed: int = 0,
        classes: int | tuple[Label, ...] | None = None,
    ) -> Dataset:
        """Make a data set of arrays or lists.

        Labels may be any integers or strings, of 2 to 64 classes. Those among `labels` are numbered in ascending
        order, 0 to below the number of classes; `class_labels` keeps what they were.

        Args:
            images: Images to train with: (n, 28, 28), (n, 784), (n, 28, 28, 1) or (n, 1, 28, 28); uint8 or other
                integers in 0..255, floating-point in 0..1 (rounded to 256 levels), or bool. 0 is the ground.
            labels: n integers or strings, one an image.
            validation: Images kept from training to validate with: their share of each class, chosen by `seed`, or
                a pair (images, labels).
            test: A pair (images, labels) to test with.
            name: Name of the data set.
            seed: Seed of the choice.
            classes: The classes that there are, where that is known before: their labels; or their number n, of which
                labels 0 to n - 1 are the numbers as they stand.

        Returns:
            The data set.

        Raises:
            DataError: A wrong shape, dtype, range or number, NaN, too few or too many classes, or a label to validate
                or test with that no training image has.
        """
        pixels = convert_images(images)
        read = read_labels(labels, len(pixels))
        known = find_classes(read) if classes is None else match_classes(read, classes)
        train, held = _validated(
            Split(pixels, number_labels(read, known), classes=len(known)), validation, known, seed
        )
        tested = None if test is None else _split_of_pair(test, known, "test")
        splits = {"train": train, "validation": held, "test": tested}
        digests = {key: _sha256(split) for key, split in splits.items() if split is not None}
        return cls(name, train, tested, digests, held, known)

    def with_validation(self, validation: float | tuple[Any, Any], seed: int = 0) -> Dataset:
        """Return the data set with images to validate with.

        Args:
            validation: As for `from_arrays`.
            seed: Seed of the choice.

        Raises:
            DataError: A share that leaves nothing, or a pair that does not fit.
        """
        train, held = _validated(self.train, validation, self.class_labels, seed)
        digests = {**self.digests, **({} if held is None else {"validation": _sha256(held)})}
        return replace(self, train=train, validation=held, digests=digests)


def _validated(
    train: Split, validation: float | tuple[Any, Any], known: tuple[Label, ...], seed: int
) -> tuple[Split, Split | None]:
    """Part a training set as `validation` asks: what is left to train with, and what to validate with."""
    if isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool):
        if validation == 0:
            return train, None
        out = choose_share(train.labels, float(validation), seed)
        return train.take(~out), train.take(out)
    return train, _split_of_pair(validation, known, "validation")


def _split_of_pair(pair: Any, known: tuple[Label, ...], thing: str) -> Split:
    """Make a split of a pair (images, labels) whose classes are known already."""
    if isinstance(pair, Split):
        pair = pair.images, pair.labels
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        found = f"{len(pair)} values" if isinstance(pair, (tuple, list)) else type(pair).__name__
        raise DataError(thing, found=found, expected="a pair (images, labels)")
    pixels = convert_images(pair[0], f"{thing} images")
    labels = read_labels(pair[1], len(pixels), f"{thing} labels")
    return Split(pixels, number_labels(labels, known, f"{thing} labels"), classes=len(known))


def _sha256(split: Split) -> str:
    digest = hashlib.sha256(split.images.data)
    digest.update(split.labels.data)
    return digest.hexdigest()


def held_out(labels: Bytes, thing: str) -> npt.NDArray[np.bool_]:
    """Choose the samples of pendigits' single file to test with: the 6th, 12th, 18th... of each class.

    The shipped models were trained on what this leaves; users' own sets are split by `assemble.hold_out`.

    Args:
        labels: (n,) uint8.
        thing: Name of their source, for the message.

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
