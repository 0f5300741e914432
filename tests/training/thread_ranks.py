"""Ranks that are threads of one process: the engines' arithmetic without MPI."""

import threading

import numpy as np

from lenet_gpu.engine.ranks import added


class ThreadRanks:
    def __init__(self, rank, size, shared):
        self.rank, self.size, self._shared = rank, size, shared

    def gather(self, rows, counts):
        rows_of, barrier = self._shared
        rows_of[self.rank] = rows
        barrier.wait()
        ends = np.cumsum([0, *counts])
        for rank, other in enumerate(list(rows_of)):
            if rank != self.rank:
                rows[ends[rank] : ends[rank + 1]] = other[ends[rank] : ends[rank + 1]]
        barrier.wait()

    def add_up(self, rows, counts):
        self.gather(rows, counts)
        return added(rows, np.empty_like(rows[0]))

    def from_first(self, number):
        rows = np.zeros(self.size, np.int64)
        rows[self.rank] = number
        self.gather(rows, [1] * self.size)
        return int(rows[0])


def on_ranks(size, work):
    """What `work` returns for each of so many ranks; it is called with them at once."""
    shared = [None] * size, threading.Barrier(size, timeout=60)
    found = [None] * size

    def run(rank):
        try:
            found[rank] = work(ThreadRanks(rank, size, shared))
        except BaseException:
            shared[1].abort()
            raise

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
