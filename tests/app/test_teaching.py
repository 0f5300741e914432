"""A tap selects, a second one corrects: the answer at once, the sample once, and all of it can be undone."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("teaching", tmp_path_factory.mktemp("teaching"), "offscreen", size=(480, 800))


def test_a_tapped_bar_is_selected_and_teaches_nothing(seen):
    assert seen["selected"] == [True, 0, "7", ["This was a 4", "Why 4?"]]
    assert seen["ring"] > 100


def test_a_correction_is_seen_in_the_same_frame_and_copied(seen):
    assert seen["at_once"] == ["4", "4", ["Undo"]]
    assert seen["painted"] > 100
    assert seen["copied"] == "Copied: 4"
    assert seen["still"] == "4"
    assert seen["sample"] == [[4, 7]]


def test_a_correction_is_undone_with_what_was_learned(seen):
    assert seen["undone"] == ["7", 0, False]


def test_a_digits_key_selects_and_enter_corrects(seen):
    assert seen["by_key"] == [0, True]
    assert seen["confirmed"] == ["9", [9]]


def test_the_last_sample_can_be_forgotten(seen):
    assert seen["forgotten"] == [0, "No samples yet"]


def test_on_a_blank_canvas_there_is_nothing_to_teach(seen):
    count, note = seen["nothing_to_teach"]
    assert count == 0
    assert note
