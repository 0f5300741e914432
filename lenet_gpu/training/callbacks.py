"""What a training run shows and writes, each concern in one class."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.storage.atomic import write_atomically
from lenet_gpu.training.checkpoint import CHECKPOINT_FILE, LOG_FILE, MODEL_FILE

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset
    from lenet_gpu.training.trainer import Trainer

LOSS_WINDOW = 100
"""The progress bar shows the mean loss of this many steps."""


class Callback:
    """Told what happens during `Trainer.fit`. Every hook does nothing unless overridden."""

    def on_start(self, trainer: Trainer, data: Dataset) -> None:
        """Before the first epoch, with the engine chosen."""

    def on_progress(self, epoch: int, done: int, total: int, losses: np.ndarray) -> None:
        """During an epoch: images done, images in all, losses of the finished steps."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """During an evaluation: name of the set, images done, images in all."""

    def on_epoch(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """After a whole epoch and its evaluations."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last epoch."""


class ProgressBar(Callback):
    """A bar with loss, images a second and time left; a line for each finished epoch.

    The bar goes to standard error and only to a terminal; the lines go to standard output.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase: object = None

    def on_start(self, trainer: Trainer, data: Dataset) -> None:
        """Say what is about to run."""
        model, recipe, engine = trainer.model, trainer.recipe, trainer.engine
        assert engine is not None
        print(f"network   {model.variant}, {model.parameters.size:,} parameters, seed {trainer.seed}")
        tested = 0 if data.test is None else len(data.test)
        print(f"data      {data.name}, {len(data.train.labels):,} training and {tested:,} test images")
        print(f"recipe    {recipe.name}: {recipe.description}")
        print(f"backend   {model.backend.name}: {model.backend.device_name}")
        print(f"engine    {engine.description}", flush=True)
        if trainer.epochs_done:
            print(f"continuing after epoch {trainer.epochs_done} of {recipe.epochs}", flush=True)
        self._epochs = recipe.epochs

    def on_progress(self, epoch: int, done: int, total: int, losses: np.ndarray) -> None:
        """Move the bar."""
        self._show(f"epoch {epoch}/{self._epochs}", done, total)
        self._bar.set_postfix(loss=f"{losses[-LOSS_WINDOW:].mean():.4f}", refresh=False)

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Move the bar of the evaluation."""
        self._show(f"reading the {what}", done, total)

    def on_epoch(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """Print the epoch's figures."""
        self.close()
        print(
            f"epoch {record['epoch']:2d}/{trainer.recipe.epochs}  loss {record['loss']:.4f}  "
            f"train {100 * record['train_accuracy']:.2f} %  test {100 * record['test_accuracy']:.2f} % "
            f"(error {100 * record['test_error']:.2f} %)  {record['seconds']:.1f} s + "
            f"{record['evaluation_seconds']:.1f} s evaluation, {record['images_per_second']:,.0f} images/s",
            flush=True,
        )

    def _show(self, phase: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._phase != phase:
            self.close()
            self._bar = tqdm(total=total, desc=phase, unit=" images", leave=False, disable=None, file=sys.stderr)
            self._phase = phase
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._phase = None


class RunFolder(Callback):
    """Keeps a run's folder up to date: log, model and checkpoint after every epoch, the model at the end.

    Each file is replaced as a whole. The checkpoint comes last: whatever interrupts the writing, resuming
    from it writes the same files again.

    Args:
        folder: An existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_epoch(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """Write log, model and checkpoint."""
        lines = "".join(json.dumps(entry) + "\n" for entry in trainer.history)
        write_atomically(self.folder / LOG_FILE, lambda file: file.write(lines.encode()))
        trainer.model.save(self.folder / MODEL_FILE)
        trainer.checkpoint().save(self.folder / CHECKPOINT_FILE)

    def on_end(self, trainer: Trainer) -> None:
        """Write the model with what was learnt about it at the end."""
        trainer.model.save(self.folder / MODEL_FILE)
