"""Numbers in pen strokes: which strokes make up a digit, read with the shipped model."""

import numpy as np
import pytest

from lenet_gpu import Recognizer
from lenet_gpu.errors import InputError
from lenet_gpu.ink.segmentation import is_bar, split
from lenet_gpu.ink.stroke_row import lay_out

TURNS = np.linspace(0.0, 2.0 * np.pi, 40)
ZERO = [np.stack([30.0 + 27.0 * np.sin(TURNS), 50.0 - 49.0 * np.cos(TURNS)], 1)]
ONE = [np.array([[8.0, 0.0], [4.0, 50.0], [0.0, 100.0]])]
FOUR = [
    np.array([[22.0, 0.0], [10.0, 30.0], [0.0, 55.0], [25.0, 56.0], [55.0, 52.0]]),
    np.array([[44.0, 18.0], [40.0, 60.0], [36.0, 100.0]]),
]
FIVE = [
    np.array([[8.0, 4], [4, 42], [25, 36], [44, 50], [46, 72], [30, 94], [4, 98]]),
    np.array([[8.0, 3], [30, 1], [56, 0]]),
]
SEVEN = [
    np.array([[0.0, 3.0], [30.0, 1.0], [58.0, 0.0], [40.0, 45.0], [22.0, 100.0]]),
    np.array([[14.0, 52.0], [52.0, 49.0]]),
]
EQUALS = [np.array([[0.0, 40.0], [55.0, 40.0]]), np.array([[0.0, 60.0], [56.0, 61.0]])]
SHAPES = {"0": ZERO, "1": ONE, "4": FOUR, "5": FIVE, "7": SEVEN, "=": EQUALS}


def written(text, gap=25.0, slope=0.0):
    """The strokes of a number and, for each of its signs, their indices."""
    strokes, groups, x = [], [], 0.0
    for sign in text:
        shape = SHAPES[sign]
        groups.append(tuple(range(len(strokes), len(strokes) + len(shape))))
        strokes += [stroke + np.array([x, slope * x]) for stroke in shape]
        x += np.concatenate(shape)[:, 0].max() + gap
    return strokes, groups


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("mnist")


@pytest.mark.parametrize("text", ["0", "10", "45", "547", "1014", "70715", "005544"])
@pytest.mark.parametrize("gap", [10.0, 30.0, 90.0])
def test_strokes_are_grouped_into_digits(text, gap, recognizer):
    strokes, groups = written(text, gap)
    number = recognizer.predict_number(strokes)
    assert [digit.strokes for digit in number.digits] == groups
    assert number.text == text


def test_order_unit_place_and_slope_of_writing_do_not_matter(recognizer, rng):
    strokes, groups = written("47150", slope=0.12)
    order = rng.permutation(len(strokes))
    moved = [strokes[k] * 0.01 - 7.0 for k in order]
    number = recognizer.predict_number(moved)
    assert [{int(order[k]) for k in digit.strokes} for digit in number.digits] == [set(group) for group in groups]


def test_each_digit_comes_with_all_that_belongs_to_it(recognizer):
    strokes, _ = written("45")
    number = recognizer.predict_number([[], *strokes])
    four = number.digits[0]
    assert four.strokes == (1, 2)  # counted with the empty one
    np.testing.assert_allclose(four.box, (0.0, 0.0, 55.0, 100.0))
    alone = recognizer.predict_strokes(FOUR)
    np.testing.assert_array_equal(four.image, alone.image)
    np.testing.assert_allclose(four.probabilities, alone.probabilities, atol=2e-6)
    assert four.confidence == four.probabilities[four.digit]
    assert number.confidence == pytest.approx(four.confidence * number.digits[1].confidence)


def test_an_equals_sign_is_not_eleven(recognizer):
    assert recognizer.predict_strokes(EQUALS).reason == "bars"
    number = recognizer.predict_number(EQUALS)
    assert number.text == "?"
    assert number.digits[0].strokes == (0, 1)
    strokes, groups = written("5=5")
    number = recognizer.predict_number(strokes)
    assert [digit.strokes for digit in number.digits] == groups
    assert number.text == "5?5"
    assert number.digits[1].reason == "bars"


def test_nothing_and_dots(recognizer):
    assert recognizer.predict_number([]).digits == ()
    assert recognizer.predict_number([[]]).text == ""
    assert recognizer.predict_number([[]]).confidence == 0.0
    assert recognizer.predict_number([[[3.0, 4.0]]]).text == "?"
    assert recognizer.predict_strokes([[[3.0, 4.0]]]).reason == "speck"
    assert recognizer.predict_strokes([]).reason == "blank"
    strokes, _ = written("10")
    number = recognizer.predict_number([*strokes, [[115.0, 99.0]]])
    assert number.text == "10."
    assert number.digits[2].reason == "point"
    assert not number.digits[2].is_digit
    number = recognizer.predict_number([*strokes, [[115.0, 20.0]]])
    assert number.text == "10?"
    assert number.digits[2].reason == "speck"


def test_unusable_strokes_are_refused(recognizer):
    with pytest.raises(InputError, match="stroke 1"):
        recognizer.predict_number([[[0.0, 1.0]], [[0.0, np.nan]]])


def test_every_stroke_is_in_exactly_one_group(rng):
    """Whatever is scribbled, and whatever the reading says."""
    for _ in range(30):
        strokes = [
            rng.uniform(0, 300, 2) + rng.uniform(-50, 50, (rng.integers(1, 9), 2)) for _ in range(rng.integers(1, 12))
        ]
        groups = split(strokes, lambda candidates: -rng.uniform(0, 5, len(candidates)))
        assert sorted(k for group in groups for k in group.strokes) == list(range(len(strokes)))


def test_the_reading_decides_where_geometry_does_not():
    """Two upright strokes close to each other: together or apart, as they are read."""
    strokes = [np.array([[0.0, 0.0], [0.0, 60.0], [20.0, 60.0]]), np.array([[26.0, 30.0], [22.0, 100.0]])]
    for together in (True, False):
        groups = split(
            strokes, lambda lists, t=together: np.array([0.0 if (len(c) == 2) is t else -9.0 for c in lists])
        )
        assert len(groups) == (1 if together else 2)


def test_measures_do_not_depend_on_the_unit():
    strokes, _ = written("475")
    np.testing.assert_allclose(
        lay_out([3e-4 * stroke + 9 for stroke in strokes]).boxes, lay_out(strokes).boxes, atol=1e-9
    )


def test_bars():
    assert is_bar(EQUALS[0])
    assert is_bar(SEVEN[1])
    assert not is_bar(ONE[0])
    assert not is_bar(np.zeros((3, 2)))
    assert not is_bar(np.array([[0.0, 0.0], [50.0, 3.0], [10.0, 5.0], [50.0, 9.0]]))  # to and fro
