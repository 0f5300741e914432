"""``lenet-gpu plot``: draw the curves of a run again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import add_command

EXAMPLES = """\
  lenet-gpu plot runs/one                         writes runs/one/curves.png
  lenet-gpu plot runs/one --out curves.png
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(subparsers, "plot", "draw the curves of a training run, finished or not", EXAMPLES, run)
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of the run")
    parser.add_argument("--out", type=Path, metavar="PNG", help="the picture (default: DIR/curves.png)")


def run(options: argparse.Namespace) -> int:
    """Plot; see the parser for the options."""
    from lenet_gpu.checkpoint import CURVES_FILE, Checkpoint
    from lenet_gpu.plots import save_curves

    checkpoint = Checkpoint.load(options.folder)
    picture = options.out or options.folder / CURVES_FILE
    save_curves(checkpoint.history, picture)
    print(f"wrote     {picture}")
    return 0
