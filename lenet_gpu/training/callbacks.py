"""Callbacks: all that a training run shows, writes and decides, each concern in one class."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
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

LOSS_WINDOW = 100
"""The progress bar shows the mean loss of this many steps."""


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
            trainer.model.set_parameters(self._parameters)
            trainer.model.record["best_epoch"] = self.best_epoch


class ProgressBar(Callback):
    """Shows a bar with loss, images a second and time left, and a line for each finished epoch.

    The bar goes to standard error, and only to a terminal or a notebook; the lines go to standard output.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase: object = None

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Say what is about to run."""
        model, recipe, engine = trainer.model, trainer.recipe, trainer.engine
        assert engine is not None
        name = getattr(model, "variant", type(model).__name__)
        sets = [("training", data.train), ("validation", data.validation), ("test", data.test)]
        counts = [f"{len(split.labels):,} {what}" for what, split in sets if split is not None]
        _print(f"network   {name}, {model.parameters.size:,} parameters, seed {trainer.seed}")
        _print(f"data      {data.name}, {' and '.join(counts)} images")
        _print(f"recipe    {recipe.name}: {recipe.description}")
        _print(f"backend   {model.backend.name}: {model.backend.device_name}")
        _print(f"engine    {engine.description}")
        if trainer.epochs_done:
            _print(f"continuing after epoch {trainer.epochs_done} of {recipe.epochs}")
        self._epochs = recipe.epochs

    def on_progress(self, epoch: int, done: int, total: int, losses: np.ndarray) -> None:
        """Move the bar."""
        self._show(f"epoch {epoch}/{self._epochs}", done, total)
        self._bar.set_postfix(loss=f"{losses[-LOSS_WINDOW:].mean():.4f}", refresh=False)

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Move the bar of the evaluation."""
        self._show(f"reading the {what}", done, total)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Print the epoch's figures."""
        self.close()
        shown = [
            f"{what} {100 * log[f'{what}_accuracy']:.2f} %"
            for what in ("train", "validation", "test")
            if f"{what}_accuracy" in log
        ]
        last = "test" if "test_error" in log else "validation" if "validation_error" in log else "train"
        _print(
            f"epoch {log['epoch']:2d}/{trainer.recipe.epochs}  loss {log['loss']:.4f}  {'  '.join(shown)} "
            f"(error {100 * log[f'{last}_error']:.2f} %)  {log['seconds']:.1f} s + "
            f"{log['evaluation_seconds']:.1f} s evaluation, {log['images_per_second']:,.0f} images/s"
        )

    def on_trained(self, trainer: TrainingRun) -> None:
        """Remove the bar."""
        self.close()

    def _show(self, phase: str, done: int, total: int) -> None:
        from tqdm.asyncio import tqdm_asyncio
        from tqdm.auto import tqdm

        if self._phase != phase:
            self.close()
            # tqdm.auto gives another class in a notebook, which has no terminal and shows a bar all the same.
            hidden = None if tqdm is tqdm_asyncio else False
            hidden = True if sys.stderr is None or sys.stderr.closed else hidden
            self._bar = tqdm(total=total, desc=phase, unit=" images", leave=False, disable=hidden, file=sys.stderr)
            self._phase = phase
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._phase = None


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


def _print(line: str) -> None:
    """Print a line at once, where there is a standard output that takes it: training goes on without."""
    with contextlib.suppress(OSError, ValueError):  # a full disk, a reader who has left, a closed stream
        if sys.stdout is not None:
            print(line, flush=True)
