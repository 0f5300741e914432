"""The columns of a CSV file of pictures: how many, by what they are separated, and which is the label."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lenet_gpu.errors import DataError
from lenet_gpu.paper import IMAGE_SIZE

PIXELS = IMAGE_SIZE**2
COLUMNS = 1 + PIXELS
LABEL_NAMES = ("label", "labels", "class", "classes", "digit", "target", "y", "letter", "character")
INDEX_NAMES = ("", "id", "imageid", "image_id", "index", "unnamed: 0", "row")
LAYOUT = f"{COLUMNS} columns: the label and {PIXELS} pixels, the label first or last"

CLEAR = 0.3
"""By how much more often an outermost column must equal its neighbour to be seen to be pixels."""


class Layout:
    """The columns of one file, as far as they are known.

    Attributes:
        name: The file's name in messages.
        columns: 785, or 784 without labels; 0 before the first rows.
        place: 0 or -1, where the label is; None if it is not known.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns = 0
        self.place: int | None = None

    def read_header(self, line: str) -> bool:
        """Take in the first line if it is a header; tell whether it is one."""
        names = [name.strip(" \"'").lower() for name in line.split(",")]
        labels = [index for index, name in enumerate(names) if name in LABEL_NAMES]
        rest = [name for index, name in enumerate(names) if index not in labels[:1]]
        # Some programs number the pixel columns; else numbers in a line make it a sample.
        numbered = any(rest == [str(first + k) for k in range(len(rest))] for first in (0, 1))
        if any(map(is_number, rest)) and not numbered:
            return False
        if labels and labels[0] in (0, COLUMNS - 1):
            self.place = 0 if labels[0] == 0 else -1
            return True
        if labels:
            raise DataError(
                self.name,
                found=f"the column {names[labels[0]]!r} as number {labels[0] + 1} of {len(names)}",
                expected=LAYOUT,
                remedy="move the label to the front, and leave out further columns",
            )
        if len(names) == COLUMNS and names[0] in INDEX_NAMES:
            raise DataError(
                self.name,
                found=f"the column {names[0]!r} before the pixels, which is no label",
                expected=LAYOUT,
                remedy="leave that column out",
            )
        # Anything else that is not a full row of words is a sample, if perhaps a bad one: it must not get lost.
        return len(names) in (PIXELS, COLUMNS)

    def count_columns(self, lines: Sequence[str]) -> None:
        """Find the number of columns, by the first lines: pixels alone only where every one has 784."""
        if not self.columns:
            unlabelled = self.place is None and all(line.count(",") == PIXELS - 1 for line in lines)
            self.columns = PIXELS if unlabelled else COLUMNS

    def may_be_text(self, column: int, field: str) -> bool:
        """Tell whether a field that is no number of 0 to 255 can be a label; from then on labels are there."""
        place = {0: 0, COLUMNS - 1: -1}.get(column)
        if self.columns != COLUMNS or place is None or not field or is_number(field):
            return False
        if self.place is None:
            self.place = place
        return place == self.place

    def called(self, column: int) -> str:
        """Name a column."""
        if self.columns == PIXELS:
            return f"pixel {column + 1}"
        if self.place == -1:
            return "label" if column == COLUMNS - 1 else f"pixel {column + 1}"
        return "label" if column == 0 else f"pixel {column}"


def with_commas(lines: list[str]) -> list[str]:
    """Write commas for other separators where there are no commas, and take off one at the end of a line."""
    separator = ","
    if not any("," in line for line in lines):
        separator = next((mark for mark in (";", "\t", " ") if any(mark in line for line in lines)), ",")
    changed = lines if separator == "," else [re.sub(f"{separator} *", ",", line) for line in lines]
    return [line[:-1] if line.endswith(",") and line.count(",") in (PIXELS, COLUMNS) else line for line in changed]


def label_place(layout: Layout, outer: np.ndarray) -> int:
    """Find the label's column: as the header or a text has said, or else by sight.

    The outermost pixels of a picture are ground, nearly always: such a column has one value, or its neighbour's.

    Args:
        layout: What is known.
        outer: (n, 4), the first, second, last but one and last column.

    Returns:
        0 or -1.

    Raises:
        DataError: It can be either.
    """
    if layout.place is not None:
        return layout.place
    constant = [bool((outer[:, k] == outer[0, k]).all()) for k in (0, 3)]
    if constant[0] != constant[1]:
        return -1 if constant[0] else 0
    first, last = ((outer[:, a] == outer[:, b]).mean() for a, b in ((0, 1), (3, 2)))
    if all(constant):  # one class alone; or the label is neither
        if first == last == 1.0 and len(outer) > 1:
            raise DataError(
                layout.name,
                found=f"{outer[0, 0]:g} in all of the first column, and {outer[0, 3]:g} in all of the last",
                expected="labels of two classes or more in one of them",
                remedy="move the label to the front, or add pictures of another class",
            )
        return -1 if first > last else 0
    if abs(first - last) < CLEAR:
        raise DataError(
            layout.name,
            found="a first and a last column that may both be the label",
            expected=LAYOUT,
            remedy="write a header line, with the name label over the label",
        )
    return -1 if first > last else 0


def is_number(field: str) -> bool:
    """Tell whether a field is a number of any form."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def bad_row(name: str, number: int, found: str, expected: str, remedy: str | None = None) -> DataError:
    """Make the error for a row."""
    return DataError(
        f"{name}: row {number}",
        found=found,
        expected=expected,
        remedy="mend or remove that row" if remedy is None else remedy,
    )
