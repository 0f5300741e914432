"""Read .npz files that may be damaged or hostile: plain arrays, or one error."""

from __future__ import annotations

import os
import zipfile
from typing import IO

import numpy as np


class NpzError(ValueError):
    """An .npz file is damaged, too large, or holds something else than plain arrays."""


def read_arrays(source: str | os.PathLike[str] | IO[bytes], most_bytes: int) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file.

    Args:
        source: Path, or a seekable binary file.
        most_bytes: Larger entries are refused before anything is allocated for them.

    Returns:
        The arrays by name.

    Raises:
        NpzError: It is no .npz file, is damaged, has an entry that is too large, is no array or needs pickle.
        OSError: The file can't be read.
        MemoryError: Its arrays don't fit the memory.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                if entry.file_size > most_bytes:
                    raise NpzError(f"entry {entry.filename} claims {entry.file_size} bytes")
        if not isinstance(source, (str, os.PathLike)):
            source.seek(0)
        with np.load(source, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, MemoryError, NpzError):
        raise
    except Exception as error:  # it fails in many ways: BadZipFile, zlib.error, EOFError, NotImplementedError ...
        raise NpzError(str(error) or type(error).__name__) from error
    for name, value in arrays.items():
        if not isinstance(
            value, np.ndarray
        ):  # NumPy hands out the bytes of an entry that does not begin as arrays do
            raise NpzError(f"entry {name} is no array")
    return arrays
