"""The standard streams of the command line: missing, closed or full, they never end the work.

Whoever closes standard output (``>&-``), ends the reader of a pipe or fills the disk behind it wants the model all
the same. So the command runs to its end, and only then says what could not be written.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from types import TracebackType
from typing import Any, TextIO

NAMES = ("stdin", "stdout", "stderr")
"""The streams, by descriptor."""

LEFT = (errno.EPIPE, errno.ESHUTDOWN)
"""Error numbers where the reader of a pipe has left: nothing to complain about."""


class Guard:
    """A stream whose writing never fails; the first error is kept.

    Args:
        stream: The stream to write to; whatever else is asked of the guard is answered by it.

    Attributes:
        error: The first error, or None.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or lose it."""
        if self.error is None:
            try:
                return self._stream.write(text)
            except UnicodeEncodeError as error:  # a file's name, or a class, that the stream has no characters for
                shown = text.encode(error.encoding, "backslashreplace").decode(error.encoding)
                return self.write(shown) and len(text)
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self._failed(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write some texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is waiting, or lose it."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Keep the error, and send what still waits in the stream where it can go: Python flushes it at the end."""
        self.error = error
        with contextlib.suppress(OSError, ValueError):
            fd = self._stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)
            self._stream.flush()


class StandardStreams:
    """Context in which `sys.stdout` and `sys.stderr` are there and take everything.

    Attributes:
        failure: What could not be written to standard output, in one line; empty if nothing was lost or the reader
            has left.
        unread: Whether something was lost.
    """

    failure = ""
    unread = False

    def __enter__(self) -> StandardStreams:
        _open_missing()
        self._before = {name: getattr(sys, name) for name in NAMES}
        for fd, name in enumerate(NAMES):
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "r" if fd == 0 else "w", encoding="utf-8"))
        self._out, self._err = Guard(sys.stdout), Guard(sys.stderr)
        sys.stdout, sys.stderr = self._out, self._err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.flush()
        error = self._out.error
        if error is not None:
            self.unread = True
            if not (isinstance(error, OSError) and error.errno in LEFT):
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                self.failure = f"standard output: found {reason}; send it elsewhere, or free some space"
                self._err.write(f"lenet-gpu: error: {self.failure}\n")
        self._err.flush()
        for name, stream in self._before.items():
            opened = getattr(sys, name)
            setattr(sys, name, stream)
            if stream is None and isinstance(opened, (Guard, io.TextIOBase)):
                opened.close()


def _open_missing() -> None:
    """Open the null device wherever a standard stream is closed, so that no other file gets its descriptor."""
    for fd in range(len(NAMES)):
        try:
            os.fstat(fd)
        except OSError:
            with contextlib.suppress(OSError):
                opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
                os.set_inheritable(opened, True)
