"""`load_dataset`: from a name or a path to a validated `Dataset`."""

from __future__ import annotations

import os
from pathlib import Path

from lenet_gpu.datasets.csv_file import MOST_BYTES, read_csv
from lenet_gpu.datasets.dataset import Dataset, Split, hold_out
from lenet_gpu.datasets.image_folder import class_folders, read_image_folder
from lenet_gpu.datasets.locations import find_in_zip, find_members, has_member
from lenet_gpu.datasets.mirrors import COLLECTIONS, EMNIST_DIGITS, MNIST
from lenet_gpu.datasets.named import load_collection, read_collection
from lenet_gpu.datasets.pendigits import NAME as PENDIGITS
from lenet_gpu.datasets.pendigits import load_pendigits
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.input_files import check_input, unreadable

FORMS = (
    "a folder with the MNIST or EMNIST idx files, a CSV file or a folder with train.csv and test.csv, "
    "a folder of pictures in folders named 0..9 (or train/ and test/ with such), or EMNIST's gzip.zip"
)
KNOWN = (*COLLECTIONS, PENDIGITS)
SETS = (("train", "test"), ("training", "testing"))


def load_dataset(
    source: str | os.PathLike[str] = "mnist",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = True,
) -> Dataset:
    """Load a data set of handwritten digits.

    `"mnist"`, `"emnist-digits"` and `"pendigits"` (pen strokes, drawn as MNIST's digits are) are searched for in the
    clone of this project, in `data/` of the working directory and in the user's cache (`LENET_GPU_CACHE` overrides
    where that is), then downloaded into the cache; wherever they come from, their SHA-256 is compared with the
    published one. Anything else is a path, to the user's data: idx files of the MNIST or EMNIST names, CSV
    (label, then 784 pixels, a header line allowed), or pictures in folders named by their class. If such data are
    one set only, the 6th, 12th, 18th... sample of each class makes the test split.

    Args:
        source: `"mnist"`, `"emnist-digits"`, `"pendigits"`, or a path (for a folder of such a name write `./mnist`).
        data_dir: For a data set known by name: the only folder searched.
        download: True if a data set known by name may be downloaded.
        progress: True if a long job shows a progress bar on standard error.

    Returns:
        The data set: `.train` and `.test` with images (n, 28, 28) uint8 and labels (n,) uint8.

    Raises:
        DataError: If it is missing, damaged or of no known form.
        InputError: If `data_dir` is given together with a path.
    """
    folder = None if data_dir is None else Path(os.path.expanduser(data_dir))
    if source == PENDIGITS:
        return load_pendigits(data_dir=folder, download=download, progress=progress)
    collection = COLLECTIONS.get(source) if isinstance(source, str) else None
    if collection is not None:
        return load_collection(collection, data_dir=folder, download=download, progress=progress)
    path = Path(os.path.expanduser(source))
    if data_dir is not None:
        raise InputError(
            f"data_dir {os.fspath(data_dir)}",
            found=f"it beside the path {path}",
            expected=f"it only with {' or '.join(KNOWN)}",
            remedy="give the path alone",
        )
    if not os.fspath(source) or not os.path.exists(path):
        raise DataError(
            f"data set {os.fspath(source)!r}",
            found="no such file or folder",
            expected=f"{', '.join(KNOWN)} or a path",
            remedy="check the spelling",
        )
    name = os.fspath(source)
    return _load_folder(path, name, progress=progress) if os.path.isdir(path) else _load_file(path, name)


def _load_file(path: Path, name: str) -> Dataset:
    ending = path.name.lower()
    check_input(path, FORMS, MOST_BYTES, DataError)
    if ending.endswith((".csv", ".csv.gz")):
        images, labels, sha256 = read_csv(path)
        train, test = hold_out(images, labels, str(path))
        return Dataset(name, train, test, {_csv_key(path): sha256})
    if ending.endswith(".zip"):
        return read_collection(EMNIST_DIGITS, find_in_zip(EMNIST_DIGITS, path), name=name, check=False)
    if "idx1-ubyte" in ending or "idx3-ubyte" in ending:
        raise DataError(path, found="one idx file", expected="the folder that has all four", remedy="give the folder")
    raise DataError(path, found="a file of no known form", expected=FORMS, remedy="name another file or a folder")


def _load_folder(folder: Path, name: str, *, progress: bool) -> Dataset:
    try:
        empty = not any(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error, "a folder", DataError) from error
    if empty:
        raise DataError(folder, found="an empty folder", expected=FORMS, remedy="name another folder")
    for collection in (MNIST, EMNIST_DIGITS):
        if has_member(collection, folder):  # any one of the four tells the form; a missing one is then an error
            return read_collection(collection, find_members(collection, folder), name=name, check=False)
    if pair := _csv_pair(folder):
        train_images, train_labels, train_sha256 = read_csv(pair[0])
        test_images, test_labels, test_sha256 = read_csv(pair[1])
        digests = {_csv_key(pair[0]): train_sha256, _csv_key(pair[1]): test_sha256}
        return Dataset(name, Split(train_images, train_labels), Split(test_images, test_labels), digests)
    for train, test in SETS:
        if (folder / train).is_dir() and class_folders(folder / train):
            return _load_images(name, folder / train, folder / test, progress=progress)
    if class_folders(folder):
        images, labels, sha256 = read_image_folder(folder, progress=progress)
        train_split, test_split = hold_out(images, labels, str(folder))
        return Dataset(name, train_split, test_split, {"all": sha256})
    raise DataError(
        folder,
        found="no idx files, no CSV files and no class folders",
        expected=FORMS,
        remedy="name another path",
    )


def _load_images(name: str, train: Path, test: Path, *, progress: bool) -> Dataset:
    if not test.is_dir():
        raise DataError(
            test,
            found="no such folder",
            expected=f"one beside {train}",
            remedy=f"make it, or give {train} to split it",
        )
    train_images, train_labels, train_sha256 = read_image_folder(train, progress=progress)
    test_images, test_labels, test_sha256 = read_image_folder(test, progress=progress)
    digests = {"train": train_sha256, "test": test_sha256}
    return Dataset(name, Split(train_images, train_labels), Split(test_images, test_labels), digests)


def _csv_pair(folder: Path) -> tuple[Path, Path] | None:
    """Find the training and the test CSV of a folder by their names; None if it has no CSV at all."""
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith((".csv", ".csv.gz")))
    if not files:
        return None
    train = [path for path in files if "train" in path.name.lower()]
    test = [path for path in files if "test" in path.name.lower() and path not in train]
    if len(train) == 1 and len(test) == 1:
        return train[0], test[0]
    raise DataError(
        folder,
        found=f"the CSV files {', '.join(path.name for path in files)}",
        expected="one with train and one with test in its name",
        remedy="rename them, or give a single file to have it split",
    )


def _csv_key(path: Path) -> str:
    return path.name.removesuffix(".gz")
