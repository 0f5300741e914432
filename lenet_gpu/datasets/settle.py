"""Bring pictures from elsewhere into MNIST's form, and refuse those that nothing can be learnt from.

MNIST has bright ink on black, upright, from 0 to 255. Pixels from 0 to 1, 15 or 100, dark ink on a light ground and
EMNIST's exchanged rows and columns are converted, and said in one line; pictures without ink are left out and named.
"""

from __future__ import annotations

import hashlib
import logging

import numpy as np

from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.datasets.raw import Raw
from lenet_gpu.errors import DataError
from lenet_gpu.ink.find_ink import MIN_CONTRAST

LOGGER = logging.getLogger("lenet_gpu")

SCALES = (1, 3, 7, 15, 16, 31, 63, 64, 100, 127)
"""Greatest pixels of a whole set that say by what its pictures are scaled: bits, or per cent."""

BRIGHT = 127.5
"""Mean of a picture's outermost ring from which its ground is light: none of MNIST's images has such a ring."""

GRAY = 16
"""Least grey level of a ground that is not black."""

EVEN = 0.6
"""Share of a picture's rim that has the level of its ground, if the ground is even."""

MEANT = 0.1
"""Share of pictures with a light ground from which these are taken for dark ink; fewer may be ink at the rim."""

MOST_ALIKE = 0.05
"""Share of a set that may be one and the same picture, before a warning names it."""

LEAST_ALIKE = 5
"""Number of equal pictures that never count as many."""

TALL = (1, 2, 3, 5, 7, 8, 9)
"""Digits that are taller than wide in 97 of 100 of MNIST's images."""

LEAST_SEEN = 10
"""Digits of `TALL` from which their shape says whether they are upright."""


def settle(raw: Raw) -> Raw:
    """Convert what can be converted, leave out what is blank, and say both.

    Args:
        raw: The pictures.

    Returns:
        The pictures in MNIST's form.

    Raises:
        DataError: Most pictures have no ink, or most are one and the same.
    """
    return _without_blank(raw, convert(raw))


def convert(raw: Raw) -> Bytes:
    """Bring pictures into MNIST's form, each of them, and say what was done.

    Args:
        raw: The pictures; labels help to tell whether they are upright.

    Returns:
        (n, 28, 28) uint8, upright, bright ink on black.
    """
    images = raw.images
    most = int(images.max(initial=0))
    if not len(images) or most == images.min():  # nothing is on any of them
        return images
    if most in SCALES:
        images = np.rint(images * np.float32(255 / most)).astype(np.uint8)
        LOGGER.warning("%s: pixels go from 0 to %d; %d was taken for 255", raw.thing, most, most)
    images = _black_ground(turn_dark_ink(images, raw.thing), raw.thing)
    return images if raw.upright else _upright(images, raw)


def _rims(images: Bytes) -> Bytes:
    """Give the outermost pixels of pictures, (n, 108) uint8."""
    return np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)


