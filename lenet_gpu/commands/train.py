"""``lenet-gpu train``: train a network into a folder."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenet_gpu.commands.options import (
    add_backend_option,
    add_command,
    add_data_options,
    device_list,
    path,
    positive_number,
    share,
    text,
    whole_number,
)
from lenet_gpu.commands.training_run import chosen_device, follow, room_of, train_into, with_additions
from lenet_gpu.engine.cpu.workers.cores import MOST_WORKERS
from lenet_gpu.engine.names import ENGINES
from lenet_gpu.errors import typed
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.paper import CLASSES
from lenet_gpu.seeds import MAX_SEED
from lenet_gpu.training.few import FEW, for_few
from lenet_gpu.training.recipe import MOST
from lenet_gpu.training.recipes import DEFAULT, RECIPES, get_recipe, with_distortions, with_loss

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.training.distributed import MpiRanks
    from lenet_gpu.training.recipe import Recipe

LOGGER = logging.getLogger("lenet_gpu")

EXAMPLES = """\
  lenet-gpu train                                 MNIST by the default recipe, on the GPU if there is one
  lenet-gpu train --backend cpu --seed 1 --out runs/one
  lenet-gpu train --dataset digits.csv --epochs 3
  lenet-gpu train --add my_digits/                MNIST and your own pictures together
  lenet-gpu train --validation 0.1 --patience 3   hold out a tenth; end when it is no longer read better
  lenet-gpu train --from touch --dataset my_digits/
                                                  teach the shipped model your digits, in a second
  lenet-gpu train --recipe paper --distortions    the 1998 training, with its distorted patterns
  lenet-gpu train --resume runs/one               continue an interrupted run, bit for bit
  mpiexec -n 4 python -m mpi4py -m lenet_gpu train      four processes, on one machine or several

recipes on MNIST, seconds on two cores (touch: on one), on an NVIDIA H200:
  classic    7 epochs      9 s    0.3 s       best     40 epochs    213 s
  fast       5 epochs     61 s    0.3 s       touch    40 epochs   1857 s
  record     3 epochs            0.2 s       paper    20 epochs    340 s    12 s   (with --distortions 48 minutes)

data sets known by name (images to learn from and to test with):
  mnist           60,000 and 10,000; in the repository, else 12 MB to download
  emnist-digits   240,000 and 40,000; 562 MB to download
  pendigits       7,494 and 3,498, drawn with a stylus; 1.7 MB to download
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = add_command(subparsers, "train", "train a network into a folder", EXAMPLES, run)
    recipes = "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
    parser.add_argument("--recipe", choices=tuple(RECIPES), help=f"{recipes} (default: {DEFAULT})")
    add_backend_option(parser)
    devices = "GPUs of this machine, such as 0,1: one for each rank that mpiexec starts here"
    parser.add_argument("--devices", type=device_list, metavar="LIST", help=devices)
    parser.add_argument("--engine", choices=("auto", *ENGINES), help="how to run it (default: the fastest)")
    workers = "workers of the CPU engine (default: one a core)"
    parser.add_argument("--threads", type=whole_number(1, MOST_WORKERS), metavar="N", help=workers)
    parser.add_argument("--epochs", type=whole_number(1, MOST), metavar="N", help="passes over the training set")
    copies = "times that an epoch shows each image (default: more than once where there are few, distorted anew)"
    parser.add_argument("--copies", type=whole_number(1, MOST), metavar="N", help=copies)
    parser.add_argument("--batch-size", type=whole_number(1, MOST), metavar="N", help="images a step")
    parser.add_argument("--learning-rate", type=positive_number, metavar="X", help="step size of the first epoch")
    distortions = "with --recipe paper: nine distorted copies of every image, as in 1998 (540,000 more patterns)"
    parser.add_argument("--distortions", action="store_true", help=distortions)
    losses = (
        "with --recipe paper: map, equation 9 (default); rbf, equation 8; cross_entropy, a softmax output instead of "
        "the RBF units"
    )
    parser.add_argument("--loss", choices=tuple(LOSSES), help=losses)
    parser.add_argument(
        "--seed", type=whole_number(0, MAX_SEED), metavar="N", help="seed of weights and order (default: 0)"
    )
    add_data_options(parser)
    origin = "fine-tune this model to the data set, 20 to 200 digits of somebody's: a shipped model, a file or a run"
    parser.add_argument("--from", type=text, metavar="MODEL", help=origin)
    added = "learn from the training set of this data set, too; may be given several times"
    parser.add_argument("--add", action="append", type=text, metavar="NAME|PATH", help=added)
    held = "share of the training set to hold out and to find the best epoch by, kept in best.npz (default: none)"
    parser.add_argument("--validation", type=share, metavar="SHARE", help=held)
    patience = "end after so many epochs without a better one; the model is that of the best epoch"
    parser.add_argument("--patience", type=whole_number(1, MOST), metavar="EPOCHS", help=patience)
    parser.add_argument(
        "--out",
        type=path,
        metavar="DIR",
        help="new folder for model.npz, checkpoint.npz, log.jsonl, command.txt, curves.png "
        "(default: runs/DATASET-RECIPE-seedN, with a number behind it when taken)",
    )
    force = "replace the run, or files of a run's names, that --out holds"
    parser.add_argument("--force", action="store_true", help=force)
    parser.add_argument("--resume", type=path, metavar="DIR", help="continue the run in this folder")


