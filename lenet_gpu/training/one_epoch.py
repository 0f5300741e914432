"""One epoch: the engine's steps, the checks that the network stayed finite, and the evaluations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.engine.cover import first_difference
from lenet_gpu.errors import InputError
from lenet_gpu.training.divergence import Divergence

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset, Split
    from lenet_gpu.engine.base import Engine
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer
    from lenet_gpu.training.ahead import EpochsAhead
    from lenet_gpu.training.epochs import Patterns

Schedule = Callable[[int, int], Any]
"""Learning rates: from the number of an epoch, counted from 1, and its steps to one rate, or one for each step."""


class EpochRunner:
    """Trains one epoch after the other, and evaluates the network after each.

    Args:
        engine: What computes.
        model: The network.
        optimizer: The update rule.
        schedule: The learning rates.
        schedule_name: What an error calls the schedule.
        batch_size: Images a step.
        seed: The run's seed.
        divergence: Says that the run diverged.
        tell: Calls a hook of all callbacks, by its name and with its arguments.
    """

    def __init__(
        self,
        engine: Engine,
        model: Network,
        optimizer: Optimizer,
        schedule: Schedule,
        schedule_name: str,
        batch_size: int,
        seed: int,
        divergence: Divergence,
        tell: Callable[..., None],
    ) -> None:
        self._engine, self._model, self._optimizer = engine, model, optimizer
        self._schedule, self._schedule_name = schedule, schedule_name
        self._batch_size, self._seed = batch_size, seed
        self._divergence, self._tell = divergence, tell

    def run(self, epoch: int, data: Dataset, patterns: Patterns, ahead: EpochsAhead) -> dict[str, Any]:
        """Train one epoch, then evaluate on the training, validation and test sets.

        Args:
            epoch: Its number, counted from 1.
            data: Where the sets come from.
            patterns: What the epoch shows.
            ahead: Draws its order and distortions.

        Returns:
            Its entry of the history, see `trainer.Run`.

        Raises:
            InputError: The schedule gives no learning rates, or a callback has changed the network.
            TrainingError: The loss or a parameter became NaN or infinite.
        """
        n, batch_size = patterns.count, self._batch_size
        steps = math.ceil(n / batch_size)
        rates = self._rates(epoch, steps)
        start = time.perf_counter()
        order, distortions = ahead.epoch(epoch)

        def progress(step: int, losses: np.ndarray) -> None:
            self._divergence.check_losses(losses, epoch)
            self._tell("on_progress", epoch, min(step * batch_size, n), n, losses)

        # A run that diverges overflows before its loss is NaN; it ends in our one line, not in NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._swap_average()  # between epochs the model is its running average, where one is kept
            self._check_unchanged()
            self._optimizer.before_epoch(self._model, patterns.images, patterns.labels, self._seed, epoch)
            self._model.begin_epoch(self._seed, epoch)
            try:
                losses = self._engine.train(order, batch_size, rates, progress, distortions)
            finally:
                self._swap_average()
        seconds = time.perf_counter() - start
        self._divergence.check_losses(losses, epoch)
        self._divergence.check_parameters(self._model, steps, epoch)
        start = time.perf_counter()
        evaluations = {
            f"{name}_{key}": value
            for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
            if split is not None
            for key, value in self._evaluate(split, "training" if name == "train" else name).items()
        }
        return {
            "epoch": epoch,
            "learning_rate": float(rates.max()),
            "loss": float(losses.mean()),
            **evaluations,
            "seconds": seconds,
            "evaluation_seconds": time.perf_counter() - start,
            "images_per_second": n / seconds,
            "engine": self._engine.name,
            "workers": self._engine.workers,
        }

    def _rates(self, epoch: int, steps: int) -> np.ndarray:
        """Ask the schedule for an epoch's learning rates, (steps,) float64."""
        given = np.asarray(self._schedule(epoch, steps), dtype=np.float64)
        if given.shape not in ((), (steps,)) or not np.isfinite(given).all() or (given < 0).any():
            raise InputError(
                f"schedule {self._schedule_name}",
                found=f"{given if given.ndim == 0 else f'an array {given.shape}'} for epoch {epoch}",
                expected=f"a learning rate from 0, or an array ({steps},) of them",
            )
        return np.array(np.broadcast_to(given, steps))

    def _check_unchanged(self) -> None:
        """Refuse a network that a callback has changed, so that the engine no longer knows it."""
        difference = None if self._engine.name == "layered" else first_difference(self._model)
        if difference is not None:
            raise InputError(
                "network",
                found=f"a change between two epochs ({difference})",
                expected=f"the network that the engine {self._engine.name} began with",
                remedy="change it before fit, or train with engine='layered'",
            )

    def _swap_average(self) -> None:
        """Exchange the parameters and their running average; frozen layers have none."""
        model = self._model
        kept = {name: model.views[name].copy() for name in model.frozen_parameters()}
        self._optimizer.swap_average(model.parameters)
        for name, values in kept.items():
            model.views[name][...] = values

    def _evaluate(self, split: Split, what: str) -> dict[str, float]:
        def progress(done: int, _: np.ndarray) -> None:
            self._tell("on_evaluation", f"{what} set", done, len(split.labels))

        evaluation = self._engine.evaluate(split.images, split.labels, progress)
        return {
            "loss": evaluation.loss,
            "accuracy": evaluation.accuracy,
            "error": evaluation.errors / len(split.labels),
        }
