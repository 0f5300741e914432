"""From pen strokes to the network's input: place, size, unit and sampling of the pen do not matter."""

from itertools import pairwise

import numpy as np
import pytest

from lenet_gpu.errors import InputError
from lenet_gpu.ink.preprocess import (
    BOX,
    DEFAULT_PEN,
    check_strokes,
    drawings_to_mnist,
    flatten,
    image_to_mnist,
    place_strokes,
    strokes_to_mnist,
)
from lenet_gpu.ink.raster import PIECE, Pen

TURNS = np.linspace(0.0, 2.0 * np.pi, 40)
ZERO = [np.stack([30.0 + 18.0 * np.sin(TURNS), 50.0 - 31.0 * np.cos(TURNS)], 1)]
ONE = [np.array([[5.0, 0.0], [5.0, 80.0]])]
FOUR = [np.array([[20.0, 0.0], [0.0, 55.0], [47.0, 50.0]]), np.array([[36.0, 22.0], [31.0, 100.0]])]
FIVE = [np.array([[3.0, 0], [0, 40], [25, 35], [40, 60], [30, 90], [5, 95]]), np.array([[3.0, 0], [50, -4]])]
SEVEN = [np.array([[0.0, 3.0], [60.0, 0.0], [22.0, 100.0]]), np.array([[13.0, 52.0], [61.0, 47.0]])]
DIGITS = [ZERO, ONE, FOUR, FIVE, SEVEN]


def levels(strokes, **options):
    return strokes_to_mnist(strokes, **options).astype(int)


def denser(strokes, factor):
    """The same lines through `factor` times as many points, unevenly placed."""
    result = []
    for stroke in strokes:
        at = np.linspace(0.0, 1.0, factor + 1)[:-1] ** 1.7
        between = (np.arange(len(stroke) - 1)[:, None] + at).ravel()
        knots = np.append(between, len(stroke) - 1)
        result.append(np.stack([np.interp(knots, np.arange(len(stroke)), stroke[:, k]) for k in (0, 1)], 1))
    return result


