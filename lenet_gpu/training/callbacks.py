"""Callbacks: all that a training run shows, writes and decides, each concern in one class."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.training.checkpoint import CHECKPOINT_FILE, LOG_FILE, MODEL_FILE, Checkpoint

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.engine.base import Engine
    from lenet_gpu.nn.network import Network
    from lenet_gpu.training.recipes import Recipe

LOGGER = logging.getLogger("lenet_gpu")


class TrainingRun(Protocol):
    """A `Trainer` as callbacks see it.

    Attributes:
        model: The network in training.
        recipe: How it is trained.
        seed: The run's seed.
        history: A log entry for each whole epoch.
        engine: What computes; None before the run.
    """

    model: Network
    recipe: Recipe
    seed: int
    history: list[dict[str, Any]]
    engine: Engine | None

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


class EarlyStopping(Callback):
    """Ends a run that no longer gets better.

    Args:
        monitor: Key of the log that is watched, such as "validation_loss" or "validation_accuracy"; if None,
            "validation_loss" where there is a validation set, and else "train_loss". The test set is for
            measuring alone.
        patience: Epochs without a new best after which the run ends.
        min_delta: By how much a value must be better to be a new best.
        restore_best: Whether the model ends with the parameters of the best epoch.

    Attributes:
        best_epoch: Number of the best epoch, counted from 1; 0 before the first.
    """

    def __init__(
        self, monitor: str | None = None, patience: int = 3, min_delta: float = 0.0, restore_best: bool = True
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise InputError("patience", found=repr(patience), expected="a whole number of epochs from 1")
        self.monitor, self.patience, self.min_delta, self.restore_best = monitor, patience, min_delta, restore_best
        self.best_epoch = 0

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Begin to watch; epochs of an earlier part of the run count."""
        self._watched = self.monitor
        if self._watched is None:
            self._watched = "train_loss" if data.validation is None else "validation_loss"
            if data.validation is None:
                LOGGER.warning("no validation set: early stopping watches train_loss; give validation=0.1 to fit")
        self.best_epoch, self._best = 0, np.inf
        self._parameters: np.ndarray | None = None
        for log in trainer.history:
            self._consider(trainer, log, current=log is trainer.history[-1])

    def _consider(self, trainer: TrainingRun, log: dict[str, Any], current: bool) -> None:
        assert self._watched is not None
        if self._watched not in log:
            known = ", ".join(key for key, value in log.items() if isinstance(value, float))
            raise InputError("monitor", found=repr(self._watched), expected=f"one of {known}")
        value = float(log[self._watched]) * (-1.0 if self._watched.endswith("accuracy") else 1.0)
        if value < self._best - self.min_delta:
            self._best, self.best_epoch = value, int(log["epoch"])
            self._parameters = trainer.model.host_parameters() if current and self.restore_best else None

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Compare the epoch with the best, and end the run if that is long ago."""
        self._consider(trainer, log, current=True)
        if log["epoch"] - self.best_epoch >= self.patience:
            trainer.stop()

    def on_trained(self, trainer: TrainingRun) -> None:
        """Give the model the parameters of the best epoch."""
        if self._parameters is not None:
            best = next(log for log in trainer.history if log["epoch"] == self.best_epoch)
            figures = {key: value for key, value in best.items() if key.endswith("_accuracy")}
            trainer.model.set_parameters(self._parameters)
            trainer.model.record |= {**figures, "best_epoch": self.best_epoch}
        elif self.restore_best and self.best_epoch:
            LOGGER.warning(
                "epoch %d was the best, before this run was resumed: its parameters are not kept", self.best_epoch
            )


class RunFolder(Callback):
    """Keeps a run's folder up to date: checkpoint, log and model after every epoch, the model at the end.

    Each file is replaced as a whole. The checkpoint comes first: from then on the epoch is safe, and whatever
    interrupts the writing, resuming writes the other files again.

    Args:
        folder: An existing folder.

    Attributes:
        epochs_written: Number of epochs that all three files hold.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epochs_written = 0

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Bring the files to the checkpoint's state: the run may have been killed before they were written."""
        self.epochs_written = trainer.epochs_done
        if trainer.epochs_done:
            self._write_log(trainer)
            # The model of a finished run is complete already, or is written at the end, which comes at once.
            if trainer.epochs_done < trainer.recipe.epochs:
                trainer.model.save(self.folder / MODEL_FILE)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Write checkpoint, log and model."""
        trainer.checkpoint().save(self.folder / CHECKPOINT_FILE)
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
