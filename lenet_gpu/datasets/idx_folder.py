"""Pairs of idx files, images and labels, by their names: MNIST's, and those of data sets of the same form.

torchvision keeps them in ROOT/NAME/raw; EMNIST's are called emnist-SPLIT-train-images-idx3-ubyte and store pictures
with rows and columns exchanged, and their labels' characters in a file of their own (mapping.py); a single pair is a
set that is split.
"""

from __future__ import annotations

import re
from pathlib import Path

from lenet_gpu.datasets.idx import read_idx
from lenet_gpu.datasets.mapping import mapping_beside, named_labels
from lenet_gpu.datasets.raw import Raw
from lenet_gpu.errors import DataError

NAME = re.compile(r"(.*)(images|labels)[-._]?idx([13])[-._]?ubyte(\.gz)?", re.IGNORECASE)
ROLES = (("train", "train"), ("t10k", "test"), ("test", "test"), ("valid", "validation"), ("val", "validation"))

OTHER = {"images": "labels", "labels": "images"}

Pair = dict[str, Path]
"""The files "images" and "labels"."""


def is_idx(path: Path) -> bool:
    """Tell by its name whether a file is an idx file of images or labels."""
    return NAME.fullmatch(path.name) is not None


def idx_pairs(folder: Path) -> dict[str, Pair]:
    """Find the pairs of idx files in a folder, those without .gz first.

    Args:
        folder: The folder.

    Returns:
        The pairs by what their names begin with, in lower case ("train-", "emnist-letters-test-").

    Raises:
        DataError: A file without its partner.
    """
    pairs: dict[str, Pair] = {}
    for path in sorted(folder.iterdir()):
        match = NAME.fullmatch(path.name)
        if match is not None and path.is_file():
            pairs.setdefault(match[1].lower(), {}).setdefault(match[2].lower(), path)
    for pair in pairs.values():
        if len(pair) == 1:
            ((kind, path),) = pair.items()
            other = OTHER[kind]
            raise DataError(
                folder,
                found=f"{path.name} without its {other}",
                expected=f"{_partner(path)} beside it, with or without .gz",
                remedy="put that file there",
            )
    return pairs


def raw_folder(folder: Path) -> Path | None:
    """Find the folder in which torchvision keeps the files: raw, NAME/raw, or the folder itself.

    Args:
        folder: The folder given: torchvision's root, or one of the two below it.

    Returns:
        The folder with idx files; None if there is none.

    Raises:
        DataError: Several data sets have one.
    """
    if any(map(is_idx, folder.iterdir())):
        return folder
    found = [path for path in (folder / "raw", *sorted(folder.glob("*/raw"))) if path.is_dir()]
    found = [path for path in found if any(map(is_idx, path.iterdir()))]
    if len(found) > 1:
        raise DataError(
            folder,
            found=f"the data sets {', '.join(path.parent.name for path in found)}",
            expected="one",
            remedy="name the folder of one of them",
        )
    return found[0] if found else None


def read_idx_folder(folder: Path) -> dict[str, Raw]:
    """Read the pairs of a folder.

    Args:
        folder: A folder with idx files.

    Returns:
        The sets by role: train, validation, test; a single pair is the first whatever it is called.

    Raises:
        DataError: A file without its partner, a damaged one, or files of several data sets.
    """
    pairs = idx_pairs(folder)
    roles: dict[str, list[str]] = {}
    for start in pairs:
        roles.setdefault(next((role for word, role in ROLES if word in start), "train"), []).append(start)
    if len(pairs) == 1:
        return {"train": read_pair(next(iter(pairs.values())))}
    crowded = next((starts for starts in roles.values() if len(starts) > 1), None)
    if crowded is not None or "train" not in roles:
        names = [pairs[start]["images"].name for start in crowded or pairs]
        raise DataError(
            folder,
            found=f"the files {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}",
            expected="one pair to train with, and one each to validate and to test with",
            remedy="put those of one data set into a folder of their own, or name one of the files",
        )
    return {role: read_pair(pairs[start]) for role, (start,) in roles.items()}


def pair_of(path: Path) -> Pair:
    """Find the pair that an idx file belongs to.

    Args:
        path: Either of the two files.

    Raises:
        DataError: Its partner does not lie beside it.
    """
    match = NAME.fullmatch(path.name)
    assert match is not None
    other = OTHER[match[2].lower()]
    stem = match[1].lower()
    for beside in sorted(path.parent.iterdir()):
        found = NAME.fullmatch(beside.name)
        if found is not None and (found[1].lower(), found[2].lower()) == (stem, other):
            return {match[2].lower(): path, other: beside}
    raise DataError(
        path,
        found=f"no file of its {other} beside it",
        expected=f"{_partner(path)}, with or without .gz",
        remedy="put it there",
    )


def _partner(path: Path) -> str:
    """Name the file that belongs to one of a pair, without .gz."""
    name = path.name.removesuffix(".gz")
    if "images" in name.lower():
        return name.replace("images", "labels").replace("idx3", "idx1")
    return name.replace("labels", "images").replace("idx1", "idx3")


def read_pair(pair: Pair) -> Raw:
    """Read a pair of files.

    Raises:
        DataError: A damaged file, another number of labels than of images, or a mapping file that does not fit.
    """
    images, labels = read_idx(pair["images"], "images"), read_idx(pair["labels"], "labels", most_label=255)
    if len(images.values) != len(labels.values):
        raise DataError(
            pair["labels"],
            found=f"{len(labels.values):,} labels",
            expected=f"{len(images.values):,}, as many as there are images",
            remedy="use the two files that belong together",
        )
    digests = {
        re.sub(r"\.gz$", "", pair[kind].name).replace(".idx", "-idx"): file.content_sha256
        for kind, file in (("images", images), ("labels", labels))
    }
    transposed = "emnist" in pair["images"].name.lower()
    mapping = mapping_beside(pair["images"])
    return Raw(
        images.values,
        labels.values if mapping is None else named_labels(labels.values, mapping),
        str(pair["images"]),
        digests,
        transposed=transposed,
        labels_thing=str(pair["labels"]),
    )
