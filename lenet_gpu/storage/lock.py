"""Lock files: one process at a time. The operating system drops a lock when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of a file system that has no locks."""

POLL = 0.05  # seconds; polling, because a blocking wait can't be interrupted everywhere


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
            held = try_lock(descriptor)
        except OSError as error:
            if error.errno not in NO_LOCKS:
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

    def try_lock(descriptor: int) -> bool:
        """Lock an open file without waiting; the lock goes with the last descriptor of this opening.

        Returns:
            False if another opening of the file holds the lock.

        Raises:
            OSError: The file system has no locks.
        """
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file without waiting; the lock goes with the last descriptor of this opening.

        Returns:
            False if another opening of the file holds the lock.

        Raises:
            OSError: The file system has no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """A lock file that is held until `release`, or until the process ends.

    Args:
        path: The lock file; made if it is not there, and left there.

    Attributes:
        taken: Whether another process holds it. Where the file can't be made, or the system has no locks, nobody
            does, and nothing is held.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.taken = False
        self._descriptor: int | None = None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return
        try:
            self.taken = not try_lock(descriptor)
        except OSError:
            self.taken = False
        if self.taken:
            os.close(descriptor)
        else:
            self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()
