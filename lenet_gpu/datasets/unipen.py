"""The UNIPEN text files that pendigits is published in: handwriting as pen coordinates.

I. Guyon et al., "UNIPEN project of on-line data exchange and recognizer benchmarks", ICPR 1994. Of that language
the two files use: `.SEGMENT DIGIT 3-4 ? "7"` (a digit of the strokes 3 and 4, counted from the file's start, and its
label), `.COMMENT 7 12 224` (the label, the writer, the digit's ordinal for that writer), `.PEN_DOWN` and `.PEN_UP`
around the points of a stroke, one `x y` a line with y upwards, `.DT` (a pause), and a header that says nothing here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from lenet_gpu.errors import DataError
from lenet_gpu.ink.raster import Drawings

SEGMENT = re.compile(r'\.SEGMENT\s+DIGIT\s+(\d{1,9})(?:-(\d{1,9}))?\s+\S+\s+"([0-9])"', re.ASCII)
POINT = re.compile(r"(-?\d{1,6}(?:\.\d{1,9})?)\s+(-?\d{1,6}(?:\.\d{1,9})?)", re.ASCII)
HEADER = (".INCLUDE", ".LEXICON", ".HIERARCHY", ".VERSION", ".COORD", ".DT")
FORM = "UNIPEN digits as pendigits has them"


class Digits(NamedTuple):
    """Handwritten digits as strokes.

    Attributes:
        drawings: The strokes of each; x right, y down, in the tablet's units.
        labels: (n,) uint8.
        writers: (n,) int64, who wrote each digit; empty if nobody knows.
    """

    drawings: Drawings
    labels: np.ndarray
    writers: np.ndarray


def read_unipen(text: str, name: str) -> Digits:
    """Read the text of such a file.

    Args:
        text: Its content.
        name: Its name in messages.

    Returns:
        The digits, in the file's order.

    Raises:
        DataError: Naming the line that is not as described above.
    """
    points: list[tuple[float, float]] = []
    strokes, digits = [0], [0]
    labels: list[int] = []
    writers: list[int] = []
    down, target = False, 0  # whether the pen is down; strokes that there are when the digit is complete
    number, line = 0, ""

    def demand(condition: bool, expected: str) -> None:
        if not condition:
            raise DataError(f"{name}, line {number}", found=repr(line[:60]), expected=expected)

    def complete() -> None:
        demand(not down and len(strokes) - 1 == target, f"the end of a digit with its {target - digits[-1]} strokes")
        demand(len(writers) in (0, len(labels)), "a .COMMENT with the writer of every digit, or of none")
        if labels:
            digits.append(target)

    for line in map(str.strip, text.splitlines()):
        number += 1
        if down and line[:1] not in (".", ""):
            point = POINT.fullmatch(line)
            demand(point is not None, "two numbers")
            assert point is not None
            points.append((float(point[1]), -float(point[2])))
        elif line == ".PEN_DOWN":
            demand(not down and bool(labels), "the pen lifted, and a .SEGMENT DIGIT before")
            down = True
        elif line == ".PEN_UP":
            demand(down and len(points) > strokes[-1], "a point since .PEN_DOWN")
            strokes.append(len(points))
            down = False
        elif line.startswith(".SEGMENT"):
            complete()
            match = SEGMENT.fullmatch(line)
            demand(match is not None, '.SEGMENT DIGIT strokes ? "label"')
            assert match is not None
            first, last = int(match[1]), int(match[2] or match[1])
            demand(first == target and last >= first, f"strokes from {target} on")
            target = last + 1
            labels.append(int(match[3]))
        elif line.startswith(".COMMENT") and labels and len(writers) < len(labels):
            fields = line.split()[1:]
            if len(fields) == 3 and fields[0] == str(labels[-1]) and fields[1].isdecimal() and len(fields[1]) < 10:
                demand(len(writers) == len(labels) - 1, "a .COMMENT with the writer of every digit, or of none")
                writers.append(int(fields[1]))
        else:
            demand(not line or line.startswith((*HEADER, ".COMMENT")), FORM)
    line = "the end"
    complete()
    if not labels:
        raise DataError(name, found="no digits", expected=FORM)
    drawings = Drawings(np.array(points), np.array(strokes), np.array(digits))
    return Digits(drawings, np.array(labels, dtype=np.uint8), np.array(writers, dtype=np.int64))
