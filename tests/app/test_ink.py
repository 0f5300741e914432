"""Strokes, their history, clipping and hit test, without Kivy."""

import numpy as np
import pytest

from app.ink import Gesture, Ink, Stroke, clip_segment
from app.viewport import Viewport

BOX = (-0.5, -0.5, 0.5, 0.5)


def stroke(ink, *points, key=1):
    ink.begin(key, points[0], BOX)
    for point in points[1:]:
        ink.extend(key, point)
    ink.finish(key)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((0, 0), (0.2, 0.1), ((0, 0), (0.2, 0.1))),
        ((0, 0), (1, 0), ((0, 0), (0.5, 0))),
        ((-1, 0.25), (1, 0.25), ((-0.5, 0.25), (0.5, 0.25))),
        ((0, -1), (0, 1), ((0, -0.5), (0, 0.5))),
        ((1, 1), (2, 2), None),
        ((0.6, -1), (0.6, 1), None),
        ((0.2, 1), (1, 0.2), None),
        ((0.3, 0.3), (0.3, 0.3), ((0.3, 0.3), (0.3, 0.3))),
    ],
)
def test_a_segment_is_cut_at_the_box(start, end, expected):
    assert clip_segment(start, end, BOX) == expected


def test_cutting_agrees_with_sampling(rng):
    for _ in range(300):
        start, end = rng.uniform(-1.2, 1.2, (2, 2))
        shares = np.linspace(0, 1, 4001)[:, None]
        points = start + shares * (end - start)
        within = points[(np.abs(points) <= 0.5).all(axis=1)]
        found = clip_segment(tuple(start), tuple(end), BOX)
        if len(within) < 3:
            continue
        assert found is not None
        assert np.allclose(found, [within[0], within[-1]], atol=2e-3)


def test_leaving_the_canvas_ends_a_stroke_and_coming_back_begins_another():
    gesture = Gesture((0, 0), BOX)
    for point in [(1, 0), (1, 0.2), (0, 0.2), (-0.1, 0.2)]:
        gesture.add(point)
    assert gesture.pieces == [[(0, 0), (0.5, 0.0)], [(0.5, 0.2), (0, 0.2), (-0.1, 0.2)]]


def test_a_gesture_that_begins_outside_begins_where_it_enters():
    gesture = Gesture((-1, 0), BOX)
    assert gesture.pieces == []
    gesture.add((0, 0))
    assert gesture.pieces == [[(-0.5, 0.0), (0, 0)]]


def test_a_move_straight_through_counts_and_standing_still_does_not():
    gesture = Gesture((-1, 0), BOX)
    gesture.add((1, 0))
    gesture.add((1, 0))
    gesture.add((-1, 0.1))
    assert len(gesture.pieces) == 2
    assert gesture.points == 4


def test_every_point_is_kept_in_order():
    ink, points = Ink(), [(i / 1000 - 0.45, (i % 7) / 100) for i in range(900)]
    stroke(ink, *points)
    assert np.allclose(ink.strokes[0].points, points, atol=1e-6)
    assert ink.arrays()[0].dtype == np.float32


def test_two_fingers_draw_side_by_side():
    ink = Ink()
    ink.begin("left", (-0.3, 0), BOX)
    ink.begin("right", (0.3, 0), BOX)
    for step in range(1, 5):
        ink.extend("left", (-0.3, step / 10))
        ink.extend("right", (0.3, step / 10))
    assert [len(a) for a in ink.arrays()] == [5, 5]
    ink.finish("left")
    ink.finish("right")
    assert [float(s.points[:, 0].mean()) for s in ink] == pytest.approx([-0.3, 0.3])
    assert ink.undo()
    assert len(ink.strokes) == 1


def test_undo_and_redo_walk_the_whole_history(rng):
    ink, states = Ink(), [()]
    for step in range(60):
        if step % 9 == 8:
            ink.clear()
        elif step % 5 == 4 and ink.strokes:
            ink.erase(ink.strokes[int(rng.integers(len(ink.strokes)))])
        else:
            stroke(ink, *map(tuple, rng.uniform(-0.4, 0.4, (3, 2))))
        states.append(ink.strokes)
    for state in states[-2::-1]:
        assert ink.undo()
        assert ink.strokes == state
    assert not ink.undo()
    for state in states[1:]:
        assert ink.redo()
        assert ink.strokes == state
    assert not ink.can_redo
    ink.undo()
    stroke(ink, (0, 0), (0.1, 0.1))
    assert not ink.redo()


def test_undo_while_a_finger_is_down_takes_its_stroke_and_loses_nothing():
    ink = Ink()
    stroke(ink, (0, 0), (0.1, 0))
    ink.begin("finger", (0.2, 0.2), BOX)
    ink.extend("finger", (0.3, 0.2))
    ink.undo()
    assert (len(ink.strokes), ink.live) == (1, {})
    ink.redo()
    assert len(ink.strokes) == 2


def test_the_nearest_stroke_is_found_and_only_within_reach():
    ink = Ink()
    stroke(ink, (-0.4, 0), (0.4, 0))
    stroke(ink, (-0.4, 0.3), (0.4, 0.3))
    stroke(ink, (0.0, -0.4))
    assert ink.nearest((0.1, 0.05), 0.1) is ink.strokes[0]
    assert ink.nearest((0.1, 0.2), 0.15) is ink.strokes[1]
    assert ink.nearest((0.02, -0.41), 0.1) is ink.strokes[2]
    assert ink.nearest((0.1, 0.15), 0.1) is None


def test_distance_is_to_the_line_not_only_to_its_points():
    line = Stroke([(0, 0), (1, 0), (1, 1)])
    assert line.distance((0.5, 0.2)) == pytest.approx(0.2)
    assert line.distance((2, 1)) == pytest.approx(1.0)
    assert Stroke([(0.3, 0.4)]).distance((0, 0)) == pytest.approx(0.5)


def test_a_view_goes_there_and_back():
    view = Viewport.fit(10, 20, 300, 500, None)
    assert view.scale == 300
    assert view.to_ink(160, 270) == (0.0, 0.0)
    x, y = view.to_pixels(view.to_ink(17.5, 411.25))
    assert (x, y) == pytest.approx((17.5, 411.25))
    assert view.points(np.array([[0.5, 0.5]], dtype=np.float32)) == [310.0, 120.0]
    assert view.box == pytest.approx((-0.5, -500 / 600, 0.5, 500 / 600))


def test_ink_that_would_not_fit_is_drawn_smaller_and_back_again():
    wide = (-1.0, -0.2, 1.0, 0.3)
    portrait, landscape = Viewport.fit(0, 0, 300, 500, wide), Viewport.fit(0, 0, 700, 300, wide)
    assert landscape.scale == 300
    assert portrait.scale == pytest.approx(150)
    left, top, right, bottom = portrait.box
    assert left <= wide[0]
    assert top <= wide[1]
    assert right >= wide[2]
    assert bottom >= wide[3]


def test_bounds_take_in_what_is_being_drawn():
    ink = Ink()
    assert ink.bounds() is None
    stroke(ink, (-0.25, 0.125), (0, 0))
    ink.begin("finger", (0.5, -0.5), BOX)
    assert ink.bounds() == (-0.25, -0.5, 0.5, 0.125)
