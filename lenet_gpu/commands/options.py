"""Options that several commands share, and how parsers look."""

from __future__ import annotations

import argparse
import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lenet_gpu.errors import InputError, typed


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
        allow_abbrev=False,
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress and no notes: results and errors alone"
    )
    parser.set_defaults(run=run)
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where the data come from."""
    parser.add_argument(
        "--dataset",
        type=text,
        metavar="NAME|PATH",
        help="mnist (default), emnist-digits, pendigits, or a path: idx files, CSV, .npz or .npy, or folders of "
        "pictures named by class, or a zip of them",
    )
    parser.add_argument("--data-dir", type=path, metavar="DIR", help="look for a named data set's files only here")
    parser.add_argument("--no-download", action="store_true", help="never use the network")


def add_backend_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the backend."""
    parser.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "cpu", "gpu"),
        help="auto: the GPU if it can be used, else the CPU (default)",
    )
    parser.add_argument(
        "--device",
        type=whole_number(0, 9999),
        metavar="N",
        help="number of the GPU, among those that CUDA_VISIBLE_DEVICES shows (default: the first one)",
    )


def add_picture_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Add where a picture goes, and whether it may replace a file; see `check_picture`."""
    parser.add_argument("--out", type=path, metavar="PNG", help=f"the picture (default: {default})")
    parser.add_argument("--force", action="store_true", help="let the picture replace a file that is not ours")


def check_picture(picture: Path, *, force: bool) -> None:
    """Refuse a name for a picture before the work for it begins.

    Args:
        picture: The file to write.
        force: Whether it may replace a file that this program did not draw.

    Raises:
        InputError: The name does not end in .png, belongs to something else than a regular file or to a file that
            is not ours, or its folder can't be written to.
    """
    import os

    from lenet_gpu.report.pictures import is_ours
    from lenet_gpu.storage.atomic import may, output_file

    if picture.suffix.lower() != ".png":
        raise InputError(
            picture, found="a name for another kind of file", expected="a name that ends in .png",
            remedy=f"--out {typed(picture.with_suffix('.png')) if picture.name else 'NAME.png'}",
        )  # fmt: skip
    file = output_file(picture)
    if not may(os.W_OK | os.X_OK, file.parent):
        raise InputError(
            picture, found="a folder without permission to write", expected="a folder to write to",
            remedy="name another --out",
        )  # fmt: skip
    if file.exists() and not force and not is_ours(file):
        raise InputError(
            picture,
            found="a file that lenet-gpu did not draw",
            expected="a new name, or an earlier picture of ours",
            remedy="name another --out, or replace it with --force",
        )


def text(given: str) -> str:
    """Parse a text that must not be empty."""
    if not given:
        raise argparse.ArgumentTypeError("found nothing, expected a name or a path")
    return given


def path(given: str) -> Path:
    """Parse a path that is not empty (Python would take it for the current folder) and that can be looked up."""
    found = Path(text(given))
    try:
        found.stat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise argparse.ArgumentTypeError(f"found {given!r}: {error.strerror}; give another path") from None
    return found


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Make a parser of whole numbers from `minimum` to `maximum`."""

    def parse(text: str) -> int:
        # int() would also take 1_0, +3 and digits of other scripts.
        value = int(text) if re.fullmatch("[0-9]{1,30}", text) else minimum - 1
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from {minimum} to {maximum}")
        return value

    return parse


def device_list(given: str) -> list[int]:
    """Parse numbers of GPUs."""
    parse = whole_number(0, 9999)
    return list(dict.fromkeys(parse(part) for part in given.split(",")))


def positive_number(text: str) -> float:
    """Parse a number above 0."""
    is_plain = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text)
    value = float(text) if is_plain else 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0")
    return value


def share(text: str) -> float:
    """Parse a share: a number above 0 and below 1."""
    value = positive_number(text)
    if value >= 1.0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a share below 1, such as 0.1")
    return value


def number(text: str) -> float:
    """Parse a number in plain digits."""
    is_plain = re.fullmatch(r"-?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})([eE][+-]?[0-9]{1,2})?", text)
    if not is_plain:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number")
    return float(text)
