"""The folder of the user's own files: made when needed, and nothing in it is ever deleted for being broken."""

from __future__ import annotations

import os
from pathlib import Path

from lenet_gpu.errors import InputError

BROKEN = ".broken"
"""Ending that a damaged file gets."""


def make_folder(folder: Path) -> None:
    """Make sure that the folder exists.

    Args:
        folder: The folder; those above it are made too.

    Raises:
        InputError: The system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder,
            found=f"{error.strerror or error}",
            expected="a folder to write to",
            remedy="free some space or check the rights of the folder above it",
        ) from error


def set_aside(path: Path, ending: str = BROKEN) -> Path | None:
    """Rename a file that can't be used, without losing an earlier one that was set aside.

    Args:
        path: The file.
        ending: Added to its name; a number follows when that name is taken.

    Returns:
        Its new name, or None when the system refuses (a folder without write access): it then stays.
    """
    target, number = path.with_name(path.name + ending), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}{ending}{number}")
    try:
        os.replace(path, target)
    except OSError:
        return None
    return target


def remove(path: Path) -> None:
    """Remove a file of the user's at the user's wish.

    Args:
        path: The file; it need not exist.

    Raises:
        InputError: The system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            path,
            found=f"{error.strerror or error}",
            expected="a file that may be removed",
            remedy="check the rights of its folder",
        ) from error
