"""Pendigits: digits drawn with a stylus, kept as strokes and drawn as MNIST's digits are.

E. Alpaydin and F. Alimoglu, "Pen-Based Recognition of Handwritten Digits", UCI Machine Learning Repository, 1996
(doi 10.24432/C5MG6K, CC BY 4.0): 7,494 digits of 30 people to learn from and 3,498 digits of 14 others. Read are the
original strokes, `pendigits-orig.tra` and `pendigits-orig.tes`, from the published zip, as `.Z`, or unpacked; and a
compact form, `pendigits-train.npz` (and `pendigits-test.npz`), see `read_npz`.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lenet_gpu.array_checks import check_labels
from lenet_gpu.datasets.archive import read_bytes, verify_archive
from lenet_gpu.datasets.dataset import Dataset, Split, held_out
from lenet_gpu.datasets.locations import locate_or_fetch, search_folders
from lenet_gpu.datasets.lock import locked_folder
from lenet_gpu.datasets.lzw import uncompress
from lenet_gpu.datasets.mirrors import TIMEOUT, Archive
from lenet_gpu.datasets.unipen import Digits, read_unipen
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.ink.raster import Drawings
from lenet_gpu.input_files import open_input, unreadable
from lenet_gpu.paper import CLASSES
from lenet_gpu.storage.npz import NpzError, read_arrays

NAME = "pendigits"
MOST_BYTES = 16 << 20  # of one file, unpacked; the real ones have 2.6 and 1.2 million
MOST_DIGITS = 50_000  # of one file; the real ones have 7,494 and 3,498
MOST_COORDINATE = 1e6  # the tablet's are below 1,000
AGAIN = "the file is damaged or another one: fetch it again"


@dataclass(frozen=True)
class Published:
    """The published files.

    Args:
        mirrors: Addresses that the archive's name is appended to, in the order tried.
        archive: The zip.
        files: Names of the two original files, unpacked.
        counts: Digits of each class in the two files.
    """

    mirrors: tuple[str, ...]
    archive: Archive
    files: tuple[str, str]
    counts: tuple[tuple[int, ...], tuple[int, ...]]


PENDIGITS = Published(
    mirrors=("https://archive.ics.uci.edu/static/public/81/",),
    archive=Archive(
        "pen+based+recognition+of+handwritten+digits.zip",
        size=1_668_118,
        sha256="1e02bea023613c2b11c9492f6f34caf975420455934f3527d270cee9a1f03b64",
    ),
    files=("pendigits-orig.tra", "pendigits-orig.tes"),
    counts=(
        (780, 779, 780, 719, 780, 720, 720, 778, 719, 719),
        (363, 364, 364, 336, 364, 335, 336, 364, 336, 336),
    ),
)


def load_pendigits(
    published: Published = PENDIGITS,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: bool = True,
    folders: Sequence[Path] | None = None,
    timeout: float = TIMEOUT,
) -> Dataset:
    """Load pendigits; its splits have `drawings`, and `writers` where they are known.

    Args:
        published: Its files, digests and mirrors.
        data_dir: If given, the only folder searched.
        download: True if it may be fetched when no folder has it.
        progress: True if a download shows a progress bar.
        folders: The folders searched, the last being the cache; by default `search_folders`.
        timeout: Seconds after which a stalled connection is given up.

    Returns:
        The data set.

    Raises:
        DataError: If it is nowhere, damaged, or not the published one.
    """
    if data_dir is not None:
        if has_pendigits(published, data_dir):
            return _read_folder(published, data_dir)
        raise DataError(
            data_dir,
            found="a file" if os.path.isfile(data_dir) else "none of its files",
            expected=f"{published.archive.name}, {' and '.join(published.files)} (.Z or not), or {NAME}-train.npz",
            remedy="put them there or name another folder",
        )
    return locate_or_fetch(
        NAME,
        search_folders(NAME) if folders is None else folders,
        has=lambda folder: has_pendigits(published, folder),
        read=lambda folder: _read_folder(published, folder),
        fetch=lambda cache: _download(published, cache, progress=progress, timeout=timeout),
        download=download,
        expected=published.archive.name,
    )


def has_pendigits(published: Published, folder: Path) -> bool:
    """Tell whether a folder has any of the forms that pendigits is read from."""
    return any(
        os.path.isfile(folder / name)
        for name in (
            published.archive.name,
            *(f"{f}{z}" for f in published.files for z in ("", ".Z")),
            f"{NAME}-train.npz",
        )
    )


def split_writers(dataset: Dataset, held_out: float = 1.0 / 3.0) -> Dataset:
    """Split the training digits by who wrote them, to choose by writers that were not learnt from.

    The writers are ordered by their number; the last ones are held out. Where they are unknown, thirty runs of
    consecutive digits stand for them - then the same person may be on both sides.

    Args:
        dataset: Its `train` is split; its `test` is left alone.
        held_out: Share of the writers that goes to the result's `test`: 10 of 30 by default.

    Returns:
        A data set of the other writers' digits (`train`) and the held-out writers' (`test`).

    Raises:
        InputError: If that leaves one of them without a digit.
    """
    split = dataset.train
    blocks = np.arange(len(split)) * 30 // len(split)
    writers = blocks if split.writers is None else split.writers
    names = np.unique(writers)
    count = round(held_out * len(names))
    if not 0 < count < len(names):
        raise InputError(
            f"held_out {held_out:g}", found=f"{count} of {len(names)} writers", expected="some writers on both sides"
        )
    out = np.isin(writers, names[-count:])
    return Dataset(f"{dataset.name}, {count} writers held out", split.take(~out), split.take(out), dataset.digests)


def read_npz(path: Path) -> tuple[Digits, str]:
    """Read the compact form: the arrays `points` (p, 2), x right and y down; `stroke` (s + 1,), offsets into the
    points; `digit` (n + 1,), offsets into the strokes; `label` (n,); and, if known, `writer` (n,).

    Args:
        path: The file.

    Returns:
        The digits and the SHA-256 of the file.

    Raises:
        DataError: If it is damaged or not as described.
    """
    try:
        content = _read(path)
        arrays = read_arrays(io.BytesIO(content), MOST_BYTES)
        points, strokes, digits, labels = (arrays[name] for name in ("points", "stroke", "digit", "label"))
        writers = arrays.get("writer", np.zeros(0, dtype=np.int64))
    except KeyError as error:
        found, expected = f"no array {error.args[0]}", "points, stroke, digit and label"
        raise DataError(path, found=found, expected=expected, remedy=AGAIN) from error
    except NpzError as error:
        raise DataError(path, found=f"a damaged file ({error})", expected="an .npz file", remedy=AGAIN) from error
    sound = (
        points.ndim == 2
        and points.shape[1] == 2
        and points.dtype.kind in "fiu"
        and (abs(points.astype(np.float64)) <= MOST_COORDINATE).all()
        and _are_offsets(strokes, len(points))
        and _are_offsets(digits, len(strokes) - 1)
        and len(digits) - 1 <= MOST_DIGITS
        and labels.shape == (len(digits) - 1,)
        and all(array.dtype.kind in "iu" for array in (labels, writers))
        and writers.shape in ((0,), labels.shape)
    )
    if not sound or not (labels.min() >= 0 and labels.max() <= 255):
        found, expected = "arrays that do not fit each other", "points, stroke, digit and label"
        raise DataError(path, found=found, expected=expected, remedy=AGAIN)
    drawings = Drawings(points.astype(np.float64), strokes.astype(np.int64), digits.astype(np.int64))
    check_labels(labels, thing=str(path), error=DataError)
    return Digits(drawings, labels.astype(np.uint8), writers.astype(np.int64)), hashlib.sha256(content).hexdigest()


def _are_offsets(array: np.ndarray, end: int) -> bool:
    return (
        array.ndim == 1
        and array.dtype.kind in "iu"
        and len(array) > 1
        and int(array[0]) == 0
        and int(array[-1]) == end
        and bool((array[1:] > array[:-1]).all())
    )


def to_split(digits: Digits) -> Split:
    """Draw digits as MNIST's are."""
    return Split(
        drawings_to_mnist(digits.drawings),
        digits.labels,
        drawings=digits.drawings,
        writers=digits.writers if len(digits.writers) else None,
    )


