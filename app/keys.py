"""Everything by keyboard: shortcuts, and a visible stop that Tab moves on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from kivy.core.window import Keyboard, Window
from kivy.uix.scrollview import ScrollView

from .interfaces import Actions, Teaching, Transfers
from .panes import stops
from .view import View

NAMES = {code: name for name, code in Keyboard.keycodes.items()}
PANES = {"f1": "draw", "f2": "answer", "f3": "inside", "f4": "teach", "f5": "more"}

ENTER = ("enter", "numpadenter")


class Keys:
    """Turns the window's keys into actions.

    Args:
        view: The window's contents, through which Tab moves.
        actions: What the keys do.
        exchange: What they do with the rest of the device.
        lecture: What they do in the teacher's mode.
        allowed: Names of the keys that do anything; all if None.

    Attributes:
        stop: Where Tab has stopped.
        leave: Leaves the app where Escape, a phone's back key, has nothing else to leave.
    """

    def __init__(
        self,
        view: View,
        actions: Actions,
        exchange: Transfers,
        lecture: Teaching,
        allowed: frozenset[str] | None = None,
    ) -> None:
        self.view, self.actions, self.lecture, self.allowed = view, actions, lecture, allowed
        self.stop: Any = None
        self.leave: Callable[[], object] = lambda: None
        Window.bind(on_key_down=self.key_down)
        view.fbind("size", self._let_go)
        self.plain: dict[str, Callable[[], None]] = {
            "e": actions.toggle_eraser,
            "n": actions.toggle_number,
            "delete": actions.clear,
            "backspace": actions.undo,
            "left": lambda: actions.choose_beside(-1),
            "right": lambda: actions.choose_beside(1),
            "escape": self.home,
            "f11": lecture.toggle,
            "numpadadd": lambda: actions.step("text_size", 1),
            "numpadsubstract": lambda: actions.step("text_size", -1),
        }
        self.teaching: dict[str, Callable[[], None]] = {
            "pageup": partial(lecture.turn, -1),
            "pagedown": partial(lecture.turn, 1),
            "r": lecture.replay,
            "w": lecture.toggle_asking,
        }
        self.control: dict[str, Callable[[], None]] = {
            "z": actions.undo,
            "y": actions.redo,
            "c": exchange.copy,
            "s": exchange.share,
            "o": self._to_path,
        }

    def key_down(self, _window: Any, code: int, _scancode: int, text: str | None, modifiers: list[str]) -> bool:
        """Take a key; returns whether it was ours."""
        name = NAMES.get(code, "")
        if self.allowed is not None and (name not in self.allowed or {"ctrl", "meta"} & set(modifiers)):
            return True
        typing = getattr(self.stop, "takes_text", False) and self.stop.focus
        control = bool({"ctrl", "meta"} & set(modifiers))
        if name == "tab":
            self.move(-1 if "shift" in modifiers else 1)
        elif typing and name != "escape" and not control:
            return False
        elif control:
            if typing and name in ("c", "z", "y"):
                return False
            action = self.actions.redo if name == "z" and "shift" in modifiers else self.control.get(name)
            if action is None:
                return False
            action()
        elif name in PANES:
            self.actions.open_pane(PANES[name])
            self._let_go()
        elif self._confirm(name) or (self.stop is not None and self.stop.press_key(name)):
            pass
        elif name.removeprefix("numpad").isdigit():
            self.actions.select(int(name.removeprefix("numpad")))
        elif text in ("+", "-"):
            self.actions.step("text_size", 1 if text == "+" else -1)
        elif self.view.lecture and name in self.teaching:
            self.teaching[name]()
        elif name in self.plain:
            self.plain[name]()
        else:
            return False
        return True

    def move(self, step: int) -> None:
        """Go on to the next stop, or to the one before."""
        every = stops(self.view)
        if not every:
            return
        at = every.index(self.stop) if self.stop in every else (-1 if step > 0 else len(every))
        self.go(every[(at + step) % len(every)])

    def go(self, stop: Any) -> None:
        """Stop at something, and scroll it into sight."""
        if self.stop is not None:
            self.stop.focused = False
        self.stop = stop
        if stop is None:
            return
        stop.focused = True
        above = stop.parent
        while above is not None and above is not self.view and above is not above.parent:
            if isinstance(above, ScrollView):
                above.scroll_to(stop, animate=False)
                break
            above = above.parent

    def home(self) -> None:
        """Leave the teacher's mode, or else go back to the canvas, or else leave the app where the system does so."""
        if self.lecture.leave():
            return
        if self.view.page in self.view.shown and self.stop in (None, self.view.page):
            self.leave()
        self.actions.open_canvas()
        self.go(self.view.page)

    def _let_go(self, *_: Any) -> None:
        if self.stop is not None and self.stop.get_root_window() is None:
            self.go(None)

    def _confirm(self, name: str) -> bool:
        """Press the first button of a message with Enter, where Enter means nothing else."""
        return name in ENTER and self.stop in (None, self.view.page) and self.actions.act(0)

    def _to_path(self) -> None:
        self.actions.open_pane("more")
        self.go(self.view.pane_of("more").path)
