"""One of the user's own digits: strokes, what they are, and what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lenet_gpu.ink.preprocess import strokes_to_mnist
from lenet_gpu.paper import CLASSES

MAX_POINTS = 20_000
"""Points of one digit; more is not handwriting."""

MAX_COORDINATE = 1e30
"""Greatest magnitude of a coordinate, which float32 holds with room to spare."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One digit that the user has drawn and named.

    Attributes:
        strokes: (n, 2) float32 arrays, x right, y down, as they were drawn.
        label: The digit it is; None for a drawing that is no digit.
        predicted: The digit that was read, or None.
    """

    strokes: list[np.ndarray]
    label: int | None
    predicted: int | None

    def image(self) -> np.ndarray:
        """Draw the digit as the network sees it, (28, 28) uint8."""
        return strokes_to_mnist(self.strokes)

    def to_json(self) -> dict[str, Any]:
        """Return the sample as plain values; coordinates keep six digits."""
        lines = [[[float(f"{v:.6g}") for v in point] for point in stroke.tolist()] for stroke in self.strokes]
        return {"label": self.label, "predicted": self.predicted, "strokes": lines}

    @classmethod
    def from_json(cls, values: Any) -> Sample:
        """Make a sample of what `to_json` returned.

        Raises:
            ValueError: Anything else.
        """
        try:
            label, predicted, lines = values["label"], values["predicted"], values["strokes"]
            strokes = [read_points(line) for line in lines]
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"not a sample ({error})") from None
        for digit in (0 if label is None else label, 0 if predicted is None else predicted):
            if type(digit) is not int or not 0 <= digit < CLASSES:
                raise ValueError(f"digit {digit!r}")
        if not strokes or sum(map(len, strokes)) > MAX_POINTS:
            raise ValueError("no strokes, or too many points")
        return cls(strokes, label, predicted)


def read_points(line: Any) -> np.ndarray:
    """Bring the points of a stroke, pairs of numbers, to (n, 2) float32.

    Raises:
        ValueError: Anything else, or a coordinate that is not finite.
    """
    values = np.asarray(line)
    if values.dtype.kind not in "iuf" or values.ndim != 2 or values.shape[1] != 2 or not len(values):
        raise ValueError(f"stroke of shape {values.shape}, {values.dtype}")
    if isinstance(line, list) and not all(type(v) in (int, float) for point in line for v in point):
        raise ValueError("stroke with other things than numbers")  # NumPy takes true for 1
    if not (abs(values.astype(np.float64)) <= MAX_COORDINATE).all():
        raise ValueError(f"a coordinate beyond {MAX_COORDINATE:g}, or not finite")
    return values.astype(np.float32)
