"""Teaching the app the right digit."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("teaching", tmp_path_factory.mktemp("teaching"), "mock", size=(480, 800))


def test_tapping_a_bar_teaches(seen):
    label, predicted_is_what_was_read, strokes, note = seen["taught"]
    assert (label, predicted_is_what_was_read, strokes) == (4, True, 1)
    assert "4" in note


def test_a_digits_key_teaches(seen):
    assert seen["taught_by_key"] == [2, 9]


def test_the_last_sample_can_be_forgotten(seen):
    assert seen["forgotten"][0] == 1
    assert seen["forgotten"][1].startswith("Samples: 1,")


def test_on_a_blank_canvas_there_is_nothing_to_teach(seen):
    count, note = seen["nothing_to_teach"]
    assert count == 1
    assert note
