"""``lenet-gpu train --resume DIR``: go on with a run."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lenet_gpu.commands.training_run import chosen_device, follow, room_of, train_into, with_additions
from lenet_gpu.errors import DataError, InputError

if TYPE_CHECKING:
    from lenet_gpu.training.checkpoint import Checkpoint
    from lenet_gpu.training.distributed import MpiRanks

FIXED_BY_RUN = (
    *("recipe", "seed", "copies", "batch_size", "learning_rate", "distortions", "loss", "add", "validation"),
    *("patience", "out", "force", "from"),
)
"""Options that a resumed run has already settled."""


def resume_command(options: argparse.Namespace, ranks: MpiRanks | None) -> int:
    """Go on with a run. That its folder can be written to is known before the data are loaded."""
    from lenet_gpu.backend.backend import select_backend
    from lenet_gpu.datasets import load_dataset
    from lenet_gpu.training.checkpoint import Checkpoint
    from lenet_gpu.training.repeat import absolute
    from lenet_gpu.training.run_folder import existing_run, try_to_write
    from lenet_gpu.training.trainer import Trainer

    _refuse_settled(options)
    leads = ranks is None or ranks.rank == 0
    with existing_run(options.resume) if leads else nullcontext(options.resume) as folder:
        checkpoint = Checkpoint.load(folder)
        source = _source(options.resume, checkpoint) if options.dataset is None else options.dataset
        trainer = Trainer.resume(
            folder,
            select_backend(options.backend, device=chosen_device(options, ranks)),
            epochs=options.epochs,
            engine=options.engine,
            threads=options.threads,
            download=not options.no_download,
            ranks=ranks,
        )
        if leads:
            try_to_write(folder, room_of(trainer))
        if options.data_dir is not None:
            trainer.data_dir = absolute(options.data_dir)
        elif options.dataset is not None:
            trainer.data_dir = ""
        data = load_dataset(source, data_dir=trainer.data_dir or None, download=not options.no_download)
        data = with_additions(data, trainer.added, download=not options.no_download)
        if not leads:
            return follow(trainer, data)
        if trainer.epochs_done >= trainer.recipe.epochs:
            print(f"all {trainer.epochs_done} epochs of {folder} are done; train on with --epochs N")
        return train_into(trainer, data, folder)


def _refuse_settled(options: argparse.Namespace) -> None:
    for name in FIXED_BY_RUN:
        value = getattr(options, name)
        if value is not None and value is not False:  # a seed of 0 is a setting too
            raise InputError(
                f"--{name.replace('_', '-')} with --resume",
                found="a setting that the run has already settled",
                expected="only --epochs, --engine, --threads, --backend, --device or the place of the data",
                remedy="leave it out, or start a new run",
            )


def _source(folder: Path, checkpoint: Checkpoint) -> str:
    """Find the data of a run where they were, or where the same relative path leads now."""
    from lenet_gpu.datasets.load import KNOWN

    if checkpoint.dataset in KNOWN and not checkpoint.data_paths:
        return checkpoint.dataset
    tried = checkpoint.data_paths or [checkpoint.dataset]  # versions before 0.1 kept the path as the name
    for source in tried:
        if os.path.exists(os.path.expanduser(source)):
            return source
    raise DataError(
        f"data set of {folder}",
        found=f"nothing at {' or '.join(dict.fromkeys(tried))}",
        expected="the data the run began with",
        remedy="say where they are now: --dataset PATH, or --data-dir DIR for a data set known by name",
    )
