"""Digits as strokes, by the thousand, in the styles that people use around the world.

The styles are `styles/0.txt` to `styles/9.txt`; their weights say how common each is. Look-alikes are kept apart
the way writers keep them apart: a 1 has an acute, falling flag and a stem that stays upright, a 7 has a level top; a
4 has corners or an open top, a 9 a round loop; a 0 closes, or nearly so; a 6 keeps a stem well above its loop.

These are the digits 0 to 9 of the Latin script. Arabic-Indic, Devanagari and other digits are not among them: some of
their shapes are those of other digits here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lenet_gpu.array_checks import check_labels
from lenet_gpu.handwriting.templates import Template, read_styles
from lenet_gpu.handwriting.variation import Drawing, draw_labelled
from lenet_gpu.paper import CLASSES

WIDEST = 1.3
"""Digits are not written wider than this share of their height."""

STYLES: dict[int, tuple[Template, ...]] = {
    digit: read_styles(str(digit), str(digit), WIDEST) for digit in range(CLASSES)
}
"""For each digit the ways to write it; names begin with the digit."""


def draw_digits(rng: np.random.Generator, labels: npt.ArrayLike) -> list[Drawing]:
    """Draw digits in styles chosen by how common they are.

    Args:
        rng: The source of all chance; `seeds.generator(seed, stream)` gives one.
        labels: (n,) integers 0..9: the digits to draw.

    Returns:
        n drawings, each a list of strokes (points, 2) float64, x right, y down, about 1 high about the origin.

    Raises:
        InputError: A label that is no digit.
    """
    digits = np.asarray(labels).reshape(-1)
    return draw_labelled(rng, check_labels(digits) if len(digits) else digits, STYLES)
