"""Pendigits' 7,494 training digits, of which every network has learnt from the first two thirds at most."""

from __future__ import annotations

import numpy as np

from lenet_gpu import load_dataset
from lenet_gpu.datasets.locations import search_folders
from lenet_gpu.datasets.pendigits import read_npz, to_split


def stylus_digits(*, last: bool):
    """Give drawings and labels of the first two thirds, or of the last.

    The data set's training split is not asked where there is `pendigits-train.npz` alone: a sixth of that file is
    kept to test with.

    Args:
        last: Which part.

    Returns:
        Drawings and labels (n,).

    Raises:
        DataError: Pendigits is not on this machine.
    """
    places = [folder / "pendigits-train.npz" for folder in search_folders("pendigits")]
    compact = next((place for place in places if place.exists()), None)
    if compact is None:
        split = load_dataset("pendigits", download=False, progress=False).train
    else:
        split = to_split(read_npz(compact)[0])
    third = np.arange(len(split)) >= len(split) * 2 // 3
    which = np.flatnonzero(third == last)
    return split.drawings.take(which), split.labels[which]
