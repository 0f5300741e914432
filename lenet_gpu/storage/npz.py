"""Read .npz files that may be damaged or hostile: plain arrays, or one error."""

from __future__ import annotations

import math
import os
import zipfile
from typing import IO

import numpy as np

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of an array's header, by the version of its format; later versions are for structured arrays alone."""


class NpzError(ValueError):
    """An .npz file is damaged, too large, or holds something else than plain arrays."""


def read_arrays(source: str | os.PathLike[str] | IO[bytes], most_bytes: int) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file.

    Args:
        source: Path, or a seekable binary file.
        most_bytes: More than this in all is refused before anything is allocated for it.

    Returns:
        The arrays by name.

    Raises:
        NpzError: It is no .npz file, is damaged or too large, or has an entry that is no array, needs pickle or has
            the name of another one.
        OSError: The file can't be read.
        MemoryError: Its arrays don't fit the memory.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            claimed = 0
            for entry in archive.infolist():
                claimed += entry.file_size
                if claimed > most_bytes:
                    raise NpzError(f"entry {entry.filename} claims {entry.file_size} bytes")
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise NpzError(f"two entries named {name}")
                with archive.open(entry) as file:
                    arrays[name] = _read_array(file, name, entry.file_size)
    except (OSError, MemoryError, NpzError):
        raise
    except Exception as error:  # it fails in many ways: BadZipFile, zlib.error, EOFError, NotImplementedError ...
        raise NpzError(str(error) or type(error).__name__) from error
    return arrays


def _read_array(file: IO[bytes], name: str, size: int) -> np.ndarray:
    """Read one entry of `size` bytes, header and values."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise NpzError(f"entry {name} is no array") from None
    if version not in HEADERS:
        raise NpzError(f"entry {name} is an array of format {version}")
    shape, fortran_order, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise NpzError(f"entry {name} needs pickle")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or dtype.itemsize == 0 or count * dtype.itemsize != size - file.tell():
        raise NpzError(f"entry {name} claims an array {shape} of {dtype} in {size} bytes")
    content = bytearray(count * dtype.itemsize)
    filled = file.readinto(content)  # type: ignore[attr-defined]
    if filled != len(content) or file.read(1):  # the end of the entry is where its checksum is compared
        raise NpzError(f"entry {name} ends early")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")
