"""The data sets known by name: found or downloaded, and proved to be the published ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.archive import extract_member, read_zip_member, zip_members
from lenet_gpu.datasets.atomic import locked_folder, passes
from lenet_gpu.datasets.dataset import Dataset, Split
from lenet_gpu.datasets.idx import IdxFile, Kind, read_idx
from lenet_gpu.datasets.mirrors import TIMEOUT, Archive, Collection, Member, Part
from lenet_gpu.datasets.places import (
    Place,
    file_names,
    find_members,
    forms,
    has_archive,
    is_complete,
    search_places,
)
from lenet_gpu.errors import DataError

GZIP_OVERHEAD = 1 << 16  # bytes: room for a gzip header around content that does not shrink


def load_collection(
    collection: Collection,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: bool = True,
    places: Sequence[Path] | None = None,
    timeout: float = TIMEOUT,
) -> Dataset:
    """Load a data set known by name and prove by its digests that it is the published one.

    Args:
        collection: Its files, digests and mirrors.
        data_dir: If given, the only folder looked in.
        download: Whether it may be fetched when no folder has it.
        progress: Whether a download shows a progress bar.
        places: The folders looked in, the last being the one downloads go to; by default `search_places`.
        timeout: Seconds after which a stalled connection is given up.

    Returns:
        The data set.

    Raises:
        DataError: If it is nowhere, damaged, or not the published one.
    """
    if data_dir is not None:
        return read_collection(collection, find_members(collection, data_dir))
    places = search_places(collection.name) if places is None else tuple(places)
    cache = places[-1]
    for place in places:
        if is_complete(collection, place):
            if place == cache and download and has_archive(collection, place):
                break  # a download that was stopped before the members were extracted: finish it
            try:
                return read_collection(collection, find_members(collection, place))
            except DataError:
                if place != cache or not download:
                    raise  # what lies in the cache is ours to fetch again; everything else is the user's
    if not download:
        raise DataError(
            collection.name,
            found=f"no copy in {', '.join(map(str, places))}",
            expected=f"the files {', '.join(file_names(collection))}, each with or without .gz",
            remedy="allow the download, or name the folder that has them",
        )
    _download(collection, cache, progress=progress, timeout=timeout)
    return read_collection(collection, find_members(collection, cache))


def read_collection(
    collection: Collection, places: Mapping[Part, Place], *, name: str | None = None, check: bool = True
) -> Dataset:
    """Read the four idx files of a data set.

    Args:
        collection: The data set they belong to.
        places: Where they lie.
        name: The name of the result, if not the collection's.
        check: Whether they must have the published digests; False for someone's own data of the same form.

    Returns:
        The data set, its images upright.

    Raises:
        DataError: If a file is damaged or not the published one, or images and labels don't match in number.
    """
    values: dict[Part, np.ndarray] = {}
    digests: dict[str, str] = {}
    for part, member in collection.members.items():
        file = _read(part, places[part])
        if check:
            _prove(member, file, str(places[part]))
        values[part] = file.values
        digests[member.name] = file.content_sha256
    return Dataset(
        name=name or collection.name,
        train=_split(values["train-images"], values["train-labels"], places["train-labels"], collection),
        test=_split(values["test-images"], values["test-labels"], places["test-labels"], collection),
        digests=digests,
    )


def _split(images: np.ndarray, labels: np.ndarray, place: Place, collection: Collection) -> Split:
    if len(images) != len(labels):
        raise DataError(
            place,
            found=f"{len(labels):,} labels",
            expected=f"{len(images):,}, as many as there are images",
            remedy="use the two files that belong together",
        )
    if collection.transposed:
        images = images.transpose(0, 2, 1)  # (n, column, row) -> (n, row, column)
    return Split(images, labels)


def _read(part: Part, place: Place) -> IdxFile:
    kind: Kind = "images" if part.endswith("images") else "labels"
    if place.zip_member is None:
        return read_idx(place.path, kind)
    return read_zip_member(place.path, place.zip_member, kind)


def _prove(member: Member, file: IdxFile, name: str) -> None:
    """Compare a file with the published digest: of its content, or of its gzip form if only that is known."""
    if member.content_sha256 is not None:
        found, expected, what = file.content_sha256, member.content_sha256, "of the uncompressed content"
    elif file.stored_sha256 == file.content_sha256:
        raise DataError(
            name,
            found="an unpacked file",
            expected=f"{member.name}.gz as it was published: only of that is a digest known",
            remedy="put that there, or load the folder by its path",
        )
    else:
        found, expected, what = file.stored_sha256, str(member.stored_sha256), "of the gzip file"
    if found != expected:
        raise DataError(
            name,
            found=f"SHA-256 {found} {what}",
            expected=expected,
            remedy="the file is altered or another one: fetch it again, or load the folder by its path",
        )


def _download(collection: Collection, cache: Path, *, progress: bool, timeout: float) -> None:
    """Bring the cache to hold a good copy of every member; what is damaged in it is removed first."""
    from lenet_gpu.datasets.download import fetch  # its HTTP client takes longer to import than all the rest

    with locked_folder(cache, progress=progress) as locked:
        # Looked at only now: another process may have done it all while we waited for the lock.
        missing = [part for part in collection.members if not _keep_good(collection, part, cache)]
        if collection.archive is not None:
            if missing:
                _fetch_archive(
                    collection, collection.archive, cache, locked=locked, progress=progress, timeout=timeout
                )
            return
        for part in missing:
            member = collection.members[part]
            fetch(
                [f"{mirror}{member.name}.gz" for mirror in collection.mirrors],
                cache / f"{member.name}.gz",
                check=_check_of(member, part),
                most_bytes=member.size + GZIP_OVERHEAD,
                locked=locked,
                progress=progress,
                timeout=timeout,
            )


def _fetch_archive(
    collection: Collection, archive: Archive, cache: Path, *, locked: bool, progress: bool, timeout: float
) -> None:
    """Download the zip, extract the members needed, and remove it."""
    from lenet_gpu.datasets.download import fetch

    path = cache / archive.name

    def check(path: Path) -> None:
        if (size := path.stat().st_size) != archive.size:
            raise DataError(path, found=f"{size:,} bytes", expected=f"{archive.size:,}")
        with open(path, "rb") as file:
            if (found := hashlib.file_digest(file, "sha256").hexdigest()) != archive.sha256:
                raise DataError(path, found=f"SHA-256 {found}", expected=archive.sha256)

    if not passes(check, path):
        urls = [f"{mirror}{archive.name}" for mirror in collection.mirrors]
        fetch(
            urls,
            path,
            check=check,
            most_bytes=archive.size,
            locked=locked,
            progress=progress,
            timeout=timeout,
        )
    for name, inside in zip_members(path, file_names(collection)).items():
        extract_member(path, inside, cache / f"{name}.gz")
    path.unlink()  # half a gigabyte that is not needed any more


def _check_of(member: Member, part: Part) -> Callable[[Path], None]:
    return lambda path: _prove(member, _read(part, Place(path)), str(path))


def _keep_good(collection: Collection, part: Part, cache: Path) -> bool:
    """Remove damaged forms of a member from the cache and tell whether a good one is left."""
    member = collection.members[part]
    good = False
    for path in forms(cache, member.name):
        if passes(_check_of(member, part), path):
            good = True
        else:
            path.unlink(missing_ok=True)
    return good
