"""Reading all digits of a picture: lines, the parts in them, and the cuts that read best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lenet_gpu.ink.cuts import MOST_STROKES, best_cuts, may_be_one
from lenet_gpu.ink.find_ink import Ink
from lenet_gpu.ink.layout import lines_of, links_of
from lenet_gpu.ink.normal_form import ink_to_mnist
from lenet_gpu.ink.parts import Part, line_height
from lenet_gpu.ink.signs import TALL
from lenet_gpu.ink.windows import greatest
from lenet_gpu.ink.written_signs import colons_of, signs_of

MOST_PARTS = 2_000
"""Parts of a page that are read; a page with more is no writing."""

LOW = "low"
"""Stands for a sign where a mark is too low for a digit, and no sign either."""

MARGIN = 2
"""Pixels around a part that may hold its faint edges."""


class Read(NamedTuple):
    """One mark of a line.

    Attributes:
        box: Top, left, bottom, right in the ink.
        field: (28, 28) uint8, its picture.
        number: Its number among all pictures read.
        sign: Its sign or `LOW`, if it is no digit.
    """

    box: tuple[int, int, int, int]
    field: np.ndarray
    number: int
    sign: str


def read_lines(found: Ink, read: Callable[[np.ndarray], np.ndarray]) -> list[list[Read]]:
    """Cut a picture's ink into lines of digits.

    Args:
        found: The ink.
        read: Called with pictures in MNIST's form, (c, 28, 28), once for each line: gives the log-probability of the
            best digit of each, (c,).

    Returns:
        The marks of each line, from left to right; `number` counts through all pictures handed to `read`.
    """
    lines = lines_of(found)
    if sum(map(len, lines)) > MOST_PARTS:
        return []
    labels = _labels(found)
    result, count = [], 0
    for parts in lines:
        height = line_height(parts)
        links = links_of(parts, height)
        boxes = np.array([[part.box[1], part.box[0], part.box[3], part.box[2]] for part in parts]) / height
        colons = colons_of(parts)
        in_colons = {k for pair in colons for k in pair}
        signs = signs_of(found, parts, in_colons)
        apart = [bool(sign) or k in in_colons for k, sign in enumerate(signs)]
        runs = [
            (start, end)
            for start in range(len(parts))
            for end in range(start + 1, min(start + MOST_STROKES, len(parts)) + 1)
            if end == start + 1
            or (start, end - 1) in colons
            or (not any(apart[start:end]) and may_be_one(boxes, links, start, end))
        ]
        fields = np.stack([ink_to_mnist(_ink_of(found, labels, parts[start:end])) for start, end in runs])
        run_boxes = [_box(parts[start:end]) for start, end in runs]
        reasons = [
            ":" if (start, end - 1) in colons
            else (end == start + 1 and signs[start]) or (LOW if box[2] - box[0] < TALL * height else "")
            for (start, end), box in zip(runs, run_boxes, strict=True)
        ]  # fmt: skip
        chosen = best_cuts(links, runs, read(fields), reasons)
        result.append([Read(run_boxes[k], fields[k], count + k, reasons[k]) for k in chosen])
        count += len(runs)
    return result


def _labels(found: Ink) -> np.ndarray:
    """Draw the number of its piece into each solid pixel, -1 elsewhere: (h, w) int32."""
    pieces = found.pieces
    steps = np.zeros((pieces.shape[0], pieces.shape[1] + 1), dtype=np.int32)
    np.add.at(steps, (pieces.rows, pieces.starts), pieces.labels + 1)
    np.subtract.at(steps, (pieces.rows, pieces.ends), pieces.labels + 1)
    return np.cumsum(steps[:, :-1], axis=1, dtype=np.int32) - 1


def _box(parts: Sequence[Part]) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right of some parts together."""
    boxes = np.array([part.box for part in parts])
    top, left = boxes[:, :2].min(axis=0)
    bottom, right = boxes[:, 2:].max(axis=0)
    return int(top), int(left), int(bottom), int(right)


def _ink_of(found: Ink, labels: np.ndarray, parts: Sequence[Part]) -> np.ndarray:
    """Take the ink of some parts, their faint edges included, and nothing of their neighbours."""
    top, left, bottom, right = _box(parts)
    near = np.s_[max(top - MARGIN, 0) : bottom + MARGIN, max(left - MARGIN, 0) : right + MARGIN]
    here = labels[near]
    own = np.zeros(here.shape, dtype=bool)
    for part in parts:
        columns = np.s_[:, max(part.box[1] - near[1].start, 0) : part.box[3] - near[1].start]
        own[columns] |= here[columns] == part.piece
    others = greatest((here >= 0) & ~own, 3) & ~own
    return np.where(others, np.float32(0.0), found.ink[near])
