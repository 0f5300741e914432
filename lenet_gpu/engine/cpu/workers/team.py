"""How workers take a training step together although some of them may be asleep.

A step's batch is cut into parts, and everybody needs the gradients of all parts. A worker computes its own
parts first; then it helps out with parts that nobody has begun; then it waits a little; then it computes
what is still missing a second time. On a quiet machine that never happens. Where a stranger keeps a core
busy, a worker may be put to sleep for several steps: the others do not wait for it, and it catches up by
copying the parameters of whoever is furthest.

Who computes a part does not matter: the same numbers go through the same calls, so that the result has the
same bytes. The sum over the parts always has the same order. So do the runs.

No locks, which a killed process could leave taken: every worker has a block of shared words that it alone
writes, and arrays that it alone writes; whatever is read from another's array is checked afterwards by
reading its words again.

    version         2 x finished steps; odd while the parameters are being changed
    at              the step in hand
    begun[part]     the step for which this worker has begun the part
    done[0, part]   the step for which the gradient of the part is complete in this worker's even slots,
    done[1, part]   and in its odd ones: a step's gradients stay readable during the whole step after it
    since[part]     when this worker has begun the part, in ns of the clock that all processes share

Steps are counted from 1 in these words; 0 is never.

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

PORTION = 128
"""Images that a worker takes at a time where there is nothing to train; a multiple of `cpu_plan.CHUNK`."""


def block_words(parts: int) -> int:
    """Number of words in a worker's block."""
    return -(-(BEGUN + 4 * parts) // LINE) * LINE


def _lock_fence() -> None:
    """Order all memory accesses before against those behind, by two turns at a lock."""
    lock = threading.Lock()
    for _ in range(2):
        lock.acquire()
        lock.release()


offer_core: Callable[[], None] = getattr(os, "sched_yield", lambda: time.sleep(0))
"""Let another process have the core, if one waits for it."""

ORDERED_STORES = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
"""Whether the processor shows stores to others in program order."""


def fence() -> None:
    """Order all memory accesses before against those behind, where the processor does not."""
    if not ORDERED_STORES:
        (offer_core if hasattr(os, "sched_yield") else _lock_fence)()


class Team:
    """One worker's view of the team.

    Args:
        words: Shared int64 words, (workers * block_words(parts),), zero at the start.
        rank: This worker's number.
        workers: Number of workers.
        parts: Number of parts of a batch, a multiple of `workers`.
    """

    def __init__(self, words: np.ndarray, rank: int, workers: int, parts: int) -> None:
        size = block_words(parts)
        self._words = memoryview(words.data)
        self._mine = rank * size
        self._bases = [worker * size for worker in range(workers)]
        self._parts = parts
        self.rank = rank
        own = parts // workers
        first = rank * own
        # Own parts in order; then the others', from behind, where their owner arrives last.
        self._order = [*range(first, first + own), *reversed([p for p in range(parts) if p // own != rank])]

    # ---- what this worker says

    def set_version(self, steps: int, *, changing: bool = False) -> None:
        """Say that the parameters are those after `steps` steps, or on the way there."""
        fence()
        self._words[self._mine + VERSION] = 2 * steps + changing
        fence()

    def enter(self, step: int) -> None:
        """Say that this worker works on a step (counted from 0)."""
        self._words[self._mine + AT] = step + 1

    def begin(self, step: int, part: int) -> None:
        """Say that this worker is about to overwrite its slot for a part."""
        self._words[self._done(self._mine, step, part)] = 0
        self._words[self._since(self._mine, part)] = time.monotonic_ns()
        self._words[self._mine + BEGUN + part] = step + 1
        fence()

    def finish(self, step: int, part: int) -> None:
        """Say that the gradient of a part is complete."""
        fence()
        self._words[self._done(self._mine, step, part)] = step + 1

    # ---- what the others say

    def _done(self, base: int, step: int, part: int) -> int:
        return base + BEGUN + (1 + step % 2) * self._parts + part

    def _since(self, base: int, part: int) -> int:
        return base + BEGUN + 3 * self._parts + part

    def source(self, step: int, part: int) -> int | None:
        """A worker that has the gradient of a part, or None."""
        for worker, base in enumerate(self._bases):
            if self._words[self._done(base, step, part)] == step + 1:
                return worker
        return None

    def sources(self, step: int) -> list[int] | None:
        """For each part a worker that has its gradient; None if one is missing."""
        found = []
        for part in range(self._parts):
            worker = self.source(step, part)
            if worker is None:
                return None
            found.append(worker)
        fence()
        return found

    def still(self, step: int, sources: list[int]) -> bool:
        """Whether what was read from these sources was what they had said until the end of reading."""
        fence()
        words = self._words
        return all(words[self._done(self._bases[w], step, p)] == step + 1 for p, w in enumerate(sources))

    def free_part(self, step: int) -> int | None:
        """The next part that nobody has begun."""
        words = self._words
        for part in self._order:
            if all(words[base + BEGUN + part] != step + 1 for base in self._bases):
                return part
        return None

    def missing_part(self, step: int) -> int | None:
        """A part that others have begun but not finished."""
        for part in self._order:
            if self.source(step, part) is None:
                return part
        return None

    def seconds_since(self, step: int, part: int) -> float:
        """How long ago the worker that was last to begin a part began it."""
        words = self._words
        since = [words[self._since(base, part)] for base in self._bases if words[base + BEGUN + part] == step + 1]
        return 1e-9 * (time.monotonic_ns() - max(since, default=0))

    def leader(self) -> tuple[int, int]:
        """The worker that has finished the most steps, and its version."""
        words = self._words
        versions = [words[base + VERSION] for base in self._bases]
        best = max(versions)
        return versions.index(best), best

    def version(self, worker: int) -> int:
        """A worker's version."""
        fence()
        return self._words[self._bases[worker] + VERSION]
