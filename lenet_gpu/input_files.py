"""Open the files that users name: ordinary files of a bounded length, or one line that says what is wrong.

A named pipe or a device has no length and may never end: nothing of the kind is opened. The limit is compared with
the length of the file before a byte is read.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

from lenet_gpu.errors import InputError, LenetError

LEAST_LIMIT = 64 << 20
"""Bytes that compressed data may unpack to, however short they are."""

GREATEST_RATIO = 100
"""Times its own length that compressed data may unpack to beyond that; MNIST's files unpack to five times theirs."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "give the file a shorter name",
    errno.EACCES: "allow reading it, with chmod u+r for example",
    errno.EPERM: "allow reading it, with chmod u+r for example",
    errno.ELOOP: "mend the symbolic link",
    errno.EMFILE: "raise the number of files that may be open, with ulimit -n for example",
    errno.ENFILE: "close other programs",
}
"""Remedies of what the system refuses, by its number."""


def unpacked_limit(length: int) -> int:
    """Return the number of bytes that compressed data may unpack to.

    Args:
        length: Length of the compressed data in bytes.
    """
    return max(LEAST_LIMIT, GREATEST_RATIO * length)


def kind_of(mode: int) -> str | None:
    """Name what is no ordinary file; None if it is one.

    Args:
        mode: `st_mode` of its status.
    """
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no ordinary file")


def unreadable(
    path: object, problem: OSError | ValueError, expected: str, error: type[LenetError] = InputError
) -> LenetError:
    """Make the error for a file that the system refuses to open or to read.

    Args:
        path: The file.
        problem: What the system said; a ValueError for a path with a zero byte in it.
        expected: The file that should have been there.
        error: The type of the result.
    """
    number = getattr(problem, "errno", None)
    found = "no such file" if number == errno.ENOENT else getattr(problem, "strerror", None) or str(problem)
    return error(path, found=found.lower(), expected=expected, remedy=REMEDIES.get(number or 0, "check the path"))


def check_input(
    path: str | os.PathLike[str], expected: str, most_bytes: int, error: type[LenetError] = InputError
) -> int:
    """Refuse what is no ordinary file, is empty, or is too long, without opening it.

    Args:
        path: The file.
        expected: What it should be, for messages.
        most_bytes: Greatest length.
        error: The type of error raised.

    Returns:
        Its length in bytes.

    Raises:
        LenetError: Of the type `error`.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as problem:
        raise unreadable(path, problem, expected, error) from None
    if (kind := kind_of(status.st_mode)) is not None:
        remedy = (
            "name the file itself" if stat.S_ISDIR(status.st_mode) else "copy its content to a file and name that"
        )
        raise error(path, found=kind, expected=expected, remedy=remedy)
    if status.st_size == 0:
        raise error(path, found="an empty file", expected=expected, remedy="restore the file, or name another")
    if status.st_size > most_bytes:
        raise error(
            path,
            found=f"a file of {status.st_size:,} bytes",
            expected=f"{expected} of at most {most_bytes:,} bytes",
            remedy="make it smaller, or name another",
        )
    return status.st_size


def open_input(
    path: str | os.PathLike[str], expected: str, most_bytes: int, error: type[LenetError] = InputError
) -> BinaryIO:
    """Open a file to read after `check_input`; the arguments and errors are the same.

    Returns:
        The file, at its start.
    """
    check_input(path, expected, most_bytes, error)
    try:
        return open(path, "rb")
    except OSError as problem:
        raise unreadable(path, problem, expected, error) from None
