"""Taking the answer and the drawing elsewhere: clipboard and PNG files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lenet_gpu.errors import LenetError

from .reading import Say
from .user_folder import make_folder

IMAGE_CLIPBOARDS = (
    ("wl-copy", "--type", "image/png"),
    ("xclip", "-selection", "clipboard", "-t", "image/png", "-i"),
)
"""Commands that put a PNG from their input on the clipboard; Kivy's clipboard takes text alone."""


def copy_text(text: str) -> None:
    """Put a text on the clipboard."""
    from kivy.core.clipboard import Clipboard

    Clipboard.copy(text)


def save_drawing(save: Callable[[str], None], folder: Path) -> tuple[Path, Say | None]:
    """Save a drawing as a PNG file named by date and time.

    Args:
        save: Writes the drawing to a path.
        folder: Folder for the file; made if missing.

    Returns:
        The file, and what to tell the user where it could not be written.
    """
    path = folder / f"{datetime.now():%Y-%m-%d_%H-%M-%S}.png"
    number = 1
    while path.exists():
        number += 1
        path = path.with_stem(f"{path.stem.split('~')[0]}~{number}")
    try:
        make_folder(folder)
        save(str(path))
    except (LenetError, OSError) as error:
        reason = getattr(error, "found", None) or str(error)
        return path, Say("save_failed", {"path": str(path), "reason": reason})
    return path, None if path.exists() else Say("save_failed", {"path": str(path), "reason": ""})


def copy_image(path: Path) -> bool:
    """Put a PNG file on the clipboard where a command for it is installed; says whether it worked."""
    for command, *options in IMAGE_CLIPBOARDS:
        found = shutil.which(command)
        if found is None:
            continue
        try:
            with path.open("rb") as content:
                ended = subprocess.run(
                    [found, *options],
                    stdin=content,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=3,
                    check=False,
                )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if ended.returncode == 0:
            return True
    return False
