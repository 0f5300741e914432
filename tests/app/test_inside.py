"""Looking inside the network."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("inside", tmp_path_factory.mktemp("inside"), "mock", size=(480, 800))


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


def test_on_a_phone_every_tap_brings_what_it_took_apart_into_sight(seen):
    for layer, title, shown, pane, whole in seen["in_sight"]:
        assert title == layer
        assert shown >= min(pane, whole) - 1, layer
