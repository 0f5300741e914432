"""Android's own classes through pyjnius, as far as pictures, sharing and speech need them.

plyer 2.1 hands file addresses and the paths of other apps' files to and fro, which Android refuses (since versions
7 and 10); here content addresses pass, which need no permission (developer.android.com: MediaStore, Intent).
"""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULT_OK = -1
OPEN_MEDIA = 29
"""Version (API level) from which an app adds pictures and downloads of its own without a permission."""


class Bridge:
    """Java's classes, and the activity that shows the app.

    Attributes:
        activity: The app's activity.
        version: Android's API level.
    """

    def __init__(self) -> None:
        self._jnius = importlib.import_module("jnius")
        self.activity = self.java("org.kivy.android.PythonActivity").mActivity
        self.version = int(self.java("android.os.Build$VERSION").SDK_INT)
        self._codes = itertools.count(0x1E00)

    def java(self, name: str) -> Any:
        """Return a Java class by its name."""
        return self._jnius.autoclass(name)

    def cast(self, name: str, value: Any) -> Any:
        """Return a Java object as one of another class."""
        return self._jnius.cast(name, value)

    def leave_thread(self) -> None:
        """Tell Java that this thread ends: whoever spoke to it from a thread of their own has to."""
        self._jnius.detach()

    def ask(self, intent: Any, answered: Callable[[Any, bool], object]) -> None:
        """Start another app's activity.

        Args:
            intent: What is asked for.
            answered: Called in Java's thread with the answer's intent, or None, and whether the user did it.

        Raises:
            OSError: No app does this.
        """
        events, code = importlib.import_module("android.activity"), next(self._codes)

        def result(request: int, outcome: int, data: Any) -> None:
            if request == code:
                events.unbind(on_activity_result=result)
                answered(data, outcome == RESULT_OK)

        events.bind(on_activity_result=result)
        try:
            self.activity.startActivityForResult(intent, code)
        except self._jnius.JavaException as error:
            events.unbind(on_activity_result=result)
            raise OSError(str(error)) from error

    def add_media(self, name: str, kind: str) -> Any:
        """Add an empty file to the device's pictures or downloads.

        Args:
            name: Its name.
            kind: Its MIME type.

        Returns:
            Its content address.

        Raises:
            OSError: Android is older than `OPEN_MEDIA`, or refuses.
        """
        table = "Images$Media" if kind.startswith("image/") else "Downloads"
        if self.version < OPEN_MEDIA:
            raise OSError("Android 10")
        values = self.java("android.content.ContentValues")()
        values.put("_display_name", name)
        values.put("mime_type", kind)
        place = self.java(f"android.provider.MediaStore${table}").EXTERNAL_CONTENT_URI
        address = self.activity.getContentResolver().insert(place, values)
        if address is None:
            raise OSError(name)
        return address

    def remove_media(self, address: Any) -> None:
        """Remove what `add_media` added."""
        self.activity.getContentResolver().delete(address, None, None)

    def copy_in(self, address: Any, path: Path) -> None:
        """Copy what lies behind a content address to a file."""
        with os.fdopen(self._descriptor(address, "r"), "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)

    def write(self, content: bytes, address: Any) -> None:
        """Write to a content address."""
        with os.fdopen(self._descriptor(address, "w"), "wb") as target:
            target.write(content)

    def save_preview(self, data: Any, path: Path) -> None:
        """Write the small picture that a camera app answers with to a PNG file.

        Args:
            data: The answer's intent.
            path: The file to be.
        """
        preview = self.cast("android.graphics.Bitmap", data.getParcelableExtra("data"))
        stream = self.java("java.io.FileOutputStream")(str(path))
        preview.compress(self.java("android.graphics.Bitmap$CompressFormat").PNG, 100, stream)
        stream.close()

    def _descriptor(self, address: Any, mode: str) -> int:
        return int(self.activity.getContentResolver().openFileDescriptor(address, mode).detachFd())
