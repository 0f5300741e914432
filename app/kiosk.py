"""The app in a public place: when nobody has touched it for a while, it begins anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .services import Timer

IDLE_SECONDS = 60.0
"""Seconds without a touch or a key after which everything is as at the start."""

HIDDEN = ("teach", "more")
"""Tabs that are not there: nothing is kept, and nothing can be set."""

_NAMES = "tab enter numpadenter spacebar left right up down delete backspace escape e n f2 f3 0 1 2 3 4 5 6 7 8 9"
KEYS = frozenset(_NAMES.split())
"""Keys that do something; of those with Ctrl none."""


class Idle:
    """Begins anew after a rest.

    Args:
        timer: Kivy's Clock.
        begin_anew: What is called.
        seconds: Length of the rest.
    """

    def __init__(self, timer: Timer, begin_anew: Callable[[], None], seconds: float = IDLE_SECONDS) -> None:
        self._begin_anew, self._used = begin_anew, False
        self._soon = timer.create_trigger(self._rested, seconds)

    def watch(self, window: Any) -> None:
        """Listen to a window's touches and keys, without taking them."""
        for event in ("on_touch_down", "on_touch_move", "on_touch_up", "on_key_down"):
            window.fbind(event, self.used)

    def used(self, *_: Any) -> None:
        """Count the rest from now on; returns None, so that the event goes on its way."""
        self._used = True
        self._soon.cancel()
        self._soon()

    def _rested(self, *_: Any) -> None:
        if self._used:
            self._used = False
            self._begin_anew()
