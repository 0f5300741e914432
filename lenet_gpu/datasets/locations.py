"""Locate data sets: the folders searched for those known by name, their cache, and the files within a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lenet_gpu.datasets.archive import zip_members
from lenet_gpu.datasets.dataset import Dataset
from lenet_gpu.datasets.mirrors import MNIST, Collection, Role
from lenet_gpu.errors import DataError

CLONE = Path(__file__).resolve().parents[2] / "data"
CACHE_VARIABLE = "LENET_GPU_CACHE"

NO_CACHE = Path(os.devnull) / "no-home-folder"
"""Stands for the cache of a user without a home folder: nothing is ever there."""


@dataclass(frozen=True)
class Location:
    """The location of one idx file: a file, or a member of a zip."""

    path: Path
    zip_member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.zip_member is None else f"{self.path}:{self.zip_member}"


def cache_folder() -> Path:
    """Return the folder that downloads are kept in.

    Returns:
        `LENET_GPU_CACHE`, or the user's cache folder; `NO_CACHE` for a user without a home folder (of a container).
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(os.path.expanduser(chosen))
    import platformdirs

    try:
        folder = Path(platformdirs.user_cache_dir("lenet-gpu"))
    except (RuntimeError, KeyError, OSError):  # what there is to say of a user whom the system does not know
        return NO_CACHE
    return folder if folder.is_absolute() else NO_CACHE


def search_folders(name: str) -> tuple[Path, ...]:
    """Return the folders that a named data set is searched in before it is downloaded.

    Args:
        name: The data set's name.

    Returns:
        The clone of this project, `data/` of the working directory, and the user's cache, which is in `NO_CACHE` for
        those who have none; each folder once.
    """
    folders = (CLONE / name, Path(os.path.abspath(f"data/{name}")), cache_folder() / name)
    return tuple(dict.fromkeys(folders))


def locate_or_fetch(
    name: str,
    folders: Sequence[Path],
    *,
    has: Callable[[Path], bool],
    read: Callable[[Path], Dataset],
    fetch: Callable[[Path], None],
    download: bool,
    expected: str,
    is_unfinished: Callable[[Path], bool] = lambda cache: False,
) -> Dataset:
    """Read a data set from the first folder that has it, or fetch it into the last folder, the cache.

    A damaged copy in the cache is fetched again, for it is ours; a damaged copy anywhere else is the user's, and an
    error.

    Args:
        name: Its name, for messages.
        folders: The folders searched, the cache last.
        has: Tells whether a folder has a copy; its content is not read.
        read: Reads the copy in a folder; raises DataError if it is not the published one.
        fetch: Brings a good copy into a folder.
        download: Whether it may be fetched.
        expected: The files expected, for messages.
        is_unfinished: Tells whether a download into the cache was interrupted, so that it is to be completed.

    Returns:
        The data set.

    Raises:
        DataError: It is in no folder and may not or can't be fetched, or a copy is damaged.
    """
    cache = folders[-1]
    for folder in folders:
        if not has(folder):
            continue
        ours = folder == cache and download
        if ours and is_unfinished(cache):
            break
        try:
            return read(folder)
        except DataError:
            if not ours:
                raise
    if not download:
        raise DataError(
            name,
            found=f"no copy in {', '.join(str(folder) for folder in folders if NO_CACHE not in folder.parents)}",
            expected=expected,
            remedy="allow the download, or name the folder that has them",
        )
    if NO_CACHE in cache.parents:
        raise DataError(
            name,
            found="no home folder, and so no cache",
            expected="a folder to download it into",
            remedy=f"set {CACHE_VARIABLE} to one, or HOME",
        )
    fetch(cache)
    return read(cache)


def locate_mnist() -> Path | None:
    """Find the folder MNIST would be read from without any download.

    Returns:
        The first folder searched that has all four files (their content is not read), or None.
    """
    return next((folder for folder in search_folders("mnist") if is_complete(MNIST, folder)), None)


def find_members(collection: Collection, folder: Path) -> dict[Role, Location]:
    """Find the four idx files of a data set in a folder, gzipped or bare, or its zip.

    Args:
        collection: The data set.
        folder: The folder.

    Returns:
        The location of each.

    Raises:
        DataError: If the folder or one of the files is missing.
    """
    if not os.path.isdir(folder):
        raise DataError(
            folder,
            found="a file" if os.path.exists(folder) else "nothing there",
            expected=f"the folder with the {collection.name} files",
        )
    found = {role: _find_file(folder, member.name) for role, member in collection.members.items()}
    missing = [collection.members[role].name for role, path in found.items() if path is None]
    if not missing:
        return {role: Location(path) for role, path in found.items() if path is not None}
    if collection.archive is not None and has_archive(collection, folder):
        return find_in_zip(collection, folder / collection.archive.name)
    raise DataError(
        folder,
        found=f"no {' and no '.join(missing)}",
        expected=f"{', '.join(file_names(collection))}, each with or without .gz"
        + (f", or {collection.archive.name}" if collection.archive else ""),
        remedy="put them there or name another folder",
    )


def find_in_zip(collection: Collection, path: Path) -> dict[Role, Location]:
    """Find the four idx files of a data set in a zip (see `find_members`)."""
    inside = zip_members(path, file_names(collection))
    return {role: Location(path, inside[member.name]) for role, member in collection.members.items()}


def has_archive(collection: Collection, folder: Path) -> bool:
    """Tell whether a folder has the zip that a data set is published as."""
    return collection.archive is not None and os.path.isfile(folder / collection.archive.name)


def has_member(collection: Collection, folder: Path) -> bool:
    """Tell whether a folder has any of a data set's idx files, or the zip it is published as."""
    return has_archive(collection, folder) or any(
        _find_file(folder, member.name) for member in collection.members.values()
    )


def is_complete(collection: Collection, folder: Path) -> bool:
    """Tell whether a folder has all of a data set's idx files, or the zip it is published as."""
    return has_archive(collection, folder) or all(
        _find_file(folder, member.name) for member in collection.members.values()
    )


def file_names(collection: Collection) -> list[str]:
    """Return the canonical names of a data set's idx files, without .gz."""
    return [member.name for member in collection.members.values()]


def forms(folder: Path, name: str) -> list[Path]:
    """Return the paths that an idx file may have: canonical name or with a dot before idx, bare or gzipped."""
    return [folder / f"{stem}{suffix}" for stem in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]


def _find_file(folder: Path, name: str) -> Path | None:
    # os.path, since a folder that may not be read is one without the file, not an error (pathlib raises)
    return next((path for path in forms(folder, name) if os.path.isfile(path)), None)
