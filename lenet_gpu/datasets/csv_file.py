"""CSV data sets: one image a row, its label first and then 784 pixels row by row.

Rows are numbered as an editor numbers lines, from 1, a header line included. Numbers are plain: ASCII digits, with a
dot and zeros behind them where a program wrote them as decimals.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import open_input, unpacked_limit, unreadable
from lenet_gpu.paper import CLASSES, IMAGE_SIZE

GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1
COLUMNS = 1 + IMAGE_SIZE**2
BLOCK = 2000  # rows parsed at a time
LONGEST = 1 << 16  # bytes in a row; 785 numbers need under 8,000
MOST_BYTES = 4 << 30  # of a file, unpacked: MOST_ROWS of the longest plain rows have fewer
MOST_ROWS = 500_000  # 392 MB of pixels; EMNIST's largest part of digits has 240,000
ORDINARY = re.compile(r"[0-9,]+")
WHOLE = re.compile(r"[0-9]{1,3}(\.0*)?", re.ASCII)
LABEL_NAMES = ("label", "labels", "class", "digit", "target", "y")
LAYOUT = f"{COLUMNS} columns: the label, then {IMAGE_SIZE**2} pixels"


def read_csv(path: Path) -> tuple[Bytes, Bytes, str]:
    """Read a CSV file of digits, gzipped or not; a header line is allowed.

    Args:
        path: The file.

    Returns:
        The images (n, 28, 28) uint8, the labels (n,) uint8, and the SHA-256 of the uncompressed file.

    Raises:
        DataError: If it can't be read, is empty, or a row is wrong; the row's number is named.
    """
    sha256 = hashlib.sha256()
    images: list[Bytes] = []
    labels: list[Bytes] = []
    try:
        with open_input(path, "a CSV file", MOST_BYTES, DataError) as file:
            length = os.fstat(file.fileno()).st_size
            gzipped = file.read(2) == GZIP
            file.seek(0)
            stream: BinaryIO = gzip.GzipFile(fileobj=file) if gzipped else file  # type: ignore[assignment]
            most = min(MOST_BYTES, unpacked_limit(length)) if gzipped else length
            for numbers, lines in _blocks(stream, path, sha256, most):
                rows = _parse(lines, numbers, path)  # (BLOCK, 785), the last one shorter
                images.append(rows[:, 1:].copy())
                labels.append(rows[:, 0].copy())
                if len(images) * BLOCK > MOST_ROWS:
                    raise DataError(
                        path,
                        found=f"more than {MOST_ROWS:,} rows",
                        expected="at most that",
                        remedy="split the file, or convert it to idx files",
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            path,
            found=f"damaged gzip data ({error})",
            expected="a whole gzip file",
            remedy="restore the file, or pack it again",
        ) from error
    except OSError as error:
        raise unreadable(path, error, "a CSV file", DataError) from error
    if not images:
        raise DataError(path, found="no rows", expected=f"rows of {LAYOUT}", remedy="name another file")
    pixels = np.empty((sum(map(len, images)), IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    start = 0
    for k, block in enumerate(images):  # each is let go as soon as it is copied
        pixels[start : start + len(block)] = block.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)  # (n, 784) -> (n, 28, 28)
        start += len(block)
        images[k] = block[:0]
    return pixels, np.concatenate(labels), sha256.hexdigest()


def _blocks(
    stream: BinaryIO, path: Path, sha256: hashlib._Hash, most_bytes: int
) -> Iterator[tuple[list[int], list[str]]]:
    """Yield the lines that hold samples, some at a time, each with its row number."""
    numbers: list[int] = []
    lines: list[str] = []
    number = size = 0
    while raw := stream.readline(LONGEST):
        number += 1
        sha256.update(raw)
        size += len(raw)
        if size > most_bytes:
            raise DataError(
                path,
                found=f"more than {most_bytes:,} bytes once it is unpacked",
                expected="at most that, for the length of the packed file",
                remedy="unpack the file and give that",
            )
        if number > 2 * MOST_ROWS:
            raise _bad_row(path, number, "a line more", f"at most {2 * MOST_ROWS:,} lines, empty ones included")
        if len(raw) == LONGEST:
            raise _bad_row(path, number, f"more than {LONGEST:,} bytes", LAYOUT)
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
        if not line or (number == 1 and _is_header(line, path)):
            continue
        numbers.append(number)
        lines.append(line)
        if len(lines) == BLOCK:
            yield numbers, lines
            numbers, lines = [], []
    if lines:
        yield numbers, lines


def _is_header(line: str, path: Path) -> bool:
    names = [name.strip(" \"'").lower() for name in line.split(",")]
    if names[0] in LABEL_NAMES:
        return True  # whatever follows: some programs number the pixel columns
    for label in LABEL_NAMES:
        if label in names:
            raise DataError(
                path,
                found=f"the column {label!r} as number {names.index(label) + 1}",
                expected=LAYOUT,
                remedy="move the label to the front",
            )
    # Anything else that is not a full row of words is a sample, if perhaps a bad one: it must not get lost.
    return len(names) == COLUMNS and not any(map(_is_number, names))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse(lines: list[str], numbers: list[int], path: Path) -> Bytes:
    """Turn lines into (n, 785) uint8: NumPy's parser first; row by row where it finds anything unusual."""
    try:
        if all(map(ORDINARY.fullmatch, lines)):
            rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8, comments=None, ndmin=2)
            if rows.shape == (len(lines), COLUMNS) and (rows[:, 0] < CLASSES).all():
                return rows
    except ValueError:  # a row of another length, or a number beyond 255
        pass
    return np.stack([_parse_row(line, number, path) for line, number in zip(lines, numbers, strict=True)])


def _parse_row(line: str, number: int, path: Path) -> Bytes:
    """Parse one row, also one with quotes or whole numbers written as 5.0; say what is wrong with it."""
    fields = [field.strip(" \"'\t") for field in line.split(",")]
    if len(fields) != COLUMNS:
        raise _bad_row(path, number, f"{len(fields)} column{'s' * (len(fields) != 1)}", LAYOUT)
    values = np.empty(COLUMNS, dtype=np.uint8)
    for column, field in enumerate(fields):
        what, most = ("label", CLASSES - 1) if column == 0 else (f"pixel {column}", 255)
        if not WHOLE.fullmatch(field) or (value := int(field.partition(".")[0])) > most:
            shown = field[:40] if _is_number(field) else repr(field[:40])
            raise _bad_row(path, number, f"{what} {shown}", f"a whole number 0..{most} in plain digits")
        values[column] = value
    return values


def _bad_row(path: Path, number: int, found: str, expected: str) -> DataError:
    return DataError(f"{path}: row {number}", found=found, expected=expected, remedy="mend or remove that row")
