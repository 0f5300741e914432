"""``lenet-gpu plot``: draw the curves of runs, or what a recipe makes of the training images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import add_command, add_data_options, add_picture_options, check_picture, path, text

EXAMPLES = """\
  lenet-gpu plot runs/one                         writes runs/one/curves.png
  lenet-gpu plot runs/one --out curves.png
  lenet-gpu plot runs/one runs/two                compares runs, in comparison.png
  lenet-gpu plot --augment                        distorted training images, to augmentation.png
  lenet-gpu plot --augment --recipe touch --out distorted.png
"""

AUGMENTATION_FILE = "augmentation.png"
COMPARISON_FILE = "comparison.png"

SIDE = 8
"""Rows and columns of the picture of distorted images."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "draw the curves of training runs, finished or not, or the images that a recipe trains on"
    parser = add_command(subparsers, "plot", summary, EXAMPLES, run)
    help_of_runs = "folder of a run; several are compared in one picture"
    parser.add_argument("folders", metavar="DIR", type=path, nargs="*", help=help_of_runs)
    parser.add_argument("--augment", action="store_true", help="draw training images as a recipe varies them")
    parser.add_argument("--recipe", type=text, help="with --augment: whose variations (default: the standard ones)")
    add_data_options(parser)
    add_picture_options(parser, f"DIR/curves.png, {COMPARISON_FILE} or {AUGMENTATION_FILE}")


def run(options: argparse.Namespace) -> int:
    """Plot; see the parser for the options."""
    from lenet_gpu.errors import InputError

    if options.augment:
        return _draw_augmentation(options)
    if not options.folders:
        raise InputError("plot", found="neither a folder nor --augment", expected="one of them")
    if options.recipe is not None:
        raise InputError("--recipe", found="no --augment", remedy="the curves know their recipe: leave it out")
    for name in ("dataset", "data_dir", "no_download"):
        if getattr(options, name) not in (None, False):
            option = f"--{name.replace('_', '-')}"
            raise InputError(option, found="no --augment", remedy="curves need no data: leave it out")

    if len(options.folders) > 1:
        return _compare(options)

    from lenet_gpu.report.plots import save_curves
    from lenet_gpu.training.checkpoint import CURVES_FILE, Checkpoint

    (folder,) = options.folders
    checkpoint = Checkpoint.load(folder)
    picture = folder / CURVES_FILE if options.out is None else options.out
    check_picture(picture, force=options.force or options.out is None)  # the curves of a run are ours
    save_curves(checkpoint.history, picture)
    print(f"wrote     {picture}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lenet_gpu.report.plots import save_comparison
    from lenet_gpu.training.checkpoint import Checkpoint

    histories = {str(folder): Checkpoint.load(folder).history for folder in options.folders}
    picture = Path(COMPARISON_FILE) if options.out is None else options.out
    check_picture(picture, force=options.force)
    save_comparison(histories, picture)
    for name, history in histories.items():
        last = history[-1]
        sets = [what for what in ("train", "validation", "test") if f"{what}_error" in last]
        errors = "  ".join(f"{what} {100 * last[f'{what}_error']:.2f} %" for what in sets)
        print(f"{name}: error after {last['epoch']} epochs  {errors}")
    print(f"wrote     {picture}")
    return 0


def _draw_augmentation(options: argparse.Namespace) -> int:
    import numpy as np

    from lenet_gpu.augment.augmentation import STANDARD, varied_samples
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.errors import InputError
    from lenet_gpu.report.plots import save_augmentation
    from lenet_gpu.training.recipes import get_recipe

    if options.folders:
        raise InputError("plot --augment", found=f"the folder {options.folders[0]}", expected="none")
    augmentation = STANDARD if options.recipe is None else get_recipe(options.recipe).augmentation
    if augmentation is None:
        raise InputError(
            f"recipe {options.recipe}",
            found="images as they are",
            expected="a recipe that varies them",
            remedy="name another recipe, or none for the standard variations",
        )
    picture = Path(AUGMENTATION_FILE) if options.out is None else options.out
    check_picture(picture, force=options.force)
    source = "mnist" if options.dataset is None else options.dataset
    data = load_dataset(source, data_dir=options.data_dir, download=not options.no_download)
    images, labels = data.train.images, data.train.labels
    # One image of each of the first digits.
    shown = np.array([np.flatnonzero(labels == digit)[0] for digit in np.unique(labels)[:SIDE]])
    whose = "standard variations" if options.recipe is None else f"recipe {options.recipe}"
    title = f"{whose}: as it is, and as training sees it"
    save_augmentation(varied_samples(images[shown], augmentation, SIDE), title, picture)
    print(f"wrote     {picture}")
    return 0
