"""The generator of handwriting: the same for a seed, in every style, well formed, and no blank among them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lenet_gpu import seeds
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import HELD_OUT_KINDS, KINDS, STYLES, draw_digits, draw_nondigits, nondigits, sheet
from lenet_gpu.handwriting.nondigits import NONDIGIT_LETTERS, NONDIGIT_SIGNS, OVERLAPS, ROTATED, rotated
from lenet_gpu.handwriting.scribbles import spiral
from lenet_gpu.handwriting.templates import read_templates, spline
from lenet_gpu.handwriting.variation import draw_templates, write
from lenet_gpu.ink.preprocess import drawings_to_mnist

ALL_STYLES = [style for styles in STYLES.values() for style in styles]


def rng(stream=1, seed=11):
    return seeds.generator(seed, stream)


def same(first, second):
    return len(first) == len(second) and all(
        len(a) == len(b) and all(np.array_equal(s, t) for s, t in zip(a, b, strict=True))
        for a, b in zip(first, second, strict=True)
    )


def extent(drawing):
    points = np.concatenate(drawing)
    return points.max(axis=0) - points.min(axis=0)


def check_form(drawings):
    for drawing in drawings:
        assert drawing
        for stroke in drawing:
            assert stroke.dtype == np.float64
            assert stroke.ndim == 2
            assert stroke.shape[1] == 2
            assert len(stroke)
            assert np.isfinite(stroke).all()


def test_there_are_many_ways_to_write_each_digit():
    assert list(STYLES) == list(range(10))
    for digit, styles in STYLES.items():
        names = [style.name for style in styles]
        assert len(set(names)) == len(names) >= 8
        assert all(name.startswith(f"{digit} ") for name in names)
        assert all(style.weight > 0 for style in styles)


def test_digits_are_the_same_for_a_seed_and_others_for_another():
    labels = np.arange(60) % 10
    drawings = draw_digits(rng(), labels)
    assert same(drawings, draw_digits(rng(), labels))
    assert not same(drawings, draw_digits(rng(stream=2), labels))


def test_digits_are_well_formed_and_all_differ():
    labels = np.repeat(np.arange(10), 30)
    drawings = draw_digits(rng(), labels)
    assert len(drawings) == 300
    check_form(drawings)
    assert len({np.concatenate(drawing).tobytes() for drawing in drawings}) == 300
    sizes = np.array([extent(drawing) for drawing in drawings])
    assert (sizes[:, 1] > 0.4).all()
    assert (sizes < 2.5).all()


def test_labels_say_what_is_drawn_where():
    # A 1 is thin and a 0 is not, however they are mixed.
    labels = np.tile([1, 0, 0, 1, 0], 40)
    images = drawings_to_mnist(draw_digits(rng(), labels))
    middle = (images[:, 11:17, 13:16] > 128).mean(axis=(1, 2))
    assert np.median(middle[labels == 1]) > 0.5
    assert np.median(middle[labels == 0]) < 0.1


def test_no_labels_no_drawings():
    assert draw_digits(rng(), np.zeros(0, dtype=int)) == []


@pytest.mark.parametrize("style", [*ALL_STYLES, *NONDIGIT_LETTERS, *NONDIGIT_SIGNS], ids=lambda style: style.name)
def test_every_style_can_be_drawn_and_leaves_ink(style):
    drawings = write(rng(), style, 6)
    check_form(drawings)
    assert {len(drawing) for drawing in drawings} == {len(style.bases)}
    images = drawings_to_mnist(drawings)
    assert (images.reshape(6, -1).max(axis=1) > 200).all()
    assert ((images > 128).sum(axis=(1, 2)) < 400).all()


def test_styles_come_as_often_as_their_weights_ask():
    often, seldom = read_templates("one 3\n 0,0 100,100\ntwo 1\n 0,0 100,100 | 0,100 100,0")
    counts = [len(drawing) for drawing in draw_templates(rng(), 2000, (often, seldom))]
    assert abs(np.mean(counts) - 1.25) < 0.05


def test_a_flag_falls_and_a_bar_is_level():
    def rises(digit, name):
        (style,) = [style for style in STYLES[digit] if style.name == f"{digit} {name}"]
        tops = []
        for drawing in write(rng(), style, 300):
            stroke = drawing[0]
            tip = int(np.argmax(stroke[:, 0] - stroke[:, 1]))
            run = stroke[tip] - stroke[0]
            tops.append(-run[1] / max(run[0], 1e-3))
        return np.array(tops)

    flags, bars = rises(1, "long flag"), rises(7, "plain")
    assert np.quantile(flags, 0.01) > 0.4
    assert np.quantile(bars, 0.99) < 0.5


def test_drawings_beyond_the_limit_of_their_rise_are_made_anew():
    (bar,) = read_templates("bar 1 rise=-0.5,0.3\n 10,42 90,10! 50,100")  # rises by 0.4 on average
    rises = []
    for (stroke,) in write(rng(), bar, 200):
        run = stroke[int(np.argmax(stroke[:, 0] - stroke[:, 1]))] - stroke[0]
        rises.append(-run[1] / max(run[0], 1e-3))
    assert np.mean(np.array(rises) < 0.36) > 0.85


def test_the_spline_goes_through_its_points_and_turns_sharply_at_corners_alone():
    points = np.array([[0.0, 0.0], [50.0, 80.0], [100.0, 0.0], [150.0, 30.0]])
    for corners in ([False] * 4, [False, False, True, False]):
        curve = spline(points, corners, samples=3001) @ points
        assert np.allclose(curve[0], points[0])
        assert np.allclose(curve[-1], points[-1])
        for point in points:
            assert np.linalg.norm(curve - point, axis=1).min() < 0.2
        steps = np.diff(curve, axis=0)
        turns = np.abs(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
        assert (turns.max() > 0.5) == any(corners)


def test_a_straight_line_stays_straight():
    points = np.array([[0.0, 0.0], [10.0, 20.0], [40.0, 80.0]])
    curve = spline(points, [False] * 3) @ points
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])


def test_poses_that_do_not_match_are_found():
    with pytest.raises(ValueError, match="'9 odd' differ"):
        read_templates("odd 1\n  0,0 50,50 99,99\n  0,0 99,99", "9")


# ---- non-digits


def test_kinds_are_split_into_those_to_learn_from_and_those_held_out():
    assert len(set(KINDS)) == len(KINDS) >= 50
    assert set(KINDS) > HELD_OUT_KINDS
    letters = [kind for kind in KINDS if kind.startswith("letter")]
    assert abs(len(HELD_OUT_KINDS.intersection(letters)) - len(letters) / 2) <= 1
    assert "scribble loops" in HELD_OUT_KINDS
    assert not {"letter O", "letter I", "letter S", "letter Z", "letter B"} & set(KINDS)


def test_held_out_kinds_come_only_when_asked_for():
    drawings, kinds = draw_nondigits(rng(), 300)
    check_form(drawings)
    assert len(drawings) == len(kinds) == 300
    assert not HELD_OUT_KINDS.intersection(kinds)
    assert len(set(kinds)) > 0.7 * len(set(KINDS) - HELD_OUT_KINDS)
    drawings, kinds = draw_nondigits(rng(), 100, HELD_OUT_KINDS)
    check_form(drawings)
    assert set(kinds) <= HELD_OUT_KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_and_leaves_ink(kind):
    drawings, kinds = draw_nondigits(rng(), 5, [kind])
    assert kinds == [kind] * 5
    check_form(drawings)
    assert (drawings_to_mnist(drawings).reshape(5, -1).max(axis=1) > 100).all()


def test_nondigits_are_the_same_for_a_seed_in_every_process():
    program = (
        "import json, numpy as np\n"
        "from lenet_gpu import seeds\n"
        "from lenet_gpu.handwriting import HELD_OUT_KINDS, draw_nondigits\n"
        "drawings, kinds = draw_nondigits(seeds.generator(11, 1), 40, HELD_OUT_KINDS)\n"
        "print(json.dumps([kinds, [float(np.concatenate(d).sum()) for d in drawings]]))\n"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    drawings, kinds = draw_nondigits(rng(), 40, HELD_OUT_KINDS)
    assert json.loads(answers[0])[0] == kinds
    assert json.loads(answers[0])[1] == [float(np.concatenate(drawing).sum()) for drawing in drawings]


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="letter O"):
        draw_nondigits(rng(), 3, ["letter A", "letter O"])
    with pytest.raises(InputError, match="none"):
        draw_nondigits(rng(), 3, [])


def test_pairs_and_turned_digits_leave_out_what_is_still_a_digit():
    assert not {0, 1, 8} & set(ROTATED)
    assert not any(1 in pair or len(set(pair)) < 2 for pair in OVERLAPS)


def test_digits_are_turned_by_a_quarter():
    upright = np.array([extent(drawing) for drawing in draw_digits(rng(), np.tile(ROTATED, 20))])
    lying = np.array([extent(drawing) for drawing in rotated(rng(2), 140)])
    assert np.median(upright[:, 1] / upright[:, 0]) > 1.1
    assert np.median(lying[:, 1] / lying[:, 0]) < 0.9


def test_turned_digits_are_not_mirrored(monkeypatch):
    # A 7 goes clockwise: its top becomes the right side, drawn from above to below, and its foot lies to the left.
    monkeypatch.setattr(nondigits, "ROTATED", (7,))
    strokes = [drawing[0] for drawing in rotated(rng(), 100)]
    starts = np.median([s[0] - s.mean(axis=0) for s in strokes], axis=0)
    ends = np.median([s[-1] - s.mean(axis=0) for s in strokes], axis=0)
    assert starts[0] > 0.1
    assert starts[1] < -0.1
    assert ends[0] < -0.2


def test_digits_are_not_wide():
    sizes = np.array([extent(drawing) for drawing in draw_digits(rng(), np.repeat(np.arange(10), 60))])
    assert (sizes[:, 0] <= 1.4 * sizes[:, 1]).mean() > 0.99


def test_a_spiral_has_more_turns_than_any_digit():
    for (stroke,) in spiral(rng(), 20):
        steps = np.diff(stroke, axis=0)
        turn = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))).sum()
        assert abs(turn) > 4 * np.pi


def test_a_sheet_shows_every_drawing():
    picture = sheet(draw_digits(rng(), np.arange(25) % 10), columns=10)
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * 30 - 2, 10 * 30 - 2)
    cells = np.pad(picture, ((0, 2), (0, 2))).reshape(3, 30, 10, 30).max(axis=(1, 3)).ravel()
    assert (cells[:25] > 200).all()
    assert (cells[25:] == 0).all()
    with pytest.raises(InputError):
        sheet([])
