"""The folder of a training run: one training at a time writes to it, and only what it may write to."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lenet_gpu.errors import InputError, exhausted, typed
from lenet_gpu.storage.atomic import SUFFIX, output_file, remove_leftovers
from lenet_gpu.storage.lock import exclusive
from lenet_gpu.training.checkpoint import CHECKPOINT_FILE, RUN_FILES

LOCK_FILE = ".training.lock"
RUNS = Path("runs")
"""The folder of runs whose own folder is not named."""


@contextlib.contextmanager
def new_run(folder: Path | None, default_name: str, room: int, *, force: bool = False) -> Iterator[Path]:
    """Make the folder of a new run and keep other trainings out of it while the block runs.

    Args:
        folder: The folder asked for; may exist, but must not hold files of the names that a run writes.
        default_name: Name under runs/ if none was asked for; a number is added when it is taken.
        room: Bytes that must fit in before the training begins.
        force: Whether files of those names may be removed.

    Yields:
        The folder. If the block fails and leaves it empty, it is removed if it was made here.

    Raises:
        InputError: It holds a run or other files of such names, another training writes to it, or it can't be made or
            written to.
    """
    with _begun(folder, default_name, force) as folder:
        _clear(folder)
        try_to_write(folder, room, "--out")
        yield folder


def check_new_run(folder: Path | None, *, force: bool = False) -> None:
    """Refuse a folder that `new_run` would refuse, before anything long is done; nothing in it is changed.

    Args:
        folder: As for `new_run`; None needs no check.
        force: As for `new_run`.

    Raises:
        InputError: As for `new_run`, but for room.
    """
    if folder is not None:
        with _begun(folder, "", force) as folder:
            try_to_write(folder, 0, "--out")


@contextlib.contextmanager
def _begun(folder: Path | None, default_name: str, force: bool) -> Iterator[Path]:
    """Make a folder, hold its lock and refuse what a run must not replace; remove it if it ends up empty."""
    folder, is_made = _made_folder(folder, default_name)
    try:
        with _claimed(folder, "--out"):
            if not force:
                _refuse_files(folder)
            yield folder
    finally:
        if is_made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # refused unless it is empty


@contextlib.contextmanager
def existing_run(folder: Path) -> Iterator[Path]:
    """Keep other trainings out of the folder of a run while the block runs.

    Args:
        folder: The folder.

    Yields:
        The folder.

    Raises:
        InputError: Another training writes to it, it can't be written to, or it has no checkpoint.
    """
    checkpoint = folder / CHECKPOINT_FILE
    if folder.is_dir() and not checkpoint.exists():
        force = " --force" if any(os.path.lexists(folder / name) for name in RUN_FILES) else ""
        raise InputError(
            folder,
            found=f"no {CHECKPOINT_FILE}, so no epoch was finished",
            expected="a run to go on with",
            remedy=f"start it again as before, with --out {typed(folder)}{force}",
        )
    if not folder.is_dir():
        raise InputError(
            folder, found=_kind(folder), expected="the folder of a run", remedy="name the folder that --out named"
        )
    with _claimed(folder, "--resume"):
        yield folder


def _made_folder(folder: Path | None, default_name: str) -> tuple[Path, bool]:
    """Make a folder; also say whether it is new."""
    try:
        if folder is not None:
            is_new = not os.path.lexists(folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder, is_new
        RUNS.mkdir(exist_ok=True)
        number = 1
        while True:
            folder = RUNS / (default_name if number == 1 else f"{default_name}-{number}")
            try:
                folder.mkdir()  # fails where another training has just taken the name
            except FileExistsError:
                number += 1
            else:
                return folder, True
    except FileExistsError:
        assert folder is not None
        found = _kind(folder)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        found = str((isinstance(error, OSError) and error.strerror) or error)
    raise InputError(folder or RUNS, found=found, expected="a folder to write to", remedy="name another --out")


def _kind(path: Path) -> str:
    """Name what stands where a folder should be."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a broken link" if path.is_symlink() else "no such folder"
    return "a file" if stat.S_ISREG(mode) else "a device or a named pipe"


@contextlib.contextmanager
def _claimed(folder: Path, option: str) -> Iterator[None]:
    """Hold a folder's lock; what was left half-written in it is removed, and its files must be writable."""

    def refuse() -> None:
        raise InputError(
            folder,
            found="another training that writes to it",
            expected="one training at a time",
            remedy="wait for its end" + ("" if option == "--resume" else f", or name another {option}"),
        )

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(folder / LOCK_FILE, refuse))
        except OSError as error:
            if exhausted(error):
                raise
            raise _not_writable(folder, option, error) from error
        remove_leftovers(folder)
        for name in RUN_FILES[:-1]:  # the curves are no reason to refuse: without them the run is whole
            output_file(folder / name)
        yield


def try_to_write(folder: Path, room: int, option: str = "--resume") -> None:
    """Write as much to a folder as a run's files take, and remove it.

    Args:
        folder: The folder.
        room: Bytes to write.
        option: The option that named the folder.

    Raises:
        InputError: It does not fit in, or the folder can't be written to.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".room.", suffix=SUFFIX) as file:
            file.write(bytes(room))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if exhausted(error):
            raise
        raise _not_writable(folder, option, error) from error


def _not_writable(folder: Path, option: str, error: OSError) -> InputError:
    other = "" if option == "--resume" else f", or name another {option}"
    return InputError(
        folder,
        found=error.strerror or str(error),
        expected="a folder to write to, with room for the files of a run",
        remedy=f"free some space or allow writing{other}",
    )


def _refuse_files(folder: Path) -> None:
    """Refuse a folder with files that a run would replace."""
    found = [name for name in RUN_FILES if os.path.lexists(folder / name)]
    if CHECKPOINT_FILE in found:
        raise InputError(
            folder,
            found="a training run",
            expected="a new folder",
            remedy=f"continue it with --resume {typed(folder)}, name another --out, or replace it with --force",
        )
    if found:
        raise InputError(
            folder,
            found=f"{', '.join(found)}, but no {CHECKPOINT_FILE} to continue from",
            expected="a new folder",
            remedy="name another --out, or replace these files with --force",
        )


def _clear(folder: Path) -> None:
    """Remove the files of an old run, the checkpoint first: without it, nobody resumes what is left of them."""
    for name in RUN_FILES:
        with contextlib.suppress(FileNotFoundError):  # a link to nothing is kept, as is every link
            os.unlink(output_file(folder / name))
