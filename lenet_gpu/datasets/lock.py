"""A folder of downloads that one process at a time works in, and where files appear whole or not at all.

The operating system drops the lock when its holder dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lenet_gpu.errors import DataError
from lenet_gpu.storage import atomic

LOCK_NAME = ".download.lock"
POLL = 0.05  # seconds; polling, because a blocking wait can't be interrupted everywhere
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


@contextlib.contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold a lock file while the block runs; wait as long as another process holds it.

    A killed holder blocks nobody: the lock belongs to the open file, not to the file's existence.

    Args:
        path: The lock file, made for this and removed after it where the system allows that.
        on_wait: Called once if another process holds the lock.

    Yields:
        True with the lock held; False on a file system that has no locks.
    """
    waited = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            held = _try_lock(descriptor)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
                os.close(descriptor)
                raise
            os.close(descriptor)
            path.unlink(missing_ok=True)
            yield False
            return
        except BaseException:
            os.close(descriptor)
            raise
        # The last holder may have removed the file between our opening and our locking it: then this lock is
        # on a file nobody else will ever see, and the next round opens the present one.
        if held and _is_still_there(descriptor, path):
            break
        os.close(descriptor)
        if not held:
            if not waited:
                on_wait()
                waited = True
            time.sleep(POLL)
    try:
        yield True
    finally:
        if sys.platform != "win32":  # an open file can't be removed there; it is empty and stays
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(descriptor)


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
