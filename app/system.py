"""The device beside its screen: camera, gallery, share sheet, a window for folders. No Kivy here."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .android_bridge import Bridge
from .desktop import file_dialog, folder_window
from .services import Camera, Chooser, Sheet

INCOMING = "incoming"
"""Folder in the app's own for pictures that wait to be read."""


@dataclass(frozen=True)
class System:
    """The means that a device has; None for what it does not have.

    Attributes:
        camera: Takes pictures.
        chooser: Chooses a picture among those there are.
        sheet: Hands things to other apps.
        show_folder: Shows a folder in a window of its own.
        has_paths: Files are known by their paths; a phone's are not.
    """

    camera: Camera | None = None
    chooser: Chooser | None = None
    sheet: Sheet | None = None
    show_folder: Callable[[Path], None] | None = None
    has_paths: bool = True


def on_android() -> bool:
    """Return whether this is Android."""
    return hasattr(sys, "getandroidapilevel")


def leave() -> None:
    """Put the app behind the others, as Android's back key does; elsewhere nothing is left so."""
    if on_android():
        with contextlib.suppress(Exception):  # whatever the bridge to the system raises: then it stays
            Bridge().activity.moveTaskToBack(True)


def this_system(folder: Path) -> System:
    """Find out what this device offers.

    Args:
        folder: The app's folder of user data, for copies of pictures.
    """
    try:
        if on_android():
            from .android_exchange import AndroidCamera, AndroidGallery, AndroidSheet, has_camera

            bridge = Bridge()
            camera = AndroidCamera(bridge) if has_camera(bridge) else None
            return System(camera, AndroidGallery(bridge, folder / INCOMING), AndroidSheet(bridge), has_paths=False)
        if sys.platform == "ios":
            plyer = importlib.import_module("plyer")
            return System(plyer.camera, plyer.filechooser, has_paths=False)
    except Exception:  # whatever the bridge to the system raises: drawing needs none of it
        return System(has_paths=False)
    return System(chooser=file_dialog(), show_folder=folder_window())
