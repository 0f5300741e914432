"""CSV data sets: one image a row, its label first and then 784 pixels row by row.

Rows are numbered as an editor numbers lines, from 1, a header line included.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.errors import DataError
from lenet_gpu.paper import CLASSES, IMAGE_SIZE

COLUMNS = 1 + IMAGE_SIZE**2
BLOCK = 2000  # rows parsed at a time
LONGEST = 1 << 16  # bytes in a row; 785 numbers need under 8,000
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
    blocks: list[Bytes] = []
    try:
        with open(path, "rb") as file:
            for numbers, lines in _blocks(_plain(file), path, sha256):
                blocks.append(_parse(lines, numbers, path))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(path, found=f"damaged gzip data ({error})", expected="a whole gzip file") from error
    except OSError as error:
        raise DataError(path, found=(error.strerror or str(error)).lower(), expected="a CSV file") from error
    if not blocks:
        raise DataError(path, found="no rows", expected=f"rows of {LAYOUT}")
    rows = np.concatenate(blocks)  # (n, 785)
    images = np.ascontiguousarray(rows[:, 1:]).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)  # (n, 784) -> (n, 28, 28)
    return images, rows[:, 0].copy(), sha256.hexdigest()


def _plain(file: io.BufferedReader) -> io.BufferedIOBase:
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file


def _blocks(stream: io.BufferedIOBase, path: Path, sha256: hashlib._Hash) -> Iterator[tuple[list[int], list[str]]]:
    """Give the lines that hold samples, some at a time, each with its row number."""
    numbers: list[int] = []
    lines: list[str] = []
    number = 0
    while raw := stream.readline(LONGEST):
        number += 1
        sha256.update(raw)
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
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # older NumPy would cut 2.7 to 2 with one
            rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8, comments=None, ndmin=2)
        if rows.shape == (len(lines), COLUMNS) and (rows[:, 0] < CLASSES).all():
            return rows
    except (ValueError, DeprecationWarning):
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
        try:
            value = float(field)
        except ValueError:
            raise _bad_row(path, number, f"{what} {field[:40]!r}", f"a whole number 0..{most}") from None
        if not (0 <= value <= most and value == int(value)):
            raise _bad_row(path, number, f"{what} {field[:40]}", f"a whole number 0..{most}")
        values[column] = int(value)
    return values


def _bad_row(path: Path, number: int, found: str, expected: str) -> DataError:
    return DataError(f"{path}: row {number}", found=found, expected=expected, remedy="mend or remove that row")
