"""The app as a process: environment, window, and the objects in it that know one another."""

from __future__ import annotations

import os

from .environment import prepare

prepare()  # before NumPy and Kivy are imported

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from kivy.app import App  # noqa: E402
from kivy.config import Config  # noqa: E402

from .touch import GhostFilter, record_moves  # noqa: E402

# A right click is no second finger, and Escape leads back to the canvas, not out.
Config.set("input", "mouse", "mouse,disable_multitouch")
Config.set("kivy", "exit_on_escape", "0")


class ReaderApp(App):
    """LeNet-5 in a window.

    Args:
        model: Model to use instead of the one in the settings.
        folder: Where settings and samples lie; the system's place for them if None.
    """

    def __init__(
        self, model: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        from .session import Session

        self.title = "LeNet-5"
        self.session = Session.open(folder if folder is not None else self.user_data_dir, model)

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
        from .keys import Keys
        from .presenter import Presenter
        from .speech import Voice
        from .view import View

        record_moves()
        self.ghosts = GhostFilter()
        EventLoop.add_postproc_module(self.ghosts)
        self.voice = Voice()
        self.view = View(self.session.ink, self.session.settings, self.voice.available)
        self.presenter = Presenter(self.session, self.view, Clock, self.voice)
        self.commands = Commands(self.session, self.view, self.presenter, Clock)
        self.view.connect(self.commands)
        self.keys = Keys(self.view, self.commands)
        self.presenter.dress()
        self.presenter.show_messages()
        Window.bind(on_drop_file=self._dropped)
        Window.softinput_mode = "below_target"
        return self.view

    def _dropped(self, _window: Any, path: bytes, *_: Any) -> None:
        self.commands.open_picture(os.fsdecode(path))

    def on_pause(self) -> bool:
        """Lift the fingers and stay: the system puts the app to sleep."""
        self.view.page.lift_all()
        return True

    def on_stop(self) -> None:
        """Fall silent: the window closes."""
        self.voice.stop()

    def open_settings(self, *_: Any) -> bool:
        """Keep Kivy's own settings panel closed: F1 is ours."""
        return False


def run(model: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None) -> None:
    """Open the app and stay until its window is closed.

    Args:
        model: Name or path of a model; the settings' if None.
        folder: Folder of settings and samples; the system's place for them if None.

    Raises:
        ModelFileError: The model can't be used.
    """
    ReaderApp(model, Path(folder) if folder is not None else None).run()
