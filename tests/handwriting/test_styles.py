"""The styles that people use and census forms hold few of: each is drawn, and is what its name says.

Styles are looked for by their shape, not by their name: some style of the digit must nearly always be drawn so.
"""

import numpy as np
import pytest

from lenet_gpu import seeds
from lenet_gpu.handwriting import STYLES
from lenet_gpu.handwriting.nondigits import HELD_OUT_LETTERS, LOOK_ALIKES, NONDIGIT_LETTERS
from lenet_gpu.handwriting.variation import write

COUNT = 60
"""Drawings of a style, of which a share has the shape."""


def lengths(stroke):
    return np.linalg.norm(np.diff(stroke, axis=0), axis=1)


def angle(stroke):
    """Direction of a stroke between its ends, degrees above the right, 0 to below 180."""
    x, y = stroke[-1] - stroke[0]
    return np.degrees(np.arctan2(-y, x)) % 180


def height(drawing):
    return float(np.ptp(np.concatenate(drawing)[:, 1]))


def turning(stroke):
    """Degrees by which a stroke turns as it goes, clockwise on paper positive."""
    steps = np.diff(stroke[:: max(1, len(stroke) // 24)], axis=0)
    return np.degrees(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))


def crossings(stroke):
    """Places where a stroke crosses itself: (k, 2), their positions along it as shares of its points."""
    a, b = stroke[:-1], stroke[1:]
    i, j = np.triu_indices(len(a), 2)

    def side(p, q, r):
        return np.sign((q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0]))

    cross = (side(a[i], b[i], a[j]) != side(a[i], b[i], b[j])) & (side(a[j], b[j], a[i]) != side(a[j], b[j], b[i]))
    return np.stack([i[cross], j[cross]], axis=1) / len(a)


def shares(digit, is_so):
    """For each style of a digit the share of its drawings that have a shape."""
    return {
        style.name: float(np.mean([bool(is_so(drawing)) for drawing in write(seeds.generator(4, 1), style, COUNT)]))
        for style in STYLES[digit]
    }


# ---- 0


def test_zeros_are_crossed_at_every_angle():
    angles = []
    for style in STYLES[0]:
        for drawing in write(seeds.generator(4, 1), style, COUNT):
            if len(drawing) == 2 and lengths(drawing[0]).sum() > 1.5 and lengths(drawing[1]).sum() > 0.4:
                angles.append(angle(drawing[1]))
    counts, _ = np.histogram(np.array(angles) % 180, bins=np.arange(0, 181, 15))
    assert (counts >= 5).all(), counts


# ---- 1


def starts_low(drawing):
    """The flag begins in the lowest quarter."""
    stroke = drawing[0]
    top, bottom = stroke[:, 1].min(), np.concatenate(drawing)[:, 1].max()
    return stroke[0, 1] > top + 0.75 * (bottom - top) and stroke[:, 1].argmin() > 1


def long_foot(drawing):
    """There is a level line as wide as most of the digit is high, at its base."""
    points = np.concatenate(drawing)
    low = points[points[:, 1] > points[:, 1].min() + 0.8 * np.ptp(points[:, 1])]
    return np.ptp(low[:, 0]) > 0.75 * height(drawing)


# ---- 2


def large_loop(drawing):
    """The stroke crosses itself near the base, around a loop of half of its width."""
    stroke = drawing[0]
    for first, last in crossings(stroke):
        loop = stroke[int(first * len(stroke)) : int(last * len(stroke)) + 2]
        if loop[:, 1].mean() > stroke[:, 1].mean() and np.ptp(loop[:, 0]) > 0.5 * np.ptp(stroke[:, 0]):
            return True
    return False


# ---- 4


def bolt(drawing):
    """One stroke that hardly goes up, to the left, to the right and to the left again."""
    if len(drawing) > 1:
        return False
    x, y = drawing[0][:, 0], drawing[0][:, 1]
    left = x[: len(x) * 2 // 3].argmin()
    right = left + x[left:].argmax()
    return 0 < left < right < len(x) - 1 and y[left] - y[right] < 0.25 * height(drawing) and x[-1] < x[right] - 0.05


def wide_crossing(drawing):
    """The level bar goes on beyond the upright as far as a third of the digit's height."""
    if len(drawing) != 2:
        return False
    bar, stem = drawing
    return bar[-1, 0] - stem[:, 0].mean() > 0.3 * height(drawing)


# ---- 5


def gap(drawing):
    if len(drawing) != 2:
        return 0.0
    return float(np.linalg.norm(drawing[0][:, None] - drawing[1][None], axis=2).min()) / height(drawing)


def overhanging(drawing):
    """The bar begins well to the left of the body."""
    if len(drawing) != 2:
        return False
    body, bar = sorted(drawing, key=lambda s: -lengths(s).sum())
    return bar[:, 0].min() < body[: len(body) // 4, 0].min() - 0.1 * height(drawing)


# ---- 7


def waved_and_barred(drawing):
    """Two strokes; the top swings up, down and up again before the stem."""
    if len(drawing) != 2:
        return False
    top = drawing[0][: int(np.argmax(drawing[0][:, 0] - 0.5 * drawing[0][:, 1])) + 1]
    turns = turning(top) if len(top) > 5 else np.zeros(1)
    return turns[turns > 0].sum() > 35 and turns[turns < 0].sum() < -15


# ---- 9


def right_stem_top(stroke):
    """Position of the top of the stem: the highest point of the right edge after the head."""
    later = np.arange(len(stroke)) > 0.35 * len(stroke)
    return int(np.argmax(np.where(later, stroke[:, 0] - stroke[:, 1], -np.inf)))


def open_at_the_top(drawing):
    """One stroke; the head begins at the top, and between that and the stem is a gap."""
    stroke = drawing[0]
    gap = np.linalg.norm(stroke[right_stem_top(stroke)] - stroke[0])
    begins_high = stroke[0, 1] < stroke[:, 1].min() + 0.22 * height(drawing)
    return len(drawing) == 1 and begins_high and gap > 0.2 * height(drawing) and not len(crossings(stroke))


def curls_back(drawing):
    """The tail ends above its lowest point, at the left."""
    tail = drawing[0][len(drawing[0]) * 2 // 3 :]
    lowest = tail[:, 1].argmax()
    return tail[-1, 1] < tail[lowest, 1] - 0.1 * height(drawing) and tail[-1, 0] < tail[lowest, 0]


def folded(drawing):
    """The head is less than a third as high as the digit."""
    head = drawing[0][: right_stem_top(drawing[0]) + 1]
    return len(drawing) == 1 and 0.08 < np.ptp(head[:, 1]) / height(drawing) < 0.33 < np.ptp(head[:, 0]) * 0.9


@pytest.mark.parametrize(
    ("digit", "is_so", "least"),
    [
        (1, starts_low, 0.7),
        (1, long_foot, 0.6),
        (2, large_loop, 0.6),
        (4, bolt, 0.8),
        (4, wide_crossing, 0.8),
        (5, lambda drawing: gap(drawing) > 0.12, 0.6),
        (5, overhanging, 0.6),
        (7, waved_and_barred, 0.9),
        (9, open_at_the_top, 0.7),
        (9, curls_back, 0.6),
        (9, folded, 0.7),
    ],
    ids=["upstroke", "foot", "loop", "bolt", "crossing", "apart", "overhang", "waved", "open", "curl", "folded"],
)
def test_people_write_so(digit, is_so, least):
    found = {name: share for name, share in shares(digit, is_so).items() if share >= least}
    weights = {style.name: style.weight for style in STYLES[digit]}
    # At least one drawing in a hundred of the digit.
    assert sum(weights[name] for name in found) > 0.01 * sum(weights.values()), shares(digit, is_so)


# ---- letters


def letters_of(templates):
    return {template.name.split()[1] for template in templates}


def test_letters_are_learnt_as_no_digit_or_named_as_look_alikes():
    learnt = letters_of(NONDIGIT_LETTERS)
    assert not learnt & set(LOOK_ALIKES)
    assert set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") <= learnt | set(LOOK_ALIKES)
    assert set("abdefghijklmnopqrstuvwxyz") - {"c"} <= learnt | set(LOOK_ALIKES)
    assert all(0 <= digit <= 9 for digit in LOOK_ALIKES.values())
    for letter in "dtphfE":  # those that were taken for digits are learnt in more than one shape
        assert sum(template.name.split()[1] == letter for template in NONDIGIT_LETTERS) > 1


def test_letters_held_out_have_shapes_that_are_not_learnt():
    assert len(HELD_OUT_LETTERS) >= 20
    assert not letters_of(HELD_OUT_LETTERS) & set(LOOK_ALIKES)
    assert not {template.name for template in HELD_OUT_LETTERS} & {template.name for template in NONDIGIT_LETTERS}
    assert "letter U" in {template.name for template in NONDIGIT_LETTERS}
