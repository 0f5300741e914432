"""The zips that data sets are published as: read or extract the few members needed, by name, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lenet_gpu.datasets.idx import IdxFile, Kind, read_idx_stream
from lenet_gpu.datasets.lock import folder_error, publish
from lenet_gpu.datasets.mirrors import Archive
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import open_input, unreadable
from lenet_gpu.storage.plain_zip import ZipError, opened_zip, read_member

MOST_BYTES = 4 << 30  # of a zip; EMNIST's has 561 million
MOST_DIRECTORY = 16 << 20  # of that, its directory: 150,000 pictures with names of 30 characters
AGAIN = "the file is damaged or another one: fetch it again"


def verify_archive(archive: Archive, path: Path) -> None:
    """Compare a zip's length and digest with the published ones.

    Args:
        archive: The zip as published.
        path: The file.

    Raises:
        DataError: If it can't be read or is another file.
    """
    try:
        if (size := path.stat().st_size) != archive.size:
            raise DataError(path, found=f"{size:,} bytes", expected=f"{archive.size:,}", remedy=AGAIN)
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(path, found=(error.strerror or str(error)).lower(), expected="a readable file") from error
    if found != archive.sha256:
        raise DataError(path, found=f"SHA-256 {found}", expected=archive.sha256, remedy=AGAIN)


def zip_members(path: Path, names: list[str]) -> dict[str, str]:
    """Find idx files in a zip, gzipped or bare, in whatever folder inside it.

    Args:
        path: The zip.
        names: Canonical file names, without `.gz`.

    Returns:
        For each name the member that holds it.

    Raises:
        DataError: If it is not a zip or a name is not in it.
    """
    with opened(path) as archive:
        by_name: dict[str, str] = {}
        for inside in archive.namelist():
            base = inside.rsplit("/", 1)[-1]
            if by_name.setdefault(base, inside) != inside and base.removesuffix(".gz") in names:
                raise DataError(
                    path,
                    found=f"{by_name[base]} and {inside}",
                    expected="each file once",
                    remedy="pack it again with one of them",
                )
    found = {name: by_name.get(f"{name}.gz", by_name.get(name)) for name in names}
    for name, member in found.items():
        if member is None:
            raise DataError(path, found="no such member", expected=f"{name}.gz in it", remedy=AGAIN)
    return {name: member for name, member in found.items() if member is not None}


def member_names(path: Path) -> list[str]:
    """List the members of a zip.

    Args:
        path: The zip.

    Raises:
        DataError: If it is damaged or none.
    """
    with opened(path) as archive:
        return archive.namelist()


def read_zip_member(path: Path, member: str, kind: Kind) -> IdxFile:
    """Read an idx file straight from a zip, without extracting it to disk.

    Args:
        path: The zip.
        member: Name of the member.
        kind: Its kind, images or labels.

    Returns:
        The values and the digests, the stored one being of the member (its `.gz`, usually).

    Raises:
        DataError: If the zip is damaged or the member is not a whole idx file of that kind.
    """
    with opened(path) as archive, archive.open(member) as stream:
        entry = archive.getinfo(member)
        # The zip's directory is believed in nothing: no member is longer than the zip.
        packed = min(entry.compress_size, path.stat().st_size)
        return read_idx_stream(stream, f"{path}:{member}", kind, entry.file_size, packed)  # type: ignore[arg-type]


def read_bytes(path: Path, member: str, most_bytes: int) -> bytes:
    """Read one member of a zip.

    Args:
        path: The zip.
        member: Name of the member.
        most_bytes: More than this is refused.

    Raises:
        DataError: If the zip is damaged, has no such member, or the member is longer.
    """
    with opened(path) as archive:
        if member not in archive.namelist():
            raise DataError(path, found="no such member", expected=f"{member} in it", remedy=AGAIN)
        entry = archive.getinfo(member)
        if entry.file_size > most_bytes:
            found, expected = f"{entry.file_size:,} bytes", f"at most {most_bytes:,}"
            raise DataError(f"{path}:{member}", found=found, expected=expected, remedy=AGAIN)
        return read_member(archive, entry)


def extract_member(path: Path, member: str, target: Path) -> None:
    """Extract one member of a zip to `target`, whole or not at all.

    Args:
        path: The zip, already known to be the right one.
        member: Name of the member.
        target: Where it goes.

    Raises:
        DataError: If the zip is damaged or the disk can't take the member.
    """
    partial = target.with_name(target.name + ".part")
    try:
        with opened(path) as archive, archive.open(member) as stream:
            try:
                with open(partial, "wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
            except OSError as error:
                raise folder_error(target.parent, error, archive.getinfo(member).file_size) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    publish(partial, target)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip and tell whatever is wrong with it, then or while it is read, in one line.

    Args:
        path: The zip.

    Yields:
        The zip.

    Raises:
        DataError: It can't be read, is damaged, or of a form that is not read.
    """
    try:
        with (
            open_input(path, "a zip file", MOST_BYTES, DataError) as file,
            opened_zip(file, most_directory=MOST_DIRECTORY) as archive,
        ):
            yield archive
    except OSError as error:
        raise unreadable(path, error, "a zip file", DataError) from error
    except ZipError as error:
        raise DataError(path, found=f"a damaged zip ({error})", expected="a whole zip file", remedy=AGAIN) from error
