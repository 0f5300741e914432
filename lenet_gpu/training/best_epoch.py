"""The best epoch of a run: kept in memory and in a file, and a reason to end the run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.training.callbacks import Callback, TrainingRun
from lenet_gpu.training.checkpoint import BEST_FILE

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset

LOGGER = logging.getLogger("lenet_gpu")


class BestEpoch(Callback):
    """Keeps the parameters of the best epoch.

    Args:
        monitor: Key of the log that is watched, such as "validation_loss" or "validation_accuracy"; if None,
            "validation_loss" where there is a validation set, and else "train_loss". The test set is for
            measuring alone.
        min_delta: By how much a value must be better to be a new best.
        restore_best: Whether the model ends with the parameters of the best epoch.
        file: Model file that holds the best epoch at any time; None: memory alone.

    Attributes:
        best_epoch: Number of the best epoch, counted from 1; 0 before the first.
    """

    def __init__(
        self,
        monitor: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = False,
        file: Path | None = None,
    ) -> None:
        self.monitor, self.min_delta, self.restore_best, self.file = monitor, min_delta, restore_best, file
        self.best_epoch = 0

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Begin to watch; epochs of an earlier part of the run count."""
        self._watched = self.monitor
        if self._watched is None:
            self._watched = "train_loss" if data.validation is None else "validation_loss"
            if data.validation is None:
                LOGGER.warning("no validation set: %s watches train_loss; give validation=0.1 to fit", self._name)
        self.best_epoch, self._best = 0, np.inf
        self._parameters: np.ndarray | None = None
        for log in trainer.history:
            self._consider(trainer, log, current=log is trainer.history[-1])
        if self._parameters is None and self.best_epoch and self.file is not None:
            self._parameters = self._read(trainer)

    _name = "best epoch"

    def _consider(self, trainer: TrainingRun, log: dict[str, Any], current: bool) -> None:
        assert self._watched is not None
        if self._watched not in log:
            known = ", ".join(key for key, value in log.items() if isinstance(value, float))
            raise InputError("monitor", found=repr(self._watched), expected=f"one of {known}")
        value = float(log[self._watched]) * (-1.0 if self._watched.endswith("accuracy") else 1.0)
        if value < self._best - self.min_delta:
            self._best, self.best_epoch = value, int(log["epoch"])
            self._parameters = trainer.model.host_parameters() if current else None
            if current and self.file is not None:
                trainer.model.save(self.file)

    def _read(self, trainer: TrainingRun) -> np.ndarray | None:
        """Read the best epoch's parameters from the file of an earlier part of the run; None if it holds others."""
        assert self.file is not None
        try:
            kept = type(trainer.model).load(self.file)
        except LenetError:
            return None
        same = (
            kept.record.get("epochs") == self.best_epoch and kept.parameters.shape == trainer.model.parameters.shape
        )
        return kept.host_parameters() if same else None

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Compare the epoch with the best."""
        self._consider(trainer, log, current=True)

    def on_trained(self, trainer: TrainingRun) -> None:
        """Give the model the parameters of the best epoch, if it is to end with them."""
        if not self.restore_best or not self.best_epoch:
            return
        if self._parameters is None:
            LOGGER.warning(
                "epoch %d was the best, before this run was resumed: its parameters are not kept", self.best_epoch
            )
            return
        best = next(log for log in trainer.history if log["epoch"] == self.best_epoch)
        figures = {key: value for key, value in best.items() if key.endswith("_accuracy")}
        trainer.model.set_parameters(self._parameters)
        trainer.model.record |= {**figures, "best_epoch": self.best_epoch}


class EarlyStopping(BestEpoch):
    """Ends a run that no longer gets better.

    Args:
        monitor: As for `BestEpoch`.
        patience: Epochs without a new best after which the run ends.
        min_delta: As for `BestEpoch`.
        restore_best: Whether the model ends with the parameters of the best epoch.
        file: As for `BestEpoch`.

    Attributes:
        best_epoch: Number of the best epoch, counted from 1; 0 before the first.
    """

    _name = "early stopping"

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 3,
        min_delta: float = 0.0,
        restore_best: bool = True,
        file: Path | None = None,
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise InputError("patience", found=repr(patience), expected="a whole number of epochs from 1")
        super().__init__(monitor, min_delta, restore_best, file)
        self.patience = patience

    def on_start(self, trainer: TrainingRun, data: Dataset) -> None:
        """Begin to watch; a run that was resumed may have nothing left to do."""
        super().on_start(trainer, data)
        self._end_if_long_ago(trainer)

    def on_epoch(self, trainer: TrainingRun, log: dict[str, Any]) -> None:
        """Compare the epoch with the best, and end the run if that is long ago."""
        super().on_epoch(trainer, log)
        self._end_if_long_ago(trainer)

    def _end_if_long_ago(self, trainer: TrainingRun) -> None:
        if trainer.epochs_done - self.best_epoch >= self.patience:
            trainer.stop()


def best_epoch(validation: float, patience: int, folder: Path) -> list[BestEpoch]:
    """Make what keeps the best epoch of a run, and ends it, as a command line asks for it.

    Args:
        validation: Share of the training set that is held out; 0: none.
        patience: Epochs without a better one after which the run ends; 0: it does not.
        folder: The run's folder.

    Returns:
        One callback; none where nobody has asked.
    """
    file = folder / BEST_FILE
    if patience:
        return [EarlyStopping(patience=patience, file=file)]
    return [BestEpoch(file=file)] if validation else []
