"""A folder of pictures sorted by class: PATH/3/anything.png is a 3.

A picture of 28x28 pixels is taken as it is, apart from its polarity: where the outermost ring of pixels is
bright the ground must be, so it is inverted (MNIST has bright ink on black; none of its images has such a
ring). A picture of another size goes through `lenet_gpu.ink.preprocess`, which finds the digit in it.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.ink.image_files import read_gray
from lenet_gpu.ink.preprocess import image_to_mnist
from lenet_gpu.paper import IMAGE_SIZE

IGNORED = ("thumbs.db", "desktop.ini", "__macosx")  # what file managers leave behind


def class_folders(folder: Path) -> dict[int, Path]:
    """Find the folders that are named by a class.

    Args:
        folder: The folder searched.

    Returns:
        The folder of each digit present, in ascending order; empty if there is none.
    """
    found = {int(path.name): path for path in _entries(folder) if path.is_dir() and path.name in set("0123456789")}
    return dict(sorted(found.items()))


def read_image_folder(folder: Path, *, progress: bool = False) -> tuple[Bytes, Bytes, str]:
    """Read the pictures in the class folders of a folder, class by class, sorted by file name.

    Args:
        folder: The folder that has the folders 0, 1, ... 9 (not all need be there).
        progress: True to show a progress bar on standard error.

    Returns:
        The images (n, 28, 28) uint8, the labels (n,) uint8, and the SHA-256 of all pixels, then all labels.

    Raises:
        DataError: If there are no class folders or no pictures, a folder has another name, or a file is not a
            picture; it is named.
    """
    from tqdm import tqdm

    folders = class_folders(folder)
    if not folders:
        raise DataError(folder, found="no class folders", expected="folders named 0, 1, ... 9 with pictures in them")
    for path in _entries(folder):
        if path.is_dir() and path not in folders.values():
            raise DataError(
                path,
                found=f"the class {path.name!r}",
                expected="folders named 0, 1, ... 9",
                remedy="rename or move it",
            )
    files = [(digit, path) for digit, class_folder in folders.items() for path in _entries(class_folder)]
    if not files:
        raise DataError(folder, found="class folders without a file in them", expected="pictures")
    images = np.empty((len(files), IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    labels = np.array([digit for digit, _ in files], dtype=np.uint8)
    for index, (_, path) in enumerate(
        tqdm(files, desc=folder.name, unit="image", delay=1, file=sys.stderr, disable=not progress)
    ):
        images[index] = read_image(path)
    sha256 = hashlib.sha256(images.data)
    sha256.update(labels.data)
    return images, labels, sha256.hexdigest()


def read_image(path: Path) -> Bytes:
    """Read one picture as an MNIST image.

    Args:
        path: The file, in any format that Pillow reads.

    Returns:
        (28, 28) uint8, bright ink on black.

    Raises:
        DataError: If the file can't be read or is not a picture.
    """
    if path.is_dir():
        raise DataError(path, found="a folder", expected="pictures only, in a class folder", remedy="move it away")
    try:
        gray = read_gray(path)  # (height, width)
    except InputError as error:
        raise DataError(path, found=error.found, expected=error.expected, remedy=error.remedy) from None
    if gray.shape != (IMAGE_SIZE, IMAGE_SIZE):
        return image_to_mnist(gray)
    ring = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    return 255 - gray if ring.mean() > 127.5 else gray


def _entries(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(folder, found=(error.strerror or str(error)).lower(), expected="a folder") from error
    return [path for path in entries if not path.name.startswith(".") and path.name.lower() not in IGNORED]
