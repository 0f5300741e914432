"""The app without its looks: the drawing, its reading, teaching and settings. No Kivy here.

Every failure that a user can cause becomes a message (text key and values), never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError, LenetError, ModelFileError
from lenet_gpu.recognition.answers import Prediction
from lenet_gpu.recognition.recognizer import MOST_STROKES, Recognizer
from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.storage.lock import FileLock
from lenet_gpu.storage.shipped_models import model_path, shipped_models

from .ink import Ink
from .reading import SEVERAL, Answer, Say, answer, number_answer
from .samples import SampleStore
from .settings import Settings
from .tune import Fit, Tuner
from .user_folder import open_folder, set_aside

FINAL_REASONS = ("blank", "speck", "bars", "noise")
"""Reasons of the recognizer for which there is no number to look for."""


@dataclass(frozen=True)
class Reading:
    """A reading of the drawing.

    Attributes:
        answer: What to say about the whole.
        predictions: One for a digit, several for a number, none on a blank canvas.
        strokes: The strokes of each of them, as the recognizer got them; empty lists for a picture.
        chosen: The one that is looked at.
    """

    answer: Answer
    predictions: tuple[Prediction, ...] = ()
    strokes: tuple[list[np.ndarray], ...] = ()
    chosen: int = 0

    @property
    def prediction(self) -> Prediction | None:
        """The prediction that is looked at."""
        return self.predictions[self.chosen] if self.predictions else None


BLANK = Reading(Answer("blank"))
TOO_MUCH = Reading(Answer("not_digit", "", Say("not_digit"), Say("why_noise")))
"""The reading of a drawing with more strokes or points than the recognizer takes."""


@dataclass
class Session:
    """One user's drawing, model, samples and settings.

    Attributes:
        settings: The user's choices.
        ink: The drawing.
        recognizer: Reads the drawing.
        tuner: Learns from the samples.
        samples: The user's own digits.
        reading: The last reading.
        picture: The greyscale picture that is read instead of the ink, if any.
        messages: Texts the user has not seen yet.
        erasing: Whether the pen is an eraser now.
        tuning: Whether the model learns from the samples now.
        lock: Keeps other apps from changing this one's files, for as long as the session lives.
    """

    settings: Settings
    recognizer: Recognizer
    tuner: Tuner
    samples: SampleStore
    ink: Ink = field(default_factory=Ink)
    reading: Reading = BLANK
    picture: np.ndarray | None = None
    messages: list[Say] = field(default_factory=list)
    erasing: bool = False
    tuning: bool = False
    lock: FileLock | None = None
    _read_state: object = None
    _chosen: int = 0

    @classmethod
    def open(cls, folder: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> Session:
        """Start, whatever state the user's files are in.

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
        return cls(settings, recognizer, tuner, samples, messages=messages, lock=lock)

    # ---- reading

    def read(self) -> Reading:
        """Read what is drawn now; quick when nothing has changed."""
        state = (self.ink.version, id(self.picture), self.settings.number_mode, self.tuner.tuned)
        if state == self._read_state:
            return self.reading
        self._read_state = state
        # A picture is a picture of one digit, as the recognizer reads it.
        if self.picture is not None:
            self._chosen = 0
            prediction = self.recognizer.predict_image(self.picture)
            self.reading = Reading(answer(prediction), (prediction,), ([],))
        elif self.ink.empty:
            self._chosen, self.reading = 0, BLANK
        else:
            try:
                self._read_ink(self.ink.arrays())
            except InputError:
                self._chosen, self.reading = 0, TOO_MUCH
        return self.reading

    def _read_ink(self, strokes: list[np.ndarray]) -> None:
        if self.settings.number_mode:
            self.reading = self._read_number(strokes)
        else:
            prediction = self._several(self.recognizer.predict_strokes(strokes), strokes)
            self._chosen = 0
            self.reading = Reading(answer(prediction), (prediction,), (strokes,))

    def _several(self, prediction: Prediction, strokes: list[np.ndarray]) -> Prediction:
        """Give a drawing that is no digit, but would make a number, that as its reason."""
        if prediction.is_digit or prediction.reason in FINAL_REASONS or not 2 <= len(strokes) <= MOST_STROKES:
            return prediction
        digits = self.recognizer.predict_number(strokes).digits
        if len(digits) < 2 or not all(digit.is_digit for digit in digits):
            return prediction
        return replace(prediction, reason=SEVERAL)

    def _read_number(self, strokes: Sequence[np.ndarray]) -> Reading:
        number = self.recognizer.predict_number(list(strokes))
        predictions = tuple(number.digits)
        groups = tuple([strokes[i] for i in digit.strokes] for digit in number.digits)
        if not predictions:
            return BLANK
        # The digit just written is the one to look at.
        newest = len(strokes) - 1
        self._chosen = next(i for i, digit in enumerate(number.digits) if newest in digit.strokes)
        return Reading(number_answer(predictions), predictions, groups, self._chosen)

    def choose(self, index: int) -> None:
        """Look at one digit of a number."""
        if 0 <= index < len(self.reading.predictions):
            self._chosen = index
            self.reading = Reading(self.reading.answer, self.reading.predictions, self.reading.strokes, index)

    def forget_reading(self) -> None:
        """Read again at the next `read`, whatever has changed (the model, say)."""
        self._read_state = None

    # ---- drawing

    def drop_picture(self) -> None:
        """Return from a picture to ink."""
        self.picture = None

    def open_picture(self, path: str, load: Callable[[str], np.ndarray]) -> bool:
        """Read a picture's digit instead of the ink.

        Args:
            path: The file.
            load: Turns a file into a (h, w) greyscale array.

        Returns:
            Whether it could be read; if not, there is a message.
        """
        try:
            picture = load(path)
            self.recognizer.predict_image(picture)
        except (LenetError, OSError, ValueError, MemoryError):
            self.messages.append(Say("picture_failed", {"name": os.path.basename(path) or path}))
            return False
        self.ink.clear()
        self.picture = picture
        return True

    # ---- teaching

    def teach(self, label: int) -> bool:
        """Keep the digit that is looked at as a sample.

        Args:
            label: What it is.

        Returns:
            Whether it was kept; there is a message either way.
        """
        reading = self.read()
        strokes = reading.strokes[reading.chosen] if reading.strokes else []
        if reading.prediction is None or not strokes:
            self.messages.append(Say("teach_nothing"))
            return False
        read = reading.prediction.digit if reading.prediction.is_digit else None
        if self.attempt(lambda: self.samples.add(strokes, label, read)) is None:
            return False
        self.messages.append(Say("taught", {"label": label}))
        return True

    def forget_sample(self) -> None:
        """Take the last sample back."""
        before = len(self.samples)
        self.attempt(self.samples.remove_last)
        self.messages.append(Say("sample_forgotten" if len(self.samples) < before else "samples_none"))

    def accept(self, fit: Fit) -> None:
        """Use what was learned, if it is better."""
        result = self.attempt(lambda: self.tuner.accept(fit))
        if result is not None:
            values = {"before": round(100 * result.before), "after": round(100 * result.after)}
            self.messages.append(Say(result.reason, values))
        self.forget_reading()

    def reset_model(self) -> None:
        """Go back to the model as it was shipped."""

        def reset() -> bool:
            self.tuner.reset()
            return True

        if self.attempt(reset):
            self.messages.append(Say("model_reset"))
        self.forget_reading()

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the samples as a data set."""
        written = self.attempt(lambda: self.samples.export(path))
        if written is not None:
            self.messages.append(Say("exported", {"path": str(written.csv)}))

    @property
    def misread(self) -> int:
        """Samples that had been read wrongly."""
        return sum(sample.predicted != sample.label for sample in self.samples)

    # ---- settings

    def change(self, **values: Any) -> None:
        """Change settings and keep them."""
        for name, value in values.items():
            setattr(self.settings, name, value)

        def save() -> bool:
            self.settings.save()
            return True

        self.attempt(save)

    # ---- failing politely

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Run something that may fail for reasons outside the program; a failure becomes a message and None."""
        try:
            return action()
        except (LenetError, OSError) as error:
            self.messages.append(Say("unexpected", {"reason": str(error)}))
            return None


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    write_atomically(path, lambda file: file.write(content))
