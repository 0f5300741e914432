"""Everything goes by keyboard."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("keyboard", tmp_path_factory.mktemp("keyboard"), "mock", size=(480, 800))


def test_arrows_and_space_draw(seen):
    assert seen["page_focused"]
    assert seen["drawn_by_keys"] == [1, 13, "1"]


def test_steps_are_taken_back_and_again(seen):
    assert (seen["ctrl_z"], seen["ctrl_y"]) == (0, 1)


def test_tab_stops_at_everything_that_can_be_pressed(seen):
    assert seen["ring"][0] >= 19  # canvas, five tools, ten bars, four tabs, less what is greyed out
    assert seen["ring"][1]
    assert seen["shift_tab"]


def test_enter_presses_the_button_that_tab_stops_at(seen):
    assert seen["cleared_by_enter"]


def test_function_keys_open_the_panes(seen):
    assert [seen["f3"], seen["f4"], seen["f5"]] == [["inside", True], ["teach", True], ["more", True]]
