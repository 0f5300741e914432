"""The language of the system, for those who have chosen none."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping

from .strings import LANGUAGES
from .system import on_android

VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The variables that name it, the strongest first (POSIX); LANGUAGE, a list, comes before them unless they say C."""

OLD_CODES = {"iw": "he"}
"""Codes that Java, and so Android, still uses."""


def system_language(environment: Mapping[str, str] = os.environ) -> str:
    """Find the language of the system.

    Args:
        environment: The variables to read; on a phone the system is asked first.

    Returns:
        Key of `app.strings.LANGUAGES`; "en" where the system's language is none of them, or names none.
    """
    for name in [*_asked(), *_named(environment)]:
        code = name.replace("-", "_").split("_")[0].split(".")[0].lower()
        code = OLD_CODES.get(code, code)
        if code in LANGUAGES:
            return code
    return "en"


def _named(environment: Mapping[str, str]) -> list[str]:
    set_ones = [environment[name] for name in VARIABLES if environment.get(name)]
    plain = not set_ones or set_ones[0].split(".")[0] in ("C", "POSIX")
    wished = [] if plain else environment.get("LANGUAGE", "").split(":")
    return [*wished, *set_ones[:1]]


def _asked() -> list[str]:
    """Ask Android, iOS, macOS or Windows; what does not answer is passed over."""
    try:
        if on_android():
            locale = importlib.import_module("jnius").autoclass("java.util.Locale")
            return [str(locale.getDefault().getLanguage())]
        if sys.platform in ("ios", "darwin"):
            names = importlib.import_module("pyobjus").autoclass("NSLocale").preferredLanguages()
            return [str(names.objectAtIndex_(0).UTF8String())]
        if sys.platform == "win32":
            import ctypes
            import locale as names_of

            return [names_of.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")]
    except Exception:  # whatever the bridge to the system raises: English is no disaster
        return []
    return []
