"""The command line: its parser, and one place where errors become exit statuses."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from lenet_gpu._version import __version__
from lenet_gpu.commands import app, bench, doctor, evaluate, plot, predict, train
from lenet_gpu.errors import LenetError

COMMANDS = (train, evaluate, predict, app, plot, bench, doctor)
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
    )
    parser.add_argument("--version", action="version", version=f"lenet-gpu {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def log_to_stderr() -> None:
    """Show the package's warnings on standard error, as everything else that the command says there."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("lenet-gpu: %(message)s"))
    logger = logging.getLogger("lenet_gpu")
    logger.handlers, logger.propagate = [handler], False


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name.

    Returns:
        Exit status.
    """
    options = build_parser().parse_args(arguments)
    log_to_stderr()
    try:
        return int(options.run(options))
    except LenetError as error:
        print(f"lenet-gpu: error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("lenet-gpu: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output has left (`lenet-gpu doctor | head`): nothing to complain about.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
