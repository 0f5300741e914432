"""Reading as a job of its own: what is to be read, taken from the session, and what came of it. No Kivy here.

A job holds all that it needs, so that another thread can do it while drawing goes on; of several the newest wins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.recognition.answers import Prediction
from lenet_gpu.recognition.recognizer import Recognizer

from .corrections import Key, key_of
from .ink import Box
from .reading import Answer, Say

QUICK_STROKES = 4
QUICK_POINTS = 400
"""A drawing of at most so many strokes and points is read in about a millisecond: handing it over costs as much."""

QUICK_PIXELS = 40_000
"""A picture of at most so many pixels likewise."""

FINAL_REASONS = ("blank", "speck", "bars", "noise")
"""Reasons of the recognizer for which there is no number to look for."""


def box_of(sides: Sequence[float]) -> Box:
    """Return four sides as plain numbers."""
    left, top, right, bottom = map(float, sides)
    return left, top, right, bottom


@dataclass(frozen=True)
class Found:
    """The recognizer's finding.

    Attributes:
        predictions: One for a digit, several for a number, none on a blank canvas.
        strokes: The strokes of each of them, as the recognizer got them; empty lists for a picture.
        is_number: Whether it is to be shown as a number.
        chosen: Index of the newest.
        boxes: Left, top, right, bottom of each mark of a number: in ink units, or in pixels of the picture.
        lines: Number of the line that each mark is in, from the top.
        too_much: The drawing has more strokes or points than the recognizer takes.
    """

    predictions: tuple[Prediction, ...] = ()
    strokes: tuple[list[np.ndarray], ...] = ()
    is_number: bool = False
    chosen: int = 0
    boxes: tuple[Box, ...] = ()
    lines: tuple[int, ...] = ()
    too_much: bool = False

    def key(self, index: int) -> Key:
        """Return what tells the drawing of one of them from all others."""
        place = self.boxes[index] if self.boxes else ()
        return key_of(self.strokes[index], self.predictions[index].image, place)


@dataclass(frozen=True)
class Job:
    """A drawing to be read.

    Attributes:
        number: Counts the jobs: the newest has the greatest.
        recognizer: Reads it.
        strokes: (n, 2) float32 arrays, x right, y down, oldest first.
        number_mode: Read as a number, whatever it looks like.
        picture: (h, w) uint8 to be read instead of strokes.
    """

    number: int
    recognizer: Recognizer
    strokes: list[np.ndarray]
    number_mode: bool
    picture: np.ndarray | None = None

    def glance(self) -> Found | None:
        """Read what takes less than a frame has to spare: one digit of few strokes, a small picture.

        Returns:
            The finding; None where it takes longer, as a number of several strokes does: then `run`, in a thread.
        """
        if self.picture is not None:
            return self.run() if self.picture.size <= QUICK_PIXELS else None
        if len(self.strokes) > QUICK_STROKES or sum(map(len, self.strokes)) > QUICK_POINTS:
            return None
        if self.number_mode or not self.strokes:
            return self.run() if len(self.strokes) <= 1 else None
        try:
            prediction = self.recognizer.predict_strokes(self.strokes)
        except InputError:
            return Found(too_much=True)
        return None if self._may_be_number(prediction) else Found((prediction,), (self.strokes,))

    def run(self) -> Found:
        """Read; safe in any thread."""
        if self.picture is not None:
            return self._picture(self.picture)
        if not self.strokes:
            return Found()
        try:
            return self._number() if self.number_mode else self._digit()
        except InputError:
            return Found(too_much=True)

    def _picture(self, picture: np.ndarray) -> Found:
        """Read a picture: of one digit, or a page of them."""
        one = self.recognizer.predict_image(picture)
        if one.is_digit:
            return Found((one,), ([],))
        page = self.recognizer.read_page(picture)
        marks = [(mark, number) for number, line in enumerate(page.lines) for mark in line.digits]
        if sum(mark.is_digit for mark, _ in marks) < 2:
            return Found((one,), ([],))
        boxes = tuple(box_of(mark.box) for mark, _ in marks)
        lines = tuple(number for _, number in marks)
        return Found(tuple(mark for mark, _ in marks), tuple([] for _ in marks), True, 0, boxes, lines)

    def _digit(self) -> Found:
        """Read one digit; what is none, but would make a number, is read as that."""
        prediction = self.recognizer.predict_strokes(self.strokes)
        one = Found((prediction,), (self.strokes,))
        if not self._may_be_number(prediction):
            return one
        number = self._number()
        whole = len(number.predictions) > 1 and all(one.is_digit or one.sign for one in number.predictions)
        return number if whole else one

    def _may_be_number(self, prediction: Prediction) -> bool:
        return not (prediction.is_digit or prediction.reason in FINAL_REASONS or len(self.strokes) < 2)

    def _number(self) -> Found:
        digits = self.recognizer.predict_number(self.strokes).digits
        if not digits:
            return Found()
        groups = tuple([self.strokes[i] for i in digit.strokes] for digit in digits)
        # The digit just written is the one to look at.
        newest = max(range(len(digits)), key=lambda i: max(digits[i].strokes, default=-1))
        boxes = tuple(box_of(digit.box) for digit in digits)
        return Found(tuple(digits), groups, True, newest, boxes, tuple(digit.line for digit in digits))


@dataclass(frozen=True)
class Reading:
    """A reading of the drawing.

    Attributes:
        answer: What to say about the whole.
        predictions: One for a digit, several for a number, none on a blank canvas.
        strokes: The strokes of each of them, as the recognizer got them; empty lists for a picture.
        chosen: The one that is looked at.
        said: What the user has said of each of them; None for nothing.
        boxes: Left, top, right, bottom of each mark of a number: in ink units, or in pixels of the picture.
        lines: Number of the line that each mark is in, from the top.
    """

    answer: Answer
    predictions: tuple[Prediction, ...] = ()
    strokes: tuple[list[np.ndarray], ...] = ()
    chosen: int = 0
    said: tuple[int | None, ...] = ()
    boxes: tuple[Box, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def prediction(self) -> Prediction | None:
        """The prediction that is looked at."""
        return self.predictions[self.chosen] if self.predictions else None

    @property
    def found(self) -> Found:
        """Everything that was found, before it was put into words."""
        number = self.answer.kind == "number"
        return Found(self.predictions, self.strokes, number, self.chosen, self.boxes, self.lines)


BLANK = Reading(Answer("blank"))
TOO_MUCH = Reading(Answer("not_digit", "", Say("not_digit"), Say("why_noise")))
"""The reading of a drawing with more strokes or points than the recognizer takes."""


class NewestReader:
    """Does jobs in a thread of its own; a job that has not begun when a newer one comes is never done.

    Args:
        done: Called in that thread with each job that was done and what was found, or the exception.
    """

    def __init__(self, done: Callable[[Job, Found | Exception], object]) -> None:
        self._done = done
        self._lock = threading.Lock()
        self._waiting: Job | None = None
        self._running = False

    @property
    def busy(self) -> bool:
        """True while a job is being done or waits."""
        with self._lock:
            return self._running

    def ask(self, job: Job) -> None:
        """Have a job done, instead of the one that waits.

        Args:
            job: What to read.
        """
        with self._lock:
            self._waiting = job
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._work, name="reader", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                job, self._waiting = self._waiting, None
                if job is None:
                    self._running = False
                    return
            try:
                found: Found | Exception = job.run()
            except Exception as error:  # shown to the user: a thread's traceback helps nobody
                found = error
            self._done(job, found)
