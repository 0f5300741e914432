"""The fast CPU engine: prepared plans (plan.py) in one worker process for each core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cpu.layout import PIXELS
from lenet_gpu.engine.cpu.local import InProcess
from lenet_gpu.engine.cpu.plan import CHUNK
from lenet_gpu.engine.cpu.workers.cores import default_workers, workers_possible
from lenet_gpu.engine.cpu.workers.pool import WorkerPool
from lenet_gpu.engine.cpu.workers.team import PORTION, VERSION, block_words
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.paper import CLASSES
from lenet_gpu.storage.shared_memory import file_behind

if TYPE_CHECKING:
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.optim import GradientDescent

MOST_PARTS = 4
"""Parts of a large batch for each worker: one that is held up can be helped with the others."""

SMALLEST_SHARE = 4
"""Images of a batch for which a worker is worth its share of the waiting."""


class CpuEngine(Engine):
    """Trains and evaluates the networks on all cores, or, where every image is a step of its own, on one.

    The user's process computes nothing: it hands over an epoch and sleeps. The workers walk the steps on their
    own (workers/team.py). With the same number of workers a run gives the same bytes again.

    Args:
        network: The network, on the CPU.
        optimizer: The update rule, a class of optim.py, prepared for the network. The workers build their own
            from its `settings`. Its `state` is trained in place like the network's parameters.
        threads: Number of workers; one a core if None.
    """

    name = "cpu_plan"

    def __init__(self, network: LeNet5, optimizer: GradientDescent, threads: int | None = None) -> None:
        super().__init__(network, optimizer)
        self.workers = (threads or default_workers()) if workers_possible() else 1
        self._here = None if workers_possible() else InProcess(network, optimizer)
        self._pool: WorkerPool | None = None  # started with the first images
        self._loaded: np.ndarray | None = None  # the array that is the training set

    @staticmethod
    def covers(network: LeNet5) -> str | None:
        """Why this engine can't run a network; None if it can."""
        if network.backend.name != "cpu":
            return f"the {network.backend.name} backend"
        fitting = network.loss in VARIANTS[network.variant].losses
        return None if fitting else f"the loss {network.loss} for the network {network.variant}"

    @property
    def description(self) -> str:
        """The engine in words."""
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return f"cpu_plan (prepared NumPy calls, {'in this process' if self._here else workers})"

    def _workers(self, images: int | None = None) -> WorkerPool:
        """The workers, started if there are none yet.

        Args:
            images: Descriptor of the file that the training set lies in, for workers that are only now started.
        """
        if self._pool is not None:
            return self._pool
        network = self.network
        given = self._given_arrays()
        self._pool = pool = WorkerPool(self.workers, images)
        self._model = pool.files["model"].allocate(
            [
                ("control", "int64", (1,)),  # not 0: stop
                ("progress", "int64", (self.workers,)),  # finished steps
                *((f"given.{name}", str(array.dtype), array.shape) for name, array in given.items()),
                *((f"own.{name}", str(array.dtype), (self.workers, *array.shape)) for name, array in given.items()),
            ]
        )
        pool.run(
            "start",
            workers=self.workers,
            model=pool.files["model"].specification,
            optimizer=[type(self.optimizer).__module__, type(self.optimizer).__name__, self.optimizer.settings],
            variant=network.variant,
            loss=network.loss,
            shapes={name: list(shape) for name, shape in network.shapes.items()},
            chunk=CHUNK,
            background=network.background,
            ink=network.ink,
        )
        return pool

    def _given_arrays(self) -> dict[str, np.ndarray]:
        """What training changes: the parameters and the optimiser's state."""
        return {"parameters": self.network.parameters, **self.optimizer.state}

    # ---- the engine's interface

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Share a training set with the workers; it is copied unless it lies in a file of its own already."""
        if self._here is not None:
            self._here.load(images, labels)
            return
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
        steps = len(learning_rates)
        sizes = np.minimum(batch_size, len(order) - batch_size * np.arange(steps))  # images of each batch
        if self._here is not None:
            return self._here.train(order, batch_size, learning_rates, progress, distortions)
        # The parts of a batch: the same for the same number of workers, whoever computes them.
        parties = max(1, min(self.workers, batch_size // SMALLEST_SHARE))
        parts = parties * max(1, min(MOST_PARTS, batch_size // parties // CHUNK))
        pool = self._workers()
        file, slots = pool.files["run"], pool.files["slots"]
        words = parties * block_words(parts)
        run = file.allocate(
            [
                ("order", str(np.dtype(np.intp)), order.shape),
                ("rates", "float64", (steps,)),
                ("losses", "float64", (parts, steps)),
                ("words", "int64", (words,)),
                ("distortions", "float32", (0, 8) if distortions is None else distortions.shape),
            ]
        )
        count, dtype = self.network.parameters.size, str(self.network.parameters.dtype)
        slots.allocate([("gradients", dtype, (parties, 2, parts, count))], reserve=False)
        run["order"][...], run["rates"][...] = order, learning_rates
        if distortions is not None:
            run["distortions"][...] = distortions
        run["losses"].fill(0.0)
        run["words"].fill(0)
        self._model["control"].fill(0)
        self._model["progress"].fill(0)
        given = self._given_arrays()
        for name, array in given.items():
            self._model[f"given.{name}"][...] = array

        def losses(done: int) -> np.ndarray:
            return (run["losses"][:, :done].sum(axis=0) / sizes[:done]).astype(np.float32)

        shown = 0

        def watch() -> None:
            nonlocal shown
            done = int(self._model["progress"].max())
            if progress is not None and done > shown:
                progress(done, losses(done))
                shown = done

        try:
            pool.run(
                "train", watch, self._stop,
                run=file.specification, slots=slots.specification, batch_size=batch_size, parties=parties,
                distorted=distortions is not None,
            )  # fmt: skip
        finally:
            if pool.processes:  # even after Ctrl-C; after a lost worker nothing has happened
                versions = run["words"].reshape(parties, -1)[:, VERSION]
                furthest = int(versions.argmax())
                if versions[furthest]:
                    for name, array in given.items():
                        array[...] = self._model[f"own.{name}"][furthest]
        return losses(steps)

    def _stop(self) -> None:
        self._model["control"].fill(1)

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Values of the output layer before softmax, (n, 10)."""
        n = len(images)
        if self._here is not None:
            return self._here.outputs(images)
        if not n:
            return np.empty((0, CLASSES), self.network.dtype)
        pool, loaded = self._workers(), images is self._loaded
        file = pool.files["evaluation"]
        arrays = file.allocate(
            [
                ("images", "uint8", (0 if loaded else n, PIXELS)),
                ("outputs", self.network.dtype, (n, CLASSES)),
                ("begun", "uint8", (-(-n // PORTION),)),
                ("done", "uint8", (-(-n // PORTION),)),
            ]
        )
        if not loaded:
            arrays["images"][...] = images.reshape(n, PIXELS)
        arrays["begun"].fill(0)
        arrays["done"].fill(0)
        self._model["given.parameters"][...] = self.network.parameters

        def watch() -> None:
            if progress is not None:
                progress(min(n, PORTION * int(arrays["done"].sum())), arrays["outputs"][:0, 0])

        pool.run(
            "outputs",
            watch,
            evaluation=file.specification,
            loaded=loaded,
            parties=max(1, min(self.workers, n // SMALLEST_SHARE)),
        )
        return np.array(arrays["outputs"])

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()
