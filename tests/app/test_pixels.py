"""Real pixels in software GL, in the sizes of phones, tablets and desktops."""

import pytest
from kivy_process import play

SIZES = {
    "320x480": ((320, 480), 1.0),
    "480x800": ((480, 800), 1.0),
    "800x480": ((800, 480), 1.0),
    "1280x720": ((1280, 720), 1.0),
    "1080x2340": ((1080, 2340), 2.6),
}


def dark(colour):
    return max(colour) < 90


def light(colour):
    return min(colour) > 200


@pytest.fixture(scope="module", params=SIZES)
def seen(request, tmp_path_factory):
    size, density = SIZES[request.param]
    found = play("pixels", tmp_path_factory.mktemp("pixels"), "offscreen", size=size, density=density)
    assert found["size"] == [size[1], size[0]]
    return found


def test_nothing_heavy_is_loaded_at_start(seen):
    assert seen["heavy"] == []


def test_the_window_is_painted(seen):
    assert seen["black"] < 0.02
    assert light(seen["ground"])
    assert light(seen["paper"])


def test_ink_appears_where_it_was_drawn_and_nowhere_else(seen):
    assert light(seen["ink_before"])
    assert all(map(dark, seen["ink"])), seen["ink"]
    assert all(map(light, seen["beside"])), seen["beside"]


def test_the_answer_is_shown_large(seen):
    assert seen["answer"] == "7"
    assert seen["answer_dark"] > 0.05


def test_nothing_overlaps_either_way_up(seen):
    assert seen["faults"] == []
    assert seen["turned_faults"] == []


def test_turning_the_window_keeps_the_drawing(seen):
    assert seen["turned_size"] == seen["size"][::-1]
    assert seen["kept"]
    assert dark(seen["turned_ink"])


def test_the_drawing_is_saved_and_can_be_read_again_as_a_picture(seen):
    assert seen["saved"] == 1
    assert seen["saved_size"][0] == seen["saved_size"][1]
    assert seen["saved_reads"] == 7
    assert seen["picture_reads"] == ["7", True, True]
    assert seen["picture_shown"] < 90
    assert seen["picture_gone"]


def test_what_is_no_picture_is_said(seen):
    assert seen["no_picture"]
