"""Labelled pictures as a file or a folder gives them, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lenet_gpu.datasets.dataset import Bytes

DIGITS = tuple("0123456789")


@dataclass
class Raw:
    """The pictures of one file, pair of files or folder.

    Attributes:
        images: (n, 28, 28) uint8.
        labels: (n,) integers or texts; None where there are none.
        thing: Its name in messages.
        digests: SHA-256 by name, for the data set.
        names: The name of each picture, for messages; empty: they are counted from 1.
        transposed: Whether rows and columns are exchanged, by the name of the file.
        labels_thing: Name of the labels in messages, where they have a file of their own.
        upright: Whether pictures are known to be upright and to have bright ink, as those of image files are.
    """

    images: Bytes
    labels: np.ndarray | None
    thing: str
    digests: dict[str, str]
    names: list[str] = field(default_factory=list)
    transposed: bool = False
    upright: bool = False
    labels_thing: str = ""

    def __len__(self) -> int:
        return len(self.images)

    def listed(self, which: np.ndarray, most: int = 3) -> str:
        """Name some of the pictures.

        Args:
            which: Their indices.
            most: How many are named.
        """
        shown = [self.names[k] if self.names else f"number {k + 1}" for k in which[:most].tolist()]
        return ", ".join(shown) + (" ..." if len(which) > most else "")


def odd_label(labels: np.ndarray) -> int | None:
    """Find a label that must be a mistake.

    It is no digit where all others are, and no other sample has it; or it is a word among numbers, or the other way
    round, save where all labels have one character, as 0 to 9 and A to Z have.

    Args:
        labels: (n,) integers or texts.

    Returns:
        The index of the first; None if there is none.
    """
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    names = [str(label) for label in found.tolist()]
    strange = np.array([name not in DIGITS for name in names], dtype=bool)
    if (
        strange.any()
        and not strange.all()
        and counts[strange].max() == 1
        and strange.sum() <= max(1, len(labels) // 100)
    ):
        return int(first[strange].min())
    whole = np.array([name.isascii() and name.isdecimal() for name in names], dtype=bool)
    if whole.any() and not whole.all() and max(map(len, names)) > 1:
        rarer = whole if counts[whole].sum() < counts[~whole].sum() else ~whole
        return int(first[rarer].min())
    return None
