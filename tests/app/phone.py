"""Android as pyjnius hands it out, as far as the app asks for it: an activity, content addresses, another app.

Only what Android documents; whatever else is asked for is an AttributeError or a KeyError.
"""

import os
import sys
from types import ModuleType, SimpleNamespace

from PIL import Image


class JavaException(Exception):
    pass


class Intent:
    ACTION_SEND, ACTION_GET_CONTENT, CATEGORY_OPENABLE = "SEND", "GET_CONTENT", "OPENABLE"
    ACTION_CREATE_DOCUMENT, EXTRA_TITLE = "CREATE_DOCUMENT", "TITLE"
    EXTRA_TEXT, EXTRA_STREAM, FLAG_GRANT_READ_URI_PERMISSION = "TEXT", "STREAM", 1

    def __init__(self, action):
        self.action, self.kind, self.extras, self.flags, self.categories = action, None, {}, 0, []
        self.setType = lambda kind: setattr(self, "kind", kind)
        self.putExtra = self.extras.__setitem__
        self.addFlags = lambda flags: setattr(self, "flags", self.flags | flags)
        self.addCategory = self.categories.append
        self.data = None

    def getData(self):
        return self.data

    def getParcelableExtra(self, name):
        return self.extras[name]

    @staticmethod
    def createChooser(intent, title):
        return SimpleNamespace(action="CHOOSER", inner=intent, title=title)


class Values(dict):
    put = dict.__setitem__


class Resolver:
    """Content addresses (texts) and the files behind them."""

    def __init__(self, folder):
        self.folder, self.tables = folder, {}

    def insert(self, place, values):
        address = f"{place}/{len(self.tables)}"
        self.tables[address] = values
        self.file(address).write_bytes(b"")
        return address

    def file(self, address):
        return self.folder / address.replace("/", "_")

    def delete(self, address, where, arguments):
        assert (where, arguments) == (None, None)
        del self.tables[address]
        self.file(address).unlink()
        return 1

    def openFileDescriptor(self, address, mode):
        descriptor = os.open(self.file(address), {"r": os.O_RDONLY, "w": os.O_WRONLY | os.O_TRUNC}[mode])
        return SimpleNamespace(detachFd=lambda: descriptor)


class Stream:
    """A file that Java writes to."""

    def __init__(self, path):
        self.file = open(path, "wb")  # noqa: SIM115
        self.close = self.file.close


class Bitmap:
    """A picture of Java's."""

    def __init__(self, pixels):
        self.pixels = pixels

    def compress(self, kind, quality, stream):
        assert (kind, quality) == ("PNG", 100)
        Image.fromarray(self.pixels).save(stream.file, kind)
        return True


SPEECHES = []
"""The voices that were made."""


class Speech:
    """A voice that answers at its third try, and knows two languages."""

    QUEUE_FLUSH = 0

    def __init__(self, activity, listener):
        self.tries, self.language, self.heard = 0, None, []
        SPEECHES.append(self)

    def speak(self, text, mode, options):
        self.tries += 1
        if self.tries < 3:
            return -1
        self.heard += [(text, self.language)] if text else []
        return 0

    def setLanguage(self, language):
        self.language = language
        return 0 if language in ("en", "de") else -1


class Android:
    """A phone.

    Args:
        folder: Where its content lies.
        version: API level.
        camera: Whether it has one.

    Attributes:
        asked: The intents that were started for an answer, and their codes.
        shown: The intents that were started.
        behind: How often the app was put behind the others.
    """

    def __init__(self, folder, version=35, camera=True):
        self.resolver, self.listeners = Resolver(folder), []
        self.asked, self.shown, self.behind, self.answers, self.text_size = [], [], 0, True, 1.3
        activity = SimpleNamespace(
            getContentResolver=lambda: self.resolver,
            getPackageManager=lambda: SimpleNamespace(hasSystemFeature=lambda name: camera and "camera" in name),
            startActivityForResult=self._ask,
            startActivity=self.shown.append,
            moveTaskToBack=lambda _: setattr(self, "behind", self.behind + 1),
            getResources=lambda: SimpleNamespace(getConfiguration=lambda: SimpleNamespace(fontScale=self.text_size)),
        )
        media = {"EXTERNAL_CONTENT_URI": "content:"}
        self.classes = {
            "org.kivy.android.PythonActivity": SimpleNamespace(mActivity=activity),
            "android.os.Build$VERSION": SimpleNamespace(SDK_INT=version),
            "android.content.Intent": Intent,
            "android.content.ContentValues": Values,
            "android.provider.MediaStore": SimpleNamespace(ACTION_IMAGE_CAPTURE="CAPTURE", EXTRA_OUTPUT="OUTPUT"),
            "android.provider.MediaStore$Images$Media": SimpleNamespace(**media),
            "android.provider.MediaStore$Downloads": SimpleNamespace(**media),
            "android.graphics.Bitmap$CompressFormat": SimpleNamespace(PNG="PNG"),
            "java.io.FileOutputStream": Stream,
            "android.speech.tts.TextToSpeech": Speech,
            "java.lang.String": str,
            "java.util.Locale": str,
        }

    def _ask(self, intent, code):
        if not self.answers:
            raise JavaException("No Activity found to handle Intent")
        self.asked.append((intent, code))

    def reply(self, outcome, data=None):
        """Let the other app answer, and an answer to somebody else's question before it."""
        code = self.asked[-1][1]
        for listener in list(self.listeners):
            listener(code + 1, outcome, None)
        for listener in list(self.listeners):
            listener(code, outcome, data)

    def install(self, monkeypatch):
        """Become the system that the app runs on."""
        jnius = ModuleType("jnius")
        jnius.autoclass, jnius.cast = self.classes.__getitem__, lambda name, value: value
        jnius.JavaException, jnius.detach = JavaException, lambda: None
        events = ModuleType("android.activity")
        events.bind = lambda on_activity_result: self.listeners.append(on_activity_result)
        events.unbind = lambda on_activity_result: self.listeners.remove(on_activity_result)
        for name, module in (("jnius", jnius), ("android", ModuleType("android")), ("android.activity", events)):
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(sys, "getandroidapilevel", lambda: 35, raising=False)
        return self
