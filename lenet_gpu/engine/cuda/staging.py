"""Pinned memory between the host's arrays and the device: copies that run beside the kernels.

What the device copies by itself must lie in memory that the system can't move (pinned). Pixels are put there by
helper threads, part by part, while the device uploads and computes earlier parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

Array = Any
Event = Any

SLOTS = 4
"""Parts that are on their way at a time: two on the device, and two that are put into pinned memory."""

AHEAD = 2
"""Parts that are enqueued on the device before the host waits for the oldest one."""

HELPERS = 2
"""Threads that put parts into pinned memory: one alone copies about as fast as the device infers."""


def pinned(xp: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Make a host array in pinned memory.

    Args:
        xp: The module cupy.
        shape: Its shape.
        dtype: Its element type.

    Returns:
        The array, not initialised. The memory is given back with it, so it must outlive every copy.
    """
    count = math.prod(shape)
    memory = xp.cuda.alloc_pinned_memory(max(1, count * np.dtype(dtype).itemsize))  # often more than asked for
    return np.frombuffer(memory, dtype, count).reshape(shape)


def upload(xp: Any, stream: Any, host: np.ndarray, size: int) -> Array:
    """Copy a host array to the device, through pinned memory.

    Args:
        xp: The module cupy.
        stream: The stream to copy on.
        host: The array.
        size: Rows of a part.

    Returns:
        The device array, complete.
    """
    device = xp.empty(host.shape, dtype=host.dtype)

    def enqueue(_: int, part: slice, staged: np.ndarray) -> Event:
        device[part].set(staged, stream=stream)
        return record(xp, stream)

    in_parts(xp, (stream,), host, size, enqueue)
    return device


def record(xp: Any, stream: Any) -> Event:
    """Mark the place in a stream that has been reached when all that was enqueued so far is done."""
    return stream.record(xp.cuda.Event(disable_timing=True))


def in_parts(
    xp: Any,
    streams: tuple[Any, ...],
    host: np.ndarray,
    size: int,
    enqueue: Callable[[int, slice, np.ndarray], Event],
    retire: Callable[[int, slice], object] | None = None,
) -> None:
    """Go through a host array part by part, each of which is in pinned memory when its turn comes.

    Args:
        xp: The module cupy.
        streams: The streams that parts are enqueued on; they are waited for, whatever happens.
        host: The array.
        size: Rows of a part.
        enqueue: Enqueues the work on a part: its slot, 0 ... SLOTS - 1, its place in the array, and its rows in
            pinned memory; returns the event after which the slot may be used for another part.
        retire: Told when the event of a part has come to pass.
    """
    parts = [slice(start, min(start + size, len(host))) for start in range(0, len(host), size)]
    slots = [pinned(xp, (min(size, len(host)), *host.shape[1:]), host.dtype) for _ in parts[:SLOTS]]
    events: list[Event] = []
    with Helpers(HELPERS if len(parts) > 1 else 0) as helpers:

        def fill(k: int) -> Future[None] | None:
            return helpers.copy(slots[k % SLOTS], host[parts[k]])

        def finish(k: int) -> None:
            events[k].synchronize()
            if retire is not None:
                retire(k % SLOTS, parts[k])
            if k + SLOTS < len(parts):
                filling[k % SLOTS] = fill(k + SLOTS)

        filling = [fill(k) for k in range(len(slots))]
        try:
            for k, part in enumerate(parts):
                waiting = filling[k % SLOTS]
                if waiting is not None:
                    waiting.result()
                events.append(enqueue(k % SLOTS, part, slots[k % SLOTS][: part.stop - part.start]))
                if k >= AHEAD:
                    finish(k - AHEAD)
            for k in range(max(0, len(parts) - AHEAD), len(parts)):
                finish(k)
        finally:
            for stream in streams:  # they still read from the slots
                stream.synchronize()


class Helpers:
    """Threads that copy arrays; where the system has none left, the caller's thread copies.

    Args:
        count: Number of threads; 0: the caller's alone.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "lenet-gpu-copy") if count else None

    def copy(self, target: np.ndarray, source: np.ndarray) -> Future[None] | None:
        """Copy `source` to the first rows of `target`; what to wait for, None if that is done already."""
        target = target[: len(source)]
        if self._threads is not None:
            try:
                return self._threads.submit(np.copyto, target, source)
            except RuntimeError:  # no more threads
                self._threads.shutdown()
                self._threads = None
        np.copyto(target, source)
        return None

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
