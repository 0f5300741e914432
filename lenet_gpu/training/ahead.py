"""The epoch after the running one, drawn by a thread while the engine trains and evaluates."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from lenet_gpu.augment.augmentation import Augmentation
from lenet_gpu.augment.distort import elastic_fields
from lenet_gpu.errors import LenetError

Drawn = tuple[np.ndarray, np.ndarray | None]
"""Order and distortions of an epoch, as `epochs.Patterns.epoch` draws them."""


def begin_elastic_fields(augmentation: Augmentation | None) -> None:
    """Make the table of elastic fields in a thread, if a run's distortions need it, while the rest gets ready."""
    if augmentation is not None and augmentation.strength * augmentation.elastic > 0:
        with contextlib.suppress(RuntimeError):  # no thread left: it is made when it is needed
            threading.Thread(target=elastic_fields, name="lenet-gpu-fields", daemon=True).start()


class EpochsAhead:
    """Draws each epoch, and while it runs the next one.

    Nothing but the seed and the number decides what an epoch shows, so an epoch is the same whoever draws it.

    Args:
        draw: Draws the epoch of a number.
        last: Number of the last epoch: none is drawn beyond it.
        stage: Takes what was drawn to the device; None: nothing is drawn ahead.
    """

    def __init__(
        self,
        draw: Callable[[int], Drawn],
        last: int,
        stage: Callable[[np.ndarray, np.ndarray | None], None] | None = None,
    ) -> None:
        self._draw, self._last, self._stage = draw, last, stage
        self._thread: ThreadPoolExecutor | None = None
        self._coming: tuple[int, Future[Drawn]] | None = None

    def epoch(self, number: int) -> Drawn:
        """Return an epoch, and begin to draw the one behind it.

        Args:
            number: Of the epoch, counted from 1.

        Returns:
            Its order and distortions.
        """
        coming, self._coming = self._coming, None
        drawn = coming[1].result() if coming is not None and coming[0] == number else self._draw(number)
        if self._stage is not None and number < self._last:
            self._begin(number + 1)
        return drawn

    def _begin(self, number: int) -> None:
        try:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "lenet-gpu-epochs")
            self._coming = number, self._thread.submit(self._drawn_and_staged, number)
        except RuntimeError:  # the system has no thread left: the epoch will be drawn when its turn comes
            self._stage = None

    def _drawn_and_staged(self, number: int) -> Drawn:
        drawn = self._draw(number)
        assert self._stage is not None
        with contextlib.suppress(LenetError):  # a device that has failed says so to the one who trains
            self._stage(*drawn)
        return drawn

    def close(self) -> None:
        """End the thread; what it draws is given up."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._thread = self._coming = None
