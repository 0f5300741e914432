"""Drawings that are no digit, for teaching a network to say so and for testing that it does.

Kinds are named, and some are held out: a network is taught on the others and tested on all, so that the test
also tells how it takes what it was never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import scribbles
from lenet_gpu.handwriting.digits import draw_digits
from lenet_gpu.handwriting.templates import Template, read_styles
from lenet_gpu.handwriting.variation import Drawing, draw_templates

Draw = Callable[[np.random.Generator, int], list[Drawing]]

NONDIGIT_LETTERS: tuple[Template, ...] = read_styles("nondigit_letters", "letter")
"""Letters of several alphabets that nobody takes for a digit, each name beginning with "letter"."""

NONDIGIT_SIGNS: tuple[Template, ...] = read_styles("nondigit_signs", "sign")
"""Signs and small drawings that nobody takes for a digit, each name beginning with "sign"."""

LOOK_ALIKES: dict[str, int] = {
    **{"O": 0, "o": 0, "D": 0, "Q": 0, "a": 0, "theta": 0, "phi": 0, "I": 1, "i": 1, "l": 1, "J": 1, "Z": 2, "z": 2},
    **{"Y": 4, "y": 4, "u": 4, "S": 5, "s": 5, "G": 6, "b": 6, "e": 6, "B": 8, "g": 9, "q": 9},
}
"""Letters that a careful reader may take for a digit, and which: taught to neither side."""

HELD_OUT_LETTERS: tuple[Template, ...] = tuple(
    template
    for template in read_styles("letters", "letter")
    if template.name.split()[1] not in LOOK_ALIKES and template.name != "letter U smooth"  # U has one shape
)
"""Shapes of capital letters, no look-alikes, that no network has learnt as non-digits: for testing alone."""

OVERLAPS = ((0, 2), (0, 4), (2, 4), (2, 5), (2, 6), (2, 8), (2, 9), (3, 4), (4, 6), (4, 8), (5, 7), (6, 7), (7, 8))
"""Pairs that stay a muddle when drawn over each other: 0 with 1 or 7 would be a slashed zero, 3 and 5 an 8."""

ROTATED = (2, 3, 4, 5, 6, 7, 9)
"""Digits that are none when they lie on a side: 0, 1 and 8 leave a 0, a dash and an infinity that some accept."""


def overlap(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw two different digits, one over the other."""
    pairs = np.array(OVERLAPS)[rng.integers(len(OVERLAPS), size=n)]
    shifts = rng.uniform(0.08, 0.3, n) * rng.choice([-1.0, 1.0], n)
    first, second = (draw_digits(rng, pairs[:, k]) for k in (0, 1))
    aside = np.stack([shifts, np.zeros(n)], axis=1)  # (n, 2)
    return [[*a, *(s + by for s in b)] for a, b, by in zip(first, second, aside, strict=True)]


def side_by_side(rng: np.random.Generator, n: int, count: int = 2) -> list[Drawing]:
    """Draw several digits side by side, near enough to be taken for one drawing."""
    digits = draw_digits(rng, rng.integers(0, 10, count * n))
    drawings: list[Drawing] = []
    for k in range(n):
        strokes: Drawing = []
        edge = 0.0
        for drawing in digits[count * k : count * (k + 1)]:
            size, drop = np.exp(0.1 * rng.standard_normal()), 0.06 * rng.standard_normal()
            left = min(float(s[:, 0].min()) for s in drawing) * size
            # One thin digit touching another would make a third: 1 and 3 leave a gap.
            strokes += [s * size + [edge - left, drop] for s in drawing]
            edge = max(float(s[:, 0].max()) for s in strokes) + rng.uniform(0.08, 0.28)
        drawings.append(strokes)
    return drawings


