"""Files that appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lenet_gpu.errors import InputError, exhausted
from lenet_gpu.storage.lock import try_lock

SUFFIX = ".lenet-gpu.part"
"""Ending of files that are being written. Their writer holds a lock on them, so what has none was left behind."""

NAME_KEPT = 40
"""Characters of a file's name that its partial file shows, so that the longest name still has room for the suffix."""

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)
"""Tests of a file's mode, and what to call what they find."""

_cleaned: set[str] = set()  # folders in which this process has looked for leftovers


def publish(partial: Path, target: Path) -> None:
    """Give a finished file its name in one step that survives a power cut.

    Args:
        partial: The finished file, in the folder of `target`.
        target: Its name from now on; a file of that name is replaced.

    Raises:
        OSError: The system refuses.
    """
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    _rename(partial, target)


def _rename(partial: Path, target: Path) -> None:
    os.replace(partial, target)
    if os.name == "posix":  # the new name is safe only when the folder is written too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def may(mode: int, path: str | os.PathLike[str]) -> bool:
    """Tell if this process may do to a file what `mode` says (os.W_OK ...), with the rights that it has now."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def output_file(path: str | os.PathLike[str]) -> Path:
    """Find the regular file that a name stands for, or would stand for, before anything is written to it.

    Args:
        path: Where a file is to be written; a symbolic link stands for its target.

    Returns:
        The file itself, its links followed.

    Raises:
        InputError: A device, a named pipe, a folder or a write-protected file has that name, or it has no folder.
    """
    remedy = "name another file"
    target = Path(path)
    try:
        target = Path(os.path.realpath(path))
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if target.parent.is_dir():
            return target
        raise InputError(
            path, found="No such file or directory", expected="a folder to write to", remedy="make the folder first"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(path, found=f"{reason}", expected="a file to write", remedy=remedy) from None
    for is_kind, kind in KINDS:
        if is_kind(mode):
            raise InputError(path, found=kind, expected="a regular file, or a new name", remedy=remedy)
    if not may(os.W_OK, path):
        raise InputError(path, found="a write-protected file", expected="a file to write", remedy=remedy)
    return target


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a crash at any moment leaves the old one or the new one.

    The permissions of a file that is replaced stay, and so does a symbolic link: its target is written. What
    killed processes have left half-written in the folder is removed.

    Args:
        path: File to write.
        write: Called with a binary file to write the contents to.

    Raises:
        InputError: The folder is missing or not writable, the name is no regular file's, or the disk is full;
            nothing is left behind.
        OSError: The process has no memory or file descriptors left; likewise.
    """
    target = output_file(path)
    temporary = None
    try:
        if str(target.parent) not in _cleaned:
            _cleaned.add(str(target.parent))
            remove_leftovers(target.parent)
        descriptor, temporary = _make_partial(target)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask())
            if sys.platform != "win32":  # under the lock; there, an open file can't be renamed
                _rename(Path(temporary), target)
        if sys.platform == "win32":
            _rename(Path(temporary), target)
    except OSError as error:
        if exhausted(error):
            raise
        raise InputError(
            path,
            found=f"{error.strerror or error}",
            expected="a folder to write to",
            remedy="free some space or name another folder",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove the partial files of processes that were killed while they wrote to a folder.

    Files that a living process is writing are locked and stay, and so do those of other programs.

    Args:
        folder: Where to look; nothing happens if it can't be read.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(".") and name.endswith(SUFFIX):
                _remove_abandoned(os.path.join(folder, name))


def _remove_abandoned(path: str) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":  # refused there while its writer lives
            os.unlink(path)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and try_lock(descriptor):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _make_partial(target: Path) -> tuple[int, str]:
    """Create the partial file of a target, locked where the file system has locks."""
    while True:
        descriptor, path = tempfile.mkstemp(prefix=f".{target.name[:NAME_KEPT]}.", suffix=SUFFIX, dir=target.parent)
        if sys.platform == "win32":
            return descriptor, path
        with contextlib.suppress(OSError):
            try_lock(descriptor)
        # Between its creation and its lock another process may have taken it for a leftover.
        if os.path.exists(path):
            return descriptor, path
        os.close(descriptor)


def _umask() -> int:
    # The only portable way to read it is to set it; mkstemp's 0600 is not what users expect of results.
    mask = os.umask(0)
    os.umask(mask)
    return mask
