"""Errors a user can cause or mend.

Every one of them reads as a single line that names the thing, the value found, the value expected and
the remedy. The command line prints that line and ends with `exit_status`. Beside them it catches only what the
system has run out of (`exhausted`), so a traceback always means a defect of this program.
"""

from __future__ import annotations

import errno
import os
import shlex

_REFUSED = {
    errno.EMFILE: ("too many open files", "allow more open files (ulimit -n 1024)"),
    errno.ENFILE: ("too many open files on this system", "end other programs"),
    errno.EAGAIN: ("no more processes or threads", "allow more of them (ulimit -u), or end other programs"),
    errno.ENOMEM: ("not enough memory", "free some memory, or raise the limit on it (ulimit -v)"),
}

_SAID_BY = {
    "start new thread": errno.EAGAIN,
    "Resource temporarily unavailable": errno.EAGAIN,
    "Too many open files": errno.EMFILE,
    "Cannot allocate memory": errno.ENOMEM,
    "cannot allocate memory": errno.ENOMEM,
    "failed to map segment": errno.ENOMEM,
    "Memory allocation still failed": errno.ENOMEM,
    "error return without exception set": errno.ENOMEM,  # of NumPy's C code
    "returned NULL without setting an exception": errno.ENOMEM,  # of Python's own
    "MemoryError": errno.ENOMEM,
}
"""Words by which others (the loader of shared libraries, threads, BLAS) say the same."""


def exhausted(error: BaseException | str) -> tuple[str, str] | None:
    """Tell which of the system's limits an exception comes from.

    Args:
        error: Any exception, which may come from another one, or its text.

    Returns:
        What the system has run out of and the remedy; None if it is about something else.
    """
    if isinstance(error, str):
        return next((_REFUSED[number] for words, number in _SAID_BY.items() if words in error), None)
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, MemoryError):
            return _REFUSED[errno.ENOMEM]
        if isinstance(cause, OSError) and cause.errno in _REFUSED:
            return _REFUSED[cause.errno]
        if isinstance(cause, (ImportError, OSError, RuntimeError, SystemError)) and (found := exhausted(str(cause))):
            return found
        cause = cause.__cause__ or cause.__context__
    return None


LONGEST = 600
"""Characters of what was found that are told: a damaged file may be anything."""


def typed(path: object) -> str:
    """Write a path as it must be typed in a command: in quotes where it has a space, say.

    Args:
        path: Any path.
    """
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline([str(path)])
    return shlex.quote(str(path))


class LenetError(Exception):
    """An error with a remedy.

    Args:
        thing: What is wrong, by the name the user knows it by (a path, an option, a value).
        found: What was there.
        expected: What should have been there.
        remedy: What the user can do about it.
    """

    exit_status = 2

    def __init__(
        self,
        thing: object,
        *,
        found: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.thing = str(thing)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        facts = ", ".join(
            f"{word} {text[:LONGEST]}{' ...' * (len(text) > LONGEST)}"
            for word, text in (("found", found), ("expected", expected))
            if text is not None
        )
        line = f"{self.thing}: {facts}" if facts else self.thing
        super().__init__(" ".join(f"{line}; {remedy}".split()) if remedy else " ".join(line.split()))


class InputError(LenetError):
    """An argument, option or file handed in by the user is not usable."""


class DataError(LenetError):
    """A data set is missing, damaged or of the wrong form."""


class DownloadError(DataError):
    """A data set can't be downloaded now: nothing that the user has typed is wrong."""

    exit_status = 1


class ModelFileError(LenetError):
    """A model or checkpoint file is missing, damaged or of another version."""


class BackendError(LenetError):
    """The requested array backend can't be used on this machine."""


class TrainingError(LenetError):
    """Training can't go on: it diverged, or a worker or the device was lost."""

    exit_status = 1
