"""CSV files of pictures: one a row, 784 pixels row by row, and a label before or behind them, or none.

Rows are numbered as an editor numbers lines, from 1, a header line included. Numbers are plain: ASCII digits, with a
dot and zeros behind them where a program wrote them as decimals, or decimals from 0 to 1 or 0 to 255 in all of the
file. Labels are whole numbers or texts. Whether the label is the first or the last column is what the header says, or
else what the columns look like.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from lenet_gpu.datasets.csv_layout import (
    LAYOUT,
    PIXELS,
    Layout,
    bad_row,
    label_place,
    with_commas,
)
from lenet_gpu.datasets.csv_rows import RowParser
from lenet_gpu.datasets.dataset import Bytes
from lenet_gpu.datasets.raw import odd_label
from lenet_gpu.errors import DataError
from lenet_gpu.input_files import open_input, unpacked_limit, unreadable
from lenet_gpu.paper import IMAGE_SIZE

GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1
BLOCK = 2000  # rows parsed at a time
LONGEST = 1 << 16  # bytes in a row; 785 numbers need under 8,000
MOST_BYTES = 4 << 30  # of a file, unpacked: MOST_ROWS of the longest plain rows have fewer
MOST_ROWS = 500_000  # 392 MB of pixels; EMNIST's largest part of digits has 240,000


class Table(NamedTuple):
    """The content of a CSV file.

    Attributes:
        images: (n, 28, 28) uint8.
        labels: (n,) int64, or texts; None if the file has none.
        sha256: Of the uncompressed file.
    """

    images: Bytes
    labels: np.ndarray | None
    sha256: str


def read_csv(path: Path) -> Table:
    """Read a CSV file of pictures, gzipped or not; a header line is allowed.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        DataError: If it can't be read, is empty, or a row is wrong; the row's number is named.
    """
    try:
        with open_input(path, "a CSV file", MOST_BYTES, DataError) as file:
            length = os.fstat(file.fileno()).st_size
            gzipped = file.read(2) == GZIP
            file.seek(0)
            stream: BinaryIO = gzip.GzipFile(fileobj=file) if gzipped else file  # type: ignore[assignment]
            most = min(MOST_BYTES, unpacked_limit(length)) if gzipped else length
            return read_csv_stream(stream, str(path), most)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            path,
            found=f"damaged gzip data ({error})",
            expected="a whole gzip file",
            remedy="restore the file, or pack it again",
        ) from error
    except OSError as error:
        raise unreadable(path, error, "a CSV file", DataError) from error


def read_csv_stream(stream: BinaryIO, name: str, most_bytes: int) -> Table:
    """Read CSV data (see `read_csv`).

    Args:
        stream: The data, at their start.
        name: Their name in messages.
        most_bytes: More than this is refused.
    """
    sha256 = hashlib.sha256()
    layout = Layout(name)
    parser = RowParser(layout)
    blocks: list[Bytes] = []
    edges: list[np.ndarray] = []
    texts: dict[int, str] = {}  # labels that are no numbers, by the sample's index
    rows: list[int] = []
    for numbers, lines in _blocks(stream, layout, sha256, most_bytes):
        block, edge, found = parser.parse(lines, numbers)  # (BLOCK, 785), or 784 columns without labels
        texts |= {len(rows) + index: text for index, text in found.items()}
        blocks.append(block)
        edges.append(edge)
        rows += numbers
        if len(blocks) * BLOCK > MOST_ROWS:
            raise DataError(
                name,
                found=f"more than {MOST_ROWS:,} rows",
                expected="at most that",
                remedy="split the file, or convert it to idx files",
            )
    if not blocks:
        raise DataError(name, found="no rows", expected=f"rows of {LAYOUT}", remedy="name another file")
    outer = np.concatenate(edges)
    place = None if layout.columns == PIXELS else label_place(layout, outer)
    labels = None if place is None else _labels(outer[:, place], texts, rows, name)
    pixels = np.empty((len(rows), IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    start, first = 0, 1 if place == 0 else 0
    for k, block in enumerate(blocks):  # each is let go as soon as it is copied
        kept = block[:, first : first + PIXELS]
        pixels[start : start + len(block)] = kept.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)  # (n, 784) -> (n, 28, 28)
        start += len(block)
        blocks[k] = block[:0]
    return Table(pixels, labels, sha256.hexdigest())


def _blocks(
    stream: BinaryIO, layout: Layout, sha256: hashlib._Hash, most_bytes: int
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
                layout.name,
                found=f"more than {most_bytes:,} bytes once it is unpacked",
                expected="at most that, for the length of the packed file",
                remedy="unpack the file and give that",
            )
        if number > 2 * MOST_ROWS:
            raise bad_row(layout.name, number, "a line more", f"at most {2 * MOST_ROWS:,} lines, empty ones included")
        if len(raw) == LONGEST:
            raise bad_row(layout.name, number, f"more than {LONGEST:,} bytes", LAYOUT)
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip(" \r\n")
        if not line.strip() or (number == 1 and layout.read_header(with_commas([line])[0])):
            continue
        numbers.append(number)
        lines.append(line)
        if len(lines) == BLOCK:
            yield numbers, with_commas(lines)
            numbers, lines = [], []
    if lines:
        yield numbers, with_commas(lines)


def _labels(values: np.ndarray, texts: dict[int, str], rows: list[int], name: str) -> np.ndarray:
    """Make labels of one kind, numbers or texts; a label that is no digit, where all others are, is a mistake."""
    odd = np.flatnonzero((values != np.rint(values)) | (values > 255.0))
    if len(odd):
        raise bad_row(name, rows[odd[0]], f"label {values[odd[0]]:g}", "a whole number 0..255, or a word")
    labels = values.astype(np.int64)
    if texts:
        labels = np.array([texts.get(index, str(value)) for index, value in enumerate(labels.tolist())])
    index = odd_label(labels)
    if index is not None:
        shown = repr(str(labels[index])[:40]) if index in texts else str(labels[index])
        raise bad_row(name, rows[index], f"label {shown}", "a label that other rows have, too")
    return labels
