"""The command line: its parser, and one place where errors become exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import warnings
from collections.abc import Sequence

from lenet_gpu._version import __version__
from lenet_gpu.commands import (
    app,
    bench,
    completion,
    doctor,
    evaluate,
    export_model,
    import_model,
    plot,
    predict,
    sweep,
    train,
)
from lenet_gpu.errors import LenetError, exhausted
from lenet_gpu.interrupts import LINE, Interrupts
from lenet_gpu.quiet import be_quiet
from lenet_gpu.streams import StandardStreams

COMMANDS = (train, sweep, evaluate, predict, export_model, import_model, app, plot, bench, doctor, completion)
"""Each offers `add_parser(subparsers)`, whose parser carries the function to run as `run`."""


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line and where the help is."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print one line and end with exit status 2."""
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    parser = Parser(
        prog="lenet-gpu",
        description="LeNet-5 (LeCun et al. 1998) from scratch on NumPy and CuPy.",
        epilog="exit status: 0 done, 1 not finished (interrupted, diverged), 2 bad input",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lenet-gpu {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add_parser(subparsers)
    parser.set_defaults(whole=parser)  # for `completion`, which is about all of it
    return parser


def log_to_stderr() -> None:
    """Show the package's warnings on standard error, as everything else that the command says there."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("lenet-gpu: %(message)s"))
    logger = logging.getLogger("lenet_gpu")
    logger.handlers, logger.propagate = [handler], False
    # Other packages' log (where Matplotlib keeps its cache, what hashlib could not load) is not for users.
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    # Without a thread to spare the bar only moves less smoothly.
    warnings.filterwarnings("ignore", message="tqdm:disabling monitor")


def _load_ahead() -> None:
    """Load the library by which the C library ends threads, where memory is limited: later there may be no room.

    Without it the whole process is aborted at the end of a thread.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY and sys.platform.startswith("linux"):
        import ctypes

        with contextlib.suppress(OSError):
            ctypes.CDLL("libgcc_s.so.1")


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name.

    Returns:
        Exit status. What standard output did not take is status 1, after the work is done.

    Raises:
        SystemExit: The command line is wrong, or asks for the help.
    """
    ended: SystemExit | None = None
    with StandardStreams() as streams, Interrupts() as interrupts:
        log_to_stderr()
        _load_ahead()
        try:
            status = _carry_out(arguments, interrupts)
        except SystemExit as error:
            ended, status = error, int(error.code or 0)
    if streams.unread:
        status = status or 1
    if ended is not None:
        raise SystemExit(status)
    return status


def _carry_out(arguments: Sequence[str], interrupts: Interrupts) -> int:
    """Run one command; whatever ends it before its time is one line on standard error."""
    try:
        parser = build_parser()
        options, unknown = parser.parse_known_args(arguments)
        if unknown:  # what parse_args says names the help of the whole program
            command = f"{parser.prog} {options.command}"
            parser.exit(2, f"{command}: error: unrecognized arguments: {' '.join(unknown)}; see {command} --help\n")
        if options.quiet:
            be_quiet()
        return int(options.run(options))
    except KeyboardInterrupt:
        line, status = LINE, 1
    except LenetError as error:
        line, status = f"lenet-gpu: error: {error}", error.exit_status
    except Exception as error:
        found = exhausted(error)
        if found is None and not interrupts.seen:
            raise
        line, status = f"lenet-gpu: error: {arguments[0]}: found {found and found[0]}; {found and found[1]}", 1
    if interrupts.seen:  # some libraries make another exception of it
        line, status = LINE, 1
    print(line, file=sys.stderr)
    return status
