"""The idx format of the MNIST files: a header that says what follows, then bytes.

Header, big endian: two zero bytes, the element type (8: unsigned byte), the number of dimensions, then each
dimension's length in four bytes. Nothing a header claims is believed before it is compared with what the
file can hold, and no more is decompressed than the header claims. Compressed files may claim no more than
`input_files.unpacked_limit` of their length.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from lenet_gpu.array_checks import check_labels
from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import open_input, unpacked_limit, unreadable
from lenet_gpu.paper import CLASSES, IMAGE_SIZE
from lenet_gpu.storage import shared_memory

Kind = Literal["images", "labels"]

MAGIC: dict[Kind, int] = {"images": 0x00000803, "labels": 0x00000801}
MOST_SAMPLES = 10_000_000  # 7.84 GB of pixels; the largest known MNIST derivative has 8.1 million
MOST_BYTES = 16 + MOST_SAMPLES * IMAGE_SIZE**2
CHUNK = 1 << 20
AGAIN = "the file is damaged or not what its name says: fetch it again"


@dataclass(frozen=True, eq=False)
class IdxFile:
    """One idx file, read and checked.

    Args:
        values: (n, 28, 28) uint8 for images, (n,) uint8 for labels.
        content_sha256: Of the uncompressed file, header included.
        stored_sha256: Of the file as stored: the same as above unless it is gzipped.
    """

    values: Bytes
    content_sha256: str
    stored_sha256: str


def read_idx(path: Path, kind: Kind, most_label: int = CLASSES - 1) -> IdxFile:
    """Read an idx file, gzipped or bare; its first bytes tell which, not its name.

    Args:
        path: The file.
        kind: Its kind, images or labels.
        most_label: Greatest label.

    Returns:
        The values and the digests.

    Raises:
        DataError: If it can't be read or is not a whole, exact idx file of that kind.
    """
    try:
        with open_input(path, f"an idx file of {kind}", MOST_BYTES, DataError) as file:
            return read_idx_stream(file, str(path), kind, os.fstat(file.fileno()).st_size, most_label=most_label)
    except OSError as error:
        raise unreadable(path, error, f"an idx file of {kind}", DataError) from error


def read_idx_stream(
    raw: BinaryIO,
    name: str,
    kind: Kind,
    stored_size: int,
    packed_size: int | None = None,
    most_label: int = CLASSES - 1,
) -> IdxFile:
    """Read idx data, gzipped or bare, from a binary stream (see `read_idx`).

    Args:
        raw: The stream, at its start.
        name: Its name in messages.
        kind: Its kind, images or labels.
        stored_size: Its length in bytes, as stored.
        packed_size: Its length in the zip that it is read from; None if it is in none.
        most_label: Greatest label.

    Returns:
        The values and the digests.

    Raises:
        DataError: If it is not a whole, exact idx file of that kind.
    """
    if stored_size == 0:
        raise DataError(name, found="an empty file", expected=f"an idx file of {kind}", remedy=AGAIN)
    tee = _HashingReader(raw)
    buffered = io.BufferedReader(tee, CHUNK)
    if buffered.peek(2)[:2] != b"\x1f\x8b":  # the gzip magic number (RFC 1952, section 2.3.1)
        most = stored_size if packed_size is None else unpacked_limit(packed_size)
        values, content = _parse(buffered, name, kind, stored_size, most, gzipped=False)
    else:
        try:
            with gzip.GzipFile(fileobj=buffered, mode="rb") as stream:
                most = unpacked_limit(stored_size if packed_size is None else packed_size)
                values, content = _parse(stream, name, kind, stored_size, most, gzipped=True)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                name, found=f"damaged gzip data ({error})", expected="a whole gzip file", remedy=AGAIN
            ) from error
    if kind == "labels":
        check_labels(values, classes=most_label + 1, thing=name, error=DataError)
    return IdxFile(values, content, tee.sha256.hexdigest())


def _parse(
    stream: io.BufferedIOBase, name: str, kind: Kind, stored_size: int, most_bytes: int, *, gzipped: bool
) -> tuple[Bytes, str]:
    """Read header and values, `most_bytes` at most; return them with the SHA-256 of the uncompressed bytes."""
    magic, dimensions, header = _read_header(stream, name, kind)
    if magic != MAGIC[kind]:
        raise DataError(
            name,
            found=f"magic number {_describe_magic(magic, header)}",
            expected=f"0x{MAGIC[kind]:08x} (idx {kind})",
            remedy=AGAIN,
        )
    count, pixels = dimensions[0], dimensions[1:]
    if kind == "images" and pixels != (IMAGE_SIZE, IMAGE_SIZE):
        raise DataError(
            name, found=f"images of {pixels[0]}x{pixels[1]} pixels", expected=f"{IMAGE_SIZE}x{IMAGE_SIZE}"
        )
    if count == 0:
        raise DataError(name, found=f"no {kind} (its header says 0)", expected="at least one")
    size = count * (IMAGE_SIZE**2 if kind == "images" else 1)
    _check_claim(name, kind, count, len(header) + size, stored_size, most_bytes, gzipped=gzipped)
    try:
        # Safe now: the claim fits the file. Images lie where worker processes can get at them.
        flat = shared_memory.empty(size) if kind == "images" else np.empty(size, dtype=np.uint8)
    except MemoryError as error:
        raise DataError(name, found=f"{size:,} bytes of {kind}", expected="less than the free memory") from error
    view, filled = flat.data, 0
    while filled < size and (got := stream.readinto(view[filled : filled + CHUNK])):
        filled += got
    if filled < size:
        raise _truncated(name, kind, count, len(header) + size, len(header) + filled)
    if stream.read(1):  # at the true end this also makes gzip compare its checksum
        raise _trailing(name, kind, count, len(header) + size)
    sha256 = hashlib.sha256(header)
    sha256.update(flat.data)
    if kind == "labels":
        return flat, sha256.hexdigest()
    return flat.reshape(count, IMAGE_SIZE, IMAGE_SIZE), sha256.hexdigest()  # (n, 28, 28)


def _read_header(stream: io.BufferedIOBase, name: str, kind: Kind) -> tuple[int, tuple[int, ...], bytes]:
    header = stream.read(4)
    if len(header) == 4 and struct.unpack(">I", header)[0] != MAGIC[kind]:
        return struct.unpack(">I", header)[0], (), header
    header += stream.read(12 if kind == "images" else 4)
    size = 16 if kind == "images" else 8
    if len(header) < size:
        raise DataError(
            name,
            found=f"{len(header)} bytes",
            expected=f"a header of {size} bytes and then {kind}",
            remedy=AGAIN,
        )
    magic, *dimensions = struct.unpack(f">{size // 4}I", header)
    return magic, tuple(dimensions), header


def _check_claim(
    name: str, kind: Kind, count: int, whole: int, stored_size: int, most_bytes: int, *, gzipped: bool
) -> None:
    """Refuse a header whose claim of `whole` bytes the file can't hold, before anything is allocated for it."""
    if count > MOST_SAMPLES:
        raise DataError(
            name,
            found=f"a header that claims {count:,} {kind}",
            expected=f"at most {MOST_SAMPLES:,}",
            remedy=AGAIN,
        )
    if not gzipped and whole > stored_size:
        raise _truncated(name, kind, count, whole, stored_size)
    if whole > most_bytes:
        raise DataError(
            name,
            found=f"a header that claims {count:,} {kind}",
            expected=f"at most {most_bytes:,} bytes, for the length of the packed file",
            remedy=f"{AGAIN}, or unpack it if it is right",
        )


def _truncated(name: str, kind: Kind, count: int, expected: int, found: int) -> DataError:
    return DataError(
        name,
        found=f"a truncated file of {found:,} bytes",
        expected=f"{expected:,} bytes for the {count:,} {kind} its header claims",
        remedy=AGAIN,
    )


def _trailing(name: str, kind: Kind, count: int, expected: int) -> DataError:
    return DataError(
        name,
        found="trailing bytes after the last of them",
        expected=f"an end at byte {expected:,}, after the {count:,} {kind} its header claims",
        remedy=AGAIN,
    )


def _describe_magic(magic: int, header: bytes) -> str:
    for kind, number in MAGIC.items():
        if magic == number:
            return f"0x{magic:08x} (idx {kind})"
    text = header.decode("ascii", "replace")
    return f"0x{magic:08x} (the text {text!r})" if text.isprintable() and text.isascii() else f"0x{magic:08x}"


class _HashingReader(io.RawIOBase):
    """A stream that keeps the SHA-256 of all that was read from it."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.raw.read(len(buffer))
        buffer[: len(data)] = data
        self.sha256.update(data)
        return len(data)
