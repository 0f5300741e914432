"""Numbers in pen strokes: what crosses stays together, lines one above the other, minus, point and comma."""

from itertools import pairwise

import numpy as np
import pytest

from lenet_gpu import Recognizer
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.ink.crossings import crossing_depths
from lenet_gpu.ink.segmentation import split
from lenet_gpu.ink.stroke_lines import lines_of_strokes
from lenet_gpu.seeds import generator

ALONG = np.linspace(0.0, 1.0, 12)[:, None]


def way(*corners):
    points = np.array(corners, dtype=float)
    return np.concatenate([a + (b - a) * ALONG for a, b in pairwise(points)])


def ring(x, y, wide, high):
    turns = np.linspace(0.0, 2.0 * np.pi, 40)
    return np.stack([x + wide / 2 * np.sin(turns), y - high / 2 * np.cos(turns)], axis=1)


def one(x, y=0.0):
    return [way((x + 0.1, y), (x, y + 1.0))]


def zero(x, y=0.0):
    return [ring(x + 0.3, y + 0.5, 0.55, 1.0)]


def open_four(x, reach=0.2, slant=0.0, top=0.1, foot=1.0):
    """Two straight strokes that cross: a wide L, and an upright through its bar."""
    wide_l = way((0.3 + 0.3 * slant, 0.0), (0.0, 0.6), (0.55 + reach, 0.6))
    upright = way((0.55 + 0.5 * slant, top), (0.55 - 0.5 * slant, foot))
    return [stroke + np.array([x, 0.0]) for stroke in (wide_l, upright)]


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("touch")


def test_depth_of_crossing():
    upright, bar = way((0.5, 0.0), (0.5, 1.0)), way((0.0, 0.5), (0.7, 0.5))
    away, touching = way((0.6, 0.0), (0.6, 1.0)), way((0.0, 0.3), (0.5, 0.3))
    samples = np.stack([upright, bar, away, touching])
    first, second = np.array([0, 1, 0, 0, 2]), np.array([1, 0, 2, 3, 3])
    np.testing.assert_allclose(crossing_depths(samples, first, second), [0.2, 0.2, 0.0, 0.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("reach", [0.12, 0.2, 0.3])
def test_strokes_that_cross_are_never_parted(reach, recognizer):
    for slant in (-0.1, 0.0, 0.15):
        for top in (0.0, 0.3):
            four = open_four(0.5, reach, slant, top)
            assert [group.strokes for group in split(four, lambda lists: np.full(len(lists), -0.01))] == [(0, 1)]
            assert recognizer.predict_number([*one(0.0), *four, *zero(1.8)]).text == "140"


def test_digits_that_touch_are_parted_all_the_same(recognizer):
    assert recognizer.predict_number([*zero(0.0), *zero(0.54), *one(1.12)]).text == "001"


def test_numbers_one_above_the_other_are_lines(recognizer):
    upper, lower = [*one(0.0), *zero(0.4)], [*zero(0.0, 1.4), *one(0.9, 1.4), *zero(1.3, 1.4)]
    order = [3, 0, 4, 2, 1]
    strokes = [*upper, *lower]
    number = recognizer.predict_number([strokes[k] for k in order])
    assert number.text == "10\n010"
    assert [digit.line for digit in number.digits] == [0, 0, 1, 1, 1]
    assert [strokes[order[digit.strokes[0]]][0, 1] < 1.2 for digit in number.digits] == [True] * 2 + [False] * 3
    nine, six = (list(drawing) for drawing in draw_digits(generator(1, 3), np.array([9, 6])))
    height = np.ptp(np.concatenate(nine)[:, 1])
    below = [stroke + np.array([0.0, 1.4 * height]) for stroke in six]
    assert recognizer.predict_number([*nine, *below]).text == "9\n6"
    assert recognizer.predict_strokes([*nine, *below]).reason == "two lines"


def test_one_number_is_one_line():
    for strokes in (
        [ring(0.3, 0.25, 0.4, 0.45), ring(0.3, 0.78, 0.5, 0.45)],  # the halves of an 8
        [*one(0.0), *one(0.9, 0.3), *one(1.8, 0.6), *one(2.7, 0.9)],  # rising steeply
        [way((0.0, 0.0), (0.5, 0.0)), way((0.0, 0.1), (0.0, 0.5), (0.5, 0.7), (0.0, 1.0))],  # a bar above a 5
        [np.zeros((1, 2))],
        [way((0.0, 0.4), (0.5, 0.4)), way((0.0, 0.6), (0.5, 0.6))],
    ):
        assert lines_of_strokes(strokes) == [list(range(len(strokes)))]


def test_minus_point_and_comma(recognizer):
    for text, sign in (
        ("-10", way((-0.7, 0.5), (-0.3, 0.52))),
        ("1.0", way((0.25, 0.98), (0.26, 0.99))),
        ("1,0", way((0.28, 0.95), (0.22, 1.2))),
        ("10.", way((1.25, 0.98), (1.26, 0.99))),
    ):
        strokes = [*one(0.0), *zero(0.45)]
        number = recognizer.predict_number([*strokes, sign])
        assert number.text == text
        mark = next(digit for digit in number.digits if digit.sign)
        assert mark.strokes == (2,)
        assert not mark.is_digit
        assert mark.reason == {"-": "minus", ".": "point", ",": "comma"}[mark.sign]
        assert number.confidence > 0.5  # of its digits
