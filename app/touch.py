"""Every reported point of every finger, and one stroke for one finger.

Kivy hands a widget one move of a touch a frame: on a slow device a fast stroke becomes a polygon, and it begins where
the finger was at the end of its first frame. `record_moves` keeps every reported position with its touch; `start` and
`take` hand them out. And where one finger is reported by two devices
(a touch driver and the mouse that the system emulates), `GhostFilter` lets the first through alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

TRAIL = "lenet_trail"
"""Key of the recorded positions in `touch.ud`."""

START = "lenet_start"
"""Key of the first position in `touch.ud`."""

NEAR = 0.04
"""Share of the window within which two devices report the same finger."""

TOGETHER = 0.4
"""Seconds within which they do."""


def record_moves() -> None:
    """Make every MotionEvent remember all its positions, from now on."""
    from kivy.input.motionevent import MotionEvent

    original_move, original_depack = MotionEvent.move, MotionEvent.depack
    if getattr(original_move, "records", False):
        return

    def move(self: Any, args: Any) -> None:
        original_move(self, args)
        if self.is_touch:
            self.ud.setdefault(TRAIL, []).append((self.sx, self.sy))

    def depack(self: Any, args: Any) -> None:
        # The first of all: Kivy moves a touch's origin along until the touch is dispatched, at the end of its frame.
        if self.is_touch:
            self.ud.setdefault(START, (self.sx, self.sy))
        original_depack(self, args)

    move.records = True  # type: ignore[attr-defined]
    MotionEvent.move, MotionEvent.depack = move, depack


def start(touch: Any) -> tuple[float, float]:
    """Return the very first position of a touch, as shares of the window (0..1, y up)."""
    return touch.ud.get(START, (touch.osx, touch.osy))


def take(touch: Any) -> list[tuple[float, float]]:
    """Return the positions of a touch since the last time it was asked, as shares of the window (0..1, y up)."""
    return touch.ud.pop(TRAIL, [])


def to_window(touch: Any, window: Any, sx: float, sy: float) -> tuple[float, float]:
    """Turn shares of the screen into window pixels, the way Kivy itself does for `touch.pos` (rotation included)."""
    width, height = window._get_effective_size()
    return touch.to_absolute_pos(sx, sy, max(0, width - 1), max(0, height - 1), window.rotation)


@dataclass
class _Finger:
    device: str
    start: tuple[float, float]
    last: tuple[float, float]
    began: float
    ended: float | None = None


class GhostFilter:
    """Drops a touch that another device already reports; for `EventLoop.add_postproc_module`."""

    def __init__(self, clock: Any = monotonic) -> None:
        self._clock = clock
        self._fingers: dict[int, _Finger] = {}
        self._ghosts: set[int] = set()

    def process(self, events: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Filter a frame's events.

        Args:
            events: (kind, motion event); kind is "begin", "update" or "end".

        Returns:
            Those to be dispatched.
        """
        return [event for event in events if self._passes(*event)]

    def _passes(self, kind: str, touch: Any) -> bool:
        if not touch.is_touch:
            return True
        now, uid = self._clock(), touch.uid
        if kind == "begin":
            self._fingers = {
                key: finger
                for key, finger in self._fingers.items()
                if finger.ended is None or now - finger.ended < TOGETHER
            }
            if any(self._same(finger, touch, now) for finger in self._fingers.values()):
                self._ghosts.add(uid)
                return False
            place = (touch.sx, touch.sy)
            self._fingers[uid] = _Finger(touch.device, place, place, now)
            return True
        if uid in self._ghosts:
            if kind == "end":
                self._ghosts.discard(uid)
            return False
        finger = self._fingers.get(uid)
        if finger is not None:
            finger.last = (touch.sx, touch.sy)
            if kind == "end":
                finger.ended = now
        return True

    @staticmethod
    def _same(finger: _Finger, touch: Any, now: float) -> bool:
        if finger.device == touch.device:
            return False

        def near(place: tuple[float, float]) -> bool:
            return abs(place[0] - touch.sx) < NEAR and abs(place[1] - touch.sy) < NEAR

        return near(finger.last) or (near(finger.start) and now - finger.began < TOGETHER)
