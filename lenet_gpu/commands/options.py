"""Options that several commands share, and how parsers look."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_command(
    subparsers: Any, name: str, summary: str, examples: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add the parser of one command.

    Args:
        subparsers: Where to add it.
        name: The command.
        summary: One line for both helps.
        examples: Lines for the end of the command's help.
        run: Runs the command; returns the exit status.

    Returns:
        The new parser.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where the data come from."""
    parser.add_argument(
        "--dataset",
        default=None,
        metavar="NAME|PATH",
        help="mnist (default), emnist-digits, or a path: folder of idx files, CSV of label,784 pixels, "
        "folder of images named by class",
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="look for a named data set's files only here")
    parser.add_argument("--no-download", action="store_true", help="never use the network")


def add_backend_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the backend."""
    parser.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "cpu", "gpu"),
        help="auto: the GPU if it can be used, else the CPU (default)",
    )


def whole_number(minimum: int) -> Callable[[str], int]:
    """Make a parser of whole numbers from `minimum`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from {minimum}")
        return value

    return parse


def positive_number(text: str) -> float:
    """Parse a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0")
    return value
