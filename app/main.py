"""The app as a process: environment, window, and the objects in it that know one another."""

from __future__ import annotations

import os

from .environment import prepare

prepare()  # before NumPy and Kivy are imported

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from kivy.app import App  # noqa: E402
from kivy.config import Config  # noqa: E402

from .safe_area import insets  # noqa: E402
from .system import System, leave, this_system  # noqa: E402
from .touch import GhostFilter, record_moves  # noqa: E402

# A right click is no second finger, and Escape leads back to the canvas, not out.
Config.set("input", "mouse", "mouse,disable_multitouch")
Config.set("kivy", "exit_on_escape", "0")

KEEP_AFTER = 1.0
"""Seconds of rest after which the drawing is kept for the next start."""


class ReaderApp(App):
    """LeNet-5 in a window.

    Args:
        model: Model to use instead of the one in the settings.
        folder: Where settings and samples lie; the system's place for them if None.
        kiosk: In a public place: full screen, nothing to set, and after a rest it begins anew.
        system: What the device offers; found out if None.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        folder: str | os.PathLike[str] | None = None,
        kiosk: bool = False,
        system: System | None = None,
    ) -> None:
        super().__init__()
        from .session import Session

        self.title, self.system = "LeNet-5", system
        self.session = Session.open(folder if folder is not None else self.user_data_dir, model)
        if kiosk:
            self.session.kiosk = True
            self.session.begin_anew()

    @property
    def name(self) -> str:
        """Name of the app's folders."""
        return "lenet-gpu"

    @property
    def user_data_dir(self) -> str:
        """The system's place for the user's files; made when there is something to write."""
        try:
            return str(super().user_data_dir)
        except OSError as error:  # Kivy makes this folder, but not those above it
            return str(error.filename)

    def build(self) -> Any:
        """Make the window's contents."""
        from kivy.base import EventLoop
        from kivy.clock import Clock
        from kivy.core.window import Window

        from .commands import Commands
        from .exchange import Exchange
        from .keys import Keys
        from .kiosk import HIDDEN, KEYS, Idle
        from .lecture import Lecture
        from .presenter import Presenter
        from .speech import Voice
        from .view import View

        record_moves()
        self.ghosts = GhostFilter()
        EventLoop.add_postproc_module(self.ghosts)
        self.voice = Voice()
        kiosk = self.session.kiosk
        self.view = View(self.session.ink, self.session.settings, self.voice.available, HIDDEN if kiosk else ())
        self.presenter = Presenter(self.session, self.view, Clock, self.voice)
        self.commands = Commands(self.session, self.view, self.presenter, Clock)
        system = self.system or this_system(Path(self.session.settings.folder))
        self.exchange = Exchange(self.session, self.view, self.presenter, Clock, system)
        self.lecture = Lecture(self.commands)
        self.view.connect(self.commands, self.exchange, self.lecture)
        self.keys = Keys(self.view, self.commands, self.exchange, self.lecture, KEYS if kiosk else None)
        self.presenter.dress()
        self.presenter.show_messages()
        if kiosk:
            self.idle = Idle(Clock, self.commands.begin_anew)
            self.idle.watch(Window)
            Window.fullscreen = "auto"
        else:
            Window.bind(on_drop_file=self._dropped)
            self.keys.leave = leave
            self.view.fill = lambda on: setattr(Window, "fullscreen", "auto" if on else False)
            keep = Clock.create_trigger(lambda _: self.session.keep_drawing(), KEEP_AFTER)
            self.commands.drawn = keep
        # The system's bars come, go and change sides with the phone's turning; it answers once the window stands.
        self.view.fbind("size", lambda *_: Clock.schedule_once(self._keep_clear, 0.1))
        Clock.schedule_once(self._keep_clear, 0.1)
        self.presenter.refresh()
        Window.softinput_mode = "below_target"
        return self.view

    def _keep_clear(self, *_: Any) -> None:
        self.view.keep_clear(insets())

    def _dropped(self, _window: Any, path: bytes, *_: Any) -> None:
        self.exchange.open_picture(os.fsdecode(path))

    def on_pause(self) -> bool:
        """Lift the fingers, keep the drawing, and stay: the system puts the app to sleep."""
        self.view.page.lift_all()
        self.session.keep_drawing()
        return True

    def on_resume(self) -> None:
        """Take on the system's language and size of text, which may be others now."""
        self.presenter.dress()

    def on_stop(self) -> None:
        """Keep the drawing and fall silent: the window closes."""
        self.session.keep_drawing()
        self.voice.stop()

    def open_settings(self, *_: Any) -> bool:
        """Keep Kivy's own settings panel closed: F1 is ours."""
        return False


def run(
    model: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None, kiosk: bool = False
) -> None:
    """Open the app and stay until its window is closed.

    Args:
        model: Name or path of a model; the settings' if None.
        folder: Folder of settings and samples; the system's place for them if None.
        kiosk: In a public place: full screen, nothing to set, and after a rest it begins anew.

    Raises:
        ModelFileError: The model can't be used.
    """
    ReaderApp(model, Path(folder) if folder is not None else None, kiosk).run()
