"""The system's own dialog to choose a picture: plyer on phones, the desktop's command elsewhere."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from .interfaces import Timer

COMMANDS: tuple[tuple[str, ...], ...] = (
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


class FileDialog:
    """Lets the user choose a file.

    Args:
        timer: Brings the answer into the app's own thread.
        find: Finds a command.

    Attributes:
        available: Whether there is such a dialog here.
    """

    def __init__(self, timer: Timer, find: Callable[[str], str | None] = shutil.which) -> None:
        self._timer = timer
        self._mobile = hasattr(sys, "getandroidapilevel") or sys.platform == "ios"
        commands = (WINDOWS,) if sys.platform == "win32" else COMMANDS
        self._command = next(([path, *rest] for name, *rest in commands if (path := find(name))), None)
        self._open = False

    @property
    def available(self) -> bool:
        """True if there is such a dialog here."""
        return self._command is not None or (self._mobile and importlib.util.find_spec("plyer") is not None)

    def choose(self, chosen: Callable[[str], None]) -> None:
        """Open the dialog, once at a time, and go on.

        Args:
            chosen: Called in the app's own thread with the path, if one was chosen.
        """
        if self._open:
            return
        self._open = True
        threading.Thread(target=lambda: self._ask(chosen), name="dialog", daemon=True).start()

    def _ask(self, chosen: Callable[[str], None]) -> None:
        try:
            path = self._by_command(self._command) if self._command else self._by_plyer(chosen)
        except (OSError, NotImplementedError, RuntimeError):
            path = ""
        self._open = False
        if path:
            self._timer.schedule_once(lambda _: chosen(path))

    @staticmethod
    def _by_command(command: Sequence[str]) -> str:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return ended.stdout.strip() if ended.returncode == 0 else ""

    def _by_plyer(self, chosen: Callable[[str], None]) -> str:
        """Phones answer later, through a function."""

        def picked(paths: Sequence[str] | None) -> None:
            if paths:
                self._timer.schedule_once(lambda _: chosen(paths[0]))

        importlib.import_module("plyer").filechooser.open_file(on_selection=picked)
        return ""
