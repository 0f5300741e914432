"""The surroundings that Kivy needs, arranged before it is imported: settings, a folder of its own, a display."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import MutableMapping

from lenet_gpu.errors import BackendError

VARIABLES = {
    # BLAS's threads only slow a single digit down, and Kivy would take our options.
    "OPENBLAS_NUM_THREADS": "1",
    "KIVY_NO_ARGS": "1",
    "KIVY_NO_FILELOG": "1",
    # Without this Kivy imports Pillow at start just to see whether it is there.
    "KIVY_IMAGE": "sdl2,imageio,tex,dds",
    # The system's size of text is asked for where boxes grow with it, too; Kivy would enlarge letters alone.
    "KIVY_METRICS_FONTSCALE": "1",
}

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
"""Variables of which one names the display, on Linux."""

CHOICES = ("SDL_VIDEODRIVER", "KIVY_WINDOW")
"""Variables by which somebody has chosen how the window is made: they know best."""


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Arrange everything that has to stand in the environment before Kivy is imported.

    Args:
        environment: The variables to read and to change.

    Raises:
        BackendError: There is no display to open a window on.
    """
    for name, value in VARIABLES.items():
        environment.setdefault(name, value)
    if "KIVY_LOG_MODE" not in environment:
        quieten(environment)
    check_display(environment)
    if not environment.get("KIVY_HOME"):
        home = kivy_home()
        if not _can_write(home):
            folder = tempfile.mkdtemp(prefix="lenet-gpu-kivy-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            environment["KIVY_HOME"] = folder
            line = f"lenet-gpu: {home} can't be written to: Kivy's files are in {folder} this time"
            if sys.stderr is not None:
                print(line, file=sys.stderr)


NO_FAULTS = ("Input: MTDev is not supported", "Cutbuffer: Unable to find any valuable")
"""Messages of Kivy about what a desktop does not need: a touch screen's library, the middle mouse button's text."""


class FaultsAlone(logging.Filter):
    """Lets through what went wrong, and of that only what matters here."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be said."""
        return record.levelno >= logging.ERROR and not record.getMessage().startswith(NO_FAULTS)


def quieten(environment: MutableMapping[str, str]) -> None:
    """Keep Kivy's reports from the terminal, faults excepted; KIVY_LOG_MODE=KIVY brings them back.

    Args:
        environment: The variables to change.
    """
    environment["KIVY_LOG_MODE"] = "PYTHON"
    logging.getLogger("kivy").addFilter(FaultsAlone())


def check_display(environment: MutableMapping[str, str]) -> None:
    """Refuse to open a window that nobody would see.

    On Linux, SDL draws into memory where it finds no display, and the app would run for ever without a window.

    Args:
        environment: The variables to read.

    Raises:
        BackendError: There is no display, and no way of drawing was chosen.
    """
    if not sys.platform.startswith("linux") or hasattr(sys, "getandroidapilevel"):
        return
    if any(environment.get(name) for name in (*DISPLAYS, *CHOICES)):
        return
    raise BackendError(
        "the app's window",
        found="no display (neither DISPLAY nor WAYLAND_DISPLAY is set)",
        expected="a desktop session",
        remedy="start it there, over ssh with ssh -X, or on a console without a desktop with SDL_VIDEODRIVER=kmsdrm",
    )


def kivy_home() -> str:
    """Return the folder in which Kivy keeps its settings unless told otherwise."""
    return os.path.join(os.path.expanduser("~"), ".kivy")


def _can_write(folder: str) -> bool:
    """Make a folder and a file in it; root is refused nothing by permissions, but by file systems."""
    if not os.path.isabs(folder):  # a user without a home folder: "~" stays as it is
        return False
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
