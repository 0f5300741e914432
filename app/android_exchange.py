"""Android's camera, gallery and share sheet; camera and gallery with the interfaces of plyer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .android_bridge import OPEN_MEDIA, Bridge

INTENT = "android.content.Intent"


def has_camera(bridge: Bridge) -> bool:
    """Return whether there is a camera."""
    feature = "android.hardware.camera.any"
    return bool(bridge.activity.getPackageManager().hasSystemFeature(feature))


class AndroidCamera:
    """The device's camera app, with the interface of `plyer.camera`.

    It writes to a content address. Before Android 10 there is none without a permission: then it hands back a small
    preview, a few hundred pixels wide, in which a number can be read, and a whole page hardly.

    Args:
        bridge: Java's classes.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def take_picture(self, filename: str, on_complete: Callable[[str], bool | None]) -> None:
        """Let the user take a picture: it comes to the file, and leaves nothing in the gallery.

        Args:
            filename: Path of the file to be.
            on_complete: Called with it in Java's thread; True has the file removed.

        Raises:
            OSError: There is no camera app, or no room for a picture.
        """
        bridge, path = self._bridge, Path(filename)
        store = bridge.java("android.provider.MediaStore")
        intent = bridge.java(INTENT)(store.ACTION_IMAGE_CAPTURE)

        def complete() -> None:
            if on_complete(filename):
                path.unlink(missing_ok=True)

        def previewed(data: Any, taken: bool) -> None:
            with contextlib.suppress(Exception):  # whatever Java raises: then there is no file
                if taken and data is not None:
                    bridge.save_preview(data, path)
            complete()

        if bridge.version < OPEN_MEDIA:
            bridge.ask(intent, previewed)
            return
        address = bridge.add_media(path.name, "image/jpeg")

        def answered(_: Any, taken: bool) -> None:
            with contextlib.suppress(OSError):  # then there is no file, and whoever asked finds none
                if taken:
                    bridge.copy_in(address, path)
            bridge.remove_media(address)
            complete()

        intent.putExtra(store.EXTRA_OUTPUT, bridge.cast("android.os.Parcelable", address))
        try:
            bridge.ask(intent, answered)
        except OSError:
            bridge.remove_media(address)
            raise


class AndroidGallery:
    """The device's pictures, with the interface of `plyer.filechooser`.

    Args:
        bridge: Java's classes.
        folder: Where copies of what was chosen go.
    """

    def __init__(self, bridge: Bridge, folder: Path) -> None:
        self._bridge, self._folder = bridge, folder

    def open_file(self, **options: Any) -> None:
        """Let the user choose a picture.

        Args:
            options: `on_selection` is called in a thread of its own with the path of a copy in a list; with none
                where it can't be copied.

        Raises:
            OSError: There is no gallery app.
        """
        bridge, selected = self._bridge, options["on_selection"]

        def answered(data: Any, chosen: bool) -> None:
            if chosen and data is not None:  # from far away it may take a while
                threading.Thread(target=lambda: copy(data.getData()), name="gallery", daemon=True).start()

        def copy(address: Any) -> None:
            path = self._folder / "gallery"
            paths: list[str] = []
            with contextlib.suppress(OSError):
                os.makedirs(self._folder, exist_ok=True)
                bridge.copy_in(address, path)
                paths.append(str(path))
            selected(paths)
            bridge.leave_thread()

        intents = bridge.java(INTENT)
        intent = intents(intents.ACTION_GET_CONTENT)
        intent.setType("image/*")
        intent.addCategory(intents.CATEGORY_OPENABLE)
        bridge.ask(intent, answered)


class AndroidSheet:
    """Android's share sheet.

    Args:
        bridge: Java's classes.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def send_text(self, text: str) -> None:
        """Offer a text to other apps."""
        intent = self._intent("text/plain")
        intent.putExtra(self._bridge.java(INTENT).EXTRA_TEXT, self._bridge.java("java.lang.String")(text))
        self._send(intent)

    def send_file(self, path: Path, kind: str) -> None:
        """Put a copy of a file among the device's pictures or downloads, and offer it to other apps.

        Before Android 10 the user chooses where the copy goes: a folder, or an app that keeps documents.

        Args:
            path: The file; it may be removed afterwards.
            kind: Its MIME type.

        Raises:
            OSError: There is no room.
        """
        intents = self._bridge.java(INTENT)
        if self._bridge.version < OPEN_MEDIA:
            self._save_as(path, kind)
            return
        address = self._bridge.add_media(path.name, kind)
        self._bridge.write(path.read_bytes(), address)
        intent = self._intent(kind)
        intent.putExtra(intents.EXTRA_STREAM, self._bridge.cast("android.os.Parcelable", address))
        intent.addFlags(intents.FLAG_GRANT_READ_URI_PERMISSION)
        self._send(intent)

    def _save_as(self, path: Path, kind: str) -> None:
        bridge, intents, content = self._bridge, self._bridge.java(INTENT), path.read_bytes()

        def write(address: Any) -> None:
            with contextlib.suppress(OSError):  # there is no room: the other app shows an empty document
                bridge.write(content, address)
            bridge.leave_thread()

        def answered(data: Any, chosen: bool) -> None:
            if chosen and data is not None:  # to far away it may take a while
                address = data.getData()
                threading.Thread(target=lambda: write(address), name="save", daemon=True).start()

        intent = intents(intents.ACTION_CREATE_DOCUMENT)
        intent.setType(kind)
        intent.addCategory(intents.CATEGORY_OPENABLE)
        intent.putExtra(intents.EXTRA_TITLE, bridge.java("java.lang.String")(path.name))
        bridge.ask(intent, answered)

    def _intent(self, kind: str) -> Any:
        intents = self._bridge.java(INTENT)
        intent = intents(intents.ACTION_SEND)
        intent.setType(kind)
        return intent

    def _send(self, intent: Any) -> None:
        title = self._bridge.cast("java.lang.CharSequence", self._bridge.java("java.lang.String")("LeNet-5"))
        self._bridge.activity.startActivity(self._bridge.java(INTENT).createChooser(intent, title))
