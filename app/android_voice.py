"""Android's voice, in the language of what is said and without waiting for it."""

from __future__ import annotations

import threading
import time
from typing import Any

from .android_bridge import Bridge

TRIES, PAUSE = 50, 0.1
"""A voice that was just started takes a while to answer: seconds between two tries, and how many."""

FAILED = -1
"""Returned by `TextToSpeech.speak` where it can't yet; `setLanguage` at most this where there is no voice."""


class AndroidVoice:
    """android.speech.tts.TextToSpeech; of two texts the newer one is said."""

    def __init__(self) -> None:
        self._bridge = Bridge()
        self._voice: Any = None
        self._newest = 0
        self._lock = threading.Lock()

    def speak(self, text: str, language: str) -> None:
        """Speak, where there is a voice of that language, and go on.

        Args:
            text: What to say, in logical order.
            language: Code of its language.
        """
        self._newest += 1
        number = self._newest
        threading.Thread(target=lambda: self._say(text, language, number), name="voice", daemon=True).start()

    def _say(self, text: str, language: str, number: int) -> None:
        java = self._bridge.java
        try:
            with self._lock:
                engine = java("android.speech.tts.TextToSpeech")
                if self._voice is None:
                    self._voice = engine(self._bridge.activity, None)
                for _ in range(TRIES):
                    if number != self._newest:
                        return
                    if self._voice.speak("", engine.QUEUE_FLUSH, None) != FAILED:  # it is there now
                        break
                    time.sleep(PAUSE)
                if self._voice.setLanguage(java("java.util.Locale")(language)) > FAILED:
                    self._voice.speak(text, engine.QUEUE_FLUSH, None)
        finally:
            self._bridge.leave_thread()
