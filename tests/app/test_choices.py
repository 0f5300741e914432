"""Settings: taken on at once, and kept."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("choices", tmp_path_factory.mktemp("choices"), "mock", size=(480, 800))


def test_a_thicker_pen_draws_at_once(seen):
    assert seen["pen"] == [2.25, 2.25]


def test_hebrew_runs_from_right_to_left_in_a_font_of_its_own(seen):
    assert seen["hebrew"] == ["data/fonts/DejaVuSans.ttf", "right", True]


def test_left_handed_tools_change_sides(seen):
    assert seen["left_handed"]


def test_copying_says_what_was_copied(seen):
    assert seen["copied"] == "Kopiert: 1"


def test_settings_are_kept(seen):
    assert seen["kept"] == ["de", True, 2.25]


def test_in_hebrew_rows_begin_at_the_right_and_so_does_the_keyboard(seen):
    assert seen["mirrored"] == [True] * 5
    assert seen["reading_order"] in ("↷", "⌫")  # redo where there is something to redo


def test_the_systems_bars_and_the_notch_cover_nothing(seen):
    assert seen["kept_clear"] == [True] * 4