def run(options: argparse.Namespace) -> int:
    """Train; see the parser for the options."""
    if getattr(options, "from") is not None and options.resume is None:
        from lenet_gpu.commands.fine_tune import fine_tune_command

        return fine_tune_command(options)
    from lenet_gpu.training.distributed import find_ranks, one_voice

    ranks = find_ranks()
    with one_voice(ranks):
        if options.resume is not None:
            from lenet_gpu.commands.resume import resume_command

            status = resume_command(options, ranks)
        else:
            status = _start(options, ranks)
        if status and ranks is not None:
            ranks.abort_at_exit(status)
    return status


def _start(options: argparse.Namespace, ranks: MpiRanks | None) -> int:
    """Begin a new run. Recipe, backend and folder are checked before the data are loaded; the folder is made last."""
    from lenet_gpu.backend.backend import select_backend
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.training.checkpoint import plain_name
    from lenet_gpu.training.repeat import absolute, located
    from lenet_gpu.training.run_folder import check_new_run, new_run
    from lenet_gpu.training.trainer import Trainer

    recipe = get_recipe(DEFAULT if options.recipe is None else options.recipe).with_changes(
        epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.learning_rate
    )
    if options.distortions:
        recipe = with_distortions(recipe)
    if options.loss is not None:
        recipe = with_loss(recipe, options.loss)
    device = chosen_device(options, ranks)
    gpu = select_backend("gpu", device=device) if options.backend == "gpu" else None
    leads = ranks is None or ranks.rank == 0
    if leads:
        check_new_run(options.out, force=options.force)
    source = "mnist" if options.dataset is None else options.dataset
    data = load_dataset(source, data_dir=options.data_dir, download=not options.no_download)
    added = [located(given) for given in options.add or ()]
    data = with_additions(data, added, download=not options.no_download)
    if options.copies is not None:
        recipe = recipe.with_changes(copies=options.copies)
    elif options.epochs is None:
        recipe = for_few(recipe, len(data.train))
    backend = gpu or select_backend(options.backend, device=device)
    model = LeNet5(recipe.variant, backend, 0 if options.seed is None else options.seed, classes=data.classes)
    engine = "auto" if options.engine is None else options.engine
    trainer = Trainer(
        model, recipe, engine=engine, threads=options.threads, download=not options.no_download, ranks=ranks
    )
    trainer.data_dir = "" if options.data_dir is None else absolute(options.data_dir)
    trainer.added, trainer.validation, trainer.patience = added, options.validation or 0.0, options.patience or 0
    name = f"{Path(plain_name(data.name)).stem}-{recipe.name}-seed{trainer.seed}"
    if not leads:
        return follow(trainer, data)
    with new_run(options.out, name, room_of(trainer), force=options.force) as folder:
        status = train_into(trainer, data, folder)
    if not status:
        _advise(data, recipe)
    return status


def _advise(data: Dataset, recipe: Recipe) -> None:
    """Say that a model that reads digits already learns from few pictures of digits better."""
    if len(data.train) < FEW and data.class_labels == tuple(range(CLASSES)) and not recipe.sources:
        LOGGER.warning(
            "%s: %d pictures to learn from are few; a model that reads digits already learns more from them: "
            "lenet-gpu train --from touch --dataset %s", data.name, len(data.train), typed(data.name),
        )  # fmt: skip
