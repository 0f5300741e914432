"""The folder of the user's own files: one app at a time writes to it, and nothing is deleted for being broken."""

from __future__ import annotations

import contextlib
import os
import stat
import weakref
from pathlib import Path

from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.storage.lock import FileLock

MOST_BYTES = 128 << 20
"""Greatest length of a file that the app reads; a thousand digits take about a million bytes."""

BROKEN = ".broken"
"""Ending that a damaged file gets."""

LOCK = ".open"
"""File that is locked while an app has the folder open."""

_locks: weakref.WeakValueDictionary[str, FileLock] = weakref.WeakValueDictionary()
"""Locks that this process holds, by folder: opened again in it, a folder is still its own."""


def reason_of(error: Exception) -> str:
    """Say why something failed, to somebody who has never seen a path: in the system's own words, where it was it."""
    if isinstance(error, LenetError) and isinstance(error.__context__, OSError):
        return error.found or str(error)
    return getattr(error, "strerror", None) or str(error)


def open_folder(folder: Path) -> FileLock:
    """Take a folder for this app alone.

    Args:
        folder: The app's folder of user data; made if that is possible.

    Returns:
        The lock, to be kept while the app runs; `taken` where another app has the folder.
    """
    with contextlib.suppress(OSError):  # what can't be made is a message later, when there is something to write
        folder.mkdir(parents=True, exist_ok=True)
    name = os.path.realpath(folder)
    lock = _locks.get(name)
    if lock is None:
        lock = FileLock(folder / LOCK)
        if not lock.taken:
            _locks[name] = lock
    return lock


def check_writable(path: Path, read_only: bool) -> None:
    """Refuse to change a file of a folder that another app has open.

    Args:
        path: The file.
        read_only: Whether another app has its folder.

    Raises:
        InputError: It has.
    """
    if read_only:
        raise InputError(
            path.parent,
            found="another open window of this app",
            expected="this one alone",
            remedy="close the other one, then start this one again",
        )


def make_folder(folder: Path) -> None:
    """Make sure that the folder exists.

    Args:
        folder: The folder; those above it are made too.

    Raises:
        InputError: The system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder,
            found=f"{error.strerror or error}",
            expected="a folder to write to",
            remedy="free some space or check the rights of the folder above it",
        ) from error


def read_file(path: Path) -> bytes | None:
    """Read a file of the user's folder.

    Args:
        path: The file.

    Returns:
        Its content; None where there is no such file.

    Raises:
        OSError: The system refuses.
        ValueError: It is no ordinary file, or longer than `MOST_BYTES`.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        raise ValueError(f"{path.name} is no ordinary file of at most {MOST_BYTES:,} bytes")
    return path.read_bytes()


def set_aside(path: Path, ending: str = BROKEN) -> Path | None:
    """Rename a file that can't be used, without losing an earlier one that was set aside.

    Args:
        path: The file.
        ending: Added to its name; a number follows when that name is taken.

    Returns:
        Its new name, or None when the system refuses (a folder without write access): it then stays.
    """
    target, number = path.with_name(path.name + ending), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}{ending}{number}")
    try:
        os.replace(path, target)
    except OSError:
        return None
    return target


def remove(path: Path) -> None:
    """Remove a file of the user's at the user's wish.

    Args:
        path: The file; it need not exist.

    Raises:
        InputError: The system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            path,
            found=f"{error.strerror or error}",
            expected="a file that may be removed",
            remedy="check the rights of its folder",
        ) from error
