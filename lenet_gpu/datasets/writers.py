"""The NIST writer of every MNIST image, and a split of the training set that no writer is on both sides of.

`data/mnist/writers.npz` holds what QMNIST's extended labels say of MNIST's images, in the order of MNIST's files: the
number of the writer, and the series of NIST's Special Database 19 that the form belongs to.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.dataset import Dataset
from lenet_gpu.datasets.locations import search_folders
from lenet_gpu.datasets.mirrors import MNIST
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import unreadable
from lenet_gpu.storage.npz import read_arrays

NAME = "writers.npz"
SHA256 = "e655a73ecb6fde450a6d7abb6b90fde74cb4ca5a7839405b092c46ff725fb66f"
MOST_BYTES = 1 << 20

EMPLOYEES, PUPILS = 0, 4
"""Series: employees of the Census Bureau, and pupils of a high school."""

FOLDS = 6
"""Every sixth writer of a series is held out: about 10,000 of the 60,000 images."""


@dataclass(frozen=True, eq=False)
class Writers:
    """The writer of every MNIST image. No writer is in both sets.

    Attributes:
        train: (60000,) int16, the number of the writer of each training image; 539 different ones.
        test: (10000,) int16, the same of the test images; 297 others.
        train_series: (60000,) uint8, `EMPLOYEES` or `PUPILS`.
        test_series: (10000,) uint8.
    """

    train: np.ndarray
    test: np.ndarray
    train_series: np.ndarray
    test_series: np.ndarray


def read_writers(path: str | os.PathLike[str] | None = None) -> Writers:
    """Read the writers of MNIST's images.

    Args:
        path: The file; if None, `writers.npz` in the first folder that has it, of those searched for MNIST.

    Returns:
        The writers.

    Raises:
        DataError: The file is nowhere, or not the one that belongs to MNIST.
    """
    places = [folder / NAME for folder in search_folders("mnist")] if path is None else [Path(path)]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise DataError(
            f"writers of MNIST ({NAME})",
            found="no such file",
            expected=f"it in {' or '.join(str(place.parent) for place in places)}",
            remedy="copy it from data/mnist of this project",
        )
    try:
        content = place.read_bytes()
    except OSError as error:
        raise unreadable(place, error, "the writers of MNIST's images", DataError) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DataError(
            place, found=f"SHA-256 {digest}", expected=SHA256, remedy="copy it from data/mnist of this project"
        )
    arrays = read_arrays(io.BytesIO(content), MOST_BYTES)
    return Writers(arrays["train_writer"], arrays["test_writer"], arrays["train_series"], arrays["test_series"])


def with_writers(mnist: Dataset, writers: Writers | None = None) -> Dataset:
    """Return MNIST with the writer of every image in its splits.

    Args:
        mnist: The data set `mnist`, whole.
        writers: Its writers; read now if None.

    Returns:
        The data set; `.train.writers` and `.test.writers` are (n,) int16.

    Raises:
        DataError: Another data set than MNIST, or no writers.
    """
    known = {member.name: member.content_sha256 for member in MNIST.members.values()}
    if mnist.digests != known or mnist.test is None or mnist.validation is not None:
        raise DataError(
            f"writers of {mnist.name}",
            found="another data set, or a part of one",
            expected="MNIST's four files, whole",
        )
    writers = read_writers() if writers is None else writers
    return replace(
        mnist,
        train=replace(mnist.train, writers=writers.train),
        test=replace(mnist.test, writers=writers.test),
    )


def hold_out_mnist_writers(mnist: Dataset, fold: int = FOLDS - 1) -> Dataset:
    """Hold out the images of every sixth writer of MNIST's training set, employees and pupils alike.

    What is chosen by the images held out is chosen for people that the network has not learnt from, as those of the
    test set are. The test set itself is left out of the result, so that nothing is chosen by it.

    Args:
        mnist: The data set `mnist`, whole.
        fold: Which of the `FOLDS` sixths, 0 to 5.

    Returns:
        A data set with the other writers' images as `train` and those held out as `validation`, in MNIST's order,
        both with `writers`; its `test` is None.

    Raises:
        DataError: As `with_writers`, or no such fold.
    """
    if not 0 <= fold < FOLDS:
        raise DataError("fold", found=repr(fold), expected=f"0 to {FOLDS - 1}")
    writers = read_writers()
    train = with_writers(mnist, writers).train
    out = np.zeros(len(train), dtype=bool)
    for series in (EMPLOYEES, PUPILS):
        numbers = np.unique(writers.train[writers.train_series == series])
        out |= np.isin(writers.train, numbers[fold::FOLDS])
    return Dataset(
        f"{mnist.name}, writers of fold {fold} held out", train.take(~out), None, mnist.digests, train.take(out)
    )
