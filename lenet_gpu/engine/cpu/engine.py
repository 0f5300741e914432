"""The fast CPU engine: prepared plans (plan.py) in one worker process for each core."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cover import unknown_optimizer
from lenet_gpu.engine.cpu.spec import PIXELS, NetworkSpec, check_pixels, mean_losses
from lenet_gpu.engine.cpu.workers.cores import available_cores, check_workers, default_workers, portions
from lenet_gpu.engine.cpu.workers.pool import WorkerPool
from lenet_gpu.engine.cpu.workers.team import VERSION, evaluation_batch, status_words
from lenet_gpu.errors import InputError
from lenet_gpu.storage.shared_memory import file_behind

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

LOGGER = logging.getLogger("lenet_gpu")

SURELY_FEW = 16
"""Workers that no one needs to be warned of, whatever the number of cores: they do little harm."""


class _Epoch(NamedTuple):
    """An epoch in the hands of the workers."""

    run: dict[str, np.ndarray]  # the arrays shared for it
    trained: dict[str, np.ndarray]  # the parameters and the optimizer's state, which it changes
    workers: int  # how many take part
    sizes: np.ndarray  # images of each batch, (steps,)

    def losses(self, done: int) -> np.ndarray:
        """Mean losses of the first `done` steps, (done,) float32."""
        return mean_losses(self.run["losses"], self.sizes, done)


class CpuEngine(Engine):
    """Trains and evaluates LeNet-5 on all cores, or, where every image is a step of its own, on one.

    The user's process computes nothing: it hands over an epoch and sleeps. The workers walk the steps on their
    own (workers/team.py). A run gives the same bytes again, with any number of workers: a batch's portions depend on
    its size alone (`cores.portions`). A batch of fewer portions than workers is left to as many as it has.

    Args:
        network: The network, on the CPU.
        optimizer: The update rule, exactly a class of optim.py or sdlm.py, prepared for the network; None for
            inference alone. The workers build their own from its `settings`. Its `state` is trained in place like
            the network's parameters.
        threads: Number of workers; one a core if None.

    Raises:
        InputError: A network that the plans do not know, an optimizer that the workers do not, or a number of workers
            that makes no sense.
    """

    name = "cpu_plan"

    def __init__(self, network: Network, optimizer: Optimizer | None = None, threads: int | None = None) -> None:
        super().__init__(network, optimizer)
        unknown = unknown_optimizer(optimizer)
        if unknown is not None:
            raise InputError(f"engine {self.name}", found=unknown, remedy="take LocalEngine, which needs no workers")
        NetworkSpec.of(network, training=optimizer is not None)  # refuses what the plans do not know
        check_workers(threads)
        self.workers = threads or default_workers()
        if self.workers > max(default_workers(), SURELY_FEW):
            LOGGER.warning("%d workers on %d cores: slower than one a core", self.workers, available_cores())
        self._pool: WorkerPool | None = None  # started with the first images
        self._loaded: np.ndarray | None = None  # the array that is the training set

    @property
    def description(self) -> str:
        """The engine in words."""
        return f"cpu_plan (prepared NumPy calls, {self.workers} worker{'s' if self.workers > 1 else ''})"

    # ---- workers

    def _workers(self, images: int | None = None) -> WorkerPool:
        """Give the workers, started if there are none yet.

        Args:
            images: Descriptor of the file that the training set lies in, for workers that are only now started.
        """
        if self._pool is not None:
            self._pool.check_owner()
            return self._pool
        optimizer = self._optimizer
        trained = {"parameters": self.network.parameters, **(optimizer.state if optimizer else {})}
        self._pool = pool = WorkerPool(self.workers, images)
        self._model = pool.files["model"].allocate(
            [
                ("control", "int64", (1,)),  # not 0: stop
                ("progress", "int64", (self.workers,)),  # finished steps
                *((f"given.{name}", str(array.dtype), array.shape) for name, array in trained.items()),
                *((f"own.{name}", str(array.dtype), (self.workers, *array.shape)) for name, array in trained.items()),
            ]
        )
        pool.run(
            "start",
            workers=self.workers,
            model=pool.files["model"].specification,
            network=NetworkSpec.of(self.network, training=self._optimizer is not None).to_json(),
            optimizer=None if optimizer is None else [type(optimizer).__name__, optimizer.settings],
        )
        return pool

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()

    # ---- training

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Share a training set with the workers; it is copied unless it lies in a file of its own already."""
        check_pixels(images)
        n = len(images)
        of_images, of_labels = ("images", "uint8", (n, PIXELS)), ("labels", str(np.dtype(np.intp)), (n,))
        own_file = file_behind(images) if self._pool is None else None
        pool = self._workers(own_file)
        file = pool.files["data"]
        if own_file is None:
            arrays = file.allocate([of_images, of_labels])
            arrays["images"][...] = images.reshape(n, PIXELS)
        else:
            arrays = file.allocate([of_labels])
        arrays["labels"][...] = labels
        pool.run("load", data=file.specification, images=None if own_file is None else [of_images])
        self._loaded = images

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`."""
        epoch = self._hand_over(order, batch_size, learning_rates, distortions)
        pool = self._workers()
        try:
            pool.run(
                "train", self._reporter(epoch, progress), self._stop,
                run=pool.files["run"].specification, gradients=pool.files["gradients"].specification,
                batch_size=batch_size, workers=epoch.workers, distorted=distortions is not None,
            )  # fmt: skip
        finally:
            if pool.processes:  # even after Ctrl-C; after a lost worker nothing has happened
                self._take_over(epoch)
        return epoch.losses(len(learning_rates))

    def _shares(self, batch_size: int) -> tuple[int, int]:
        """Choose how many workers take part, and how many shards a batch is cut into."""
        shards = portions(batch_size)
        return min(self.workers, shards), shards

    def _hand_over(
        self, order: np.ndarray, batch_size: int, learning_rates: np.ndarray, distortions: np.ndarray | None
    ) -> _Epoch:
        """Write an epoch, the parameters and the optimizer's state into the memory shared with the workers."""
        steps, parameters = len(learning_rates), self.network.parameters
        trained = {"parameters": parameters, **self.optimizer.state}
        pool = self._workers()
        workers, shards = self._shares(batch_size)
        run = pool.files["run"].allocate(
            [
                ("order", str(np.dtype(np.intp)), order.shape),
                ("rates", "float64", (steps,)),
                ("losses", "float64", (shards, steps)),
                ("status", "int64", (workers * status_words(shards),)),
                ("distortions", "float32", (0, 8) if distortions is None else distortions.shape),
            ]
        )
        gradients = ("gradients", str(parameters.dtype), (workers, 2, shards, parameters.size))
        pool.files["gradients"].allocate([gradients], reserve=False)
        run["order"][...], run["rates"][...] = order, learning_rates
        if distortions is not None:
            run["distortions"][...] = distortions
        for array in (run["losses"], run["status"], self._model["control"], self._model["progress"]):
            array.fill(0)
        for name, array in trained.items():
            self._model[f"given.{name}"][...] = array
        sizes = np.minimum(batch_size, len(order) - batch_size * np.arange(steps))
        return _Epoch(run, trained, workers, sizes)

    def _reporter(self, epoch: _Epoch, progress: Progress | None) -> Callable[[], None]:
        """Make the function that tells `progress` what is new."""
        shown = 0

        def report() -> None:
            nonlocal shown
            done = int(self._model["progress"].max())
            if progress is not None and done > shown:
                progress(done, epoch.losses(done))
                shown = done

        return report

    def _stop(self) -> None:
        self._model["control"].fill(1)

    def _take_over(self, epoch: _Epoch) -> None:
        """Copy parameters and state from the worker that has finished the most steps."""
        versions = epoch.run["status"].reshape(epoch.workers, -1)[:, VERSION]
        furthest = int(versions.argmax())
        if versions[furthest]:
            for name, array in epoch.trained.items():
                array[...] = self._model[f"own.{name}"][furthest]

    # ---- inference

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the values of the output layer before softmax, (n, classes)."""
        check_pixels(images)
        n, classes = len(images), self.network.classes
        if not n:
            return np.empty((0, classes), self.network.dtype)
        pool, loaded = self._workers(), images is self._loaded
        file = pool.files["evaluation"]
        size = evaluation_batch(n)
        batches = -(-n // size)
        arrays = file.allocate(
            [
                ("images", "uint8", (0 if loaded else n, PIXELS)),
                ("outputs", self.network.dtype, (n, classes)),
                ("begun", "uint8", (batches,)),
                ("done", "uint8", (batches,)),
            ]
        )
        if not loaded:
            arrays["images"][...] = images.reshape(n, PIXELS)
        arrays["begun"].fill(0)
        arrays["done"].fill(0)
        self._model["control"].fill(0)
        self._model["given.parameters"][...] = self.network.parameters

        def report() -> None:
            if progress is not None:
                progress(min(n, size * int(arrays["done"].sum())), arrays["outputs"][:0, 0])

        pool.run(
            "outputs",
            report,
            self._stop,
            evaluation=file.specification,
            loaded=loaded,
            workers=min(self.workers, batches),
        )
        return np.array(arrays["outputs"])
