"""Reading a number digit by digit."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("number_mode", tmp_path_factory.mktemp("number_mode"), "mock", size=(480, 800))


def test_a_number_is_read_digit_by_digit(seen):
    assert seen["number"] == ["11", 2, True]
    assert seen["newest"] == 1
    assert seen["chosen"] == [0, True, False]
    assert seen["chosen_by_key"] == 1


def test_the_newest_digit_of_a_long_number_is_in_sight(seen):
    assert (seen["long"], seen["wider"]) == ("1" * 10, True)
    assert all(seen["in_sight"])
