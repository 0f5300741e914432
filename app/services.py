"""The interfaces of what the device offers: a clock, a voice, a camera, a gallery, a way to hand things on.

Camera and gallery are those of plyer 2.1, so that plyer's own, ours for Android and a desktop's dialog all fit.
No Kivy here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol


class Trigger(Protocol):
    """Something that happens once, later, however often it is asked for until then."""

    def __call__(self) -> object:
        """Ask for it."""

    def cancel(self) -> object:
        """Take the request back."""


class Timer(Protocol):
    """The part of Kivy's Clock that is used: seconds; -1 is before the next frame, 0 after it."""

    def create_trigger(self, callback: Callable[[float], object], timeout: float) -> Trigger:
        """Make a trigger."""

    def schedule_once(self, callback: Callable[[float], object], timeout: float = 0) -> object:
        """Call in the app's own thread, from whatever thread this is asked."""


class Speaker(Protocol):
    """Reads texts aloud."""

    def say(self, text: str, language: str) -> bool:
        """Speak without waiting; returns whether it began."""


class Camera(Protocol):
    """Takes pictures: the interface of `plyer.camera`."""

    def take_picture(self, filename: str, on_complete: Callable[[str], bool | None]) -> object:
        """Let the user take a picture, without waiting.

        Args:
            filename: Path of the file to be.
            on_complete: Called with it in any thread, also where no picture was taken; True has the file removed.
        """


class Chooser(Protocol):
    """Chooses files: the interface of `plyer.filechooser`."""

    def open_file(self, **options: Any) -> Sequence[str] | None:
        """Let the user choose a file: either waits and returns the paths, or returns at once.

        Args:
            options: `on_selection` is called with the paths in any thread, where this returns at once.
        """


class Sheet(Protocol):
    """Hands things to other apps: a phone's share sheet."""

    def send_text(self, text: str) -> None:
        """Offer a text."""

    def send_file(self, path: Path, kind: str) -> None:
        """Offer a copy of a file.

        Args:
            path: The file.
            kind: Its MIME type.
        """
