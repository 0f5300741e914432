"""``lenet-gpu app``: the touch app, in a window of its own."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from lenet_gpu.commands.options import add_command, path
from lenet_gpu.errors import InputError

EXAMPLES = """\
  lenet-gpu app                                   draw, see it read, look inside, teach it
  lenet-gpu app --model runs/one                  with your own model
  lenet-gpu app --kiosk                           full screen, in a public place
  lenet-gpu app --folder /tmp/trial               settings and samples in another folder
"""

KIVY = 'pip install "kivy>=2.3.1,<3" (Python below 3.14)'
"""Command that installs what the app needs."""

WITHOUT_KIVY = (3, 14)
"""The first Python for which Kivy has no wheels."""

INSTALLED_AS = "lenet_gpu_app"
"""Name of the app's package. In a checkout its folder is app/, a name that users may want for themselves."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(subparsers, "app", "draw digits in a window and see them read", EXAMPLES, run)
    model = "model file, folder of a run, or name of a shipped model (default: the one chosen in the app)"
    parser.add_argument("--model", metavar="MODEL", help=model)
    folder = "where settings, samples and what was learned are kept (default: the user's own folder)"
    kiosk = "for a public place: full screen, nothing to set, and it begins anew when nobody touches it for a minute"
    parser.add_argument("--kiosk", action="store_true", help=kiosk)
    parser.add_argument("--folder", type=path, metavar="DIR", help=folder)


def run(options: argparse.Namespace) -> int:
    """Open the window; returns when it is closed."""
    if importlib.util.find_spec("kivy") is None:
        raise no_kivy(sys.version_info[:2])
    if options.model is not None:
        from lenet_gpu.storage.shipped_models import model_path

        options.model = model_path(options.model)  # a wrong one is named before a window opens
    _import_app().run(model=options.model, folder=options.folder, kiosk=options.kiosk)
    return 0


def no_kivy(python: tuple[int, int]) -> InputError:
    """Say what the app lacks.

    Args:
        python: Version of the Python that runs, (major, minor).
    """
    if python < WITHOUT_KIVY:
        return InputError("the app", found="no Kivy", expected="Kivy 2.3.1", remedy=KIVY)
    return InputError(
        "the app",
        found=f"no Kivy, which has no wheels for Python {python[0]}.{python[1]}",
        expected="Kivy 2.3.1 and Python below 3.14",
        remedy="take an earlier Python, or draw in a browser: lenet-gpu export touch --to html --out page.html",
    )


def _import_app() -> ModuleType:
    """Import the main module of the app that lies beside this package: installed, or the folder of a checkout.

    A checkout's folder is loaded by its path, under the installed name: whatever else is called `app` is the user's.
    """
    beside = Path(__file__).parents[2]
    if INSTALLED_AS not in sys.modules and not (beside / INSTALLED_AS).is_dir():
        file = beside / "app" / "__init__.py"
        spec = importlib.util.spec_from_file_location(
            INSTALLED_AS, file, submodule_search_locations=[str(file.parent)]
        )
        if spec is None or spec.loader is None or not file.is_file():
            raise InputError(
                "the app",
                found=f"neither {INSTALLED_AS} nor app in {beside}",
                expected="the app beside the package lenet_gpu",
                remedy="take the whole project: the folder app lies beside lenet_gpu",
            )
        sys.modules[INSTALLED_AS] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module(f"{INSTALLED_AS}.main")
