"""Inference of the CUDA engine: the scores of the classes, and their evaluation.

Images on the host are uploaded in parts, while the device computes earlier ones. Sets that are evaluated again and
again stay on the device, where their losses and answers are summed, too: little is read back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.engine.base import Progress
from lenet_gpu.engine.cuda.device import evaluation_kernel
from lenet_gpu.engine.cuda.source import EVALUATED, EVALUATED_BYTES
from lenet_gpu.engine.cuda.staging import SLOTS, in_parts, pinned, record, upload
from lenet_gpu.nn.metrics import Evaluation

if TYPE_CHECKING:
    from lenet_gpu.engine.cuda.forms import Form
    from lenet_gpu.nn.network import Network

Array = Any
Event = Any

PART = 16 * EVALUATED
"""Images of a part that is uploaded (3 MB), whole groups of the evaluation kernel."""

RESIDENT_PART = 256 * EVALUATED
"""Images that are computed at a time where they are on the device already; it bounds the memory of their scores."""

MOST_KEPT = 3
"""Sets that are kept beside the training set: one each to train by, to validate and to test."""

ROOM = 0.25
"""Share of the free memory that a set may take to be kept on the device."""

NONE = np.zeros(0, dtype=np.float32)
"""The losses of the finished steps, for progress: there are no steps."""


@dataclass
class ResidentSet:
    """A set of images that stays on the device, known by the very arrays on the host.

    Attributes:
        host: Images and labels on the host.
        device: The same on the device; None: not uploaded yet.
        fits: Whether there was room for it.
    """

    host: tuple[np.ndarray, np.ndarray]
    device: tuple[Array, Array] | None = None
    fits: bool = True


class Inference:
    """Computes scores and evaluations of one network.

    Args:
        network: The network.
        form: The form of the kernels that compute its scores.
        stream: The engine's stream.
    """

    def __init__(self, network: Network, form: Form, stream: Any) -> None:
        self._network, self._form, self._stream = network, form, stream
        self._xp = network.backend.xp
        self._evaluate = evaluation_kernel(self._xp, network.classes)
        self._uploads = self._xp.cuda.Stream(non_blocking=True)
        self._sets: list[ResidentSet] = []  # the latest last
        self._loaded: ResidentSet | None = None
        # x = background + scale * pixel
        self.pixel = (np.float32(network.background), np.float32((network.ink - network.background) / 255.0))

    def load(
        self, images: np.ndarray, labels: np.ndarray, host: tuple[np.ndarray, np.ndarray]
    ) -> tuple[Array, Array]:
        """Upload a training set, which stays until the next one; see `Engine.load`.

        Args:
            images: (n, 28, 28) uint8, checked.
            labels: (n,) integers, checked.
            host: The arrays by which it is known later.

        Returns:
            Images and labels, uint8 on the device.
        """
        self._loaded = None
        device = self._uploaded(images, labels)
        self._loaded = ResidentSet(host, device)
        return device

    def keep(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Let a set stay on the device from its first evaluation on; see `Engine.keep`."""
        if self._found((images, labels)) is None:
            self._sets = [*self._sets, ResidentSet((images, labels))][-MOST_KEPT:]

    def close(self) -> None:
        """Give back the sets' memory."""
        self._sets, self._loaded = [], None

    def outputs(self, images: np.ndarray, host: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute scores; see `Engine.outputs`.

        Args:
            images: (n, 28, 28) uint8, checked.
            host: The array they come from, by which a resident set is known.
            progress: Called with the number of finished images.

        Returns:
            (n, classes) float32 on the host.
        """
        out = np.empty((len(images), self._network.classes), dtype=np.float32)
        found = next((each for each in self._known() if each.host[0] is host), None)
        resident = None if found is None else self._resident(found)
        if resident is not None:

            def read(part: slice, scores: Array) -> None:
                out[part] = scores.get(stream=self._stream)

            self._score_resident(resident[0], read, progress)
            return out
        size = min(PART, len(images))
        back = [pinned(self._xp, (size, out.shape[1]), np.float32) for _ in range(0, len(images), PART)[:SLOTS]]

        def read_later(slot: int, part: slice, scores: Array) -> None:
            scores.get(stream=self._stream, out=back[slot][: len(scores)], blocking=False)

        def finish(slot: int, part: slice) -> None:
            out[part] = back[slot][: part.stop - part.start]
            _tell(progress, part)

        self._score_in_parts(images, read_later, finish)
        return out

    def evaluate(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        host: tuple[np.ndarray, np.ndarray],
        progress: Progress | None = None,
    ) -> Evaluation:
        """Compute scores and sum their losses on the device; see `Engine.evaluate`.

        Args:
            images: (n, 28, 28) uint8, checked, n > 0.
            labels: (n,) integers, checked.
            host: The arrays they come from, by which a resident set is known.
            progress: Called with the number of finished images.

        Returns:
            The evaluation; the loss is that of double precision.
        """
        found = self._found(host)
        resident = None if found is None else self._resident(found)
        groups = math.ceil(len(images) / EVALUATED)
        with self._stream:
            out = self._xp.empty((groups, EVALUATED_BYTES), dtype="uint8")
            on_device = self._xp.asarray(labels.astype(np.uint8)) if resident is None else resident[1]

        def evaluate(part: slice, scores: Array) -> None:
            first, count = part.start // EVALUATED, math.ceil(len(scores) / EVALUATED)
            arguments = (scores, on_device[part], np.int32(len(scores)), out[first : first + count])
            self._evaluate((count,), (EVALUATED,), arguments)

        if resident is None:
            self._score_in_parts(
                images, lambda _, part, scores: evaluate(part, scores), lambda _, part: _tell(progress, part)
            )
        else:
            self._score_resident(resident[0], evaluate, progress)
        rows = out.get(stream=self._stream)  # (groups, 8 + 256)
        loss = math.fsum(np.ascontiguousarray(rows[:, :8]).view(np.float64)[:, 0]) / len(images)
        answers = rows[:, 8:].reshape(-1)[: len(images)].astype(np.int64)
        return Evaluation(np.asarray(host[1]), answers, loss, self._network.classes)

    # ---- sets on the device

    def _found(self, host: tuple[np.ndarray, np.ndarray]) -> ResidentSet | None:
        return next((e for e in self._known() if e.host[0] is host[0] and e.host[1] is host[1]), None)

    def _known(self) -> list[ResidentSet]:
        return self._sets if self._loaded is None else [self._loaded, *self._sets]

    def _resident(self, each: ResidentSet) -> tuple[Array, Array] | None:
        """Return a set on the device, uploaded if it is its first time; None where there is no room."""
        if each.device is None and each.fits:
            images, labels = each.host
            each.fits = images.nbytes <= ROOM * self._xp.cuda.runtime.memGetInfo()[0]
            try:
                each.device = self._uploaded(images, labels) if each.fits else None
            except self._xp.cuda.memory.OutOfMemoryError:
                each.fits = False
        return each.device

    def _uploaded(self, images: np.ndarray, labels: np.ndarray) -> tuple[Array, Array]:
        self._stream.synchronize()  # else it might still use memory that it has given back
        with self._stream:
            numbers = self._xp.asarray(np.asarray(labels).astype(np.uint8))
            device = upload(self._xp, self._uploads, images, PART), numbers
            self._stream.synchronize()
        return device

    # ---- scores

    def _score_resident(self, images: Array, then: Callable[[slice, Array], None], progress: Progress | None) -> None:
        """Compute the scores of images on the device, part by part, and enqueue what follows."""
        ends: list[tuple[slice, Event]] = []
        with self._stream:
            scores = self._xp.empty((min(RESIDENT_PART, len(images)), self._network.classes), dtype="float32")
            for start in range(0, len(images), RESIDENT_PART):
                part = slice(start, min(start + RESIDENT_PART, len(images)))
                self._infer(images[part], scores)
                then(part, scores[: part.stop - part.start])
                ends.append((part, record(self._xp, self._stream)))
        for part, event in ends:
            event.synchronize()
            _tell(progress, part)

    def _score_in_parts(
        self,
        images: np.ndarray,
        then: Callable[[int, slice, Array], None],
        finish: Callable[[int, slice], None],
    ) -> None:
        """Upload images part by part, beside the kernels; compute scores, enqueue what follows, and tell its end."""
        size, slots = min(PART, len(images)), len(range(0, len(images), PART)[:SLOTS])
        with self._stream:
            pixels = [self._xp.empty((size, *images.shape[1:]), dtype="uint8") for _ in range(slots)]
            scores = [self._xp.empty((size, self._network.classes), dtype="float32") for _ in range(slots)]

            def enqueue(slot: int, part: slice, staged: np.ndarray) -> Event:
                batch = pixels[slot][: len(staged)]
                batch.set(staged, stream=self._uploads)
                self._stream.wait_event(record(self._xp, self._uploads))
                self._infer(batch, scores[slot])
                then(slot, part, scores[slot][: len(staged)])
                return record(self._xp, self._stream)

            in_parts(self._xp, (self._uploads, self._stream), images, PART, enqueue, finish)

    def _infer(self, images: Array, scores: Array) -> None:
        """Enqueue the kernel that computes the scores of images on the device."""
        self._form.infer(self._network.parameters, images, self.pixel, scores)


def _tell(progress: Progress | None, part: slice) -> None:
    if progress is not None:
        progress(part.stop, NONE)
