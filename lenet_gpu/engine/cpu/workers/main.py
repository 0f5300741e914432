"""The main program of a worker process: carries out what its coordinator writes into its standard input.

A command is one line of JSON with a serial number; the answer, one line on standard output, repeats the
number and names the error if there was one. Everything else travels through shared memory (shared.py).
The worker ends when its coordinator does, however that ends: its standard input closes, and it compares its
parent's process id while it computes.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from lenet_gpu.engine.cpu.ops import BUFFER
from lenet_gpu.engine.cpu.workers.signals import STOPPING_SIGNALS
from lenet_gpu.engine.cpu.workers.worker import CoordinatorLost, Worker

PARENT_CHECK_SECONDS = 1.0
"""Seconds between two checks of an idle worker that its coordinator is still there."""


def read_lines(fd: int, check: Callable[[], None]) -> Any:
    """Yield the lines that arrive in a pipe until it closes.

    A process that the coordinator has forked may hold the pipe open after the coordinator's end; so
    `check` looks for the coordinator itself now and then.
    """
    waiting = b""
    while True:
        while not select.select([fd], [], [], PARENT_CHECK_SECONDS)[0]:
            check()
        received = os.read(fd, 65536)
        if not received:
            return
        *lines, waiting = (waiting + received).split(b"\n")
        yield from lines


def main(rank: int, parent: int, files: dict[str, int]) -> None:
    """Run a worker until its coordinator closes the pipe or ends.

    Args:
        rank: Number of this worker.
        parent: Process id of the coordinator.
        files: Descriptors of the shared files by name.
    """
    # Ctrl-C goes to the coordinator, which stops us in order. It has started us with these signals held back.
    for number in STOPPING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING_SIGNALS)
    np.setbufsize(BUFFER)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever anybody prints must not end up among the answers
    worker: Worker | None = None

    def check() -> None:
        if os.getppid() != parent:
            raise CoordinatorLost

    try:
        for line in read_lines(0, check):
            command = json.loads(line)
            name, answer = command.pop("command"), {"serial": command.pop("serial")}
            try:
                if name == "start":
                    worker = Worker(rank, parent, command, files)
                elif name != "ping":
                    getattr(worker, name)(**command)
            except CoordinatorLost:
                raise
            except Exception as error:
                answer |= {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            os.write(answers, json.dumps(answer).encode() + b"\n")
    except (CoordinatorLost, BrokenPipeError):
        sys.exit(0)