def _black_ground(images: Bytes, thing: str) -> Bytes:
    """Make an even gray ground black, and what stands out most full ink."""
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]  # (n, 4)
    where = np.flatnonzero(corners.min(axis=1) >= GRAY)  # hardly ever one: all further work is for these
    if not len(where):
        return images
    rims = _rims(images[where]).astype(np.int16)
    ground = np.median(rims, axis=1).astype(np.int16)  # (k,)
    ink = np.maximum(images[where].astype(np.int16) - ground[:, None, None], 0)  # (k, 28, 28)
    most = ink.max(axis=(1, 2))
    is_even = (abs(rims - ground[:, None]) <= GRAY // 2).mean(axis=1) >= EVEN
    use = is_even & (most >= MIN_CONTRAST)
    if not use.any():
        return images
    changed = images.copy()
    changed[where[use]] = np.rint(ink[use] * (255.0 / most[use])[:, None, None])
    count = int(use.sum())
    which = "all" if count == len(images) else f"{count} of {len(images)}"
    LOGGER.warning("%s: %s pictures have a gray ground, which was made black", thing, which)
    return changed


def turn_dark_ink(images: Bytes, thing: str) -> Bytes:
    """Invert the pictures whose ground is light, as folders of pictures are read.

    Args:
        images: (n, 28, 28) uint8.
        thing: Their name in messages.

    Returns:
        (n, 28, 28) uint8, bright ink on black; the same array if there was nothing to do.
    """
    light = _rims(images).mean(axis=1) > BRIGHT  # (n,)
    count = int(light.sum())
    if not count:
        return images
    if count < MEANT * len(images):
        LOGGER.warning(
            "%s: %d of %d pictures are light at the rim, the first is number %d; left as they are",
            thing, count, len(images), int(np.argmax(light)) + 1,
        )  # fmt: skip
        return images
    which = "all" if count == len(images) else f"{count} of {len(images)}"
    LOGGER.warning("%s: %s pictures are dark on light, and were inverted", thing, which)
    return np.where(light[:, None, None], 255 - images, images)


def looks_transposed(images: Bytes, labels: np.ndarray | None) -> bool | None:
    """Tell by sight whether digits have rows and columns exchanged.

    Digits are taller than wide. Where most are wider than tall, the ones above all, they lie on their side.

    Args:
        images: (n, 28, 28) uint8, bright ink on black.
        labels: (n,), integers from 0 to 9 for digits; anything else says nothing.

    Returns:
        True or False; None if there is too little to see.
    """
    if labels is None or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        return None
    seen = np.flatnonzero(np.isin(labels, TALL))[:2000]
    if len(seen) < LEAST_SEEN:
        return None
    ink = images[seen].astype(np.float64)
    total = np.maximum(ink.sum(axis=(1, 2)), 1.0)
    at = np.arange(images.shape[1])

    def spread(profile: np.ndarray) -> np.ndarray:  # variance of (n, 28) distributions over a side
        mean = profile @ at / total
        return profile @ (at * at) / total - mean * mean

    tall = spread(ink.sum(axis=2)) > spread(ink.sum(axis=1))
    ones = labels[seen] == 1
    share, share_of_ones = tall.mean(), tall[ones].mean() if ones.any() else tall.mean()
    if share > 0.7 and share_of_ones > 0.7:
        return False
    return True if share < 0.3 and share_of_ones < 0.3 else None


def _upright(images: Bytes, raw: Raw) -> Bytes:
    """Exchange rows and columns where the file's name or the pictures say so."""
    seen = looks_transposed(images, raw.labels)
    if raw.transposed and seen is False:
        LOGGER.warning(
            "%s: named like EMNIST's files, whose pictures lie on their side; these stand upright", raw.thing
        )
        return images
    if seen and not raw.transposed:
        LOGGER.warning("%s: pictures lie on their side, as EMNIST's do: rows and columns were exchanged", raw.thing)
    return np.ascontiguousarray(images.transpose(0, 2, 1)) if seen or raw.transposed else images


def _without_blank(raw: Raw, images: Bytes) -> Raw:
    """Leave out pictures without ink, and name what is too much the same."""
    flat = images.reshape(len(images), -1)
    blank = flat.max(axis=1) - flat.min(axis=1) < MIN_CONTRAST
    count = int(blank.sum())
    if count:
        named = raw.listed(np.flatnonzero(blank))
        if count * 2 > len(blank):
            raise DataError(
                raw.thing,
                found=f"{count} of {len(blank)} pictures without ink ({named})",
                expected=f"pictures in which something stands out by at least {MIN_CONTRAST} of 255 grey levels",
                remedy="look at them, and write them anew with their full contrast",
            )
        LOGGER.warning("%s: no ink in %d of %d pictures, which are left out: %s", raw.thing, count, len(blank), named)
    keep = ~blank
    labels = None if raw.labels is None else raw.labels[keep]
    names = [name for name, kept in zip(raw.names, keep.tolist(), strict=True) if kept] if raw.names else []
    settled = Raw(images[keep] if count else images, labels, raw.thing, raw.digests, names)
    _name_alike(settled)
    return settled


def _name_alike(raw: Raw) -> None:
    """Warn of one picture that comes again and again; refuse a set that is little else."""
    keys = picture_keys(raw.images)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    most = int(counts.argmax())
    count = int(counts[most])
    if count <= max(LEAST_ALIKE, MOST_ALIKE * len(raw)) and not (count == len(raw) > 1):
        return
    same = np.flatnonzero(keys == keys[first[most]])
    if count * 2 > len(raw):
        raise DataError(
            raw.thing,
            found=f"{count} of {len(raw)} pictures that are all alike ({raw.listed(same)})",
            expected="different pictures",
            remedy="look at the program that wrote them",
        )
    LOGGER.warning("%s: %d of %d pictures are all alike: %s", raw.thing, count, len(raw), raw.listed(same))


def picture_keys(images: Bytes) -> np.ndarray:
    """Hash the content of pictures.

    Args:
        images: (n, 28, 28) uint8.

    Returns:
        (n,) uint64, the first 8 bytes of each one's BLAKE2b.
    """
    pictures = np.ascontiguousarray(images)
    digests = b"".join(hashlib.blake2b(picture.data, digest_size=8).digest() for picture in pictures)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)
