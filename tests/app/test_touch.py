"""One finger that two devices report counts once."""

from types import SimpleNamespace

import pytest

from app.touch import GhostFilter


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ghosts(clock):
    return GhostFilter(clock)


numbers = iter(range(10_000))


def touch(device, x, y, is_touch=True):
    return SimpleNamespace(device=device, sx=x, sy=y, uid=next(numbers), is_touch=is_touch)


def test_the_mouse_beside_a_touch_driver_is_a_ghost(ghosts, clock):
    finger, ghost = touch("mtdev", 0.5, 0.5), touch("mouse", 0.502, 0.499)
    assert ghosts.process([("begin", finger), ("begin", ghost)]) == [("begin", finger)]
    finger.sx = ghost.sx = 0.7
    clock.now = 0.2
    assert ghosts.process([("update", ghost), ("update", finger)]) == [("update", finger)]
    assert ghosts.process([("end", ghost), ("end", finger)]) == [("end", finger)]


def test_whichever_comes_first_counts(ghosts, clock):
    mouse, finger = touch("mouse", 0.2, 0.2), touch("mtdev", 0.2, 0.21)
    assert ghosts.process([("begin", mouse)]) == [("begin", mouse)]
    clock.now = 0.05
    assert ghosts.process([("begin", finger), ("update", finger), ("update", mouse)]) == [("update", mouse)]


def test_a_ghost_that_comes_after_lifting_is_one_too(ghosts, clock):
    finger = touch("mtdev", 0.2, 0.2)
    ghosts.process([("begin", finger)])
    finger.sx = 0.6
    ghosts.process([("update", finger), ("end", finger)])
    clock.now = 0.1
    assert ghosts.process([("begin", touch("mouse", 0.6, 0.2))]) == []
    clock.now = 2.0
    assert len(ghosts.process([("begin", touch("mouse", 0.6, 0.2))])) == 1


def test_two_fingers_of_one_device_are_two(ghosts):
    first, second = touch("mtdev", 0.5, 0.5), touch("mtdev", 0.51, 0.5)
    assert len(ghosts.process([("begin", first), ("begin", second)])) == 2


def test_a_mouse_elsewhere_is_its_own(ghosts):
    assert len(ghosts.process([("begin", touch("mtdev", 0.2, 0.2)), ("begin", touch("mouse", 0.8, 0.2))])) == 2


def test_what_is_no_touch_passes(ghosts):
    hover = touch("mouse", 0.5, 0.5, is_touch=False)
    ghosts.process([("begin", touch("mtdev", 0.5, 0.5))])
    assert ghosts.process([("begin", hover), ("update", hover)]) == [("begin", hover), ("update", hover)]


def test_nothing_is_remembered_for_ever(ghosts, clock):
    for _ in range(500):
        clock.now += 1.0
        one = touch("mtdev", 0.5, 0.5)
        ghosts.process([("begin", one), ("end", one)])
    assert len(ghosts._fingers) <= 2
    assert not ghosts._ghosts
