"""The next epochs' orders and distortions, put on the device while the engine trains or evaluates."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lenet_gpu.engine.cuda.staging import pinned, record

Array = Any
Event = Any


@dataclass
class Slot:
    """Memory for the order and the distortions of an epoch.

    Attributes:
        known: The very arrays that are staged here; None: none are.
        pairs: A pinned host array and one on the device for each of them.
        uploaded: Comes to pass when the device's arrays are filled.
        taken: Comes to pass when they have been copied to where they are trained from.
    """

    known: tuple[np.ndarray, np.ndarray | None] | None = None
    pairs: list[tuple[np.ndarray, Array]] = field(default_factory=list)
    uploaded: Event = None
    taken: Event = None


class StagedEpochs:
    """Device memory for two epochs beside that of the running one: the next one, and the one behind it.

    A second stream fills it from pinned memory; training copies it to the addresses that its graph holds. It may be
    filled from another thread than the one that trains.

    Args:
        xp: The module cupy.

    Attributes:
        lock: Held while memory is filled. A graph must be captured under it, for nothing may be allocated then.
    """

    def __init__(self, xp: Any) -> None:
        self.lock = threading.Lock()
        self._xp = xp
        self._stream = xp.cuda.Stream(non_blocking=True)
        self._slots = [Slot(), Slot()]  # the one that was filled last is the last one

    def fill(self, order: np.ndarray, distortions: np.ndarray | None) -> None:
        """Upload an epoch, in place of the one before the last one.

        Args:
            order: (m,) integers.
            distortions: (m, 8) float32, or None. Neither may be changed afterwards.
        """
        arrays = [
            (order, np.dtype(np.int32)),
            *([] if distortions is None else [(distortions, np.dtype(np.float32))]),
        ]
        with self.lock, self._stream:
            self._slots.reverse()
            slot = self._slots[-1]
            slot.known = None
            if slot.uploaded is not None:
                slot.uploaded.synchronize()  # it reads the pinned memory
            if [(given.shape, dtype) for given, dtype in arrays] != [(a.shape, a.dtype) for a, _ in slot.pairs]:
                if slot.taken is not None:
                    slot.taken.synchronize()  # it reads the memory that is given back
                slot.pairs = []
                slot.pairs = [
                    (pinned(self._xp, given.shape, dtype), self._xp.empty(given.shape, dtype=dtype))
                    for given, dtype in arrays
                ]
            elif slot.taken is not None:
                self._stream.wait_event(slot.taken)
            for (given, _), (host, device) in zip(arrays, slot.pairs, strict=True):
                np.copyto(host, given, casting="unsafe")  # int64 to int32: what `train` does, too
                device.set(host, stream=self._stream)
            slot.uploaded = record(self._xp, self._stream)
            slot.known = order, distortions

    def find(self, order: np.ndarray, distortions: np.ndarray | None) -> Slot | None:
        """Find where these very arrays are staged; None: nowhere."""
        for slot in self._slots:
            known = slot.known
            if known is not None and known[0] is order and known[1] is distortions:
                return slot
        return None

    def take(self, slot: Slot, stream: Any, order: Array, distortions: Array) -> None:
        """Copy a staged epoch to where it is trained from, on a stream; it is staged no longer.

        Args:
            slot: Where it is.
            stream: The current stream, on which the copies are enqueued.
            order: (m,) int32 on the device.
            distortions: (m, 8) float32 on the device; not touched where the epoch has none.
        """
        with self.lock:
            stream.wait_event(slot.uploaded)
            for (_, device), target in zip(slot.pairs, (order, distortions), strict=False):
                target[...] = device
            slot.taken, slot.known = record(self._xp, stream), None

    def close(self) -> None:
        """Give back the memory."""
        with self.lock:
            self._stream.synchronize()
            self._slots = [Slot(), Slot()]
