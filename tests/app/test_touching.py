"""Drawing with fingers: every point counts, at the canvas's edge as well, and steps can be taken back."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("touching", tmp_path_factory.mktemp("touching"), "mock", size=(480, 800))


def test_nothing_heavy_is_loaded_at_start(seen):
    assert seen["heavy"] == []


def test_a_blank_canvas_says_nothing(seen):
    assert seen["blank"] == ["", "", ""]


def test_a_drawn_one_is_read_and_every_point_is_kept(seen):
    assert seen["one"] == ["1", "digit", 1, 5]


def test_the_bars_add_up_and_mark_the_best(seen):
    assert seen["bars"][0] == pytest.approx(1.0, abs=1e-5)
    assert seen["bars"][1] == 1
    assert seen["image_ink"] > 2000


def test_two_fingers_make_two_strokes(seen):
    assert seen["live"] == 2
    (left_points, left), (right_points, right) = seen["two_fingers"]
    assert left_points == right_points == 6
    assert left < -0.2 < 0.2 < right


def test_a_stroke_is_clipped_to_the_canvas_and_goes_on_where_it_returns(seen):
    assert seen["clipped"] == [5, True]
    assert seen["from_outside"] == 5


def test_undo_and_redo_take_a_whole_gesture(seen):
    assert (seen["undo"], seen["redo"]) == (3, 5)


def test_the_eraser_takes_the_stroke_under_it(seen):
    count, centres = seen["erased"]
    assert count == 2
    assert min(centres) > -0.2


def test_clearing_can_be_undone(seen):
    assert seen["clear"] == [True, "blank", ""]
    assert seen["clear_undone"] == 2
