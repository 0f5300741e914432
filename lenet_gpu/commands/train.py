"""``lenet-gpu train``: train a network into a folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from lenet_gpu.commands.options import (
    add_backend_option,
    add_command,
    add_data_options,
    positive_number,
    whole_number,
)
from lenet_gpu.engine.names import ENGINES
from lenet_gpu.errors import InputError
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.training.recipes import DEFAULT, RECIPES, get_recipe, with_distortions, with_loss

EXAMPLES = """\
  lenet-gpu train                                 MNIST by the default recipe, on the GPU if there is one
  lenet-gpu train --backend cpu --seed 1 --out runs/one
  lenet-gpu train --dataset digits.csv --epochs 3
  lenet-gpu train --recipe paper --distortions    the 1998 training, with its distorted patterns
  lenet-gpu train --resume runs/one               continue an interrupted run, bit for bit
"""

FIXED_BY_RUN = ("recipe", "seed", "batch_size", "learning_rate", "distortions", "loss", "out")
"""Options that a resumed run has already settled."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(subparsers, "train", "train a network into a folder", EXAMPLES, run)
    recipes = "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
    parser.add_argument("--recipe", choices=tuple(RECIPES), help=f"{recipes} (default: {DEFAULT})")
    add_backend_option(parser)
    parser.add_argument("--engine", choices=("auto", *ENGINES), help="how to run it (default: the fastest)")
    workers = "workers of the CPU engine (default: one a core)"
    parser.add_argument("--threads", type=whole_number(1), metavar="N", help=workers)
    parser.add_argument("--epochs", type=whole_number(1), metavar="N", help="passes over the training set")
    parser.add_argument("--batch-size", type=whole_number(1), metavar="N", help="images a step")
    parser.add_argument("--learning-rate", type=positive_number, metavar="X", help="step size of the first epoch")
    distortions = "with --recipe paper: nine distorted copies of every image, as in 1998 (540,000 more patterns)"
    parser.add_argument("--distortions", action="store_true", help=distortions)
    losses = (
        "with --recipe paper: map, equation 9 (default); rbf, equation 8; cross_entropy, a softmax output instead of "
        "the RBF units"
    )
    parser.add_argument("--loss", choices=tuple(LOSSES), help=losses)
    parser.add_argument("--seed", type=whole_number(0), metavar="N", help="seed of weights and order (default: 0)")
    add_data_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="new folder for model.npz, checkpoint.npz, log.jsonl, curves.png "
        "(default: runs/DATASET-RECIPE-seedN, with a number behind it when taken)",
    )
    parser.add_argument("--resume", type=Path, metavar="DIR", help="continue the run in this folder")


def run(options: argparse.Namespace) -> int:
    """Train; see the parser for the options."""
    from lenet_gpu.backend.backend import select_backend
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.report.plots import Curves
    from lenet_gpu.training.callbacks import ProgressBar, RunFolder
    from lenet_gpu.training.checkpoint import Checkpoint
    from lenet_gpu.training.trainer import Trainer

    # Everything the user can get wrong comes first; then the backend, and the new folder last.
    if options.resume:
        _refuse_settled(options)
        source = options.dataset or Checkpoint.load(options.resume).dataset
    else:
        source = options.dataset or "mnist"
    recipe = get_recipe(options.recipe or DEFAULT).with_changes(
        epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.learning_rate
    )
    if options.distortions:
        recipe = with_distortions(recipe)
    if options.loss:
        recipe = with_loss(recipe, options.loss)
    data = load_dataset(source, data_dir=options.data_dir, download=not options.no_download)
    backend = select_backend(options.backend)
    if options.resume:
        folder = options.resume
        trainer = Trainer.resume(
            folder, backend, epochs=options.epochs, engine=options.engine, threads=options.threads
        )
    else:
        model = LeNet5(recipe.variant, backend, options.seed or 0)
        trainer = Trainer(model, recipe, engine=options.engine or "auto", threads=options.threads)
        folder = make_folder(options.out, f"{Path(data.name).stem}-{recipe.name}-seed{trainer.seed}")
    bar = ProgressBar()
    if trainer.epochs_done >= trainer.recipe.epochs:
        print(f"all {trainer.epochs_done} epochs of {folder} are done; train on with --epochs N")
    trainer.callbacks = [bar, RunFolder(folder), Curves(folder)]
    try:
        trainer.fit(data)
    except KeyboardInterrupt:
        bar.close()
        print(f"\nlenet-gpu: interrupted; {_what_is_kept(trainer, folder)}", file=sys.stderr)
        return 1
    finally:
        bar.close()
    print(f"wrote     {folder}: model.npz, checkpoint.npz, log.jsonl, curves.png")
    return 0


def _refuse_settled(options: argparse.Namespace) -> None:
    for name in FIXED_BY_RUN:
        if getattr(options, name) not in (None, False):
            raise InputError(
                f"--{name.replace('_', '-')} with --resume",
                found="a setting that the run has already settled",
                expected="only --epochs, --engine, --threads, --backend or the place of the data",
                remedy="leave it out, or start a new run",
            )


def _what_is_kept(trainer: Any, folder: Path) -> str:
    if not trainer.epochs_done:
        return "no epoch was finished, so there is nothing to resume"
    return f"epochs 1 to {trainer.epochs_done} are kept in {folder}; continue with: lenet-gpu train --resume {folder}"


def make_folder(wanted: Path | None, default_name: str) -> Path:
    """Make the folder of a new run.

    Args:
        wanted: What the user asked for; may exist, but must not hold a run.
        default_name: Name under runs/ if the user asked for nothing; a number is added when it is taken.

    Returns:
        An existing, writable folder.

    Raises:
        InputError: It holds a run already, or can't be made or written to.
    """
    folder = wanted
    number = 1
    while folder is None or (wanted is None and folder.exists()):
        folder = Path("runs") / (default_name if number == 1 else f"{default_name}-{number}")
        number += 1
    if (folder / "checkpoint.npz").exists() or (folder / "model.npz").exists():
        raise InputError(
            folder,
            found="a training run",
            expected="a new folder",
            remedy=f"continue it with --resume {folder}, or name another --out",
        )
    problem = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror
    if problem is None and not os.access(folder, os.W_OK | os.X_OK):
        problem = "no permission to write"
    if problem is not None:
        raise InputError(folder, found=problem, expected="a folder to write to", remedy="name another --out")
    return folder
