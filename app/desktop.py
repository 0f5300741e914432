"""A desktop's own programs: the dialog to choose a picture, and the window that shows a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Find = Callable[[str], str | None]
"""Finds a command; None where it is not installed."""

DIALOGS: tuple[tuple[str, ...], ...] = (
    ("zenity", "--file-selection"),
    ("kdialog", "--getopenfilename"),
    ("osascript", "-e", "POSIX path of (choose file)"),
)
"""Commands that print the path of the file that was chosen (GNOME, KDE, macOS)."""

WINDOWS = (
    "powershell", "-NoProfile", "-STA", "-Command",
    "Add-Type -AssemblyName System.Windows.Forms;"
    "$d = New-Object System.Windows.Forms.OpenFileDialog; if ($d.ShowDialog() -eq 'OK') { $d.FileName }",
)  # fmt: skip

FOLDERS = (("xdg-open",), ("open",))
"""Commands that show a folder (Linux, macOS)."""


def _first(commands: Sequence[Sequence[str]], find: Find) -> list[str] | None:
    return next(([path, *rest] for name, *rest in commands if (path := find(name))), None)


class FileDialog:
    """The dialog, with the interface of `plyer.filechooser`.

    Args:
        command: What shows it, and prints a path.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def open_file(self, **_: Any) -> list[str] | None:
        """Open the dialog and wait.

        Returns:
            The path in a list; None where nothing was chosen.

        Raises:
            OSError: The command can't be run.
        """
        ended = subprocess.run(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        path = ended.stdout.strip() if ended.returncode == 0 else ""
        return [path] if path else None


def file_dialog(find: Find = shutil.which) -> FileDialog | None:
    """Find this desktop's dialog; None where there is no command for one."""
    command = _first((WINDOWS,) if sys.platform == "win32" else DIALOGS, find)
    return None if command is None else FileDialog(command)


def folder_window(find: Find = shutil.which) -> Callable[[Path], None] | None:
    """Find what shows a folder in a window of the desktop; None where there is no command for it."""
    command = _first((("explorer",),) if sys.platform == "win32" else FOLDERS, find)
    if command is None:
        return None

    def show(folder: Path) -> None:
        threading.Thread(target=lambda: _run([*command, str(folder)]), name="folder", daemon=True).start()

    return show


def _run(command: Sequence[str]) -> None:
    nothing = subprocess.DEVNULL
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=False)
