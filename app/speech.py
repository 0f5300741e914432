"""Text-to-speech, where the system has it: plyer (Android, iOS), else a speaking command on PATH."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Callable

COMMANDS = ("espeak-ng", "espeak", "say")
"""Commands that speak their last argument."""


class Voice:
    """Text-to-speech of this system.

    Attributes:
        available: Whether the system has a voice.
    """

    def __init__(self, find: Callable[[str], str | None] = shutil.which) -> None:
        self._plyer = _plyer_voice()
        self._command = next(filter(None, map(find, COMMANDS)), None)
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def available(self) -> bool:
        """True if there is a voice."""
        return self._plyer is not None or self._command is not None

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
            if self._plyer is not None:
                self._plyer(text)
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


def _plyer_voice() -> Callable[[str], None] | None:
    # On a desktop plyer only wraps the same commands; it matters where there are none.
    try:
        speaker = importlib.import_module("plyer").tts
        return speaker.speak if importlib.import_module("plyer.utils").platform in ("android", "ios") else None
    except (ImportError, AttributeError, NotImplementedError):
        return None
