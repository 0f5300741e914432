"""A training run: settings, epochs, history, checkpoint. What is shown and written is the callbacks' business."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.datasets import Dataset
from lenet_gpu.datasets.load import KNOWN
from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.network import Network
from lenet_gpu.nn.optim import Optimizer
from lenet_gpu.training.ahead import EpochsAhead, begin_elastic_fields
from lenet_gpu.training.checkpoint import Checkpoint, plain_name
from lenet_gpu.training.compatibility import check_data, check_loss, check_recipe
from lenet_gpu.training.distributed import callbacks_of_rank
from lenet_gpu.training.divergence import Divergence
from lenet_gpu.training.epochs import Patterns
from lenet_gpu.training.model_extras import add_extras
from lenet_gpu.training.one_epoch import EpochRunner, Schedule
from lenet_gpu.training.progress import AnyCallback, callbacks_of
from lenet_gpu.training.recipe import Recipe
from lenet_gpu.training.recipes import DEFAULT, get_recipe
from lenet_gpu.training.resuming import load_checkpoint, restore_optimizer, restored_network
from lenet_gpu.training.run_data import as_dataset, check_same_data, load_recipe_sources

if TYPE_CHECKING:
    from lenet_gpu.backend import Backend
    from lenet_gpu.nn.layer import Layer
    from lenet_gpu.nn.losses import Loss
    from lenet_gpu.training.distributed import MpiRanks


@dataclass(frozen=True)
class Run:
    """A finished (or interrupted) training run.

    Attributes:
        model: The trained network.
        history: One dict for each whole epoch: epoch, learning_rate, loss (the network's own loss, mean over the
            epoch's batches, distorted as the recipe wants it, before their updates), train_loss (mean cross-entropy
            of the whole training set as it is, after the epoch), train_accuracy, train_error, the same with test_
            and validation_ where there are such sets (shares 0..1), seconds, evaluation_seconds,
            images_per_second, engine, workers.
    """

    model: Network
    history: list[dict[str, Any]]


class Trainer:
    """Trains a network by a recipe.

    Args:
        model: The network; its parameters are trained in place. A new one begins as the recipe wants it (initial
            weights, input values of background and ink, loss), save for what its constructor was told; one with
            other than its initial parameters is trained on as it is.
        recipe: Name of a recipe, or a `Recipe`.
        seed: Seed of the order of the images; the model's own seed if None.
        engine: "auto", or the name of the engine to use.
        threads: Number of workers of the CPU engine; one a core if None.
        callbacks: Told of progress and epochs; see `lenet_gpu.training.callbacks`. A function is called with the log
            entry of each epoch.
        epochs: Passes over the training set; the recipe's if None.
        batch_size: Images a step; the recipe's if None.
        learning_rate: The recipe's if None.
        optimizer: An update rule instead of the recipe's.
        schedule: Learning rates instead of the recipe's: a function of the epoch, counted from 1, and its number of
            steps that returns one rate or an array (steps,).
        progress: Whether to show a bar, and a line for each epoch.
        download: Whether the network may be used for the data sets that the recipe adds.
        ranks: The processes that train together, all of which make the same trainer (see
            `lenet_gpu.training.distributed.find_ranks`); None: this one alone. Callbacks are told on rank 0 alone.

    Raises:
        InputError: Unknown recipe or engine, or a value that makes no sense.
    """

    def __init__(
        self,
        model: Network,
        recipe: str | Recipe = DEFAULT,
        *,
        seed: int | None = None,
        engine: str = "auto",
        threads: int | None = None,
        callbacks: Sequence[AnyCallback] = (),
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        optimizer: Optimizer | None = None,
        schedule: Schedule | None = None,
        progress: bool = True,
        download: bool = True,
        ranks: MpiRanks | None = None,
    ) -> None:
        self.model, self.ranks = model, ranks
        self.recipe = get_recipe(recipe).with_changes(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate
        )
        self.seed = model.seed if seed is None else seed
        if (
            isinstance(self.seed, bool)
            or not isinstance(self.seed, int | np.integer)
            or not 0 <= self.seed <= seeds.MAX_SEED
        ):
            raise InputError("seed", found=repr(seed), expected=f"0 to {seeds.MAX_SEED}")
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise InputError("threads", found=repr(threads), expected="a whole number from 1, or None")
        self.seed = int(self.seed)
        self.engine_name, self.threads = engine, threads
        self.callbacks = callbacks_of(callbacks, progress)
        self.history: list[dict[str, Any]] = []
        self.dataset = ""
        self.digests: dict[str, str] = {}
        self.download = download
        self.source_digests: dict[str, str] | None = None  # None: not known before the sources are loaded
        self._data_paths: list[str] = []
        self.added: list[str] = []  # names and paths of data sets that were added, to find them again
        self.validation = 0.0  # share of the training set that is held out
        self.patience = 0  # of the run's early stopping, to be kept in its checkpoint
        self.engine: Engine | None = None
        self._stopping = False
        check_recipe(model, self.recipe)
        model.adopt(
            initialisation=self.recipe.initialisation,
            background=self.recipe.background,
            ink=self.recipe.ink,
            loss=self.recipe.loss,
        )
        check_loss(model)
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise InputError("optimizer", found=repr(optimizer), expected="an object of lenet_gpu.nn.Optimizer")
        if schedule is not None and not callable(schedule):
            raise InputError("schedule", found=repr(schedule), expected="a function of epoch and steps")
        self.own = {
            key: name_of(value)
            for key, value in (("optimizer", optimizer), ("schedule", schedule))
            if value is not None
        }
        self.optimizer = self.recipe.make_optimizer() if optimizer is None else optimizer
        self.schedule: Schedule = self.recipe.learning_rates if schedule is None else schedule
        self.optimizer.prepare(model)

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        backend: str | Backend | None = None,
        *,
        epochs: int | None = None,
        engine: str | None = None,
        threads: int | None = None,
        callbacks: Sequence[AnyCallback] = (),
        optimizer: Optimizer | None = None,
        schedule: Schedule | None = None,
        layers: Sequence[type[Layer]] = (),
        loss: Loss | Callable[..., Any] | None = None,
        network: type[Network] = Network,
        progress: bool = True,
        download: bool = True,
        ranks: MpiRanks | None = None,
    ) -> Trainer:
        """Make a trainer that continues a run where its checkpoint ends; `fit` goes on with the next epoch.

        With the engine and the number of workers of the interrupted run (the default), the outcome is bit
        for bit the one of a run that was never interrupted.

        Args:
            path: Folder of the run, or its checkpoint file.
            backend: Where to continue; the CPU if None.
            epochs: A new total number of epochs.
            engine: Another engine than the interrupted run's.
            threads: Another number of workers.
            callbacks: As for the constructor.
            optimizer: The update rule, where the run had one of its own.
            schedule: The learning rates, where the run had its own.
            layers: Classes of your own layers that the network has.
            loss: The loss, where the run had one of its own.
            network: The class of the network, where it is one of your own.
            progress: As for the constructor.
            download: As for the constructor.
            ranks: As for the constructor.

        Raises:
            ModelFileError: No usable checkpoint, or one that needs a layer, optimizer, schedule or loss of your own.
            InputError: Fewer epochs than are done, or an engine that can't be used here.
        """
        checkpoint = load_checkpoint(path, {"optimizer": optimizer, "schedule": schedule, "loss": loss})
        model = restored_network(network, checkpoint, backend, path, layers, loss)
        if epochs is not None and epochs < len(checkpoint.history):
            raise InputError(
                "epochs", found=str(epochs), expected=f"at least the {len(checkpoint.history)} that are done"
            )
        trainer = cls(
            model,
            checkpoint.recipe.with_changes(epochs=epochs),
            seed=checkpoint.seed,
            engine=checkpoint.engine if engine is None else engine,
            threads=checkpoint.workers if threads is None and engine is None else threads,
            callbacks=callbacks,
            optimizer=optimizer,
            schedule=schedule,
            progress=progress,
            download=download,
            ranks=ranks,
        )
        restore_optimizer(trainer.optimizer, checkpoint, model.backend, path)
        trainer.history = checkpoint.history
        trainer.dataset, trainer.digests = plain_name(checkpoint.dataset), checkpoint.digests
        trainer.source_digests = checkpoint.source_digests or None
        trainer._data_paths, trainer.added = checkpoint.data_paths, checkpoint.added
        trainer.validation, trainer.patience = checkpoint.validation, checkpoint.patience
        if trainer.history:
            trainer._record()
        return trainer

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs so far."""
        return len(self.history)

    @property
    def stopping(self) -> bool:
        """True if the run ends after the epoch in hand."""
        return self._stopping

    def stop(self) -> None:
        """End the run after the epoch in hand; for callbacks."""
        self._stopping = True

    def fit(self, data: Any, labels: Any = None, *, validation: Any = None) -> Run:
        """Train until the recipe's number of epochs is done.

        Args:
            data: A `Dataset`, whose test set is only looked at, after each epoch; or images, (n, 28, 28) uint8 or
                float in 0..1, with `labels`.
            labels: (n,) integers or texts: 0 to below the network's number of classes, or any others, which
                become the network's `class_labels`.
            validation: A set to watch the training by: a share of the images, 0 to below 1, that is held out, class
                by class, or a pair of images and labels. If None, the share that a resumed run began with.

        Returns:
            The run.

        Raises:
            InputError: Images or labels of another form, or more classes than the network has.
            DataError: Other data than the run began with, or a data set that the recipe adds is missing.
            TrainingError: The loss or a parameter became NaN or infinite, or the network ends dead, with an F6 that
                is the same for every image; the model is then in that state, while files written by callbacks hold
                the last whole epoch.
            KeyboardInterrupt: Passed on; the history and files end with the last whole epoch.
        """
        if isinstance(validation, float):
            self.validation = validation
        elif validation is None and self.validation:
            validation = self.validation
        data = as_dataset(self.model, data, labels, validation, self.seed)
        check_data(self.model, self.recipe, data)
        if data.class_labels != tuple(range(data.classes)):
            self.model.class_labels = data.class_labels
        check_same_data(data, self.digests)
        if not self.digests:
            self.dataset, self.digests = plain_name(data.name), dict(data.digests)
        path = os.path.abspath(os.path.expanduser(data.name))
        if data.name not in KNOWN and os.path.exists(path):
            self._data_paths = [path, data.name]
        self._stopping = False
        sources: dict[str, Dataset] = {}
        if self.recipe.sources and self.epochs_done < self.recipe.epochs:
            sources, self.source_digests = load_recipe_sources(self.recipe, self.source_digests, self.download)
        if self.model.backend.name == "gpu" and self.epochs_done < self.recipe.epochs:
            begin_elastic_fields(self.recipe.augmentation)
        self._listeners = self.callbacks if self.ranks is None else callbacks_of_rank(self, self.ranks)
        with make_engine(self.model, self.optimizer, self.engine_name, self.threads, self.ranks) as engine:
            self.engine = engine
            self._tell("on_start", self, data)
            if self.epochs_done < self.recipe.epochs:
                patterns = Patterns(data.train, self.recipe, self.seed, sources)
                engine.load(patterns.images, patterns.labels)
                for split in (data.train, data.validation, data.test):
                    if split is not None:
                        engine.keep(split.images, split.labels)
                runner = self._runner(engine)
                ahead = EpochsAhead(patterns.epoch, self.recipe.epochs, engine.stage if engine.stages else None)
                with contextlib.closing(ahead):
                    while self.epochs_done < self.recipe.epochs and not self._stopping:
                        log = runner.run(self.epochs_done + 1, data, patterns, ahead)
                        self.history.append(log)
                        self._record()
                        self._tell("on_epoch", self, log)
        # The workers are gone by now: what follows needs memory of its own.
        self._tell("on_trained", self)
        if self.ranks is None or self.ranks.rank == 0:
            add_extras(self.model, self.recipe, data.train, self.epochs_done, self._divergence)
        self._tell("on_end", self)
        return Run(self.model, self.history)

    def checkpoint(self) -> Checkpoint:
        """Give the run's state after its last whole epoch."""
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
            own=self.own,
            data_paths=self._data_paths,
            source_digests=self.source_digests or {},
            added=self.added,
            validation=self.validation,
            patience=self.patience,
            backend=self.model.backend.name,
        )

    @property
    def _divergence(self) -> Divergence:
        return Divergence(None if "schedule" in self.own else self.recipe.learning_rate)

    def _runner(self, engine: Engine) -> EpochRunner:
        """Put together what trains one epoch after the other."""
        return EpochRunner(
            engine,
            self.model,
            self.optimizer,
            self.schedule,
            self.own.get("schedule", self.recipe.schedule),
            self.recipe.batch_size,
            self.seed,
            self._divergence,
            self._tell,
        )

    def _record(self) -> None:
        """Write down what model.npz says of its training; nothing that differs between two equal runs."""
        last = self.history[-1]
        self.model.record = {
            "recipe": self.recipe.as_dict(),
            "seed": self.seed,
            "epochs": self.epochs_done,
            "dataset": self.dataset,
            "digests": self.digests,
            **({"source_digests": self.source_digests} if self.source_digests else {}),
            **{key: last[key] for key in ("engine", "workers") if key in last},
            **{key: value for key, value in last.items() if key.endswith("_accuracy")},
            **({"own": self.own} if self.own else {}),
        }

    def _tell(self, hook: str, *arguments: Any) -> None:
        for callback in self._listeners:
            getattr(callback, hook)(*arguments)


def name_of(value: object) -> str:
    """Name a function, or the class of an object, with its module."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
