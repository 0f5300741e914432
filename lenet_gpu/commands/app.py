"""``lenet-gpu app``: the touch app, in a window of its own."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import add_command
from lenet_gpu.errors import InputError

EXAMPLES = """\
  lenet-gpu app                                   draw, see it read, look inside, teach it
  lenet-gpu app --model runs/one                  with your own model
  lenet-gpu app --folder /tmp/trial               settings and samples in another folder
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(subparsers, "app", "draw digits in a window and see them read", EXAMPLES, run)
    model = "model file, folder of a run, or name of a shipped model (default: the one chosen in the app)"
    parser.add_argument("--model", metavar="MODEL", help=model)
    folder = "where settings, samples and what was learned are kept (default: the user's own folder)"
    parser.add_argument("--folder", type=Path, metavar="DIR", help=folder)


def run(options: argparse.Namespace) -> int:
    """Open the window; returns when it is closed."""
    if importlib.util.find_spec("kivy") is None:
        raise InputError(
            "the app",
            found="no Kivy",
            expected="Kivy 2.3.1",
            remedy='pip install "lenet-gpu[app]" (Python below 3.14)',
        )
    if options.model is not None:
        from lenet_gpu.recognition.recognizer import model_path

        options.model = model_path(options.model)  # a wrong one is named before a window opens
    from app.main import run as run_app

    run_app(model=options.model, folder=options.folder)
    return 0
