"""The protocol by which workers share a training step without locks, tolerating descheduled workers.

A step's batch is cut into shards, and everybody needs the gradients of all shards. A worker computes its own
shards first; then it helps out with shards that nobody has begun; then it waits a little; then it computes
what is still missing a second time. On a quiet machine that never happens. Where another process keeps a core
busy, a worker may be put to sleep for several steps: the others do not wait for it, and it catches up by
copying the parameters of whoever is furthest.

Who computes a shard does not matter: the same numbers go through the same calls, so that the result has the
same bytes. The sum over the shards always has the same order. So do the runs.

No locks, which a killed process could leave taken: every worker has a block of shared status words that it alone
writes, and arrays that it alone writes; whatever is read from another's array is checked afterwards by
reading its status again.

    version          2 x finished steps; odd while the parameters are being changed
    at               the step in hand
    begun[shard]     the step for which this worker has begun the shard
    done[0, shard]   the step for which the shard's gradient is complete in this worker's even buffers,
    done[1, shard]   and in its odd ones: a step's gradients stay readable during the whole step after it
    since[shard]     when this worker has begun the shard, in ns of the clock that all processes share

Steps are counted from 1 in these words; 0 means "not yet".

Memory order: what is written before a word is set must be seen by whoever reads that word. On x86 stores
are seen in program order, so nothing is needed. Other processors may reorder plain stores and loads; there,
`fence` calls the scheduler, which on Linux starts with a full memory barrier, or, where there is no
`sched_yield`, takes and releases a lock twice, which orders what lies before the pair against what lies
behind it.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable

import numpy as np

LINE = 16
"""Words in two cache lines: blocks start on their own, so that no two workers write to the same line."""

VERSION, AT, BEGUN = 0, 1, 2

EVALUATION_BATCH = 128
"""Images that a worker takes at a time where there is nothing to train; a multiple of `plan.CHUNK`."""

FEW_IMAGES = 32 * EVALUATION_BATCH
"""Images up to which a worker takes half of that at a time, so that none waits long for the last one."""


def evaluation_batch(images: int) -> int:
    """Choose how many of a number of images a worker takes at a time where there is nothing to train."""
    return EVALUATION_BATCH if images > FEW_IMAGES else EVALUATION_BATCH // 2


def status_words(shards: int) -> int:
    """Compute the number of words in a worker's status block.

    Args:
        shards: Number of shards of a batch.
    """
    return -(-(BEGUN + 4 * shards) // LINE) * LINE


def _lock_fence() -> None:
    """Order all memory accesses before against those behind, by two turns at a lock."""
    lock = threading.Lock()
    for _ in range(2):
        lock.acquire()
        lock.release()


offer_core: Callable[[], None] = getattr(os, "sched_yield", lambda: time.sleep(0))
"""Let another process have the core, if one waits for it."""

ORDERED_STORES = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
"""True if the processor shows stores to others in program order."""


def fence() -> None:
    """Order all memory accesses before against those behind, where the processor does not."""
    if not ORDERED_STORES:
        (offer_core if hasattr(os, "sched_yield") else _lock_fence)()


class Team:
    """One worker's view of the team.

    Args:
        status: Shared int64 words, (workers * status_words(shards),), zero at the start.
        rank: This worker's number.
        workers: Number of workers.
        shards: Number of shards of a batch, at least as many as workers.
    """

    def __init__(self, status: np.ndarray, rank: int, workers: int, shards: int) -> None:
        size = status_words(shards)
        self._status = memoryview(status.data)
        self._mine = rank * size
        self._bases = [worker * size for worker in range(workers)]
        self._shards = shards
        self.rank = rank
        own = range(shards * rank // workers, shards * (rank + 1) // workers)
        # Own shards in order; then the others' from the last one on, which their owner comes to last.
        self._order = [*own, *reversed([shard for shard in range(shards) if shard not in own])]

    # ---- what this worker says

    def set_version(self, steps: int, *, changing: bool = False) -> None:
        """Say that the parameters are those after `steps` steps, or on the way there."""
        fence()
        self._status[self._mine + VERSION] = 2 * steps + changing
        fence()

    def enter(self, step: int) -> None:
        """Say that this worker works on a step (counted from 0)."""
        self._status[self._mine + AT] = step + 1

    def begin(self, step: int, shard: int) -> None:
        """Say that this worker is about to overwrite its gradient of a shard."""
        self._status[self._done(self._mine, step, shard)] = 0
        self._status[self._since(self._mine, shard)] = time.monotonic_ns()
        self._status[self._mine + BEGUN + shard] = step + 1
        fence()

    def finish(self, step: int, shard: int) -> None:
        """Say that the gradient of a shard is complete."""
        fence()
        self._status[self._done(self._mine, step, shard)] = step + 1

    # ---- what the others say

    def _done(self, base: int, step: int, shard: int) -> int:
        return base + BEGUN + (1 + step % 2) * self._shards + shard

    def _since(self, base: int, shard: int) -> int:
        return base + BEGUN + 3 * self._shards + shard

    def source(self, step: int, shard: int) -> int | None:
        """Find a worker that has the gradient of a shard, or None."""
        for worker, base in enumerate(self._bases):
            if self._status[self._done(base, step, shard)] == step + 1:
                return worker
        return None

    def sources(self, step: int) -> list[int] | None:
        """Find for each shard a worker that has its gradient; None if one is missing."""
        found = []
        for shard in range(self._shards):
            worker = self.source(step, shard)
            if worker is None:
                return None
            found.append(worker)
        fence()
        return found

    def still(self, step: int, sources: list[int]) -> bool:
        """Tell whether these sources still hold what they said: then everything read from them is valid."""
        fence()
        status = self._status
        return all(status[self._done(self._bases[w], step, s)] == step + 1 for s, w in enumerate(sources))

    def free_shard(self, step: int) -> int | None:
        """Find the next shard that nobody has begun."""
        status = self._status
        for shard in self._order:
            if all(status[base + BEGUN + shard] != step + 1 for base in self._bases):
                return shard
        return None

    def missing_shard(self, step: int) -> int | None:
        """Find a shard that others have begun but not finished."""
        for shard in self._order:
            if self.source(step, shard) is None:
                return shard
        return None

    def seconds_since(self, step: int, shard: int) -> float:
        """Compute how long ago the worker that was last to begin a shard began it."""
        status = self._status
        since = [status[self._since(base, shard)] for base in self._bases if status[base + BEGUN + shard] == step + 1]
        return 1e-9 * (time.monotonic_ns() - max(since, default=0))

    def leader(self) -> tuple[int, int]:
        """Find the worker that has finished the most steps, and its version."""
        status = self._status
        versions = [status[base + VERSION] for base in self._bases]
        best = max(versions)
        return versions.index(best), best

    def version(self, worker: int) -> int:
        """Read a worker's version."""
        fence()
        return self._status[self._bases[worker] + VERSION]
