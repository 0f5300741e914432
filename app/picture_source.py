"""Sources of pictures: the camera, the gallery, or a desktop's dialog. No Kivy here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from .services import Timer
from .system import INCOMING, System
from .user_folder import make_folder

Arrived = Callable[[str], object]
"""Takes the path of a picture, or the reason why there is none; called in the app's own thread."""


class PictureSource:
    """Lets the user take a picture or choose one.

    Args:
        timer: Brings the answers into the app's own thread.
        system: The device's camera and gallery.
        folder: The app's folder of user data; what is taken lies in it until it is read.
    """

    def __init__(self, timer: Timer, system: System, folder: Path) -> None:
        self._timer, self._camera, self._chooser = timer, system.camera, system.chooser
        self._incoming = folder / INCOMING
        self._choosing = False

    def take(self, taken: Arrived, failed: Arrived) -> None:
        """Let the user take a picture; who takes none hears nothing.

        Args:
            taken: Called with the picture's path.
            failed: Called with the reason where the camera does not answer.
        """
        if self._camera is None:
            return
        path = self._incoming / "camera.jpg"

        def complete(filename: str) -> bool:
            self._timer.schedule_once(lambda _: taken(filename) if _has_content(filename) else None)
            return False  # it is still to be read

        try:
            make_folder(self._incoming)
            path.unlink(missing_ok=True)  # of an app that was ended while the camera was open
            if self._camera.take_picture(filename=str(path), on_complete=complete) is False:  # iOS says so
                failed("")
        except Exception as error:  # whatever the bridge to the system raises
            failed(str(error))

    def choose(self, chosen: Arrived, failed: Arrived) -> None:
        """Open the gallery or the dialog, once at a time, and go on.

        Args:
            chosen: Called with the path, if one was chosen.
            failed: Called with the reason where it can't be opened.
        """
        if not self._choosing:
            self._choosing = True
            threading.Thread(target=lambda: self._ask(chosen, failed), name="dialog", daemon=True).start()

    def _ask(self, chosen: Arrived, failed: Arrived) -> None:
        def later(call: Arrived, value: str) -> None:
            self._timer.schedule_once(lambda _: call(value))

        def selected(paths: Sequence[str | None] | None) -> None:
            path = next(filter(None, paths or ()), None)
            later(failed, "") if path is None else later(chosen, path)

        try:
            paths = self._chooser.open_file(on_selection=selected, filters=["image"]) if self._chooser else None
            if paths:  # where it has waited; nothing was chosen, or else the function is called later
                selected(paths)
        except Exception as error:  # whatever the bridge to the system raises
            later(failed, str(error))
        finally:
            self._choosing = False

    def discard(self, path: str) -> None:
        """Delete a picture that was read, if it is a copy of ours; what the user chose elsewhere stays."""
        if Path(path).parent == self._incoming:
            with contextlib.suppress(OSError):
                Path(path).unlink()


def _has_content(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False
