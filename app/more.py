"""The pane of pictures, copying, settings and keys. It is made when first opened: typing loads the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from kivy.metrics import dp
from kivy.properties import BooleanProperty
from kivy.uix.textinput import TextInput

from .interfaces import Actions, Transfers
from .panes import Pane, Words, tap
from .settings import Settings
from .strings import LANGUAGES, Strings
from .widgets.tap import Stop, Tap
from .widgets.text import Txt


class Field(Stop, TextInput):
    """A line to type in."""

    takes_text = True

    focused = BooleanProperty(False)

    def on_focused(self, *_: Any) -> None:
        """Take the keyboard's focus where the keyboard stops."""
        self.focus = self.focused


class MorePane(Pane):
    """Pictures, copying, settings, keys."""

    def __init__(
        self, languages: dict[str, str], palettes: Sequence[str], actions: Actions, exchange: Transfers
    ) -> None:
        super().__init__()
        self._shares = exchange.can_share
        self.copy, self.share_answer, self.share = map(tap, (exchange.copy, exchange.share_answer, exchange.share))
        self.add_row([self.copy, self.share_answer] if self._shares else [self.copy, self.share], 52)
        self.take, self.choose = tap(exchange.take_picture), tap(exchange.choose_picture)
        pictures = [self.take] * exchange.can_take + [self.choose] * exchange.can_choose
        for row in (pictures, [self.share] * self._shares):
            if row:
                self.add_row(row, 52)
        self.path = Field()
        self.path.bind(on_text_validate=lambda _: exchange.open_picture(self.path.text))
        self.path.bind(focus=lambda _, on: setattr(self.path, "focused", on))
        self.open = tap(lambda: exchange.open_picture(self.path.text))
        self.open.size_hint_x = 0.4
        if exchange.has_paths:
            self.picture_hint = self.add_text(13)
            self.add_row([self.path, self.open])
        self.steppers: dict[str, tuple[Txt, Tap, Tap]] = {}
        for name in ("pen", "text_size"):
            label = Txt(most=15)
            less = tap(partial(actions.step, name, -1), 20)
            more = tap(partial(actions.step, name, 1), 20)
            less.say, more.say = "−", "+"
            less.size_hint_x = more.size_hint_x = None
            less.width = more.width = dp(64)
            self.steppers[name] = (label, less, more)
            self.add_row([label, less, more])
        self.switches = {
            name: tap(partial(actions.toggle, name)) for name in ("left_handed", "high_contrast", "live", "speak")
        }
        first, second = list(self.switches.values())[:2], list(self.switches.values())[2:]
        self.add_row(first, 52)
        self.switch_row = self.add_row(second, 52)
        self.palette = self.add_text(14)
        self.palettes = {name: tap(partial(actions.change, palette=name), 14) for name in palettes}
        self.add_row(list(self.palettes.values()))
        self.language = self.add_text(14)
        self.languages = {code: tap(partial(actions.change, language=code)) for code in languages}
        self.add_row(list(self.languages.values()))
        self.keys = self.add_text(14, muted=False)
        self.keys_list = self.add_text(13)

    def hide_voice(self) -> None:
        """Hide the switch of a voice that this system does not have."""
        if self.switches["speak"].parent is self.switch_row:
            self.switch_row.remove_widget(self.switches["speak"])

    def show(self, settings: Settings, strings: Strings) -> None:
        """Show what is set, in a language."""
        self._say(strings.logical)
        for code, button in self.languages.items():
            button.foreign, button.say, button.chosen = True, LANGUAGES[code], code == strings.language
        for name, button in self.palettes.items():
            button.chosen = name == settings.palette
        for name, switch in self.switches.items():
            switch.chosen = bool(getattr(settings, name))

    def _say(self, words: Words) -> None:
        self.copy.say, self.share_answer.say = words("copy"), words("share_answer")
        self.share.say = words("share_drawing" if self._shares else "share")
        self.take.say, self.choose.say, self.open.say = words("camera"), words("picture"), words("picture_open")
        if self.open.parent is not None:
            self.picture_hint.say = words("picture_path")
        names = {"left_handed": "left_handed", "high_contrast": "contrast", "live": "live", "speak": "speak"}
        for name, switch in self.switches.items():
            switch.say = words(names[name])
        for name, (label, _, _) in self.steppers.items():
            label.say = words(name)
        for name, button in self.palettes.items():
            button.say = words(f"palette_{name}")
        self.palette.say, self.language.say = words("palette"), words("language")
        self.keys.say, self.keys_list.say = words("keys"), words("keys_list")
