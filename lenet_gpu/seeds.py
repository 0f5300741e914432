"""Every random number of a run, from one counter-based generator on the host.

Philox is counter-based: its key alone fixes the whole sequence, on every platform and NumPy version that
keeps the stream, and no state has to be carried from epoch to epoch. Resuming a run therefore needs the
seed and the number of the next epoch, nothing more, and NumPy and CuPy runs see the same numbers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import numpy as np

WEIGHTS = 0
"""Stream of the initial weights; epoch e (counted from 1) uses stream e."""

MAX_SEED = 2**63 - 1

ORDER, DISTORTIONS, STROKE_WIDTHS, SOURCES, CURVATURE = range(5)
"""Purposes of an epoch's draws: each has its own streams, so that none moves when another draws more or less."""

LAYERS = 16
"""Purpose of the first layer of a network, for what layers draw themselves (dropout); layer k has LAYERS + k."""


BLOCK = 4
"""Numbers that the generator makes at a time; it can skip whole blocks."""

NUMBERS_A_SHARE = 100_000
"""Numbers, a millisecond's work, for which another thread pays."""

MOST_THREADS = 4
"""Threads that draw: beside them an engine computes."""


def generator(seed: int, stream: int, purpose: int = ORDER) -> np.random.Generator:
    """Make a generator that depends on nothing but its arguments.

    Args:
        seed: The run's seed, 0 <= seed <= 2**63 - 1.
        stream: `WEIGHTS` or the number of an epoch, counted from 1; below 2**56.
        purpose: `ORDER` (and the weights), or another of the purposes above.

    Returns:
        A generator at the start of its stream.
    """
    key = np.array([seed, stream | purpose << 56], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def uniform(seed: int, stream: int, purpose: int, count: int) -> np.ndarray:
    """Draw the first numbers of a stream, many of them by several threads at once.

    Args:
        seed: The run's seed.
        stream: As for `generator`.
        purpose: As for `generator`.
        count: How many.

    Returns:
        (count,) float64 from 0 to below 1, those of `generator(seed, stream, purpose).random(count)`.
    """
    out = np.empty(count)

    def fill(start: int, stop: int) -> None:
        rng = generator(seed, stream, purpose)
        rng.bit_generator.advance(start // BLOCK)  # type: ignore[attr-defined]
        rng.random(out=out[start:stop])

    shares = max(1, count // NUMBERS_A_SHARE)
    bounds = [*(count * k // shares // BLOCK * BLOCK for k in range(shares)), count]
    side_by_side(lambda k: fill(bounds[k], bounds[k + 1]), shares)
    return out


def side_by_side(work: Callable[[int], None], shares: int) -> None:
    """Do work that NumPy does without Python's lock, by several threads where there are processors for them.

    Args:
        work: Does a share of it, 0 ... shares - 1; which thread calls it must not matter.
        shares: Number of shares.
    """
    coming = iter(range(shares))  # a thread takes the next one: next() of a range can't be interrupted
    failed: list[BaseException] = []

    def run() -> None:
        try:
            for k in coming:
                work(k)
        except BaseException as error:
            failed.append(error)

    threads = [
        threading.Thread(target=run, name="lenet-gpu-draw") for _ in range(min(_cores(), MOST_THREADS, shares) - 1)
    ]
    running = []
    for thread in threads:
        try:
            thread.start()
        except RuntimeError:  # the system has none left
            break
        running.append(thread)
    run()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]


def _cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Draw the order in which an epoch visits the training set.

    Args:
        seed: The run's seed.
        epoch: Number of the epoch, counted from 1.
        n: Number of training images.

    Returns:
        A permutation of 0 ... n-1, (n,) int64.
    """
    return generator(seed, epoch).permutation(n)
