"""The user's choices: a small JSON file that is read at start and written at every change."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lenet_gpu.storage.atomic import write_atomically

from .strings import LANGUAGES
from .system_language import system_language
from .system_text_size import system_text_scale
from .user_folder import check_writable, make_folder, read_file, set_aside

FILE = "settings.json"
PEN_WIDTHS = (1.0, 4.0)
"""Thinnest and thickest pen, in pixels of the 28x28 picture that the network sees."""

TEXT_SCALES = (0.8, 2.0)
"""Smallest and largest text, as a factor."""

PALETTES = ("calm", "dark", "safe")
"""Names of the colour schemes."""

LONGEST_NAME = 1000
"""Characters of a model's name or path; anything longer is not one."""


@dataclass
class Settings:
    """The user's choices. A value out of range is replaced by its default, one by one.

    Attributes:
        pen_width: Width of the pen in pixels of the 28x28 picture.
        language: Key of `app.strings.LANGUAGES`; empty for that of the system.
        text_scale: Factor of all text; 0 for that of the system.
        high_contrast: Pure black and white with strong outlines, whatever the palette.
        palette: One of `PALETTES`.
        left_handed: Buttons on the left, so that the drawing hand does not cover the answer.
        live: Read while the user draws, not only when asked.
        speak: Say the answer, where the system can.
        number_mode: Read several digits side by side.
        model: Name of a shipped model, or path of a model file; empty for the best shipped one.
        folder: Where the file lies.
        message: Text key of what to tell the user about loading, or empty.
        read_only: Whether another app has the folder: then nothing in it is changed.
    """

    pen_width: float = 2.0
    language: str = ""
    text_scale: float = 0.0
    high_contrast: bool = False
    palette: str = PALETTES[0]
    left_handed: bool = False
    live: bool = True
    speak: bool = False
    number_mode: bool = False
    model: str = ""
    folder: Path = field(default=Path(), repr=False, compare=False)
    message: str = field(default="", repr=False, compare=False)
    read_only = False  # not a field: no choice of the user's

    @property
    def language_in_use(self) -> str:
        """The language that was chosen, or else the system's."""
        return self.language or system_language()

    @property
    def text_scale_in_use(self) -> float:
        """The size of text that was chosen, or else the system's, as far as there is room for it."""
        least, most = TEXT_SCALES
        return self.text_scale or min(max(system_text_scale(), least), most)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], read_only: bool = False) -> Settings:
        """Read the settings of a folder.

        Args:
            folder: The app's folder of user data; it need not exist.
            read_only: Whether another app has it.

        Returns:
            The settings; defaults where the file is missing or says nothing usable. A file that can't be read
            at all is set aside under another name, and `message` is "settings_aside".
        """
        settings = cls(folder=Path(folder))
        settings.read_only = read_only
        path = settings.folder / FILE
        try:
            content = read_file(path)
            if content is None:
                return settings
            values = json.loads(content)
            if not isinstance(values, dict):
                raise ValueError(f"{type(values).__name__} instead of an object")
        except (ValueError, RecursionError):  # JSONDecodeError and UnicodeDecodeError are ValueErrors
            if not read_only:
                set_aside(path)
            settings.message = "settings_aside"
            return settings
        except OSError:
            settings.message = "settings_aside"
            return settings
        for name in _NAMES:
            if name in values and _usable(name, values[name]):
                setattr(settings, name, type(getattr(settings, name))(values[name]))
        return settings

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: The folder can't be written to.
        """
        check_writable(self.folder / FILE, self.read_only)
        text = json.dumps({name: value for name, value in asdict(self).items() if name in _NAMES}, indent=1)
        make_folder(self.folder)
        write_atomically(self.folder / FILE, lambda file: file.write(text.encode() + b"\n"))


_NAMES = tuple(f.name for f in fields(Settings) if f.name not in ("folder", "message"))


def _usable(name: str, value: Any) -> bool:
    default = getattr(Settings, name)
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        low, high = PEN_WIDTHS if name == "pen_width" else TEXT_SCALES
        # True is a number to Python; NaN fails both comparisons.
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (low <= value <= high or value == default)
    if not isinstance(value, str):
        return False
    choices = {"language": ("", *LANGUAGES), "palette": PALETTES}.get(name)
    return value in choices if choices else 0 < len(value) <= LONGEST_NAME and value.isprintable()
