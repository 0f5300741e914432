"""How many worker processes the CPU engine starts; imports nothing, so that `doctor` can always ask."""

from __future__ import annotations

import os
import sys

MOST_WORKERS = 16
"""Workers started on machines with more cores, unless asked for."""


def available_cores() -> int:
    """Number of cores that this process may use (a container or taskset can allow fewer than there are)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_possible() -> bool:
    """Whether this platform can run workers: POSIX, with an interpreter to start."""
    return (
        os.name == "posix"
        and bool(sys.executable)
        and not getattr(sys, "frozen", False)
        and not hasattr(sys, "getandroidapilevel")
        and sys.platform not in ("ios", "emscripten", "wasi")
    )


def default_workers() -> int:
    """Number of workers when nobody says otherwise."""
    return min(available_cores(), MOST_WORKERS) if workers_possible() else 1


def keep_to_core(rank: int, workers: int) -> None:
    """Have this process run on one core alone if there is a worker for every core, else leave it to the system.

    Without, a stranger that keeps a core busy can drive two workers onto another one for seconds: the system sees
    nothing unfair in that, but the two get half of what the cores have left.

    Args:
        rank: Number of this worker.
        workers: Number of workers.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == workers > 1:
            os.sched_setaffinity(0, {cores[rank]})
