"""The coordinator's side of the CPU engine's worker processes: start, command, watch, stop.

Workers are fresh interpreters started with one BLAS thread each, not forks and not `multiprocessing`: the
user's program needs no `if __name__ == "__main__"`, and whatever its own NumPy does with threads does not
matter. They share memory with the coordinator by anonymous files whose descriptors they inherit, and what they have
to say at their end they write into another one: the coordinator makes one line of it.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import IO, Any, NoReturn

from lenet_gpu.engine.cpu.workers.shared import SharedArrays
from lenet_gpu.engine.cpu.workers.signals import signals_held
from lenet_gpu.errors import TrainingError, exhausted
from lenet_gpu.storage.shared_memory import create_file, duplicate

POLL_SECONDS = 0.05
"""Seconds between two reports of progress while the workers compute."""

FILES = ("model", "data", "run", "gradients", "evaluation")
"""Names of the files in shared memory."""

_LAST_WORDS = 65536  # bytes of what a worker has written that are looked at

_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from lenet_gpu.engine.cpu.workers.main import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))"
)

_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    "1",
)


class WorkerPool:
    """A number of worker processes that carry out the same commands.

    Args:
        workers: How many.
        images: Descriptor of a file that they are to share as the file `images`, if there is one.

    Attributes:
        files: The memory shared with them, by name.
        processes: The workers.
    """

    def __init__(self, workers: int, images: int | None = None) -> None:
        self.files: dict[str, SharedArrays] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self._serial, self._owner = 0, os.getpid()
        self._finalizer = weakref.finalize(self, _shut_down, self.processes, self.files)
        try:
            for name in FILES:
                self.files[name] = SharedArrays()
            if images is not None:
                self.files["images"] = SharedArrays(duplicate(images))
            # What is printed at a worker's end must not fail, nor stand between the coordinator's lines.
            self._words = create_file()
            weakref.finalize(self, os.close, self._words)
            with signals_held():
                self._start(workers)
        except OSError as error:
            self.close()
            found, remedy = exhausted(error) or (str(error), f"check that {sys.executable} can be started")
            expected = f"{workers} of them"
            raise TrainingError("worker processes", found=found, expected=expected, remedy=remedy) from error
        except BaseException:
            self.close()
            raise

    def _start(self, workers: int) -> None:
        """Start the processes."""
        descriptors = {name: file.fd for name, file in self.files.items()}
        arguments = [sys.executable, "-P", "-c", _START, json.dumps([str(entry) for entry in sys.path])]
        for rank in range(workers):
            self.processes.append(
                subprocess.Popen(
                    [*arguments, str(rank), str(os.getpid()), json.dumps(descriptors)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._words,
                    bufsize=0,
                    env={**os.environ, **_ONE_THREAD},
                    pass_fds=tuple(descriptors.values()),
                )
            )

    def check_owner(self) -> None:
        """Refuse to command workers whose answers another process waits for.

        Raises:
            TrainingError: This process was forked from the one that started them.
        """
        if os.getpid() != self._owner:
            found = f"those of process {self._owner}, from which this one was forked"
            raise TrainingError("worker processes", found=found, expected="its own", remedy="make a new engine")

    def run(
        self, command: str, watch: Callable[[], None] | None = None, stop: Callable[[], None] | None = None,
        **arguments: Any,
    ) -> None:  # fmt: skip
        """Have all workers carry out a command and wait for them.

        Args:
            command: Name of the worker's method.
            watch: Called every POLL_SECONDS while they work.
            stop: Tells the workers to come to an end soon. Called when the wait is interrupted (Ctrl-C, or an
                exception of `watch`), which is passed on once all workers have answered.
            arguments: The method's arguments, plain data.

        Raises:
            TrainingError: A worker has ended or failed. All of them are gone then.
        """
        everybody = set(range(len(self.processes)))
        waiting = set(everybody)
        try:
            if not waiting:
                raise TrainingError("worker processes", found="none left", remedy="make a new engine")
            self._send(command, arguments)
            try:
                self._wait(waiting, watch)
            except TrainingError:
                raise
            except BaseException:
                if stop is not None:
                    stop()
                # The interruption may have swallowed an answer; that to a second command can't be missed.
                waiting |= everybody
                self._send("ping", {})
                self._wait(waiting, None)
                raise
        except BaseException as error:
            if waiting or isinstance(error, TrainingError):
                self.close()
            raise

    def _send(self, command: str, arguments: dict[str, Any]) -> None:
        """Write a command into all workers' pipes."""
        self._serial += 1
        line = json.dumps({"command": command, "serial": self._serial, **arguments}).encode() + b"\n"
        for rank, (commands, _) in enumerate(self._pipes()):
            try:
                commands.write(line)
            except BrokenPipeError:
                self._lost(rank)

    def _wait(self, waiting: set[int], watch: Callable[[], None] | None) -> None:
        """Collect the answer to the last command from each worker in `waiting`; who has answered is removed."""
        with selectors.DefaultSelector() as selector:
            for rank, (_, answers) in enumerate(self._pipes()):
                if rank in waiting:
                    selector.register(answers, selectors.EVENT_READ, rank)
            while waiting:
                for key, _ in selector.select(POLL_SECONDS if watch else None):
                    for answer in self._read_answers(key.data):
                        if "error" in answer:
                            self._failed(key.data, answer)
                        if answer["serial"] == self._serial:
                            waiting.discard(key.data)
                            selector.unregister(key.fileobj)
                if watch is not None:
                    watch()

    def _pipes(self) -> list[tuple[IO[bytes], IO[bytes]]]:
        """Give each worker's pipes for commands and answers."""
        pipes = []
        for process in self.processes:
            assert process.stdin is not None
            assert process.stdout is not None
            pipes.append((process.stdin, process.stdout))
        return pipes

    def _read_answers(self, rank: int) -> list[dict[str, Any]]:
        """Read what a worker has answered: one line as a rule, two after an interruption."""
        stream = self._pipes()[rank][1]
        text = b""
        while not text.endswith(b"\n"):
            received = stream.read(65536)
            if not received:
                self._lost(rank)
            text += received
        return [json.loads(line) for line in text.splitlines()]

    def _failed(self, rank: int, answer: dict[str, str]) -> NoReturn:
        """Pass on an exception that a worker did not expect."""
        limit = exhausted(answer["error"])
        remedy = limit[1] if limit else "please report this defect"
        error = TrainingError(f"worker {rank}", found=answer["error"], remedy=remedy)
        error.add_note(answer["traceback"])
        raise error

    def _lost(self, rank: int) -> NoReturn:
        """Say how a worker has ended."""
        code = self.processes[rank].wait()
        words = self._last_words()
        limit = exhausted(words)
        if code == -9:
            how, remedy = "killed (signal 9)", "the system may be out of memory: free some, or use fewer workers"
        elif code < 0:
            how, remedy = f"ended by signal {-code}", "run the command again; a training goes on from its checkpoint"
        else:
            how, remedy = f"ended with status {code}", "please report this defect"
        last = words.strip().splitlines()[-1:]
        error = TrainingError(
            f"worker {rank} of {len(self.processes)}",
            found=" ".join([how, *(f"({line.strip()})" for line in last)]),
            expected="running",
            remedy=limit[1] if limit else remedy,
        )
        if words:
            error.add_note(words)
        raise error

    def _last_words(self) -> str:
        """Give what the workers have written to their standard error last."""
        size = os.fstat(self._words).st_size
        return os.pread(self._words, _LAST_WORDS, max(0, size - _LAST_WORDS)).decode(errors="replace")

    def close(self) -> None:
        """End all workers at once and give back the shared memory."""
        self._finalizer()


def _shut_down(processes: list[subprocess.Popen[bytes]], files: dict[str, SharedArrays]) -> None:
    """Close the pipes, which ends idle workers, and kill those that are busy."""
    for process in processes:
        process.kill()
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()
    processes.clear()
    for file in files.values():
        file.close()
