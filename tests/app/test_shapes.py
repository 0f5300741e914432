"""Nothing overlaps, leaves the window or is too small to touch, in whatever shape the window comes."""

import pytest
from kivy_process import play

from app.layout import TARGET, plan
from app.strings import LANGUAGES

SIZES = [
    (320, 480),
    (480, 320),
    (360, 640),
    (480, 800),
    (800, 480),
    (768, 1024),
    (1024, 768),
    (1280, 720),
    (1920, 1080),
]


def overlaps(one, other):
    x, y, w, h = one
    u, v, a, b = other
    return min(x + w, u + a) - max(x, u) > 1e-6 and min(y + h, v + b) - max(y, v) > 1e-6


@pytest.mark.parametrize("size", [*SIZES, (415, 900), (600, 600), (2560, 1080)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("left_handed", [False, True], ids=["right", "left"])
def test_the_plan_has_no_overlaps(size, scale, left_handed):
    width, height = size
    ordinary, lecture = ("draw", "answer", "inside", "teach", "more"), ("draw", "inside", "lesson")
    for pane, teaching in [*((pane, False) for pane in ordinary), *((pane, True) for pane in lecture)]:
        drawn = plan(width, height, scale, left_handed, pane, teaching)
        rects = list(drawn.rects.items())
        for name, (x, y, w, h) in rects:
            assert x >= 0, name
            assert y >= 0, name
            assert x + w <= width + 1e-6, name
            assert y + h <= height + 1e-6, name
            assert min(w, h) >= TARGET, name
        for i, (name, one) in enumerate(rects):
            for other_name, other in rects[i + 1 :]:
                assert not overlaps(one, other), (name, other_name)
        assert {"answer", "tabs"} <= set(drawn.rects)
        assert "canvas" in drawn.rects or pane in drawn.tabs
        if "canvas" in drawn.rects:
            assert min(drawn.rects["canvas"][2:]) >= 190
        if "tools" in drawn.rects:  # five tools with four gaps
            assert (drawn.rects["tools"][2] - 16) / 5 >= TARGET
        assert (drawn.rects["tabs"][2] - 4 * (len(drawn.tabs) - 1)) / len(drawn.tabs) >= TARGET


def test_the_hand_that_draws_hides_nothing():
    right, left = (plan(1000, 600, 1.0, hand, "answer").rects for hand in (False, True))
    assert right["canvas"][0] > right["pane"][0]
    assert left["canvas"][0] < left["pane"][0]


def test_nothing_lies_wrong_in_any_size(tmp_path):
    shapes = [(*size, 1.0, "en", False) for size in SIZES]
    found = play("shapes", tmp_path, "mock", options={"shapes": shapes}, timeout=240)
    assert not found["wrong"], "\n".join(f"{k}: {v}" for k, v in found["wrong"].items())
    assert found["checked"] == 22 * len(SIZES)


def test_nothing_lies_wrong_in_any_language_or_text_size(tmp_path):
    shapes = [
        (320, 480, 1.3, "de", True),
        (320, 480, 2.0, "en", False),
        (320, 480, 0.8, "he", False),
        (480, 320, 1.3, "he", True),
        (800, 480, 1.6, "de", True),
        (1280, 720, 2.0, "he", False),
    ]
    found = play("shapes", tmp_path, "mock", options={"shapes": shapes, "phone": True}, timeout=240)
    assert not found["wrong"], "\n".join(f"{k}: {v}" for k, v in found["wrong"].items())
    assert found["checked"] == 22 * len(shapes)


def test_every_answer_has_room_in_every_language(tmp_path):
    sizes = [(320, 480, 1.0), (480, 320, 1.0), (320, 480, 2.0), (480, 800, 1.0), (1280, 720, 1.0)]
    shapes = [(*size, language) for size in sizes for language in LANGUAGES]
    found = play("answers", tmp_path, "mock", options={"shapes": shapes})
    assert not found["wrong"], "\n".join(f"{k}: {v}" for k, v in found["wrong"].items())
    assert found["checked"] >= 20 * len(shapes)
