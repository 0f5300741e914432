"""Files that appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lenet_gpu.errors import InputError


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
    os.replace(partial, target)
    if os.name == "posix":  # the new name is safe only when the folder is written too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a crash at any moment leaves the old one or the new one.

    Args:
        path: File to write.
        write: Called with a binary file to write the contents to.

    Raises:
        InputError: The folder is missing or not writable, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o666 & ~_umask())
        publish(Path(temporary), path)
    except OSError as error:
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


def _umask() -> int:
    # The only portable way to read it is to set it; mkstemp's 0600 is not what users expect of results.
    mask = os.umask(0)
    os.umask(mask)
    return mask
