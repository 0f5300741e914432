"""Ctrl-C, and the signals that ask a program to end, at any moment of a command."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; a request to end (of a service, of a container); the terminal is gone."""

LINE = "lenet-gpu: interrupted"

END_AT_ONCE = "end_at_once"
"""Name of the function in `__main__` that deals with the signals while modules are loaded."""

RETRY_SECONDS = 0.02


class Interrupts:
    """Context in which the signals raise KeyboardInterrupt, and none of them is lost.

    A signal that is ignored (`nohup`, a shell's `&`) or that the calling program handles itself stays as it is.

    Attributes:
        seen: Whether a signal has come.
    """

    def __init__(self) -> None:
        self.seen = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._hook = sys.unraisablehook
        if threading.current_thread() is threading.main_thread():
            sys.unraisablehook = self._unraisable
            for number in SIGNALS:
                handler = signal.getsignal(number)
                starting = getattr(handler, "__name__", "") == END_AT_ONCE
                if starting or handler in (signal.SIG_DFL, signal.default_int_handler):
                    self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if sys.unraisablehook == self._unraisable:
            sys.unraisablehook = self._hook

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        raise KeyboardInterrupt

    def _unraisable(self, unraisable: Any) -> None:
        """Interrupt once more where Python had to drop the exception: in a destructor or a callback."""
        if unraisable.exc_type is not KeyboardInterrupt:
            self._hook(unraisable)
            return
        timer = threading.Timer(RETRY_SECONDS, _thread.interrupt_main)
        timer.daemon = True
        timer.start()


def ignore() -> None:
    """Ignore the signals from now on: the command is over, and what is left takes milliseconds."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def say(line: str) -> None:
    """Write a line to standard error, in whatever state that is."""
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode())
