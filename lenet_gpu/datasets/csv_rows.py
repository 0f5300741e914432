"""From the rows of a CSV file to numbers: whole pixels from 0 to 255, or decimal ones from 0 to 1 or from 0 to 255.

Whether pixels are decimal is what most of the first rows are: a fraction among whole numbers is a mistake.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lenet_gpu.datasets.csv_layout import COLUMNS, LAYOUT, PIXELS, Layout, bad_row, is_number
from lenet_gpu.datasets.dataset import Bytes

LOGGER = logging.getLogger("lenet_gpu")

ORDINARY = re.compile(r"[0-9,]+")
WHOLE = re.compile(r"[0-9]{1,3}(\.0*)?", re.ASCII)
FRACTION = re.compile(r",[ \"']*-?[0-9]*(\.[0-9]*[1-9][0-9]*|\.?[0-9]*[eE]-?[0-9]+)", re.ASCII)
NUMBER = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
NUMBERS = re.compile(rf"{NUMBER.pattern}(,{NUMBER.pattern})*", re.ASCII)


class Rows(NamedTuple):
    """Some rows of a file.

    Attributes:
        values: (n, columns) uint8, pixels from 0 to 255; the label's column means nothing where pixels are decimal.
        outer: (n, 4) float32, the two columns on either side as the file has them; 0 for a text.
        texts: Labels that are texts, by the row's index.
    """

    values: Bytes
    outer: np.ndarray
    texts: dict[int, str]


class RowParser:
    """Parses the rows of one file, in order.

    Attributes:
        layout: The file's columns.
        scale: What pixels are multiplied by: 255 or 1 where they are decimal; None where they are whole, and before
            the first rows.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.scale: int | None = None
        self._begun = False

    def parse(self, lines: Sequence[str], numbers: Sequence[int]) -> Rows:
        """Parse rows.

        Args:
            lines: Their text, with commas.
            numbers: Their numbers, for messages.

        Raises:
            DataError: A row is wrong; its number is named.
        """
        self.layout.count_columns(lines)
        if not self._begun:
            self._begun = True
            if 2 * sum(FRACTION.search(line) is not None for line in lines) > len(lines):
                return self._first_decimals(lines, numbers)
        if self.scale is not None:
            return self._decimals(*self._floats(lines, numbers), numbers)
        values, texts = self._whole(lines, numbers)
        return Rows(values, values[:, [0, 1, -2, -1]].astype(np.float32), texts)

    def _whole(self, lines: Sequence[str], numbers: Sequence[int]) -> tuple[Bytes, dict[int, str]]:
        """Parse whole numbers: NumPy's parser first; row by row where it finds anything unusual."""
        try:
            if all(map(ORDINARY.fullmatch, lines)):
                rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8, comments=None, ndmin=2)
                if rows.shape == (len(lines), self.layout.columns):
                    return rows, {}
        except ValueError:  # a row of another length, or a number beyond 255
            pass
        texts: dict[int, str] = {}
        rows = np.empty((len(lines), self.layout.columns), dtype=np.uint8)
        for index, (line, number) in enumerate(zip(lines, numbers, strict=True)):
            for column, field in enumerate(self._fields(line, number)):
                if WHOLE.fullmatch(field) and (value := int(field.partition(".")[0])) <= 255:
                    rows[index, column] = value
                elif self.layout.may_be_text(column, field):
                    rows[index, column], texts[index] = 0, field
                else:
                    raise self._wrong(number, column, field, "a whole number 0..255 in plain digits")
        return rows, texts

    def _floats(self, lines: Sequence[str], numbers: Sequence[int]) -> tuple[np.ndarray, dict[int, str]]:
        """Parse decimal numbers into (n, columns) float32."""
        try:
            if all(map(NUMBERS.fullmatch, lines)):
                rows = np.loadtxt(lines, delimiter=",", dtype=np.float32, comments=None, ndmin=2)
                if rows.shape == (len(lines), self.layout.columns):
                    return rows, {}
        except ValueError:  # a row of another length
            pass
        texts: dict[int, str] = {}
        rows = np.empty((len(lines), self.layout.columns), dtype=np.float32)
        for index, (line, number) in enumerate(zip(lines, numbers, strict=True)):
            for column, field in enumerate(self._fields(line, number)):
                if NUMBER.fullmatch(field):
                    rows[index, column] = float(field)
                elif self.layout.may_be_text(column, field):
                    rows[index, column], texts[index] = 0, field
                else:
                    raise self._wrong(
                        number, column, field, "pixels from 0 to 1 or from 0 to 255",
                        remedy="scale the pixels to 0 to 1, or mend that row",
                    )  # fmt: skip
        return rows, texts

    def _first_decimals(self, lines: Sequence[str], numbers: Sequence[int]) -> Rows:
        """Parse the first rows of a file whose pixels are decimal, and say what is made of them."""
        rows, texts = self._floats(lines, numbers)
        inner = rows[:, 1:-1] if self.layout.columns == COLUMNS else rows  # without the label, wherever it is
        self.scale = 255 if np.median(inner.max(axis=1)) <= 1.0 else 1
        done = "multiplied by 255" if self.scale == 255 else "rounded"
        LOGGER.warning("%s: decimal pixels from 0 to %d, which are %s", self.layout.name, 255 // self.scale, done)
        return self._decimals(rows, texts, numbers)

    def _decimals(self, rows: np.ndarray, texts: dict[int, str], numbers: Sequence[int]) -> Rows:
        """Bring decimal pixels to 0 to 255."""
        assert self.scale is not None
        outer = rows[:, [0, 1, -2, -1]]
        scaled = np.rint(rows * np.float32(self.scale))
        if self.layout.columns == COLUMNS:  # either may be the label
            scaled[:, [0, -1]] = np.minimum(scaled[:, [0, -1]], 255.0)
        beyond = ~(scaled <= 255.0)
        if beyond.any():
            row, column = np.argwhere(beyond)[0].tolist()
            expected = f"pixels from 0 to {255 // self.scale}, as in most rows"
            raise self._wrong(numbers[row], column, f"{rows[row, column]:g}", expected)
        return Rows(scaled.astype(np.uint8), outer, texts)

    def _fields(self, line: str, number: int) -> list[str]:
        """Split a row, also one with quotes, into as many fields as there are columns."""
        fields = [field.strip(" \"'\t") for field in line.split(",")]
        if len(fields) != self.layout.columns:
            expected = LAYOUT if self.layout.columns == COLUMNS else f"{PIXELS} columns: pixels without a label"
            found = f"{len(fields)} column{'s' * (len(fields) != 1)}"
            raise bad_row(self.layout.name, number, found, expected)
        return fields

    def _wrong(self, number: int, column: int, field: str, expected: str, remedy: str | None = None) -> Exception:
        """Make the error for a field."""
        shown = field[:40] if is_number(field) else repr(field[:40])
        return bad_row(self.layout.name, number, f"{self.layout.called(column)} {shown}", expected, remedy)
