"""Pictures as files: drawn without a display, written whole or not at all, and known as ours."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from lenet_gpu.errors import InputError, LenetError, exhausted
from lenet_gpu.storage.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOGGER = logging.getLogger("lenet_gpu")

SOFTWARE = "lenet-gpu"
"""Name of their origin in the pictures, by which `is_ours` knows them."""


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a picture that this program drew.

    Args:
        path: An existing file.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError:
        return False
    return start.startswith(b"\x89PNG") and b"tEXtSoftware\0" + SOFTWARE.encode() in start


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure.

    Args:
        width: In inches.
        height: In inches.

    Raises:
        InputError: matplotlib can't be imported.
    """
    try:
        from matplotlib.figure import Figure
    except Exception as error:  # missing, damaged, or a backend in MPLBACKEND that this Python does not have
        if exhausted(error):
            raise
        backend = os.environ.get("MPLBACKEND")
        raise InputError(
            "matplotlib",
            found=f"{type(error).__name__} ({str(error)[:200]})",
            expected="one that can be imported",
            remedy="unset MPLBACKEND" if backend else "install it again: pip install --force-reinstall matplotlib",
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG. Equal figures give equal files: no date or version is inside.

    Args:
        figure: What a function of `lenet_gpu.report.plots` returned.
        path: The file.

    Raises:
        InputError: The file can't be written.
    """
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120, metadata={"Software": SOFTWARE}))


def draw_if_possible(draw: Callable[[], object], later: str) -> bool:
    """Draw a picture; warn in one line if that fails, for a picture is never worth a result.

    Args:
        draw: Draws and writes it.
        later: How to draw it once the reason is gone.

    Returns:
        Whether it was drawn.
    """
    try:
        draw()
    except LenetError as error:
        LOGGER.warning("no picture: %s; later: %s", error, later)
    except Exception as error:  # whatever matplotlib fails with, the numbers are safe
        lacking = exhausted(error)
        why = "; ".join(lacking) if lacking else f"{type(error).__name__} ({' '.join(str(error).split())})"
        LOGGER.warning("no picture: %s; later: %s", why, later)
    else:
        return True
    return False
