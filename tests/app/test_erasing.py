"""The eraser takes what a person means: one stroke a tap, all that a sweep crosses."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return play("erasing", tmp_path_factory.mktemp("erasing"), "mock")


def test_a_tap_takes_one_of_the_strokes_that_cross_there(seen):
    assert seen["taps"] == [2, 1, 0]


def test_a_click_takes_one_even_if_the_mouse_slides_a_little(seen):
    assert seen["clicks"] == [2, 1, 0]


def test_a_sweep_takes_all_that_it_crosses(seen):
    assert seen["swept"] == 0


def test_after_clearing_the_pen_draws(seen):
    assert seen["drawn_after_clear"] == [1, False]
