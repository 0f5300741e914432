"""A folder or zip of pictures sorted by class: PATH/3/anything.png is a 3, PATH/cat/anything.jpg a cat.

A picture of a digit is brought into MNIST's form by `lenet_gpu.ink.preprocess`, as `predict` does; one that is in
that form already is taken as it is. Where classes are no digits, so is every picture of 28x28 pixels: what makes up a
class may be its place and size. Which is the ink, dark or bright, `lenet_gpu.ink.polarity` tells.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.arrays import MAX_CLASSES
from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.datasets.raw import Raw
from lenet_gpu.datasets.zip_folder import ZipFolder
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.ink.image_files import decode_gray, read_gray
from lenet_gpu.ink.normal_form import is_in_form
from lenet_gpu.ink.polarity import is_light_on_dark
from lenet_gpu.ink.preprocess import image_to_mnist
from lenet_gpu.paper import IMAGE_SIZE
from lenet_gpu.quiet import is_quiet

LOGGER = logging.getLogger("lenet_gpu")

IGNORED = ("thumbs.db", "desktop.ini", "__macosx")  # what file managers leave behind

DIM = 127
"""Greatest pixel of pictures that may be on another scale, which only their whole set tells: not turned here."""

SETS = {
    "train": ("train", "training", "trainset", "trainingset"),
    "validation": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing", "testset"),
}
"""Names of the folders of a set, by its role."""

Folder = Path | ZipFolder


def class_folders(folder: Folder) -> dict[str, Folder]:
    """Find the folders that are named by a class.

    Args:
        folder: The folder searched.

    Returns:
        The folder of each class, digits and other whole numbers in ascending order; empty if there is none.

    Raises:
        DataError: The folder can't be read.
    """
    found = {path.name: path for path in _entries(folder) if path.is_dir()}
    return dict(
        sorted(found.items(), key=lambda item: (not _is_whole(item[0]), len(item[0]) * _is_whole(item[0]), item))
    )


def set_folders(folder: Folder) -> dict[str, Folder]:
    """Find the folders train, valid and test, by any of their usual names, in any case of letters.

    Args:
        folder: The folder searched.

    Returns:
        The folders by role: train, validation, test.

    Raises:
        DataError: Two of them have one role.
    """
    found: dict[str, Folder] = {}
    for path in _entries(folder):
        role = next((role for role, names in SETS.items() if path.name.lower() in names), None)
        if role is not None and path.is_dir():
            if role in found:
                raise DataError(
                    folder,
                    found=f"the folders {found[role].name} and {path.name}",
                    expected=f"one {role} set",
                    remedy="move one of them away",
                )
            found[role] = path
    return found


def read_picture_sets(folder: Folder, *, progress: bool = False) -> dict[str, Raw] | None:
    """Read class folders, as one set or as train, valid and test, also where they lie in one folder more.

    Args:
        folder: The folder that has them.
        progress: True to show a progress bar on standard error.

    Returns:
        The sets by role: train, validation, test; None if there are no class folders. A set without class folders is
        left for predict, and that is said.

    Raises:
        DataError: A folder beside the sets, or anything that `read_image_folder` refuses.
    """
    folder = _innermost(folder)
    sets = {role: _innermost(path) for role, path in set_folders(folder).items()}
    if "train" not in sets or not has_pictures(sets["train"]):
        return {"train": read_image_folder(folder, "all", progress=progress)} if class_folders(folder) else None
    others = {path.name for path in set_folders(folder).values()}
    if extra := [path for name, path in class_folders(folder).items() if name not in others]:
        raise DataError(
            extra[0],
            found=f"a folder beside {', '.join(sorted(others))}",
            expected="those alone",
            remedy="move it away, or into one of them",
        )
    found = {}
    for role, path in sets.items():
        if role == "train" or class_folders(path) or not (left := len(_entries(path))):
            found[role] = read_image_folder(path, role, progress=progress)
        else:
            LOGGER.warning("%s: %d pictures without labels, which are left for predict", path, left)
    return found


def _innermost(folder: Folder) -> Folder:
    """Pass a folder whose only entry is a folder of folders, or one of its own name, as zips often have it."""
    entries = _entries(folder)
    if len(entries) != 1 or not entries[0].is_dir():
        return folder
    (inner,) = entries
    nested = inner.name == folder.name or any(path.is_dir() for path in _entries(inner))
    return _innermost(inner) if nested else folder


def has_pictures(folder: Folder) -> bool:
    """Tell whether a folder has folders with anything in them."""
    return any(any(_entries(path)) for path in class_folders(folder).values())


def read_image_folder(folder: Folder, key: str = "all", *, progress: bool = False) -> Raw:
    """Read the pictures in the class folders of a folder, class by class, sorted by file name.

    Args:
        folder: The folder that has a folder for each class.
        key: Name of its digest.
        progress: True to show a progress bar on standard error.

    Returns:
        The pictures, labelled by the names of their folders; the digest is of all pixels, then of the labels: as
        bytes where they are digits, as text where they are others.

    Raises:
        DataError: If there are no class folders or no pictures, names are of several kinds, or a file is not a
            picture; it is named.
    """
    from tqdm import tqdm

    folders = class_folders(folder)
    if not folders:
        raise DataError(folder, found="no class folders", expected="folders named by class with pictures in them")
    _check_names(folder, list(folders))
    files = [(name, path) for name, class_folder in folders.items() for path in _entries(class_folder)]
    if not files:
        raise DataError(folder, found="class folders without a file in them", expected="pictures")
    if empty := sorted(set(folders) - {name for name, _ in files}):
        LOGGER.warning("%s: no pictures in %s", folder, ", ".join(empty[:6]))
    digits = set(folders) <= set("0123456789")
    images = np.empty((len(files), IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for index, (_, path) in enumerate(
        tqdm(files, desc=folder.name, unit="image", delay=1, file=sys.stderr, disable=is_quiet() or not progress)
    ):
        images[index] = read_image(path, digits)
    labels = np.array([name for name, _ in files])
    sha256 = hashlib.sha256(images.data)
    sha256.update(bytes(map(int, labels)) if digits else "\0".join(labels).encode())
    names = [f"{name}/{path.name}" for name, path in files]
    return Raw(images, labels, str(folder), {key: sha256.hexdigest()}, names, upright=True)


def read_image(path: Folder, digit: bool = True) -> Bytes:
    """Read one picture as an MNIST image.

    Args:
        path: The file, in any format that Pillow reads.
        digit: Whether it shows a digit; if not, one of 28x28 pixels stays as it is, but for its polarity.

    Returns:
        (28, 28) uint8, bright ink on black.

    Raises:
        DataError: If the file can't be read or is not a picture.
    """
    if path.is_dir():
        raise DataError(path, found="a folder", expected="pictures only, in a class folder", remedy="move it away")
    try:
        gray = decode_gray(path.open(), path) if isinstance(path, ZipFolder) else read_gray(path)  # (height, width)
    except InputError as error:
        raise DataError(path, found=error.found, expected=error.expected, remedy=error.remedy) from None
    if gray.shape != (IMAGE_SIZE, IMAGE_SIZE):
        return image_to_mnist(gray)
    bright = gray if gray.max() <= DIM or is_light_on_dark(gray) else 255 - gray
    if not digit or is_in_form(bright):
        return bright
    field = image_to_mnist(gray)
    return field if field.any() else bright


def _check_names(folder: Folder, names: list[str]) -> None:
    """Refuse names of classes that can't all be meant: a folder `originals` beside 0 to 9, say."""
    whole = [name for name in names if _is_whole(name)]
    others = [name for name in names if not _is_whole(name)]
    if whole and others and not all(len(name) == 1 for name in names):
        few = min(whole, others, key=len)
        raise DataError(
            folder / few[0],
            found=f"the class {few[0]!r} beside {(others if few is whole else whole)[0]!r}",
            expected="folders named by whole numbers, by words, or by one character each",
            remedy="rename or move it",
        )
    if len(names) > MAX_CLASSES:
        raise DataError(
            folder,
            found=f"{len(names)} class folders",
            expected=f"at most {MAX_CLASSES} classes",
            remedy="use fewer classes",
        )


def _is_whole(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 19


def _entries(folder: Folder) -> list[Folder]:
    try:
        entries: list[Folder] = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise DataError(folder, found=(error.strerror or str(error)).lower(), expected="a folder") from error
    return [path for path in entries if not path.name.startswith(".") and path.name.lower() not in IGNORED]
