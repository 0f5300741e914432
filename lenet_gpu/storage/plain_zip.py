"""Zip files that may be damaged or hostile: members with one name each, stored or deflated, read in bounded steps."""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

MOST_DIRECTORY = 1 << 20
"""Bytes of a zip's directory, which is read whole: room for some 10,000 members."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression that is read; the others unpack without bound in one step."""


class ZipError(ValueError):
    """A zip file is damaged, or of a form that is not read."""


class _Guarded:
    """A binary file of which no more than some bytes are read at once while `opening`."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most, self.opening = file, most, True
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if not self.opening:
            return self._file.read(size)
        data = self._file.read(self._most + 1 if size < 0 else min(size, self._most + 1))
        if len(data) > self._most:
            raise ZipError(f"a directory of more than {self._most:,} bytes")
        return data


@contextlib.contextmanager
def opened_zip(file: IO[bytes], *, most_directory: int = MOST_DIRECTORY) -> Iterator[zipfile.ZipFile]:
    """Open a zip, and tell whatever is wrong with it, then or while it is read, as one kind of error.

    Args:
        file: A seekable binary file.
        most_directory: Bytes that its directory may have.

    Yields:
        The zip; every member has a name of its own and can be read without a password.

    Raises:
        ZipError: It is no zip, is damaged, or has two members of one name, or another compression.
        OSError: The file can't be read.
    """
    try:
        guarded: Any = _Guarded(file, most_directory)
        with zipfile.ZipFile(guarded) as archive:
            guarded.opening = False
            names: set[str] = set()
            for member in archive.infolist():
                if member.filename in names:
                    raise ZipError(f"two members called {member.filename}")
                names.add(member.filename)
                if member.flag_bits & 1:
                    raise ZipError(f"{member.filename} is encrypted")
                if member.compress_type not in METHODS:
                    raise ZipError(f"{member.filename} has a compression that is not read; only deflate is")
            yield archive
    except ZipError:
        raise
    except (  # ValueError: of a negative position
        *(zipfile.BadZipFile, zlib.error, EOFError, struct.error),
        *(ValueError, NotImplementedError, RuntimeError, OverflowError),
    ) as error:
        raise ZipError(str(error) or type(error).__name__) from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member whole; no more is ever unpacked than its directory entry claims.

    Args:
        archive: The zip.
        member: The member; the caller has compared its length with a limit.

    Raises:
        EOFError: It ends before.
        zipfile.BadZipFile: Its checksum is wrong.
    """
    pieces, left = [], member.file_size
    with archive.open(member) as stream:
        while left:
            piece = stream.read(min(left, 1 << 20))
            if not piece:
                raise EOFError(f"{member.filename} ends before its {member.file_size:,} bytes")
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)
