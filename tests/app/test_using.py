"""A visit to the app on the mock GL: touches, keys, teaching, looking inside, settings."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What was seen in one visit; each test states one thing about it."""
    return play("using", tmp_path_factory.mktemp("using"), "mock", size=(480, 800))


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


def test_everything_goes_by_keyboard(seen):
    assert seen["page_focused"]
    assert seen["drawn_by_keys"] == [1, 13, "1"]
    assert (seen["ctrl_z"], seen["ctrl_y"]) == (0, 1)
    assert seen["ring"][0] >= 19  # canvas, five tools, ten bars, four tabs, less what is greyed out
    assert seen["ring"][1]
    assert seen["shift_tab"]
    assert seen["cleared_by_enter"]
    assert [seen["f3"], seen["f4"], seen["f5"]] == [["inside", True], ["teach", True], ["more", True]]


def test_tapping_a_bar_teaches(seen):
    label, predicted_is_what_was_read, strokes, note = seen["taught"]
    assert (label, predicted_is_what_was_read, strokes) == (4, True, 1)
    assert "4" in note
    assert seen["taught_by_key"] == [2, 9]
    assert seen["forgotten"][0] == 1
    assert seen["forgotten"][1].startswith("Samples: 1,")
    count, note = seen["nothing_to_teach"]
    assert count == 1
    assert note


def test_a_number_is_read_digit_by_digit(seen):
    assert seen["number"] == ["11", 2, True]
    assert seen["newest"] == 1
    assert seen["chosen"] == [0, True, False]
    assert seen["chosen_by_key"] == 1


def test_all_layers_are_shown_in_textures_that_stay(seen):
    assert seen["maps"] == dict.fromkeys(["c1", "s2", "c3", "s4", "c5", "f6"], True)
    assert seen["textures"] == 6
    assert seen["same_textures"]


def test_a_tapped_unit_is_taken_apart(seen):
    (map_index, _, _), title, summed, count = seen["unit"]
    assert map_index == 1
    assert "C1" in title
    assert summed
    assert count == 1
    assert seen["unit_sum"]
    assert seen["across_the_gap"] == [5, 0, 0]
    assert seen["explained_c3"] == 3  # Table I: C3 map 5 sees S2 maps 0, 1, 5
    assert seen["closed"]


def test_settings_are_taken_on_and_kept(seen):
    assert seen["pen"] == [2.25, 2.25]
    assert seen["hebrew"] == ["data/fonts/DejaVuSans.ttf", "right", True]
    assert seen["left_handed"]
    assert "1" in seen["copied"] or "7" in seen["copied"] or seen["copied"]
    assert seen["kept"] == ["de", True, 2.25]
