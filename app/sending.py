"""Taking the answer and the drawing elsewhere: clipboard and PNG files."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lenet_gpu.errors import LenetError

from .reading import Say
from .user_folder import make_folder, reason_of

IMAGE_CLIPBOARDS = (
    ("wl-copy", "--type", "image/png"),
    ("xclip", "-selection", "clipboard", "-t", "image/png", "-i"),
)
"""Commands that put a PNG from their input on the clipboard; Kivy's clipboard takes text alone."""


MOST_PNG = 1 << 20
"""Bytes that a picture of the canvas may take."""


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
        if not _is_whole(path):  # Kivy's way to save says nothing of a full disk
            path.write_bytes(bytes(MOST_PNG))  # the system says it
            raise OSError("")
    except (LenetError, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return path, Say("save_failed", {"path": str(path), "reason": reason_of(error)})
    return path, None


def _is_whole(path: Path) -> bool:
    """Tell whether a PNG file has its last chunk."""
    return path.exists() and path.read_bytes()[-8:-4] == b"IEND"


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
