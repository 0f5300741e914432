"""The next epoch's order and distortions, put on the device while the engine trains or evaluates."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from lenet_gpu.engine.cuda.staging import pinned, record

Array = Any
Event = Any


class StagedEpoch:
    """Device memory for the order and the distortions of one epoch, beside that of the running one.

    A second stream fills it from pinned memory; training copies it to the addresses that its graph holds. It may be
    filled from another thread than the one that trains.

    Args:
        xp: The module cupy.

    Attributes:
        lock: Held while the memory is filled. A graph must be captured under it, for nothing may be allocated then.
    """

    def __init__(self, xp: Any) -> None:
        self.lock = threading.Lock()
        self._xp = xp
        self._stream = xp.cuda.Stream(non_blocking=True)
        self._known: tuple[np.ndarray, np.ndarray | None] | None = None  # the very arrays that are staged
        self._pairs: list[tuple[np.ndarray, Array]] = []  # pinned, and on the device: the order, the distortions
        self._uploaded: Event = None
        self._taken: Event = None

    def fill(self, order: np.ndarray, distortions: np.ndarray | None) -> None:
        """Upload an epoch, which takes the place of one that was not taken.

        Args:
            order: (m,) integers.
            distortions: (m, 8) float32, or None. Neither may be changed afterwards.
        """
        arrays = [
            (order, np.dtype(np.int32)),
            *([] if distortions is None else [(distortions, np.dtype(np.float32))]),
        ]
        with self.lock, self._stream:
            self._known = None
            if self._uploaded is not None:
                self._uploaded.synchronize()  # it reads the pinned memory
            if [(a.shape, dtype) for a, dtype in arrays] != [(a.shape, a.dtype) for a, _ in self._pairs]:
                if self._taken is not None:
                    self._taken.synchronize()  # it reads the memory that is given back
                self._pairs = []
                self._pairs = [
                    (pinned(self._xp, a.shape, dtype), self._xp.empty(a.shape, dtype=dtype)) for a, dtype in arrays
                ]
            elif self._taken is not None:
                self._stream.wait_event(self._taken)
            for (given, _), (host, device) in zip(arrays, self._pairs, strict=True):
                np.copyto(host, given, casting="same_kind" if given.dtype.kind == "f" else "unsafe")
                device.set(host, stream=self._stream)
            self._uploaded = record(self._xp, self._stream)
            self._known = order, distortions

    def holds(self, order: np.ndarray, distortions: np.ndarray | None) -> bool:
        """Tell if these very arrays are staged."""
        known = self._known
        return known is not None and known[0] is order and known[1] is distortions

    def take(self, stream: Any, order: Array, distortions: Array) -> None:
        """Copy the staged epoch to where it is trained from, on a stream; it is staged no longer.

        Args:
            stream: The current stream, on which the copies are enqueued.
            order: (m,) int32 on the device.
            distortions: (m, 8) float32 on the device; not touched where the epoch has none.
        """
        with self.lock:
            stream.wait_event(self._uploaded)
            for (_, device), target in zip(self._pairs, (order, distortions), strict=False):
                target[...] = device
            self._taken = record(self._xp, stream)
            self._known = None

    def close(self) -> None:
        """Give back the memory."""
        with self.lock:
            self._stream.synchronize()
            self._known, self._pairs = None, []
