"""Parts of a drawing: step by step, and without a stroke."""

import numpy as np

from app.part import REPLAY_STEPS, replay, without

STROKES = [
    np.array([[0, 0], [3, 0], [3, 4]], np.float32),
    np.array([[1, 1]], np.float32),
    np.array([[0, 2], [0, 2], [2, 2]], np.float32),
]


def way(strokes):
    return sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes)


def test_a_stroke_is_left_out():
    part = without(STROKES, {1})
    assert [one.tolist() for one in part.kept] == [STROKES[0].tolist(), STROKES[2].tolist()]
    assert [one.tolist() for one in part.faint] == [STROKES[1].tolist()]


def test_a_drawing_is_drawn_again_in_steps_of_one_length_up_to_the_whole():
    parts = replay(STROKES)
    drawn = [way(part.kept) for part in parts]
    assert len(parts) <= REPLAY_STEPS + len(STROKES)
    assert drawn == sorted(drawn)
    assert max(np.diff([0, *drawn])) < 1.5 * way(STROKES) / REPLAY_STEPS
    for part in parts:
        np.testing.assert_allclose(way(part.kept) + way(part.faint), way(STROKES), rtol=1e-5)
    assert [one.tolist() for one in parts[-1].kept] == [one.tolist() for one in STROKES]
    assert parts[-1].faint == []


def test_dots_are_drawn_again_one_by_one():
    dots = [np.array([[i, 0]], np.float32) for i in range(3)]
    assert [len(part.kept) for part in replay(dots)] == [1, 2, 3]
    assert replay([]) == []
