"""The data sets known by name: found or downloaded, and proved to be the published ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.archive import extract_member, read_zip_member, zip_members
from lenet_gpu.datasets.dataset import Dataset, Split
from lenet_gpu.datasets.idx import IdxFile, Kind, read_idx
from lenet_gpu.datasets.locations import (
    Location,
    file_names,
    find_members,
    forms,
    has_archive,
    is_complete,
    locate_or_fetch,
    search_folders,
)
from lenet_gpu.datasets.lock import locked_folder, passes
from lenet_gpu.datasets.mirrors import TIMEOUT, Collection, Member, Role
from lenet_gpu.errors import DataError

GZIP_OVERHEAD = 1 << 16  # bytes: room for a gzip header around content that does not shrink


def load_collection(
    collection: Collection,
    *,
    data_dir: Path | None = None,
    download: bool = True,
    progress: bool = True,
    folders: Sequence[Path] | None = None,
    timeout: float = TIMEOUT,
) -> Dataset:
    """Load a data set known by name and prove by its digests that it is the published one.

    Args:
        collection: Its files, digests and mirrors.
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

    def read(folder: Path) -> Dataset:
        return read_collection(collection, find_members(collection, folder))

    if data_dir is not None:
        return read(data_dir)
    return locate_or_fetch(
        collection.name,
        search_folders(collection.name) if folders is None else folders,
        has=lambda folder: is_complete(collection, folder),
        read=read,
        fetch=lambda cache: _download(collection, cache, progress=progress, timeout=timeout),
        download=download,
        expected=f"the files {', '.join(file_names(collection))}, each with or without .gz",
        is_unfinished=lambda cache: has_archive(collection, cache),  # stopped before the members were extracted
    )


def read_collection(
    collection: Collection, locations: Mapping[Role, Location], *, name: str | None = None, check: bool = True
) -> Dataset:
    """Read the four idx files of a data set.

    Args:
        collection: The data set they belong to.
        locations: The location of each.
        name: The name of the result, if not the collection's.
        check: True if they must have the published digests; False for other data of the same form.

    Returns:
        The data set, its images upright.

    Raises:
        DataError: If a file is damaged or not the published one, or images and labels don't match in number.
    """
    values: dict[Role, np.ndarray] = {}
    digests: dict[str, str] = {}
    for role, member in collection.members.items():
        file = _read(role, locations[role])
        if check:
            _verify(member, file, str(locations[role]))
        values[role] = file.values
        digests[member.name] = file.content_sha256
    return Dataset(
        name=name or collection.name,
        train=_split(values["train-images"], values["train-labels"], locations["train-labels"], collection),
        test=_split(values["test-images"], values["test-labels"], locations["test-labels"], collection),
        digests=digests,
    )


def _split(images: np.ndarray, labels: np.ndarray, location: Location, collection: Collection) -> Split:
    if len(images) != len(labels):
        raise DataError(
            location,
            found=f"{len(labels):,} labels",
            expected=f"{len(images):,}, as many as there are images",
            remedy="use the two files that belong together",
        )
    if collection.transposed:
        images = images.transpose(0, 2, 1)  # (n, column, row) -> (n, row, column)
    return Split(images, labels)


def _read(role: Role, location: Location) -> IdxFile:
    kind: Kind = "images" if role.endswith("images") else "labels"
    if location.zip_member is None:
        return read_idx(location.path, kind)
    return read_zip_member(location.path, location.zip_member, kind)


def _verify(member: Member, file: IdxFile, name: str) -> None:
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
    """Ensure that the cache holds a good copy of every member; damaged ones are removed first."""
    from lenet_gpu.datasets.download import (
        fetch,
        fetch_archive,
    )  # its HTTP client takes longer to import than all the rest

    with locked_folder(cache, progress=progress) as locked:
        # Not before the lock is held: another process may have done it all while we waited for the lock.
        missing = [role for role in collection.members if not _keep_good(collection, role, cache)]
        if collection.archive is not None:
            if missing:
                path = fetch_archive(
                    collection.archive, collection.mirrors, cache, locked=locked, progress=progress, timeout=timeout
                )
                for name, inside in zip_members(path, file_names(collection)).items():
                    extract_member(path, inside, cache / f"{name}.gz")
                path.unlink()  # half a gigabyte that is not needed any more
            return
        for role in missing:
            member = collection.members[role]
            fetch(
                [f"{mirror}{member.name}.gz" for mirror in collection.mirrors],
                cache / f"{member.name}.gz",
                check=_check_of(member, role),
                most_bytes=member.size + GZIP_OVERHEAD,
                locked=locked,
                progress=progress,
                timeout=timeout,
            )


def _check_of(member: Member, role: Role) -> Callable[[Path], None]:
    return lambda path: _verify(member, _read(role, Location(path)), str(path))


def _keep_good(collection: Collection, role: Role, cache: Path) -> bool:
    """Remove damaged forms of a member from the cache and tell whether a good one is left."""
    member = collection.members[role]
    good = False
    for path in forms(cache, member.name):
        if passes(_check_of(member, role), path):
            good = True
        else:
            path.unlink(missing_ok=True)
    return good
