"""The digits that a fine-tuned network is held against: cut from MNIST's training set, and small enough for a phone.

Some of them, the anchors, are learnt again together with somebody's own digits, so that what the network knows is
kept; the others only check that it was. Drawings that are no digits are anchors, too: what is refused stays refused.
app/packaging/make_check_set.py made the files; the record of the digits lies beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).resolve().parent / "check_set.npz"
NO_DIGITS_FILE = FILE.with_name("no_digits.npz")
NO_DIGITS = 300
"""Drawings that are no digits: scribbles, signs and letters that nobody takes for one."""

ANCHORS_EACH = 100
"""Digits of each class to learn again."""

CHECKS_EACH = 100
"""Digits of each class to check with."""


PLACES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Rows and columns that each check digit is moved by: where it is, and a pixel to each side."""


class CheckSet(NamedTuple):
    """The bundled digits: images (n, 28, 28) uint8 and labels (n,) int64, to anchor and to check."""

    anchor_images: np.ndarray
    anchor_labels: np.ndarray
    check_images: np.ndarray
    check_labels: np.ndarray


def load() -> CheckSet:
    """Read the bundled digits."""
    with np.load(FILE, allow_pickle=False) as file:
        images = file["images"]  # (2000, 28, 28), class by class within each part
    anchors = 10 * ANCHORS_EACH
    digits = np.arange(10)
    return CheckSet(
        images[:anchors],
        np.repeat(digits, ANCHORS_EACH),
        images[anchors:],
        np.repeat(digits, CHECKS_EACH),
    )


def load_no_digits() -> np.ndarray:
    """Read the bundled drawings that are no digits, (300, 28, 28) uint8."""
    with np.load(NO_DIGITS_FILE, allow_pickle=False) as file:
        images: np.ndarray = file["images"]
    return images


def in_places(images: np.ndarray) -> np.ndarray:
    """Move images to each of `PLACES`; what leaves the field is lost, what enters it is background.

    A digit that is nearly misread is misread in some of the places, so that five times as many images tell more
    finely what a network has lost.

    Args:
        images: (n, 28, 28).

    Returns:
        (5 n, 28, 28) of the same dtype: all images in the first place, then all in the next.
    """
    height, width = images.shape[1:]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    return np.concatenate([padded[:, 1 - y : 1 - y + height, 1 - x : 1 - x + width] for y, x in PLACES])
