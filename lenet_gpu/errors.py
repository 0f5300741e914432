"""Errors a user can cause or mend.

Every one of them reads as a single line that names the thing, the value found, the value expected and
the remedy. The command line prints that line and ends with `exit_status`; nothing else is caught there,
so a traceback always means a defect of this program.
"""

from __future__ import annotations


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
            f"{word} {text}" for word, text in (("found", found), ("expected", expected)) if text is not None
        )
        line = f"{self.thing}: {facts}" if facts else self.thing
        super().__init__(" ".join(f"{line}; {remedy}".split()) if remedy else " ".join(line.split()))


class InputError(LenetError):
    """An argument, option or file handed in by the user is not usable."""


class DataError(LenetError):
    """A data set is missing, damaged or of the wrong form."""


class ModelFileError(LenetError):
    """A model or checkpoint file is missing, damaged or of another version."""


class BackendError(LenetError):
    """The requested array backend can't be used on this machine."""


class TrainingError(LenetError):
    """Training can't go on: it diverged, or a worker or the device was lost."""

    exit_status = 1
