"""Executors for a sweep: processes of this machine, MPI's ranks, or a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

from lenet_gpu.errors import InputError

KINDS = ("processes", "mpi", "dask")

WATCH_SECONDS = 0.3
"""Seconds between two looks of a process whether the one that gives it work is still there."""


@contextlib.contextmanager
def make_executor(kind: str, jobs: int = 1, scheduler: str | None = None) -> Iterator[Executor]:
    """Make an executor while the block runs. If the block fails, what is running is given up.

    Args:
        kind: One of `KINDS`.
        jobs: With "processes": how many at once.
        scheduler: With "dask": address of the cluster's scheduler; None: a cluster on this machine.

    Yields:
        The executor.

    Raises:
        InputError: What it needs is not installed, or an unknown kind.
    """
    if kind == "mpi":
        # Imported like this, mpi4py finds the library or says that it is missing before a pool is made.
        from lenet_gpu.training.mpi import import_mpi

        import_mpi()
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as executor:
            yield executor
    elif kind == "dask":
        try:
            from distributed import Client
        except ImportError as error:
            raise InputError(
                "executor dask", found=str(error), expected="Dask", remedy="pip install distributed"
            ) from error
        with Client(scheduler) as client, client.get_executor() as executor:
            yield executor
    elif kind == "processes":
        with _processes(jobs) as executor:
            yield executor
    else:
        raise InputError("executor", found=repr(kind), expected=" or ".join(KINDS))


@contextlib.contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    """Make a pool of fresh interpreters, which end when this process does, however it ends."""
    context = multiprocessing.get_context("spawn")
    given_up = context.Event()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_watch, initargs=(os.getpid(), given_up))
    try:
        yield pool
    except BaseException:
        given_up.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _watch(parent: int, given_up: Any) -> None:
    """Begin to watch the process that gives the work: a run must not outlive it, nor hear its Ctrl-C."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent and not given_up.is_set():
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="lenet-gpu-watch", daemon=True).start()
