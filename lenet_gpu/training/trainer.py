"""The fit loop: epochs, evaluation, history. What is shown and written is the callbacks' business."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import DataError, InputError, ModelFileError, TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.recognition.rejection import TEMPERATURE, Rejection
from lenet_gpu.training.callbacks import Callback
from lenet_gpu.training.checkpoint import Checkpoint
from lenet_gpu.training.epochs import Patterns
from lenet_gpu.training.metrics import evaluate_outputs
from lenet_gpu.training.recipes import DEFAULT, Recipe, get_recipe

if TYPE_CHECKING:
    from lenet_gpu.backend.backend import Backend
    from lenet_gpu.datasets import Dataset, Split


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) training run.

    Attributes:
        model: The trained network.
        history: One dict for each whole epoch: epoch, learning_rate, loss (mean over the epoch's batches,
            before their updates), train_loss, train_accuracy, train_error, test_loss, test_accuracy,
            test_error (shares 0..1, after the epoch), seconds, evaluation_seconds, images_per_second,
            engine, workers.
    """

    model: LeNet5
    history: list[dict[str, Any]]


class Trainer:
    """Trains a network by a recipe.

    Args:
        model: The network; its parameters are trained in place. A new one begins as the recipe wants it (initial
            weights, input values of background and ink); one with other than its initial parameters is trained
            on as it is.
        recipe: Name of a recipe, or a `Recipe`.
        seed: Seed of the order of the images; the model's own seed if None.
        engine: "auto", or the name of the engine to use.
        threads: Number of workers of the CPU engine; one a core if None.
        callbacks: Told of progress and epochs; see `lenet_gpu.training.callbacks`.

    Raises:
        InputError: Unknown recipe or engine, or a value that makes no sense.
    """

    def __init__(
        self,
        model: LeNet5,
        recipe: str | Recipe = DEFAULT,
        *,
        seed: int | None = None,
        engine: str = "auto",
        threads: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.model = model
        self.recipe = get_recipe(recipe)
        self.seed = model.seed if seed is None else seed
        self.engine_name, self.threads = engine, threads
        self.callbacks = list(callbacks)
        self.history: list[dict[str, Any]] = []
        self.dataset = ""
        self.digests: dict[str, str] = {}
        self.engine: Engine | None = None
        if model.is_new:
            model.initialise(self.recipe.initialisation, self.recipe.background, self.recipe.ink)
        if model.variant != self.recipe.variant:
            raise InputError(
                f"recipe {self.recipe.name}",
                found=f"a network {model.variant}",
                expected=f"a network {self.recipe.variant}",
                remedy=f"make it with LeNet5(variant={self.recipe.variant!r})",
            )
        model.loss = self.recipe.loss
        self.optimizer = self.recipe.make_optimizer()
        self.optimizer.prepare(model)

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        backend: Backend | None = None,
        *,
        epochs: int | None = None,
        engine: str | None = None,
        threads: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Trainer:
        """A trainer that continues a run where its checkpoint ends; `fit` goes on with the next epoch.

        With the engine and the number of workers of the interrupted run (the default), the outcome is bit
        for bit the one of a run that was never interrupted.

        Args:
            path: Folder of the run, or its checkpoint file.
            backend: Where to continue; the CPU if None.
            epochs: A new total number of epochs.
            engine: Another engine than the interrupted run's.
            threads: Another number of workers.
            callbacks: As for the constructor.

        Raises:
            ModelFileError: No usable checkpoint.
            InputError: Fewer epochs than are done, or an engine that can't be used here.
        """
        checkpoint = Checkpoint.load(path)
        model = LeNet5.from_architecture(checkpoint.architecture, backend, path)
        if model.parameters.shape != checkpoint.parameters.shape:
            raise ModelFileError(
                path,
                found=f"{checkpoint.parameters.size} parameters",
                expected=f"{model.parameters.size}",
                remedy="train again",
            )
        model.set_parameters(checkpoint.parameters)
        if epochs is not None and epochs < len(checkpoint.history):
            raise InputError(
                "epochs", found=str(epochs), expected=f"at least the {len(checkpoint.history)} that are done"
            )
        trainer = cls(
            model,
            checkpoint.recipe.with_changes(epochs=epochs),
            seed=checkpoint.seed,
            engine=engine or checkpoint.engine,
            threads=threads or (checkpoint.workers if engine is None else None),
            callbacks=callbacks,
        )
        for name, array in trainer.optimizer.state.items():
            saved = checkpoint.state.get(name)
            if saved is None or saved.shape != array.shape:
                raise ModelFileError(
                    path,
                    found=f"no {name} of the optimiser",
                    expected="a whole checkpoint",
                    remedy="train again",
                )
            array[...] = model.backend.asarray(saved)
        trainer.history = checkpoint.history
        trainer.dataset, trainer.digests = checkpoint.dataset, checkpoint.digests
        return trainer

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs so far."""
        return len(self.history)

    def fit(self, data: Dataset) -> Run:
        """Train until the recipe's number of epochs is done.

        Args:
            data: Training and test set. The test set is only looked at, after each epoch.

        Returns:
            The run.

        Raises:
            DataError: Other data than the run began with.
            TrainingError: The loss or a parameter became NaN or infinite; the model is then in that state,
                while files written by callbacks hold the last whole epoch.
            KeyboardInterrupt: Passed on; the history and files end with the last whole epoch.
        """
        if self.digests and self.digests != data.digests:
            raise DataError(
                f"data set {data.name}",
                found="other digests than the checkpoint's",
                expected="the data the run began with",
                remedy="give the same --dataset and --data-dir, or start a new run",
            )
        self.dataset, self.digests = data.name, dict(data.digests)
        with make_engine(self.model, self.optimizer, self.engine_name, self.threads) as engine:
            self.engine = engine
            self._tell("on_start", self, data)
            if self.epochs_done < self.recipe.epochs:
                patterns = Patterns(data.train, self.recipe, self.seed)
                engine.load(patterns.images, patterns.labels)
            while self.epochs_done < self.recipe.epochs:
                record = self._epoch(engine, data, patterns)
                self.history.append(record)
                self._record()
                self._tell("on_epoch", self, record)
        # The workers are gone by now: what follows needs memory of its own.
        self._add_extras(data)
        self._tell("on_end", self)
        return Run(self.model, self.history)

    def checkpoint(self) -> Checkpoint:
        """The run's state after its last whole epoch."""
        assert self.engine is not None
        return Checkpoint(
            parameters=self.model.host_parameters(),
            state={name: self.model.backend.to_host(array) for name, array in self.optimizer.state.items()},
            architecture=self.model.architecture,
            recipe=self.recipe,
            seed=self.seed,
            dataset=self.dataset,
            digests=self.digests,
            engine=self.engine.name,
            workers=self.engine.workers,
            history=self.history,
        )

    def _epoch(self, engine: Engine, data: Dataset, patterns: Patterns) -> dict[str, Any]:
        epoch = self.epochs_done + 1
        n, batch_size = patterns.count, self.recipe.batch_size
        steps = math.ceil(n / batch_size)
        rates = self.recipe.learning_rates(epoch, steps)
        start = time.perf_counter()
        order, distortions = patterns.epoch(epoch)

        def progress(step: int, losses: np.ndarray) -> None:
            self._check_finite(losses, epoch)
            self._tell("on_progress", epoch, min(step * batch_size, n), n, losses)

        # A run that diverges overflows before its loss is NaN; it ends in our one line, not in NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            # Between epochs the model is its running average, where one is kept.
            self.optimizer.swap_average(self.model.parameters)
            self.optimizer.before_epoch(self.model, patterns.images, patterns.labels, self.seed, epoch)
            try:
                losses = engine.train(order, batch_size, rates, progress, distortions)
            finally:
                self.optimizer.swap_average(self.model.parameters)
        seconds = time.perf_counter() - start
        self._check_finite(losses, epoch)
        # A step can leave NaN or infinity behind that no loss has seen yet.
        if not np.isfinite(self.model.host_parameters()).all():
            raise self._diverged("a parameter became NaN or infinite", steps, epoch)
        if data.test is None:
            raise InputError("data", found="no test images", expected="images to measure with after every epoch")
        start = time.perf_counter()
        train = self._evaluate(engine, data.train, "training set")
        test = self._evaluate(engine, data.test, "test set")
        return {
            "epoch": epoch,
            "learning_rate": float(rates.max()),
            "loss": float(losses.mean()),
            **{f"train_{key}": value for key, value in train.items()},
            **{f"test_{key}": value for key, value in test.items()},
            "seconds": seconds,
            "evaluation_seconds": time.perf_counter() - start,
            "images_per_second": n / seconds,
            "engine": engine.name,
            "workers": engine.workers,
        }

    def _evaluate(self, engine: Engine, split: Split, what: str) -> dict[str, float]:
        def progress(done: int, _: np.ndarray) -> None:
            self._tell("on_evaluation", what, done, len(split.labels))

        evaluation = evaluate_outputs(engine.outputs(split.images, progress), split.labels)
        return {
            "loss": evaluation.loss,
            "accuracy": evaluation.accuracy,
            "error": evaluation.errors / len(split.labels),
        }

    def _add_extras(self, data: Dataset) -> None:
        """What the Recognizer wants to know besides the parameters."""
        self.model.extras = {TEMPERATURE: np.array([self.recipe.temperature], dtype=np.float32)}
        if "nondigits" not in self.recipe.sources:  # a network that has learnt them says so itself
            rejection = Rejection.fit(self.model, data.train.images, data.train.labels)
            self.model.extras |= rejection.arrays()

    def _record(self) -> None:
        """What model.npz says of its training; nothing that differs between two equal runs."""
        last = self.history[-1]
        self.model.record = {
            "recipe": self.recipe.as_dict(),
            "seed": self.seed,
            "epochs": self.epochs_done,
            "dataset": self.dataset,
            "digests": self.digests,
            "engine": last["engine"],
            "workers": last["workers"],
            "train_accuracy": last["train_accuracy"],
            "test_accuracy": last["test_accuracy"],
        }

    def _check_finite(self, losses: np.ndarray, epoch: int) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            raise self._diverged(f"the loss is {losses[bad[0]]}", int(bad[0]) + 1, epoch)

    def _diverged(self, what: str, step: int, epoch: int) -> TrainingError:
        return TrainingError(
            f"training diverged: {what} at step {step} of epoch {epoch}",
            remedy="lower the learning rate"
            + (f"; files hold the state after epoch {epoch - 1}" if epoch > 1 else ""),
        )

    def _tell(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)
