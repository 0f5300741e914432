"""Text-to-speech, where the system has it: a phone's own voice, else a speaking command on PATH."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .system import on_android

COMMANDS = ("espeak-ng", "espeak", "say")
"""Commands that speak their last argument."""

IOS_VOICES = {"en": "en-US", "de": "de-DE", "he": "he-IL"}
"""Names of iOS's voices by language."""


class Voice:
    """Text-to-speech of this system.

    Attributes:
        available: Whether the system has a voice.
    """

    def __init__(self, find: Callable[[str], str | None] = shutil.which) -> None:
        self._phone = _phones_voice()
        self._command = next(filter(None, map(find, COMMANDS)), None)
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def available(self) -> bool:
        """True if there is a voice."""
        return self._phone is not None or self._command is not None

    def say(self, text: str, language: str = "en") -> bool:
        """Speak without waiting; a sentence that is still being said is cut off.

        Args:
            text: What to say, in logical order.
            language: Code of its language.

        Returns:
            Whether speaking began.
        """
        if not text:
            return False
        try:
            if self._phone is not None:
                self._phone(text, language)
                return True
            if self._command is None:
                return False
            self.stop()
            voice = [] if self._command.endswith("say") else ["-v", language]
            self._running = subprocess.Popen(
                [self._command, *voice, text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, RuntimeError, NotImplementedError):
            return False
        return True

    def stop(self) -> None:
        """Fall silent."""
        if self._running is not None:
            if self._running.poll() is None:
                self._running.terminate()
            self._running.wait()
            self._running = None


def _phones_voice() -> Callable[[str, str], None] | None:
    """Find a phone's voice: iOS's through plyer; Android's not so, since plyer waits for it and it speaks English."""
    try:
        if on_android():
            from .android_voice import AndroidVoice

            return AndroidVoice().speak
        if sys.platform == "ios":
            voice = importlib.import_module("plyer").tts
            return lambda text, language: _ios_speak(voice, text, language)
    except Exception:  # whatever the bridge to the system raises: then there is none
        return None
    return None


def _ios_speak(voice: Any, text: str, language: str) -> None:
    # plyer's iOS voice is American unless it is told otherwise, by a method of its own.
    if hasattr(voice, "_set_locale"):
        voice._set_locale(IOS_VOICES[language])
    voice.speak(text)
