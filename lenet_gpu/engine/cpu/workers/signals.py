"""Signals that end a program: the coordinator acts on them, its workers never do."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

STOPPING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that may reach a whole group of processes: Ctrl-C, the end of a service, the loss of the terminal."""


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold the signals back until the block is done; a process that is started in it begins with them held back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
