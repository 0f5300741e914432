"""Callbacks: all that a training run shows, writes and decides, each concern in one class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.training.checkpoint import CHECKPOINT_FILE, COMMAND_FILE, LOG_FILE, MODEL_FILE, Checkpoint

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.engine.base import Engine
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer
    from lenet_gpu.training.recipe import Recipe


class TrainingRun(Protocol):
    """A `Trainer` as callbacks see it.

    Attributes:
        model: The network in training.
        recipe: How it is trained.
        seed: The run's seed.
        history: A log entry for each whole epoch.
        engine: What computes; None before the run.
        optimizer: The update rule.
        stopping: Whether the run ends after the epoch in hand.
    """

    model: Network
    recipe: Recipe
    seed: int
    history: list[dict[str, Any]]
    engine: Engine | None
    optimizer: Optimizer

    @property
    def stopping(self) -> bool:
        """True if the run ends after the epoch in hand."""

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs so far."""

    def stop(self) -> None:
        """End the run after the epoch in hand."""

    def checkpoint(self) -> Checkpoint:
        """Give the run's state after its last whole epoch."""


class Callback:
    """Told what happens during `Trainer.fit`. Every hook does nothing unless overridden."""

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Act before the first epoch, with the engine chosen."""

    def on_progress(self, epoch: int, done: int, total: int, losses: np.ndarray) -> None:
        """Act during an epoch: images done, images in all, losses of the finished steps."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Act during an evaluation: name of the set, images done, images in all."""

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Act after a whole epoch and its evaluations; `log` is what the history says of it."""

    def on_trained(self, trainer: TrainingRun) -> None:
        """Act after the last epoch, while the parameters may still be chosen."""

    def on_end(self, trainer: TrainingRun) -> None:
        """Act when the model is complete."""


class EachEpoch(Callback):
    """A function as a callback: it is called with the log entry of each whole epoch.

    Args:
        function: Of one argument, a dict; see `Run.history`.
    """

    def __init__(self, function: Callable[[dict[str, Any]], object]) -> None:
        self._function = function

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Call the function."""
        self._function(log)


class RunFolder(Callback):
    """Keeps a run's folder up to date: checkpoint, log and model after every epoch, the model at the end.

    Each file is replaced as a whole. The checkpoint comes first: from then on the epoch is safe, and whatever
    interrupts the writing, resuming writes the other files again.

    Args:
        folder: The run's folder. It is made at the start if it is missing.
        command: Makes of a checkpoint the command that repeats the run, to be kept in the folder; None: no file
            of it.

    Attributes:
        epochs_written: Number of epochs that all files hold.
    """

    def __init__(self, folder: str | Path, command: Callable[[Checkpoint], str] | None = None) -> None:
        self.folder, self._command = Path(folder), command
        self.epochs_written = 0

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Bring the files to the checkpoint's state: the run may have been killed before they were written.

        Raises:
            InputError: The folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                self.folder, found=error.strerror, expected="a folder for a run", remedy="name another folder"
            ) from None
        self.epochs_written = trainer.epochs_done
        if trainer.epochs_done:
            self._write_log(trainer)
            # The model of a finished run is complete already, or is written at the end, which comes at once.
            if trainer.epochs_done < trainer.recipe.epochs:
                trainer.model.save(self.folder / MODEL_FILE)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Write checkpoint, log and model."""
        checkpoint = trainer.checkpoint()
        checkpoint.save(self.folder / CHECKPOINT_FILE)
        if self._command is not None:
            line = self._command(checkpoint) + "\n"
            write_atomically(self.folder / COMMAND_FILE, lambda file: file.write(line.encode()))
        self._write_log(trainer)
        trainer.model.save(self.folder / MODEL_FILE)
        self.epochs_written = trainer.epochs_done

    def catch_up(self, trainer: TrainingRun) -> None:
        """Write an epoch that was finished when the run was interrupted, but not yet written."""
        if trainer.epochs_done > self.epochs_written:
            self.on_epoch(trainer, trainer.history[-1])

    def _write_log(self, trainer: TrainingRun) -> None:
        lines = "".join(json.dumps(entry) + "\n" for entry in trainer.history)
        write_atomically(self.folder / LOG_FILE, lambda file: file.write(lines.encode()))

    def on_end(self, trainer: TrainingRun) -> None:
        """Write the model with what was learnt about it at the end."""
        trainer.model.save(self.folder / MODEL_FILE)
