"""Training by several processes that MPI starts: who they are, that they agree, and their end when one is lost.

``mpiexec -n 4 python -m mpi4py -m lenet_gpu train ...``: every rank runs the same program on the same data. Rank 0
alone writes and speaks. What the ranks exchange are arrays of numbers.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.engine.cpu.workers.cores import available_cores
from lenet_gpu.engine.ranks import added, portion
from lenet_gpu.errors import LenetError, TrainingError
from lenet_gpu.training.callbacks import Callback, TrainingRun
from lenet_gpu.training.mpi import import_mpi

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.training.trainer import Trainer

LOGGER = logging.getLogger("lenet_gpu")

SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Variables in which MPICH's and Open MPI's launchers, and Slurm's for them, say how many ranks there are."""

GATHERED = 2
"""Rows up to which every rank gathers all of them to add them up: one exchange, of no more bytes than the two."""

GRACE_SECONDS = 1.0
"""Seconds for which a rank with an error waits for rank 0 to say the same, before it speaks itself."""


class MpiRanks:
    """The ranks of an MPI program.

    Args:
        mpi: The module `mpi4py.MPI`.
        communicator: Theirs; all of the program's if None.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
        local_rank: Number of this process among those on its machine.
        local_size: How many there are on its machine.
    """

    def __init__(self, mpi: Any, communicator: Any = None) -> None:
        self._mpi = mpi
        self._comm = mpi.COMM_WORLD if communicator is None else communicator
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()
        self._total: np.ndarray | None = None
        here = self._comm.Split_type(mpi.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = here.Get_rank(), here.Get_size()
        here.Free()

    def gather(self, rows: np.ndarray, counts: Sequence[int]) -> None:
        """Fill in the rows that other ranks have computed; see `engine.ranks.Ranks`."""
        width = rows.nbytes // len(rows) if len(rows) else 0
        sizes = [count * width for count in counts]
        self._comm.Allgatherv(self._mpi.IN_PLACE, [rows.reshape(-1).view(np.uint8), sizes, None, self._mpi.BYTE])

    def add_up(self, rows: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """Add up the rows of all ranks in their order; see `engine.ranks.Ranks`.

        With few rows everybody gathers all of them. Otherwise everybody gets a part of every row, adds these up, and
        the parts of the sum are gathered: a rank receives two rows' worth at most, however many there are.
        """
        if self._total is None or self._total.shape != rows.shape[1:]:
            self._total = np.empty_like(rows[0])
        if len(rows) <= GATHERED:
            self.gather(rows, counts)
            return added(rows, self._total)
        width, item = rows.shape[1], rows.itemsize
        columns = [portion(width, rank, self.size) for rank in range(self.size)]
        own = slice(sum(counts[: self.rank]), sum(counts[: self.rank + 1]))
        mine = columns[self.rank]
        sent = np.concatenate([rows[own, part.start : part.stop].ravel() for part in columns])
        parts = np.empty((len(rows), len(mine)), rows.dtype)
        self._comm.Alltoallv(
            [sent.view(np.uint8), [counts[self.rank] * len(part) * item for part in columns], None, self._mpi.BYTE],
            [parts.ravel().view(np.uint8), [count * len(mine) * item for count in counts], None, self._mpi.BYTE],
        )
        self._total[mine.start : mine.stop] = added(parts, np.empty_like(parts[0]))
        self.gather(self._total, [len(part) for part in columns])
        return self._total

    def from_first(self, number: int) -> int:
        """Give everybody the whole number that rank 0 has."""
        value = np.array([number], np.int64)
        self._comm.Bcast(value)
        return int(value[0])

    def agree(self, what: str, digest: bytes) -> None:
        """Compare something on all ranks by its digest.

        Args:
            what: Its name, for the error.
            digest: Of the same length everywhere.

        Raises:
            TrainingError: On every rank, if it is not the same on all of them.
        """
        rows = np.zeros((self.size, len(digest)), np.uint8)
        rows[self.rank] = np.frombuffer(digest, np.uint8)
        self.gather(rows, [1] * self.size)
        others = np.flatnonzero((rows != rows[0]).any(axis=1))
        if len(others):
            raise TrainingError(
                what,
                found=f"another on rank{'s' if len(others) > 1 else ''} {', '.join(map(str, others))} than on rank 0",
                expected="the same on all ranks",
                remedy="give all of them the same command, data, package versions and kind of processor",
            )

    def abort_at_exit(self, status: int) -> None:
        """End all ranks when this process ends, with what it has to say said; for one that has failed."""
        atexit.register(self._comm.Abort, status)


class SameEverywhere(Callback):
    """Asserts, before anything is written, that all ranks have the same settings, data, parameters and state."""

    def __init__(self, ranks: MpiRanks) -> None:
        self._ranks = ranks

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Compare what the run begins with."""
        assert trainer.engine is not None
        facts = [trainer.recipe.as_dict(), trainer.seed, data.digests, trainer.epochs_done, trainer.engine.workers]
        self._ranks.agree("settings and data of the run", hashlib.sha256(json.dumps(facts).encode()).digest())
        self._ranks.agree("parameters at the start", state_digest(trainer))

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Compare parameters and the optimizer's state."""
        self._ranks.agree(f"parameters after epoch {log['epoch']}", state_digest(trainer))


class StopTogether(Callback):
    """Has all ranks end the run when rank 0's callbacks do, and go on when these have done their writing."""

    def __init__(self, ranks: MpiRanks) -> None:
        self._ranks = ranks

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Hear of rank 0's decision."""
        self._decide(trainer)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Hear of rank 0's decision."""
        self._decide(trainer)

    def _decide(self, trainer: TrainingRun) -> None:
        if self._ranks.from_first(trainer.stopping):
            trainer.stop()


def state_digest(trainer: TrainingRun) -> bytes:
    """Compute the SHA-256 of a run's parameters and of its optimizer's arrays."""
    digest = hashlib.sha256(trainer.model.host_parameters().tobytes())
    for name, array in sorted(trainer.optimizer.state.items()):
        digest.update(name.encode() + trainer.model.backend.to_host(array).tobytes())
    return digest.digest()


def callbacks_of_rank(trainer: Trainer, ranks: MpiRanks) -> list[Callback]:
    """List what is told of a run on this rank: a trainer's callbacks on rank 0 alone."""
    own = trainer.callbacks if ranks.rank == 0 else []
    return [SameEverywhere(ranks), *own, StopTogether(ranks)]


def find_ranks() -> MpiRanks | None:
    """Find the ranks that this process was started with.

    Returns:
        Them; None for a process that was started alone, or that is the only one.

    Raises:
        InputError: It was started by MPI's launcher, and mpi4py or the library is missing.
    """
    launched = any(os.environ.get(name, "1") not in ("", "0", "1") for name in SIZES)
    if not launched and "mpi4py" not in sys.modules:
        return None
    ranks = MpiRanks(import_mpi())
    return ranks if ranks.size > 1 else None


@contextlib.contextmanager
def one_voice(ranks: MpiRanks | None) -> Iterator[None]:
    """Let rank 0 alone speak and hear Ctrl-C while the block runs; if it fails on any rank, all of them end.

    Args:
        ranks: The ranks; None: nothing is changed.
    """
    if ranks is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        if ranks.rank:
            silent = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(silent))
            LOGGER.disabled = True
            stack.callback(setattr, LOGGER, "disabled", False)
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), signal.SIG_IGN)
        elif ranks.local_size > available_cores():
            LOGGER.warning("%d ranks on %d cores: much slower than one a core", ranks.local_size, available_cores())
        try:
            yield
        except LenetError as error:
            ranks.abort_at_exit(error.exit_status)
            if not ranks.rank:
                raise
            time.sleep(GRACE_SECONDS)
            thing = f"rank {ranks.rank}: {error.thing}"
            told = type(error)(thing, found=error.found, expected=error.expected, remedy=error.remedy)
            raise told from error
        except BaseException:
            ranks.abort_at_exit(1)
            raise
