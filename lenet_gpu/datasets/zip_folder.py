"""Look at the folders in a zip as at those on a disk, so that class folders are read from either."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lenet_gpu.errors import DataError
from lenet_gpu.input_files import unpacked_limit
from lenet_gpu.storage.plain_zip import read_member

MOST_PICTURE = 250_000_000
"""Bytes that a picture in a zip may unpack to."""


class ZipFolder:
    """A folder or a file in a zip, with the methods of `pathlib.Path` that a search of class folders needs.

    Attributes:
        name: Its last name; of the zip itself, the zip's.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Take in the zip's directory.

        Args:
            path: The zip.
            archive: The same, open; folders and files can be read until it is closed.

        Raises:
            DataError: All files together unpack to more than its length allows.
        """
        size, most = sum(member.file_size for member in archive.infolist()), unpacked_limit(path.stat().st_size)
        if size > most:
            raise DataError(
                path,
                found=f"{size:,} bytes once it is unpacked",
                expected=f"at most {most:,} for its length",
                remedy="unpack the zip, and name the folder",
            )
        self._path, self._archive = path, archive
        self._where, self.name = str(path), path.name
        self._member: zipfile.ZipInfo | None = None
        self._inside: dict[str, ZipFolder] = {}
        for member in archive.infolist():
            parts = [part for part in member.filename.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            place = self
            for depth, part in enumerate(parts):
                place = place._inside.setdefault(part, place._below(part))
                if depth + 1 == len(parts) and not member.is_dir():
                    place._member = member

    def _below(self, name: str) -> ZipFolder:
        below = object.__new__(ZipFolder)
        below._path, below._archive, below.name = self._path, self._archive, name
        below._where = f"{self._where}{'/' if self._where != str(self._path) else ':'}{name}"
        below._member, below._inside = None, {}
        return below

    def __str__(self) -> str:
        return self._where

    def __truediv__(self, name: str) -> ZipFolder:
        return self._inside.get(name) or self._below(name)

    def iterdir(self) -> Iterator[ZipFolder]:
        """Go through what is in the folder."""
        return iter(self._inside.values())

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""
        return self._member is None

    def is_file(self) -> bool:
        """Tell whether it is a file."""
        return self._member is not None

    def open(self) -> io.BytesIO:
        """Unpack the file into memory.

        Raises:
            DataError: It is too long.
            zipfile.BadZipFile: It is damaged.
        """
        assert self._member is not None
        if self._member.file_size > MOST_PICTURE:
            raise DataError(
                self,
                found=f"{self._member.file_size:,} bytes once it is unpacked",
                expected=f"at most {MOST_PICTURE:,}",
                remedy="shrink the image",
            )
        return io.BytesIO(read_member(self._archive, self._member))
