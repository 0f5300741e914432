"""The drawing on the disk: what was drawn is there again after the app was closed, or killed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.storage.atomic import write_atomically

from .sample import MAX_POINTS, read_points
from .user_folder import make_folder, read_file

FILE = "drawing.json"


def save_drawing(folder: str | os.PathLike[str], strokes: Sequence[np.ndarray]) -> bool:
    """Keep a drawing, whole or not at all.

    Args:
        folder: The app's folder of user data.
        strokes: (n, 2) float32 arrays in ink units; none removes the file.

    Returns:
        Whether it is kept. A full disk is no reason to disturb whoever draws.
    """
    path = Path(folder) / FILE
    content = json.dumps({"strokes": [np.asarray(s, dtype=np.float32).tolist() for s in strokes]})
    try:
        if not strokes:
            path.unlink(missing_ok=True)
            return True
        make_folder(path.parent)
        write_atomically(path, lambda file: file.write(content.encode()))
    except (OSError, InputError):
        return False
    return True


def load_drawing(folder: str | os.PathLike[str]) -> list[np.ndarray]:
    """Read the drawing that was kept.

    Args:
        folder: The app's folder of user data.

    Returns:
        (n, 2) float32 arrays in ink units; none where there is no such file, or it is damaged.
    """
    try:
        content = read_file(Path(folder) / FILE)
        if content is None:
            return []
        strokes = [read_points(line) for line in json.loads(content)["strokes"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return []
    return strokes if sum(map(len, strokes)) <= 10 * MAX_POINTS else []
