"""Rows of buttons with a sign and a name: the tools under the canvas, and the tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout

from .panes import when_tapped
from .widgets.tap import Tool

TOOLS = {"undo": "↶", "redo": "↷", "erase": "⌫", "clear": "✕", "number": "123"}
"""Tools by name, with their signs."""

LECTURE_TOOLS = {"before": "◀", "after": "▶", "replay": "↻", "without": "✂", "clear": "✕"}
"""Tools of the teacher's mode."""

TABS = {"draw": "✎", "answer": "▤", "inside": "▦", "teach": "✓", "more": "☰", "lesson": "✦", "leave": "⇤"}
"""Tabs by name, with their signs."""


TURNED = {"◀": "▶", "▶": "◀", "⇤": "⇥"}
"""Signs of a direction, as they are where writing runs from the right."""


class ButtonRow(BoxLayout):
    """Some of a number of buttons side by side.

    Args:
        signs: Sign by name, of all there are.

    Attributes:
        buttons: All of them, by name.
    """

    def __init__(self, signs: dict[str, str]) -> None:
        super().__init__(spacing=dp(4))
        self._signs = signs
        self.buttons = {name: Tool(icon=sign) for name, sign in signs.items()}

    def connect(self, presses: dict[str, Callable[[], object]]) -> None:
        """Let buttons do something, by name."""
        for name, press in presses.items():
            when_tapped(self.buttons[name], press)

    def show(self, names: Sequence[str], rtl: bool) -> None:
        """Show these buttons, from left to right; signs of a direction follow that of writing."""
        for name, sign in self._signs.items():
            self.buttons[name].icon = TURNED.get(sign, sign) if rtl else sign
        wanted = [self.buttons[name] for name in names]
        if list(reversed(self.children)) != wanted:
            self.clear_widgets()
            for button in wanted:
                button.mates = wanted
                self.add_widget(button)
