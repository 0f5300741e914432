"""The app without its looks: the drawing, its reading, teaching and settings. No Kivy here.

Every failure that a user can cause becomes a message (text key and values), never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu.errors import LenetError
from lenet_gpu.recognition.recognizer import Recognizer
from lenet_gpu.storage.lock import FileLock

from .corrections import Correction, Corrections
from .drawing_file import save_drawing
from .ink import Ink
from .jobs import BLANK, Found, Job, Reading
from .opening import open_files
from .part import Part
from .reading import Say
from .samples import SampleStore
from .settings import Settings
from .tune import Fit, Tuner, TuneResult
from .user_folder import reason_of
from .wording import reading_of


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
        corrections: The user's corrections.
        selected: The digit whose bar is selected, until the drawing changes.
        erasing: Whether the pen is an eraser now.
        tuning: Whether the model learns from the samples now.
        kiosk: The app stands in a public place: it keeps no drawing.
        lecture: The teacher's mode is on.
        part: What is read instead of the whole drawing, while a part of it is looked at.
        asking: A tapped stroke is left out, to see what is read without it.
        replaying: The drawing is being drawn again by itself.
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
    selected: int | None = None
    erasing: bool = False
    tuning: bool = False
    kiosk: bool = False
    lecture: bool = False
    part: Part | None = None
    asking: bool = False
    replaying: bool = False
    lock: FileLock | None = None
    _read_state: object = None
    _jobs: int = 0
    _settled: int = 0

    def __post_init__(self) -> None:
        self.corrections = Corrections(self.samples)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], model: str | os.PathLike[str] | None = None) -> Session:
        """Start, whatever state the user's files are in.

        Args:
            folder: Where the app keeps its files.
            model: Model to use instead of the one in the settings.

        Raises:
            ModelFileError: `model` was asked for by name and can't be used, or the shipped model is damaged.
        """
        found = open_files(folder, model)
        session = cls(
            found.settings, found.recognizer, found.tuner, found.samples, messages=found.messages, lock=found.lock
        )
        session.ink.restore(found.drawing)
        return session

    # ---- reading

    @property
    def number_mode(self) -> bool:
        """True if marks are read as a number; a lecture is about one digit."""
        return self.settings.number_mode and not self.lecture

    def job(self) -> Job | None:
        """Return what is to be read now; None where that has been read, or is being read."""
        state = (self.ink.version, id(self.picture), self.part, self.number_mode, self.tuner.tuned)
        if state == self._read_state:
            return None
        self._read_state = state
        self._jobs += 1
        picture = self.picture
        strokes = [] if picture is not None else self.part.kept if self.part is not None else self.ink.arrays()
        return Job(self._jobs, self.recognizer, strokes, self.number_mode, picture)

    def settle(self, job: Job, found: Found) -> bool:
        """Take what a job has found, unless a newer one has been taken already; says whether it was taken."""
        if job.number <= self._settled:
            return False
        self._settled = job.number
        self.selected = None
        self.reading = reading_of(found, self.corrections)
        return True

    def read(self) -> Reading:
        """Read what is drawn now, and wait for it; quick when nothing has changed."""
        if self._settled < self._jobs:  # another thread is at it: this one does not wait for its turn
            self._read_state = None
        job = self.job()
        if job is not None:
            self.settle(job, job.run())
        return self.reading

    def _say_again(self) -> None:
        """Put the same reading into words again, after a correction."""
        if self.reading.predictions:
            self.reading = reading_of(self.reading.found, self.corrections)

    def choose(self, index: int) -> None:
        """Look at one digit of a number."""
        if 0 <= index < len(self.reading.predictions):
            self.selected = None
            self.reading = replace(self.reading, chosen=index)

    def select(self, digit: int) -> bool:
        """Select a digit's bar; again, and nothing is selected. Returns whether one is."""
        self.selected = None if digit == self.selected or self.reading.prediction is None else digit
        return self.selected is not None

    def forget_reading(self) -> None:
        """Read again at the next `read`."""
        self._read_state = None

    # ---- drawing

    def drop_picture(self) -> None:
        """Return from a picture to ink."""
        self.picture = None

    def forget_part(self) -> None:
        """Look at the whole drawing again."""
        self.part, self.asking, self.replaying = None, False, False

    def open_picture(self, path: str, load: Callable[[str], np.ndarray]) -> bool:
        """Read a picture's digits instead of the ink.

        Args:
            path: The file.
            load: Turns a file into a (h, w) greyscale array.

        Returns:
            Whether it could be read; if not, there is a message.
        """
        try:
            picture = load(path)
        except (LenetError, OSError, ValueError, MemoryError):
            self.messages.append(Say("picture_failed", {"name": os.path.basename(path) or path}))
            return False
        self.ink.clear()
        self.picture = picture
        return True

    def keep_drawing(self) -> None:
        """Keep the drawing for the next start, unless another app has the folder, or this one forgets."""
        if not self.settings.read_only and not self.kiosk:
            save_drawing(self.settings.folder, [stroke.points for stroke in self.ink.strokes])

    def begin_anew(self) -> None:
        """Forget the drawing and all that was chosen: somebody else stands before the screen."""
        self.ink.restore([])
        self.picture, self.selected, self.erasing = None, None, False
        self.lecture = False
        self.forget_part()
        self.settings.number_mode = False
        self.messages.clear()
        self.forget_reading()

    # ---- teaching

    def teach(self, label: int) -> Correction | None:
        """Take the user's word for what the digit is that is looked at: the answer changes at once.

        Args:
            label: What it is; `app.reading.NO_DIGIT` for no digit.

        Returns:
            The correction; None where there is nothing to correct or it can't be kept, which is a message.
        """
        reading = self.read()
        prediction = reading.prediction
        if prediction is None:
            self.messages.append(Say("teach_nothing"))
            return None
        strokes = reading.strokes[reading.chosen]
        read = prediction.digit if prediction.is_digit else None
        self.selected = None
        key = reading.found.key(reading.chosen)
        correction: Correction | None = self.attempt(lambda: self.corrections.teach(key, strokes, label, read))
        if correction is not None:
            self._say_again()
        return correction

    def undo_correction(self) -> Correction | None:
        """Take the last correction back; returns it, or None if there is none or a file can't be changed."""
        correction: Correction | None = self.attempt(self.corrections.undo)
        if correction is not None:
            self._say_again()
        return correction

    def forget_sample(self) -> None:
        """Take the last sample back, and what was said of its drawing."""
        last = self.attempt(self.samples.remove_last)
        if last is not None:
            self.corrections.forget(last)
            self._say_again()
        self.messages.append(Say("samples_none" if last is None else "sample_forgotten"))

    def accept(self, fit: Fit) -> TuneResult | None:
        """Use what was learned, if it is better; what failed is a message."""
        result: TuneResult | None = self.attempt(lambda: self.tuner.accept(fit))
        self.forget_reading()
        return result

    def reset_model(self) -> None:
        """Go back to the model as it was shipped."""

        def reset() -> bool:
            self.tuner.reset()
            return True

        if self.attempt(reset):
            self.messages.append(Say("model_reset"))
        self.forget_reading()

    def export(self, path: str | os.PathLike[str]) -> Path | None:
        """Write the samples as a data set; returns its file, or None where it can't be written."""
        written = self.attempt(lambda: self.samples.export(path))
        return None if written is None else Path(written.csv)

    @property
    def misread(self) -> int:
        """Number of the samples that had been read wrongly."""
        return sum(sample.predicted != sample.label for sample in self.samples)

    # ---- settings

    def change(self, **values: Any) -> None:
        """Change settings and keep them."""
        for name, value in values.items():
            setattr(self.settings, name, value)

        def save() -> bool:
            self.settings.save()
            return True

        if not self.kiosk:
            self.attempt(save)

    # ---- failing politely

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Run something that may fail for reasons outside the program; a failure becomes a message and None."""
        try:
            return action()
        except (LenetError, OSError) as error:
            self.messages.append(Say("unexpected", {"reason": reason_of(error)}))
            return None
