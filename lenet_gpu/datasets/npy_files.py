"""Arrays in files: .npz with images and labels, as Keras keeps MNIST, and pairs of .npy or .npz files.

Which array is what, its name says: x, images, data ... or y, labels, target ...; with train, valid or test in it, or
not.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.arrays import convert_images, read_labels
from lenet_gpu.datasets.raw import Raw
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import open_input, unpacked_limit, unreadable
from lenet_gpu.storage.npz import NUMBERS, NpzError, read_array, read_arrays

MOST_BYTES = 2 << 30
"""Greatest length of a file, and of what it may unpack to."""

EXPECTED = "arrays of images and of labels, called x_train and y_train for example"
AGAIN = "write them with numpy.save or numpy.savez"

IMAGES = ("x", "images", "image", "imgs", "img", "data", "pixels", "features", "pictures", "samples")
LABELS = ("y", "labels", "label", "lbls", "targets", "target", "classes", "class", "digits")
ROLES = {
    "train": ("train", "training", "tr"),
    "validation": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing", "te", "t10k"),
}


def read_array_files(paths: list[Path]) -> dict[str, Raw]:
    """Read sets from .npz and .npy files that belong together.

    Args:
        paths: The files.

    Returns:
        The sets by role: train, validation, test; what has no role is the first.

    Raises:
        DataError: Damaged files, arrays that are neither images nor labels, or images without labels.
    """
    found: dict[tuple[str, str], tuple[str, np.ndarray]] = {}
    digests: dict[str, str] = {}
    for path in paths:
        arrays, digests[path.name] = _read(path)
        for name, array in arrays.items():
            called = f"{path.name}:{name}" if name else path.name
            role, kind = _meaning(f"{path.stem} {name}" if len(paths) > 1 or not name else name, array)
            if kind is None:
                raise DataError(
                    path,
                    found=f"the array {name or path.stem}, {array.dtype} {array.shape}",
                    expected=EXPECTED,
                    remedy="rename it, or leave it out",
                )
            if (role, kind) in found:
                raise DataError(
                    path,
                    found=f"{found[role, kind][0]} and {called}, both {kind} to {role} with",
                    expected="one of each",
                    remedy="rename or remove one of them",
                )
            found[role, kind] = called, array
    thing = str(paths[0]) if len(paths) == 1 else str(paths[0].parent)
    sets = {}
    for role in ROLES:
        if (role, "images") in found or (role, "labels") in found:
            sets[role] = _set(role, found, thing)
    if "train" not in sets:
        if len(sets) != 1:
            raise DataError(thing, found="nothing to train with", expected=EXPECTED, remedy="rename the arrays")
        sets = {"train": next(iter(sets.values()))}
    sets["train"].digests = digests
    return sets


def partners(path: Path) -> list[Path]:
    """Find what belongs to a .npy file, or to an .npz file of images or labels alone, in its folder.

    Args:
        path: The file.
    """
    if path.suffix.lower() == ".npz":
        arrays, _ = _read(path)
        kinds = {_meaning(f"{path.stem} {name}", array)[1] for name, array in arrays.items()}
        if len(arrays) > 1 or not kinds <= {"images", "labels"}:
            return [path]
    beside = sorted(other for other in path.parent.iterdir() if other.suffix.lower() == path.suffix.lower())
    role, kind = _role_of(path.stem), _kind_of(path.stem)
    fitting = [other for other in beside if _role_of(other.stem) == role and _kind_of(other.stem) not in (kind, None)]
    return [path, *fitting] if len(fitting) == 1 else [path]


def _read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read the arrays of a file, and its SHA-256; the one array of a .npy file has no name."""
    try:
        with open_input(path, EXPECTED, MOST_BYTES, DataError) as file:
            content = file.read(MOST_BYTES)
        sha256 = hashlib.sha256(content).hexdigest()
        if content.startswith(b"PK"):
            limit = min(MOST_BYTES, unpacked_limit(len(content)))
            return read_arrays(io.BytesIO(content), limit, kinds=NUMBERS + "U"), sha256
        return {"": read_array(path.stem, content, kinds=NUMBERS + "U")}, sha256
    except OSError as error:
        raise unreadable(path, error, EXPECTED, DataError) from error
    except NpzError as error:
        raise DataError(path, found=f"unreadable contents ({error})", expected=EXPECTED, remedy=AGAIN) from error


def _words(name: str) -> list[str]:
    return [
        word
        for word in re.split(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower())
        if word
    ]


def _role_of(name: str) -> str:
    words = _words(name)
    return next((role for role, names in ROLES.items() if any(word in names for word in words)), "train")


def _kind_of(name: str) -> str | None:
    for word in reversed(_words(name)):
        if word in LABELS:
            return "labels"
        if word in IMAGES:
            return "images"
        if word in ("xtrain", "xtest", "xval", "trainx", "testx"):
            return "images"
        if word in ("ytrain", "ytest", "yval", "trainy", "testy"):
            return "labels"
    return None


def _meaning(name: str, array: np.ndarray) -> tuple[str, str | None]:
    """Tell what an array is, by its name, or else by its shape: pictures have as many pixels as MNIST's."""
    role, kind = _role_of(name), _kind_of(name)
    pictures = array.ndim >= 2 and array.shape[1:] in ((784,), (28, 28), (28, 28, 1), (1, 28, 28))
    line = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    if pictures and kind in (None, "images"):
        return role, "images"
    if line and kind in (None, "labels"):
        return role, "labels"
    return role, kind


def _set(role: str, found: dict[tuple[str, str], tuple[str, np.ndarray]], thing: str) -> Raw:
    """Make a set of its two arrays."""
    pair = []
    for kind, other in (("images", "labels"), ("labels", "images")):
        if (role, kind) not in found:
            raise DataError(
                thing,
                found=f"{found[role, other][0]} without {kind}",
                expected=EXPECTED,
                remedy=f"put the {kind} beside them",
            )
        pair.append(found[role, kind])
    (name, pixels), (_, labels) = pair
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all() and (abs(labels) < 2**53).all():
        labels = labels.astype(np.int64)
    if (
        pixels.dtype.kind == "f"
        and pixels.size
        and pixels.max() > 1.0
        and pixels.min() >= 0.0
        and pixels.max() <= 255.0
    ):
        pixels = np.rint(pixels).astype(np.uint8)  # 0..255 as floating-point numbers, as Keras' users write them
    if pixels.dtype.kind in "iu" and pixels.size and pixels.min() >= 0 and pixels.max() == 1:
        pixels = pixels.astype(bool)
    images = convert_images(pixels, name)
    return Raw(
        images,
        read_labels(labels, len(images), f"labels of {name}"),
        f"{thing}, {role}" if role != "train" else thing,
        {},
    )
