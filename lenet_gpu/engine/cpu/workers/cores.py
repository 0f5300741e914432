"""Cores, and the number of worker processes for them; imports nothing, so that `doctor` can always ask."""

from __future__ import annotations

import os
import sys

MOST_WORKERS = 16
"""Workers started on machines with more cores, unless asked for."""


def own_cores() -> list[int]:
    """List the numbers of the cores that this process may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def available_cores() -> int:
    """Count the cores that this process may use (a container or taskset can allow fewer than there are)."""
    return len(own_cores()) or os.cpu_count() or 1


def workers_possible() -> bool:
    """Tell whether this platform can run workers: POSIX, with an interpreter to start."""
    return (
        os.name == "posix"
        and bool(sys.executable)
        and not getattr(sys, "frozen", False)
        and not hasattr(sys, "getandroidapilevel")
        and sys.platform not in ("ios", "emscripten", "wasi")
    )


def default_workers() -> int:
    """Choose the number of workers when nobody says otherwise."""
    return min(available_cores(), MOST_WORKERS) if workers_possible() else 1


def keep_to_core(rank: int, workers: int, cores: list[int]) -> None:
    """Keep this process on one core alone if a worker computes for every core, else let it use any.

    Without, another process that keeps a core busy can drive two workers onto another one for seconds: the system
    sees nothing unfair in that, but the two get half of what the cores have left.

    Args:
        rank: Number of this worker.
        workers: Number of workers that compute.
        cores: What `own_cores` said when the process started.
    """
    if cores:
        os.sched_setaffinity(0, [cores[rank]] if len(cores) == workers > 1 else cores)
