"""Starting from the user's files, whatever state they are in. No Kivy here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lenet_gpu.errors import ModelFileError
from lenet_gpu.recognition.recognizer import Recognizer
from lenet_gpu.storage.lock import FileLock
from lenet_gpu.storage.shipped_models import model_path, shipped_models

from .drawing_file import load_drawing
from .reading import Say
from .samples import SampleStore
from .settings import Settings
from .tune import Tuner
from .user_folder import open_folder, set_aside


@dataclass(frozen=True, eq=False)
class Opened:
    """The contents of the user's folder, or what takes their place.

    Attributes:
        settings: The user's choices.
        recognizer: With the model that was chosen, tuned if it has been.
        tuner: Learns from the samples.
        samples: The user's own digits.
        drawing: Strokes of the drawing that was kept.
        messages: What the user has to know.
        lock: Keeps other apps from changing these files, for as long as it lives.
    """

    settings: Settings
    recognizer: Recognizer
    tuner: Tuner
    samples: SampleStore
    drawing: Sequence[np.ndarray]
    messages: list[Say]
    lock: FileLock


def open_files(folder: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> Opened:
    """Open the user's folder.

    Args:
        folder: Where the app keeps its files.
        model: Model to use instead of the one in the settings.

    Raises:
        ModelFileError: `model` was asked for by name and can't be used, or the shipped model is damaged.
    """
    messages = []
    lock = open_folder(Path(folder))
    if lock.taken:
        messages.append(Say("read_only"))
    settings = Settings.load(folder, lock.taken)
    if model is not None:
        recognizer = Recognizer(model)
    else:
        try:
            recognizer = Recognizer(settings.model or None)
        except ModelFileError as error:
            messages.append(Say("model_aside", {"reason": error.found or str(error)}))
            own = settings.model not in shipped_models() and Path(settings.model).is_file()
            if own and not lock.taken:
                set_aside(model_path(settings.model))
            settings.model = ""
            recognizer = Recognizer()
    tuner, samples = Tuner(recognizer, folder, lock.taken), SampleStore(folder, lock.taken)
    keys = (settings.message, samples.message, tuner.load())
    messages = [*(Say(key) for key in keys if key), *messages]
    return Opened(settings, recognizer, tuner, samples, load_drawing(folder), messages, lock)