def _read_folder(published: Published, folder: Path) -> Dataset:
    """Read whichever form a folder has: the zip, the two files, or ours."""
    archive = folder / published.archive.name
    if os.path.isfile(archive):
        verify_archive(published.archive, archive)
        return _read_files(published, lambda name: (read_bytes(archive, name, MOST_BYTES), f"{archive}:{name}"))
    compact = folder / f"{NAME}-train.npz"
    if not os.path.isfile(compact):
        return _read_files(published, lambda name: (_read(folder / name), str(folder / name)))
    train, train_sha256 = read_npz(compact)
    digests = {compact.name: train_sha256}
    split, test = to_split(train), folder / f"{NAME}-test.npz"
    if os.path.isfile(test):
        other, digests[test.name] = read_npz(test)
        return Dataset(NAME, split, to_split(other), digests)
    out = held_out(split.labels, str(compact))
    return Dataset(NAME, split.take(~out), split.take(out), digests)


def _read(path: Path) -> bytes:
    expected = "a file of pendigits"
    try:
        with open_input(path, expected, MOST_BYTES, DataError) as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise unreadable(path, error, expected, DataError) from error


def _read_files(published: Published, content: Callable[[str], tuple[bytes, str]]) -> Dataset:
    """Read the two original files, each packed or not.

    Args:
        published: Their names and what they must hold.
        content: Gives the bytes of a file and its name in messages.
    """
    splits, digests = [], {}
    for name, counts in zip(published.files, published.counts, strict=True):
        try:
            data, called = content(f"{name}.Z")
            data = uncompress(data, called, MOST_BYTES)
        except DataError as missing:
            try:
                data, called = content(name)
            except DataError:
                raise missing from None
        try:
            text = data.decode("ascii")
        except UnicodeDecodeError:
            raise DataError(called, found="binary data", expected="UNIPEN text", remedy=AGAIN) from None
        digits = read_unipen(text, called)
        found = tuple(int(n) for n in np.bincount(digits.labels, minlength=CLASSES))
        if found != counts:
            raise DataError(
                called,
                found=f"{sum(found):,} digits, by class {found}",
                expected=f"the published {sum(counts):,}, by class {counts}",
                remedy=AGAIN,
            )
        digests[name] = hashlib.sha256(data).hexdigest()
        splits.append(to_split(digits))
    return Dataset(NAME, splits[0], splits[1], digests)


def _download(published: Published, cache: Path, *, progress: bool, timeout: float) -> None:
    from lenet_gpu.datasets.download import fetch_archive  # its HTTP client takes longer to import than all the rest

    with locked_folder(cache, progress=progress) as locked:
        fetch_archive(published.archive, published.mirrors, cache, locked=locked, progress=progress, timeout=timeout)
