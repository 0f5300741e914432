"""The teacher's mode in a window, with real pixels."""

import pytest
from kivy_process import play

OURS = ["before", "after", "replay", "without", "clear"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("lecturing", tmp_path_factory.mktemp("lecturing"), "offscreen", size=(800, 600))


def test_it_is_entered_left_and_led_through_by_fingers_and_keys(seen):
    assert seen["in"] == [True, "lesson", ["inside", "lesson", "leave"], [True, False]]
    assert sorted(seen["tools"]) == sorted(OURS)
    assert seen["step"] == ["Step 2 of 8", "4", [5, 15, 15], False]
    assert seen["tapped_on"] == "Step 3 of 8"
    assert seen["out"][:2] == [False, [True, False]]
    assert sorted(seen["out"][2:3][0]) == sorted(["undo", "redo", "erase", "clear", "number"])
    assert seen["out"][3] == "4"
    assert seen["quiet"] == [False, False]


def test_what_a_unit_sees_is_framed_in_the_maps_and_on_the_page(seen):
    assert seen["frame"]
    assert seen["page_frame"]


def test_a_tapped_stroke_is_faint_and_thin_and_read_without(seen):
    assert seen["hint"] == "What if it were not there? Tap a stroke."
    big, note, strokes = seen["without"]
    assert (big, strokes) == ("1", 2)
    assert note == "All of it: 4 (100 %). Without what is faint: 1 (100 %)."
    assert seen["faint"] == [True, True]
    assert seen["thin"]
    assert seen["whole"] == ["4", ""]


def test_a_replay_ends_with_the_whole_and_drawing_ends_a_step(seen):
    assert seen["replayed"] == [True, "4", True]
    assert seen["drawn_on"] == [True, True, 3]


def test_a_digit_is_followed_down_to_the_picture_with_every_title_in_sight(seen):
    titles = [title for title, _ in seen["way"]]
    assert titles[0].startswith("Digit 4")
    assert [title.split(",")[0] for title in titles[1:]] == ["F6", "C5", "S4", "C3", "S2", "C1"]
    assert all(in_sight for _, in_sight in seen["way"]), seen["way"]
