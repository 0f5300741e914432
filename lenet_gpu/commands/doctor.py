"""``lenet-gpu doctor``: what this machine has, stage by stage, and what to do about what it lacks."""

from __future__ import annotations

import argparse
from typing import Any

from lenet_gpu.commands.options import add_command

EXAMPLES = """\
  lenet-gpu doctor                                why does it not use my GPU?
  lenet-gpu doctor --json                         the same for a script or a bug report
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(
        subparsers, "doctor", "examine this machine: backends, libraries, data, models", EXAMPLES, run
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(options: argparse.Namespace) -> int:
    """Examine; see the parser for the options."""
    from lenet_gpu.report import doctor

    return doctor.run(as_json=options.json)
