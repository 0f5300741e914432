"""EMNIST's mapping files: the characters that labels stand for.

Beside emnist-letters-train-images-idx3-ubyte lies emnist-letters-mapping.txt: a line a label, the label and the ASCII
codes of its characters ("1 65 97" for A and a). A class is called by the first of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.raw import DIGITS
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import unreadable

ENDING = "mapping.txt"
MOST_BYTES = 1 << 16
REMEDY = "restore the file as it was published, or remove it: classes are then called by their numbers"

_PART = re.compile(r"(train|test)[-._]?(images|labels)[-._]?idx[13][-._]?ubyte(\.gz)?$", re.IGNORECASE)


def mapping_beside(path: Path) -> Path | None:
    """Find the mapping file of an idx file.

    Args:
        path: An idx file whose name ends in train-images-idx3-ubyte or the like, with or without .gz.

    Returns:
        The file PREFIX-mapping.txt beside it; None where there is none.
    """
    start = _PART.sub("", path.name)
    found = path.with_name(f"{start}{ENDING}")
    return found if start != path.name and found.is_file() else None


def read_mapping(path: Path) -> dict[int, str]:
    """Read a mapping file.

    Args:
        path: The file.

    Returns:
        The first character of each label.

    Raises:
        DataError: It can't be read, a line is none of a label and codes of printable characters, or a label or a
            character comes twice.
    """
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise DataError(path, found=f"over {MOST_BYTES:,} bytes", expected="a line a label", remedy=REMEDY)
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise unreadable(path, error, "a mapping file", DataError) from error
    names: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        fits = len(words) > 1 and all(word.isascii() and word.isdecimal() and len(word) < 4 for word in words)
        name = chr(int(words[1])) if fits else ""
        if not name.isascii() or not name.isprintable() or name in ("", " "):
            expected = "a label and the codes of its characters"
            raise DataError(f"{path}, line {number}", found=repr(line), expected=expected, remedy=REMEDY)
        if int(words[0]) in names or name in names.values():
            found = f"label {words[0]}, character {name}"
            raise DataError(f"{path}, line {number}", found=found, expected="each of them once", remedy=REMEDY)
        names[int(words[0])] = name
    return names


def named_labels(labels: np.ndarray, path: Path) -> np.ndarray:
    """Call labels by the characters of a mapping file.

    Args:
        labels: (n,) integers.
        path: The mapping file.

    Returns:
        (n,) texts; the integers of the characters where all characters are digits.

    Raises:
        DataError: The file can't be used, or a label is not in it.
    """
    names = read_mapping(path)
    unknown = sorted(set(np.unique(labels).tolist()) - set(names))
    if unknown:
        expected = f"those of {path.name}: {', '.join(map(str, list(names)[:6]))} ..."
        raise DataError(f"labels beside {path}", found=str(unknown[0]), expected=expected, remedy=REMEDY)
    if set(names.values()) <= set(DIGITS):
        table = np.zeros(256, np.uint8)
    else:
        table = np.zeros(256, "<U1")
    for label, name in names.items():
        if label < len(table):
            table[label] = name
    return np.asarray(table[labels])
