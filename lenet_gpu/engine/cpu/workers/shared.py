"""Named arrays in memory that the processes of the CPU engine share (shared_memory.py)."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from math import prod

import numpy as np

from lenet_gpu.errors import TrainingError
from lenet_gpu.storage.shared_memory import create_file, grow

Specification = Sequence[tuple[str, str, Sequence[int]]]
"""Name, dtype and shape of each array, in the order in which they lie in the file."""

ALIGNMENT = 4096
"""Arrays start on pages of their own."""


class SharedArrays:
    """Named arrays over an anonymous file.

    Args:
        fd: Descriptor of a file that another process has created; a new file if None.

    Attributes:
        fd: The file's descriptor.
        specification: What lies in the file now; hand it to the other processes' `attach`.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = create_file() if fd is None else fd
        self.specification: list[tuple[str, str, list[int]]] = []
        self._size = 0
        self._memory: mmap.mmap | None = None

    def allocate(self, specification: Specification, *, reserve: bool = True) -> dict[str, np.ndarray]:
        """Make room for arrays and lay them over the file; arrays handed out before must not be used again.

        Args:
            specification: The arrays.
            reserve: Take the memory now; otherwise pages are taken when they are first written.

        Returns:
            The arrays by name. What they contain is undefined.

        Raises:
            TrainingError: There is not enough memory.
        """
        self.specification = [(name, str(dtype), list(shape)) for name, dtype, shape in specification]
        size = self._extents()[-1][1]
        try:
            if size > self._size:
                if reserve:
                    grow(self.fd, size)
                else:
                    os.ftruncate(self.fd, size)
                self._size = size
            return self.attach(self.specification)
        except OSError as error:
            raise TrainingError(
                "memory shared by the workers",
                found=f"{error.strerror or error}",
                expected=f"room for {size / 2**20:.0f} MiB",
                remedy="free some memory, or load fewer images",
            ) from error

    def attach(self, specification: Specification) -> dict[str, np.ndarray]:
        """Lay arrays over the file as another process has allocated them.

        Args:
            specification: The other process' `specification`.

        Returns:
            The arrays by name.
        """
        self.specification = [(name, str(dtype), list(shape)) for name, dtype, shape in specification]
        extents = self._extents()
        size = extents[-1][1]
        if self._memory is None or len(self._memory) < size:
            # Lives as long as an array uses it. Kept, because a page is mapped when it is first touched, and
            # that takes longer than to fill it.
            self._memory = mmap.mmap(self.fd, size)
        return {
            name: np.frombuffer(self._memory, dtype, prod(shape), start).reshape(shape)
            for (name, dtype, shape), (start, _) in zip(self.specification, extents, strict=True)
        }

    def _extents(self) -> list[tuple[int, int]]:
        """Compute (start, stop) of every array in the file; `stop` is rounded up to a whole page, at least one."""
        extents, start = [], 0
        for _, dtype, shape in self.specification:
            size = max(1, np.dtype(dtype).itemsize * prod(shape))
            stop = start + -(-size // ALIGNMENT) * ALIGNMENT
            extents.append((start, stop))
            start = stop
        return extents

    def close(self) -> None:
        """Give up the file; arrays in use stay valid."""
        self._memory = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
