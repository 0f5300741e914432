"""The device, the data, the bar and the files of a training, new or resumed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lenet_gpu.errors import InputError, typed

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.training.callbacks import RunFolder
    from lenet_gpu.training.distributed import MpiRanks
    from lenet_gpu.training.trainer import Trainer


def chosen_device(options: argparse.Namespace, ranks: MpiRanks | None) -> int | None:
    """Choose the GPU of this process; None: the backend's own choice."""
    devices = options.devices
    if devices is None:
        return ranks.local_rank if ranks is not None and options.backend == "gpu" else options.device
    if options.device is not None:
        raise InputError("--devices", found="--device beside it", expected="one of them", remedy="leave one out")
    if len(devices) == 1:
        return int(devices[0])
    here = 1 if ranks is None else ranks.local_size
    if here != len(devices):
        raise InputError(
            "--devices",
            found=f"{here} rank{'s' if here > 1 else ''} on this machine for {len(devices)} devices",
            expected="one rank a device",
            remedy=f"start it with: mpiexec -n {len(devices)} python -m mpi4py -m lenet_gpu train ...",
        )
    assert ranks is not None
    return int(devices[ranks.local_rank])


def with_additions(data: Dataset, sources: list[str], *, download: bool) -> Dataset:
    """Add further data sets to learn from, each under a name of its own."""
    from lenet_gpu.datasets.load import load_addition
    from lenet_gpu.datasets.mix import with_added
    from lenet_gpu.training.checkpoint import plain_name

    for number, source in enumerate(sources, 1):
        name = plain_name(source)
        taken = any(key.startswith(f"{name}/") for key in data.digests)
        data = with_added(data, load_addition(source, download=download), f"{name}-{number}" if taken else name)
    return data


def train_into(trainer: Trainer, data: Dataset, folder: Path) -> int:
    """Train, with a bar, and write model, checkpoint, log, curves and the command that repeats it into a folder.

    Returns:
        The exit status: 1 if the user interrupted it.
    """
    from lenet_gpu.report.plots import Curves
    from lenet_gpu.training.best_epoch import best_epoch
    from lenet_gpu.training.callbacks import RunFolder
    from lenet_gpu.training.checkpoint import COMMAND_FILE, RUN_FILES
    from lenet_gpu.training.progress import ProgressBar
    from lenet_gpu.training.repeat import repeating_command

    files, bar = RunFolder(folder, repeating_command), ProgressBar()
    files.epochs_written = trainer.epochs_done  # of a resumed run, also if it is interrupted before it begins
    # An epoch is shown as done when it is safe on the disk; the picture comes last.
    trainer.callbacks = [files, bar, *best_epoch(trainer.validation, trainer.patience, folder), Curves(folder)]
    try:
        trainer.fit(data)
    except KeyboardInterrupt:
        bar.close()
        files.catch_up(trainer)
        print(f"\nlenet-gpu: interrupted; {_what_is_kept(files)}", file=sys.stderr)
        return 1
    finally:
        bar.close()
    print(f"wrote     {folder}: {', '.join(name for name in RUN_FILES if (folder / name).exists())}")
    print(f"repeat    {(folder / COMMAND_FILE).read_text('utf-8').strip()}")
    return 0


def _what_is_kept(files: RunFolder) -> str:
    if not files.epochs_written:
        return "no epoch was finished, so there is nothing to resume"
    kept, folder = files.epochs_written, files.folder
    return f"epochs 1 to {kept} are kept in {folder}; continue with: lenet-gpu train --resume {typed(folder)}"


def follow(trainer: Trainer, data: Dataset) -> int:
    """Train as one of the ranks that neither write nor speak."""
    trainer.callbacks = []
    trainer.fit(data)
    return 0


def room_of(trainer: Trainer) -> int:
    """Bytes that a run's files take, about: checkpoint and model, each once more while it is replaced."""
    numbers = trainer.model.parameters.nbytes + sum(array.nbytes for array in trainer.optimizer.state.values())
    return 4 * int(numbers) + (1 << 16)
