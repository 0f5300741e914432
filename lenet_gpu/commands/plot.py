"""``lenet-gpu plot``: draw the curves of runs, or what a recipe makes of the training images."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import add_command, add_data_options, add_picture_options, check_picture, path, text

LOGGER = logging.getLogger("lenet_gpu")

EXAMPLES = """\
  lenet-gpu plot runs/one                         writes runs/one/curves.png
  lenet-gpu plot runs/one --out curves.png
  lenet-gpu plot runs/one runs/two                compares runs, in comparison.png
  lenet-gpu plot --augment                        training images as the default recipe distorts them
  lenet-gpu plot --augment --recipe touch --out distorted.png
"""

AUGMENTATION_FILE = "augmentation.png"
COMPARISON_FILE = "comparison.png"

VARIANTS = 10
"""Times that an image is shown distorted."""

MOST_CLASSES = 30
"""Classes whose images are shown."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "draw the curves of training runs, finished or not, or the images that a recipe trains on"
    parser = add_command(subparsers, "plot", summary, EXAMPLES, run)
    help_of_runs = "folder of a run; several are compared in one picture"
    parser.add_argument("folders", metavar="DIR", type=path, nargs="*", help=help_of_runs)
    parser.add_argument("--augment", action="store_true", help="draw training images as a recipe varies them")
    parser.add_argument(
        "--recipe", type=text, help="with --augment: whose distortions (default: those of the default recipe)"
    )
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

    from lenet_gpu.report.pictures import save
    from lenet_gpu.report.plots import curves, run_title
    from lenet_gpu.training.checkpoint import CURVES_FILE, Checkpoint

    (folder,) = options.folders
    checkpoint = Checkpoint.load(folder)
    picture = folder / CURVES_FILE if options.out is None else options.out
    check_picture(picture, force=options.force or options.out is None)  # the curves of a run are ours
    save(curves(checkpoint.history, run_title(checkpoint)), picture)
    print(f"wrote     {picture}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from lenet_gpu.report.pictures import save
    from lenet_gpu.report.plots import comparison, run_title
    from lenet_gpu.training.checkpoint import Checkpoint

    runs = {str(folder): Checkpoint.load(folder) for folder in options.folders}
    picture = Path(COMPARISON_FILE) if options.out is None else options.out
    check_picture(picture, force=options.force)
    save(comparison({f"{name}, {run_title(found)}": found.history for name, found in runs.items()}), picture)
    for name, found in runs.items():
        last = found.history[-1]
        sets = [what for what in ("train", "validation", "test") if f"{what}_error" in last]
        errors = "  ".join(f"{what} {100 * last[f'{what}_error']:.2f} %" for what in sets)
        print(f"{name}: error after {last['epoch']} epochs  {errors}")
    print(f"wrote     {picture}")
    return 0


def _draw_augmentation(options: argparse.Namespace) -> int:
    import numpy as np

    from lenet_gpu.augment.augmentation import varied_samples
    from lenet_gpu.errors import InputError
    from lenet_gpu.report.pictures import save
    from lenet_gpu.report.plots import augmentation_sheet
    from lenet_gpu.training.recipes import DEFAULT, get_recipe

    if options.folders:
        raise InputError("plot --augment", found=f"the folder {options.folders[0]}", expected="none")
    recipe = get_recipe(DEFAULT if options.recipe is None else options.recipe)
    if recipe.augmentation is None:
        raise InputError(
            f"recipe {recipe.name}",
            found="images as they are",
            expected="a recipe that varies them",
            remedy=f"name another recipe, or none for {DEFAULT}",
        )
    picture = Path(AUGMENTATION_FILE) if options.out is None else options.out
    check_picture(picture, force=options.force)
    images, labels, whence = _training_images(options)
    # One image of each class: all ten digits, and as many classes of other data as a page holds.
    shown = np.array([np.flatnonzero(labels == label)[0] for label in np.unique(labels)[:MOST_CLASSES]])
    title = f"recipe {recipe.name}, {whence}\n{_amounts(recipe.augmentation)}"
    save(augmentation_sheet(varied_samples(images[shown], recipe.augmentation, 1 + VARIANTS), title), picture)
    print(f"wrote     {picture}")
    return 0


def _training_images(options: argparse.Namespace) -> tuple[Any, Any, str]:
    """Load images and labels to learn from and say whence: ours, from pen strokes, if MNIST is missing."""
    import numpy as np

    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.errors import DataError
    from lenet_gpu.handwriting import draw_digits
    from lenet_gpu.ink.preprocess import strokes_to_mnist

    if options.dataset or options.data_dir:
        data = load_dataset(options.dataset or "mnist", data_dir=options.data_dir, download=not options.no_download)
        return data.train.images, data.train.labels, data.name
    try:
        data = load_dataset("mnist", download=False)
    except DataError:  # ten digits are no reason for a download
        LOGGER.warning("MNIST is not at hand: digits drawn by lenet_gpu.handwriting instead")
        labels = np.arange(10)
        drawn = draw_digits(np.random.default_rng(0), labels)
        return np.stack([strokes_to_mnist(strokes) for strokes in drawn]), labels, "drawn digits"
    return data.train.images, data.train.labels, data.name


def _amounts(augmentation: Any) -> str:
    """Say how far a recipe distorts."""
    strength = augmentation.strength
    amounts = (
        ("rotation", augmentation.rotation, "°"),
        ("scale", 100 * augmentation.scale, " %"),
        ("zoom", 100 * augmentation.zoom, " %"),
        ("squeeze", 100 * augmentation.squeeze, " %"),
        ("shear", augmentation.shear, ""),
        ("shift", augmentation.shift, " px"),
        ("elastic", augmentation.elastic, " px"),
    )
    said = [f"{name} {strength * amount:.3g}{unit}" for name, amount, unit in amounts if amount]
    widths = [f"{width:+g}" for width in augmentation.stroke_widths if width]
    if widths:
        said.append(f"stroke width {', '.join(widths)} px")
    return f"at most: {', '.join(said)}"