def rotated(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw digits lying on their side."""
    labels = rng.choice(ROTATED, n)
    # A 7 goes clockwise only: the other way round it is a 1 with a long flag.
    ways = np.where(labels == 7, -1.0, rng.choice([-1.0, 1.0], n)).tolist()
    digits = draw_digits(rng, labels)
    return [[s[:, ::-1] * [way, -way] for s in drawing] for drawing, way in zip(digits, ways, strict=True)]


FRAGMENTS = (
    (0, 0.05, 0.45),
    (3, 0.52, 1.0),
    (5, 0.5, 1.0),
    (6, 0.0, 0.42),
    (8, 0.3, 0.55),
    (0, 0.4, 0.75),
    (2, 0.62, 1.0),
)
"""A digit, and the start and stop of the share of its longest stroke that is kept: no other digit is left."""


def fragment(rng: np.random.Generator, n: int) -> list[Drawing]:
    """Draw pieces of digits, as when the pen gave out."""
    drawings: list[Drawing] = []
    while len(drawings) < n:
        which = rng.integers(len(FRAGMENTS), size=n)
        for k, drawing in zip(which.tolist(), draw_digits(rng, [FRAGMENTS[k][0] for k in which]), strict=True):
            _, start, stop = FRAGMENTS[k]
            stroke = max(drawing, key=lambda s: float(np.abs(np.diff(s, axis=0)).sum()))
            piece = stroke[int(start * len(stroke)) : max(int(np.ceil(stop * len(stroke))), 3)]
            if _bulge(piece) > 0.22:  # a straight one would be a 1
                drawings.append([piece])
    return drawings[:n]


def _bulge(stroke: np.ndarray) -> float:
    """Measure how far a stroke strays from the line between its ends, as a share of that line's length."""
    chord = stroke[-1] - stroke[0]
    away = (stroke - stroke[0]) @ np.array([-chord[1], chord[0]])
    return float(np.abs(away).max() / max(float(chord @ chord), 1e-6))


SHARES = {"letter": 0.26, "sign": 0.22}
"""Share of all non-digits that each large family gets; the kinds below are given theirs one by one."""

_OTHERS: dict[str, tuple[float, Draw]] = {
    "two digits overlapping": (0.07, overlap),
    "two digits side by side": (0.10, side_by_side),
    "three digits side by side": (0.03, partial(side_by_side, count=3)),
    "digit rotated": (0.08, rotated),
    "fragment": (0.05, fragment),
    "scribble tangle": (0.04, scribbles.tangle),
    "scribble walk": (0.03, scribbles.walk),
    "scribble loops": (0.02, scribbles.loops),
    "scribble zigzag": (0.02, scribbles.zigzag),
    "scribble hatching": (0.02, scribbles.hatching),
    "scribble bundle": (0.02, scribbles.bundle),
    "scribble polygon": (0.02, scribbles.polygon),
    "spiral": (0.01, scribbles.spiral),
    "specks": (0.02, scribbles.specks),
    "blob": (0.02, scribbles.blob),
}


def _kinds() -> dict[str, tuple[float, Draw]]:
    kinds: dict[str, tuple[float, Draw]] = {}
    for templates in (NONDIGIT_LETTERS, NONDIGIT_SIGNS):
        total = sum(template.weight for template in templates)
        for template in templates:
            share = SHARES[template.name.split()[0]] * template.weight / total
            kinds[template.name] = (share, partial(draw_templates, templates=(template,)))
    return kinds | _OTHERS


_KINDS = _kinds()

KINDS: tuple[str, ...] = tuple(_KINDS)
"""Names of all kinds of non-digits."""

HELD_OUT_KINDS: frozenset[str] = frozenset(
    [template.name for template in NONDIGIT_LETTERS[1::2]]
    + [f"sign {name}" for name in ("hash", "star", "house", "heart", "percent", "wave", "arrow up", "at", "flower")]
    + ["three digits side by side", "scribble loops", "scribble polygon", "blob"]
)
"""Kinds for testing alone: never drawn unless asked for by name."""


def draw_nondigits(
    rng: np.random.Generator, n: int, kinds: Sequence[str] | frozenset[str] | None = None
) -> tuple[list[Drawing], list[str]]:
    """Draw non-digits.

    Args:
        rng: The source of all chance.
        n: Number of drawings.
        kinds: Names from `KINDS` to choose from, by their shares; if None all but `HELD_OUT_KINDS`.

    Returns:
        n drawings, each a list of strokes (points, 2) float64, x right, y down; and the kind of each.

    Raises:
        InputError: An unknown kind, or none.
    """
    # In the order of KINDS, whatever the order asked in: a set's order is not the same in every process.
    chosen_kinds = set(KINDS) - HELD_OUT_KINDS if kinds is None else set(kinds)
    if not chosen_kinds or chosen_kinds - set(KINDS):
        raise InputError(
            "kinds",
            found=", ".join(sorted(chosen_kinds - set(KINDS))) or "none",
            expected="names from handwriting.KINDS",
        )
    names = [name for name in KINDS if name in chosen_kinds]
    shares = np.array([_KINDS[name][0] for name in names])
    chosen = rng.choice(len(names), n, p=shares / shares.sum())
    drawings: list[Drawing] = [[] for _ in range(n)]
    for k, name in enumerate(names):
        indices = np.flatnonzero(chosen == k)
        if len(indices):
            for index, drawing in zip(indices.tolist(), _KINDS[name][1](rng, len(indices)), strict=True):
                drawings[index] = drawing
    return drawings, [names[k] for k in chosen]
