"""``lenet-gpu completion``: what a shell needs to complete commands, options and files."""

from __future__ import annotations

import argparse
from typing import Any

from lenet_gpu.commands.options import add_command
from lenet_gpu.errors import InputError

EXAMPLES = """\
  lenet-gpu completion bash > ~/.local/share/bash-completion/completions/lenet-gpu
  lenet-gpu completion zsh > ~/.zfunc/_lenet-gpu            with fpath+=~/.zfunc before compinit
"""

SHELLS = ("bash", "zsh")

FILES = ("MODEL", "IMAGE", "FILE", "DIR", "PNG", "NAME|PATH")
"""Metavars of what may be a file or a folder."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "print a script by which a shell completes commands, options and files (needs shtab)"
    parser = add_command(subparsers, "completion", summary, EXAMPLES, run)
    parser.add_argument("shell", choices=SHELLS, help="whose script")


def run(options: argparse.Namespace) -> int:
    """Print the script; see the parser for the options."""
    try:
        import shtab
    except ImportError:
        raise InputError(
            "shtab", found="it is not installed", expected="shtab", remedy="pip install 'lenet-gpu[completion]'"
        ) from None

    parser = options.whole
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for command in commands.choices.values():
        for action in command._actions:
            if action.metavar in FILES:
                action.complete = shtab.FILE
    print(shtab.complete(parser, options.shell))
    return 0
