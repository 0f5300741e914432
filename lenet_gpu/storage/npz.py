"""Read .npz files that may be damaged or hostile: plain arrays of numbers, or one error.

Everything is compared with the limits before it is allocated: the lengths that the zip's directory claims, and the
shape that an array's header claims with the bytes behind it.
"""

from __future__ import annotations

import math
import os
import re
from typing import IO

import numpy as np

from lenet_gpu.storage.plain_zip import ZipError, opened_zip, read_member

MAGIC = b"\x93NUMPY"
HEADER = re.compile(
    rb"\{\s*'descr':\s*'([<>|=][a-zA-Z]\d{0,9})',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(((?:\d{1,18}(?:,\s*|(?=\))))*)\),?\s*\}\s*"
)
"""The header of a plain array (numpy.lib.format), in the one form in which it is written."""

LONGEST_HEADER = 10_000
NUMBERS = "biuf"
"""Kinds of dtypes that are read."""


class NpzError(ValueError):
    """An .npz file is damaged, too large, or holds something else than plain arrays of numbers."""


def read_arrays(
    source: str | os.PathLike[str] | IO[bytes], most_bytes: int, kinds: str = NUMBERS
) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file.

    Args:
        source: Path, or a seekable binary file.
        most_bytes: A file whose entries claim more together is refused before anything is allocated for them.
        kinds: Kinds of dtypes that are read; "U" for texts.

    Returns:
        The arrays by name.

    Raises:
        NpzError: It is no .npz file, is damaged or too large, has two entries of one name, or an entry that is no
            array of numbers.
        OSError: The file can't be read.
        MemoryError: Its arrays don't fit the memory.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return read_arrays(file, most_bytes, kinds)
    arrays: dict[str, np.ndarray] = {}
    try:
        with opened_zip(source) as archive:
            claimed = 0
            for entry in archive.infolist():
                claimed += entry.file_size
                if claimed > most_bytes:
                    raise NpzError(
                        f"entry {entry.filename} claims {entry.file_size:,} bytes; "
                        f"the file may unpack to {most_bytes:,}"
                    )
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in arrays:
                    raise NpzError(f"two entries called {name}")
                arrays[name] = read_array(name, read_member(archive, entry), kinds)
    except ZipError as error:
        raise NpzError(str(error)) from error
    return arrays


def read_array(name: str, content: bytes, kinds: str = NUMBERS) -> np.ndarray:
    """Read one array: magic, version, length of the header, header, values (numpy.lib.format).

    Args:
        name: Its name in messages.
        content: The bytes of a .npy file.
        kinds: Kinds of dtypes that are read; "U" for texts.

    Raises:
        NpzError: Anything else.
    """
    if not content.startswith(MAGIC) or len(content) < 12 or content[6] not in (1, 2):
        raise NpzError(f"entry {name} is no array")
    start = 10 if content[6] == 1 else 12
    end = start + int.from_bytes(content[8:start], "little")
    found = HEADER.fullmatch(content[start:end]) if end - start <= LONGEST_HEADER else None
    if found is None or end > len(content):
        raise NpzError(f"entry {name} has no header of a plain array")
    descr, shape = found[1].decode(), tuple(int(side) for side in found[3].replace(b",", b" ").split())
    if descr[1] == "O":
        raise NpzError(f"entry {name} holds objects, which need pickle")
    try:
        dtype = np.dtype(descr)
    except TypeError:
        raise NpzError(f"entry {name} has the unknown dtype {descr}") from None
    if dtype.kind not in kinds:
        raise NpzError(f"entry {name} holds {dtype}, not numbers")
    if len(shape) > 32 or math.prod(shape) * dtype.itemsize != len(content) - end:
        raise NpzError(f"entry {name} has {len(content) - end:,} bytes for the shape {shape} of {dtype}")
    values = np.frombuffer(content, dtype, offset=end).astype(dtype.newbyteorder("="), order="C", copy=True)
    if found[2] == b"True":
        return values.reshape(shape[::-1]).transpose()  # first axis fastest
    return values.reshape(shape)