def by_hand(strokes, pen):
    """The ink of the 20x20 box straight from its definition, pixel by pixel."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (BOX - pen.width - pen.softness) / (high - low).max()
    box = np.zeros((BOX, BOX))
    for row in range(BOX):
        for column in range(BOX):
            nearest = np.inf
            for stroke in strokes:
                placed = (stroke - (low + high) / 2) * scale + BOX / 2
                for a, b in pairwise(placed):
                    pixel = np.array([column + 0.5, row + 0.5])
                    share = np.clip((pixel - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                    nearest = min(nearest, np.hypot(*(pixel - a - share * (b - a))))
            box[row, column] = np.clip((pen.width / 2 - nearest) / pen.softness + 0.5, 0, 1)
    return box / box.max()


@pytest.mark.parametrize("strokes", DIGITS)
@pytest.mark.parametrize("pen", [Pen(), Pen(1.4, 0.8), Pen(4.0, 2.0)])
def test_ink_is_what_the_distance_to_the_lines_says(strokes, pen):
    wanted = by_hand(strokes, pen)
    field = levels(strokes, pen=pen)
    centre = [14 - np.floor((wanted.sum(1 - k) @ np.arange(BOX)) / wanted.sum() + 0.5) for k in (0, 1)]
    found = [
        (top, left)
        for top in range(9)
        for left in range(9)
        if abs(field[top : top + BOX, left : left + BOX] - 255 * wanted).max() <= 0.51
        and field.sum() == field[top : top + BOX, left : left + BOX].sum()
    ]
    assert len(found) == 1
    np.testing.assert_allclose(found[0], centre, atol=1)


@pytest.mark.parametrize("strokes", DIGITS)
def test_place_size_and_unit_change_nothing(strokes):
    plain = levels(strokes)
    for scale in (1e-4, 0.013, 7.7, 3e5):
        for place in ((0.0, 0.0), (-1234.5, 88.0), (1e4, 1e4)):
            moved = [stroke * scale + np.array(place) * scale for stroke in strokes]
            assert abs(levels(moved) - plain).max() <= 1
    corner = [np.float32(stroke * 0.1 + 900.0) for stroke in strokes]
    assert abs(levels(corner) - plain).max() <= 1


@pytest.mark.parametrize("strokes", DIGITS)
@pytest.mark.parametrize("factor", [2, 9, 60, 4000])
def test_how_densely_the_pen_was_sampled_changes_nothing(strokes, factor):
    assert abs(levels(denser(strokes, factor)) - levels(strokes)).max() <= 1


def test_a_pen_that_rests_and_strokes_in_another_order_change_nothing():
    resting = [np.repeat(stroke, 3, axis=0) for stroke in FIVE]
    assert abs(levels(resting) - levels(FIVE)).max() <= 1
    assert abs(levels(FIVE[::-1]) - levels(FIVE)).max() <= 1
    assert abs(levels([stroke[::-1] for stroke in FIVE]) - levels(FIVE)).max() <= 1


@pytest.mark.parametrize("strokes", DIGITS)
def test_the_result_is_in_the_form_that_pictures_are_brought_into(strokes):
    """So ink and pictures share one definition of box and centre."""
    field = strokes_to_mnist(strokes)
    assert field.dtype == np.uint8
    assert field.shape == (28, 28)
    assert field.max() == 255
    extents = [np.ptp(np.flatnonzero(field.any(axis=k))) + 1 for k in (0, 1)]
    assert max(extents) == BOX
    np.testing.assert_array_equal(image_to_mnist(field), field)


def test_a_symmetric_digit_does_not_jump_with_rounding(rng):
    """Its centre of mass lies exactly between two pixels."""
    for strokes in (ONE, [np.array([[0.0, 0.0], [10.0, 0.0]])], ZERO):
        fields = {
            strokes_to_mnist(
                [stroke * rng.uniform(0.1, 10) + rng.uniform(-100, 100, 2) for stroke in strokes]
            ).tobytes()
            for _ in range(30)
        }
        assert len({np.argmax(np.frombuffer(field, np.uint8) > 127) for field in fields}) == 1


def test_dots():
    dot = levels([[[7.0, 9.0]]])
    assert dot.max() == 255
    assert np.ptp(np.flatnonzero(dot.any(axis=0))) < 5
    for same in ([[[7.0, 9.0]] * 5], [[[3e9, 1.0]], [[3e9, 1.0]]], [[[1e-300, 0.0], [2e-300, 0.0]]]):
        assert abs(levels(same) - dot).max() <= 1
    assert not levels([]).any()
    assert not levels([[], np.zeros((0, 2))]).any()
    with_dot = levels([*ONE, [[25.0, 40.0]]])
    assert with_dot[:, 17:].max() > 200
    assert not levels(ONE)[:, 17:].any()


def test_many_at_once_equal_one_by_one(rng):
    digits = [DIGITS[k] for k in rng.integers(0, len(DIGITS), 50)] + [[], FOUR]
    pens = np.stack([rng.uniform(1.5, 3.5, 52), rng.uniform(0.8, 2.0, 52)], 1)
    together = drawings_to_mnist(digits, pens)
    for strokes, pen, field in zip(digits, pens, together, strict=True):
        np.testing.assert_array_equal(strokes_to_mnist(strokes, Pen(*pen)), field)
    flat = flatten([check_strokes(strokes) for strokes in DIGITS])
    np.testing.assert_array_equal(drawings_to_mnist(flat), [strokes_to_mnist(strokes) for strokes in DIGITS])
    assert drawings_to_mnist([]).shape == (0, 28, 28)


def test_a_wider_pen_makes_more_ink():
    ink = [strokes_to_mnist(FOUR, Pen(width, 1.0)).mean() for width in (1.5, 2.0, 3.0, 4.0)]
    assert ink == sorted(ink)
    assert ink[-1] > 1.8 * ink[0]


def test_pieces_cover_long_lines():
    """A diagonal across the whole box has ink all along, however few points it has."""
    field = strokes_to_mnist([[[0.0, 0.0], [1.0, 1.0]]])
    assert PIECE <= 1.0
    assert (np.diagonal(field)[5:22] == 255).all()


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ([[[0.0, np.nan]]], "finite"),
        ([[[0.0, 1.0], [np.inf, 1.0]]], "finite"),
        ([np.zeros((4, 3))], "shape"),
        (np.zeros((4, 2)), "shape"),
        ([[0.0, 1.0]], "shape"),
        ([[[0.0, 1.0], [2.0]]], "pairs"),
        ([[["a", "b"]]], "pairs"),
        ("strokes", "str"),
        (None, "NoneType"),
        ([None], "pairs"),
        ([np.zeros((2, 2), complex)], "pairs"),
        ([[[-1.7e308, 0.0], [1.7e308, 0.0]]], r"beyond 1e\+100"),
    ],
)
def test_unusable_strokes_are_refused_in_one_line(strokes, words):
    with pytest.raises(InputError, match=words) as error:
        strokes_to_mnist(strokes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pen", [(0.0, 1.0), (2.0, np.nan), (2.0,), (50.0, 1.0)])
def test_unusable_pens_are_refused(pen):
    with pytest.raises(InputError, match="pen"):
        strokes_to_mnist(ONE, pen)


def test_a_pen_that_leaves_no_ink_is_refused_in_one_line():
    for read in (strokes_to_mnist, place_strokes):
        with pytest.raises(InputError, match=r"pen: found width 0\.05 and softness 0\.001, which leaves no ink"):
            read([[[3.0, 4.0]]], Pen(0.05, 0.001))


def test_a_drawings_place_in_its_field_is_known(rng):
    """Where the pen was there is full ink, and nowhere else is any."""
    for _ in range(20):
        strokes = [rng.normal(size=(6, 2)) * rng.uniform(0.1, 100) + rng.uniform(-50, 50, 2) for _ in range(2)]
        scale, x, y = place_strokes(strokes)
        field = strokes_to_mnist(strokes)
        points = np.concatenate(strokes) * scale + (x, y)
        assert (field[points[:, 1].astype(int), points[:, 0].astype(int)] > 180).all()
        (top, left), (bottom, right) = points[:, ::-1].min(axis=0), points[:, ::-1].max(axis=0)
        rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
        reach = sum(DEFAULT_PEN) / 2
        assert rows[0] + 0.5 >= top - reach
        assert rows[-1] + 0.5 <= bottom + reach
        assert columns[0] + 0.5 >= left - reach
        assert columns[-1] + 0.5 <= right + reach
    assert place_strokes([[(3, 4)]]).scale == 0.0
