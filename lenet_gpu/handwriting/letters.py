"""The capital letters A to Z as strokes, for networks of 26 classes.

The styles are those of `styles/letters.txt` and, of the letters that are also drawn as non-digits, those of
`styles/nondigit_letters.txt`.
"""

from __future__ import annotations

from string import ascii_uppercase

import numpy as np
import numpy.typing as npt

from lenet_gpu.array_checks import check_labels
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting.templates import Template, read_styles
from lenet_gpu.handwriting.variation import Drawing, draw_labelled

LETTERS = ascii_uppercase
"""The letters; the position of each is its label."""


def _styles() -> dict[int, tuple[Template, ...]]:
    templates = [*read_styles("nondigit_letters"), *read_styles("letters")]
    return {
        label: tuple(template for template in templates if template.name.split()[0] == letter)
        for label, letter in enumerate(LETTERS)
    }


LETTER_STYLES: dict[int, tuple[Template, ...]] = _styles()
"""For each label, 0 for A to 25 for Z, the ways to write the letter; names begin with it."""


def draw_letters(rng: np.random.Generator, labels: npt.ArrayLike) -> list[Drawing]:
    """Draw capital letters in styles chosen by how common they are.

    Args:
        rng: The source of all chance; `seeds.generator(seed, stream)` gives one.
        labels: (n,) integers, 0 for A to 25 for Z, or (n,) letters, "A" to "Z".

    Returns:
        n drawings, each a list of strokes (points, 2) float64, x right, y down, about 1 high about the origin.

    Raises:
        InputError: A label that is no capital letter.
    """
    array = np.asarray(labels).reshape(-1)
    if array.dtype.kind == "U":
        known = np.array(list(LETTERS))
        wrong = ~np.isin(array, known)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(
                "labels", found=f"{str(array[at])!r} at position {at}", expected="capital letters A to Z"
            )
        array = np.searchsorted(known, array)
    return draw_labelled(rng, check_labels(array, classes=len(LETTERS)) if len(array) else array, LETTER_STYLES)
