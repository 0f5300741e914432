"""The user's corrections: which drawing is which digit, said once, undone once. No Kivy here.

A correction holds for exactly the drawing that was on the canvas: its answer, its number and the clipboard change at
once, whatever the network thinks. What can be learned from it is kept as a sample, each drawing once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .reading import NO_DIGIT
from .samples import Sample, SampleStore

Key = bytes
"""A drawing, to the last bit."""


def key_of(strokes: Sequence[np.ndarray], image: np.ndarray, place: Sequence[float] = ()) -> Key:
    """Tell drawings apart.

    Args:
        strokes: (n, 2) arrays; none for a part of a picture.
        image: (28, 28) uint8 that the network saw, which stands for a drawing without strokes.
        place: Where in its picture it lies.

    Returns:
        Equal for equal drawings alone.
    """
    parts = [np.ascontiguousarray(stroke, dtype=np.float32) for stroke in strokes]
    parts = parts or [image, np.asarray(place, dtype=np.float32)]
    return b"".join(len(part).to_bytes(4, "little") + part.tobytes() for part in parts)


@dataclass(frozen=True)
class Correction:
    """One correction, with what is needed to take it back.

    Attributes:
        key: The drawing.
        label: What the user said: 0..9, or `NO_DIGIT`.
        before: What the user had said of this drawing before, if anything.
        added: The sample that was kept for it; None where there was one already, or there are no strokes.
        replaced: The sample that it took the place of: the same drawing under another label.
    """

    key: Key
    label: int
    before: int | None
    added: Sample | None
    replaced: Sample | None


class Corrections:
    """The user's words about drawings, and the samples that came of them.

    Args:
        samples: The user's digits on the disk.

    Attributes:
        last: The last correction, while it can be undone.
    """

    def __init__(self, samples: SampleStore) -> None:
        self._samples = samples
        self._said: dict[Key, int] = {}
        self.last: Correction | None = None

    def said(self, key: Key) -> int | None:
        """Return what the user has said of a drawing, or None."""
        return self._said.get(key)

    def teach(self, key: Key, strokes: Sequence[np.ndarray], label: int, read: int | None) -> Correction:
        """Take a correction.

        Args:
            key: The drawing, as `key_of` tells it from others.
            strokes: Its strokes; none for a part of a picture, of which no sample is kept.
            label: What it is: 0..9, or `NO_DIGIT`.
            read: The digit that was read, if any.

        Returns:
            The correction.

        Raises:
            InputError: The sample can't be kept; nothing changes then.
        """
        name = None if label == NO_DIGIT else label
        known = self._samples.find(strokes) if len(strokes) else None
        added = replaced = None
        if len(strokes) and (known is None or known.label != name):
            added = self._samples.add(strokes, name, read)
            if known is not None:
                self._samples.remove(known)
                replaced = known
        self.last = Correction(key, label, self._said.get(key), added, replaced)
        self._said[key] = label
        return self.last

    def undo(self) -> Correction | None:
        """Take the last correction back, its sample included.

        Returns:
            It, or None if there is none.

        Raises:
            InputError: The samples can't be changed; nothing changes then.
        """
        correction = self.last
        if correction is None:
            return None
        if correction.added is not None:
            self._samples.remove(correction.added)
        if correction.replaced is not None:
            self._samples.add(correction.replaced.strokes, correction.replaced.label, correction.replaced.predicted)
        if correction.before is None:
            self._said.pop(correction.key, None)
        else:
            self._said[correction.key] = correction.before
        self.last = None
        return correction

    def forget(self, sample: Sample) -> None:
        """Forget what was said of a sample's drawing: the sample is gone."""
        self._said.pop(key_of(sample.strokes, np.empty((0, 0), np.uint8)), None)
        if self.last is not None and self.last.added is sample:
            self.last = None
