"""A folder of downloads that one process at a time works in, and where files appear whole or not at all.

The operating system drops the lock when its holder dies.
"""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lenet_gpu.errors import DataError
from lenet_gpu.storage import atomic
from lenet_gpu.storage.lock import exclusive

LOCK_NAME = ".download.lock"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def locked_folder(folder: Path, *, progress: bool) -> Iterator[bool]:
    """Make a folder and hold its lock, turning what the system refuses into a DataError.

    Args:
        folder: The folder.
        progress: Whether to say on standard error that another process is being waited for.

    Yields:
        Whether there is a lock (see `exclusive`).

    Raises:
        DataError: If the folder can't be made or written to.
    """

    def say() -> None:
        if progress:
            print(f"waiting for another process that downloads into {folder}", file=sys.stderr)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / LOCK_NAME, say) as locked:
            yield locked
    except OSError as error:
        raise folder_error(folder, error) from error


def publish(partial: Path, target: Path) -> None:
    """Give a finished file its name in one step that survives a power cut.

    Args:
        partial: The finished file, in the folder of `target`.
        target: Its name from now on.

    Raises:
        DataError: If the system refuses; `partial` is removed then.
    """
    try:
        atomic.publish(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise folder_error(target.parent, error) from error


def folder_error(folder: Path, error: OSError, needed: int | None = None) -> DataError:
    """Tell in one line why a folder can't take a download.

    Args:
        folder: The folder.
        error: What the system said.
        needed: Length in bytes of the file that did not fit, if known.

    Returns:
        The error to raise.
    """
    reason = (error.strerror or str(error)).lower()
    if error.errno in FULL:
        room = "room for the download" if needed is None else f"room for {needed:,} bytes"
        return DataError(
            folder,
            found=reason,
            expected=room,
            remedy="free some space, or set LENET_GPU_CACHE to a folder with more",
        )
    return DataError(
        folder,
        found=reason,
        expected="a folder that can be written to",
        remedy="set LENET_GPU_CACHE to one that can",
    )


def passes(check: Callable[[Path], None], path: Path) -> bool:
    """Tell whether a file exists and its check raises no DataError."""
    if not path.is_file():
        return False
    try:
        check(path)
    except DataError:
        return False
    return True
