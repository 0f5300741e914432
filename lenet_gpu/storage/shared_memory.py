"""Memory that other processes can map, and that nothing can leave behind.

An anonymous file (`memfd_create`, or a temporary file whose name is removed at once) has no name, so it
vanishes with the last process that holds it, even after `kill -9`. A large data set is read into such a file at
once: worker processes then compute with the very same pages, and there is no second copy.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
import tempfile
import weakref

import numpy as np

STANDARD_ERROR = 2
"""The highest descriptor of a standard stream."""


class _Memory(mmap.mmap):
    """A mapped file that knows its descriptor."""

    fd: int


def create_file() -> int:
    """Create an anonymous file of size 0 and return its descriptor, which is none of the standard streams'.

    In memory where the system can; elsewhere, or where a sandbox does not let us, it is a temporary file on the disk.
    """
    try:
        fd = os.memfd_create("lenet-gpu")
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOSYS, errno.EPERM, errno.EACCES):
            raise
    else:
        if fd > STANDARD_ERROR:
            return fd
        try:
            return duplicate(fd)
        finally:
            os.close(fd)
    with tempfile.TemporaryFile(prefix="lenet-gpu-") as file:
        return duplicate(file.fileno())


def duplicate(fd: int) -> int:
    """Duplicate a descriptor.

    Where a standard stream is closed, the system gives the next file its number, and whatever is printed there
    would be written into the file.

    Args:
        fd: An open descriptor.

    Returns:
        Another one for the same file, above those of the standard streams.
    """
    if sys.platform == "win32":
        return os.dup(fd)
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STANDARD_ERROR + 1)


def grow(fd: int, size: int) -> None:
    """Make a file larger and take its memory now, not as a SIGBUS in the middle of training.

    Raises:
        OSError: There is not enough memory.
    """
    os.ftruncate(fd, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)


def empty(size: int) -> np.ndarray:
    """Allocate bytes that `file_behind` finds the file of.

    Args:
        size: How many, at least 1.

    Returns:
        (size,) uint8. Ordinary memory where anonymous files would lie on a disk, or can't be that large.

    Raises:
        MemoryError: There is not enough of it.
    """
    if not hasattr(os, "memfd_create"):
        return np.empty(size, dtype=np.uint8)
    fd = create_file()
    try:
        whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        grow(fd, whole)
        memory = _Memory(fd, whole)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            raise MemoryError(size) from error
        return np.empty(size, dtype=np.uint8)  # files may be limited where memory is not (ulimit -f)
    memory.fd = fd
    weakref.finalize(memory, os.close, fd)
    return np.frombuffer(memory, np.uint8, size)


def file_behind(array: np.ndarray) -> int | None:
    """Find the file that an array is the beginning of.

    Args:
        array: Any array.

    Returns:
        A file descriptor, valid as long as the array is; None if the array does not come from `empty`, is only a part
        of what does, or lies otherwise than in C order.
    """
    owner: object = array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if not isinstance(owner, _Memory) or not array.flags.c_contiguous:
        return None
    start = np.frombuffer(owner, np.uint8).ctypes.data
    return owner.fd if array.ctypes.data == start else None
