"""The fast CPU engine: prepared plans (cpu_plan.py) in one worker process for each core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.cores import default_workers, workers_possible
from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cpu_layout import PIXELS
from lenet_gpu.engine.cpu_online_training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu_plan import CHUNK, CpuPlan, Fill
from lenet_gpu.engine.cpu_rbf_head import head_of
from lenet_gpu.engine.cpu_team import PORTION, VERSION, block_words
from lenet_gpu.engine.cpu_workers import WorkerPool
from lenet_gpu.lenet5 import VARIANTS

if TYPE_CHECKING:
    from lenet_gpu.lenet5 import LeNet5
    from lenet_gpu.optim import GradientDescent

MOST_PARTS = 4
"""Parts of a large batch for each worker: one that is held up can be helped with the others."""

SMALLEST_SHARE = 4
"""Images of a batch for which a worker is worth its share of the waiting."""


class CpuEngine(Engine):
    """Trains and evaluates the networks on all cores, or, where every image is a step of its own, on one.

    The user's process computes nothing: it hands over an epoch and sleeps. The workers walk the steps on their
    own (cpu_team.py). With the same number of workers a run gives the same bytes again.

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
        self._pool: WorkerPool | None = None
        self._plans: dict[bool, CpuPlan] = {}
        if workers_possible():
            self._start_workers()

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
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}" if self._pool else "in this process"
        return f"cpu_plan (prepared NumPy calls, {workers})"

    def _start_workers(self) -> None:
        network = self.network
        given = self._given_arrays()
        self._pool = WorkerPool(self.workers)
        self._model = self._pool.files["model"].allocate(
            [
                ("control", "int64", (1,)),  # not 0: stop
                ("progress", "int64", (self.workers,)),  # finished steps or images
                *((f"given.{name}", str(array.dtype), array.shape) for name, array in given.items()),
                *((f"own.{name}", str(array.dtype), (self.workers, *array.shape)) for name, array in given.items()),
            ]
        )
        self._pool.run(
            "start",
            workers=self.workers,
            model=self._pool.files["model"].specification,
            optimizer=[type(self.optimizer).__module__, type(self.optimizer).__name__, self.optimizer.settings],
            variant=network.variant,
            loss=network.loss,
            shapes={name: list(shape) for name, shape in network.shapes.items()},
            chunk=CHUNK,
            background=network.background,
            ink=network.ink,
        )

    def _given_arrays(self) -> dict[str, np.ndarray]:
        """What training changes: the parameters and the optimiser's state."""
        return {"parameters": self.network.parameters, **self.optimizer.state}

    # ---- the engine's interface

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Copy a training set into the shared memory."""
        n = len(images)
        if self._pool is None:
            self._images = np.ascontiguousarray(images).reshape(n, PIXELS)
            self._labels = np.asarray(labels).astype(np.intp)
            return
        file = self._pool.files["data"]
        arrays = file.allocate([("images", "uint8", (n, PIXELS)), ("labels", str(np.dtype(np.intp)), (n,))])
        arrays["images"][...] = images.reshape(n, PIXELS)
        arrays["labels"][...] = labels
        self._pool.run("load", data=file.specification)

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
        if self._pool is None:
            return self._train_here(order, batch_size, learning_rates, progress, distortions)
        # The parts of a batch: the same for the same number of workers, whoever computes them.
        parties = max(1, min(self.workers, batch_size // SMALLEST_SHARE))
        parts = parties * max(1, min(MOST_PARTS, batch_size // parties // CHUNK))
        file, slots = self._pool.files["run"], self._pool.files["slots"]
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
            self._pool.run(
                "train", watch, self._stop,
                run=file.specification, slots=slots.specification, batch_size=batch_size, parties=parties,
                distorted=distortions is not None,
            )  # fmt: skip
        finally:
            if self._pool.processes:  # even after Ctrl-C; after a lost worker nothing has happened
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
        if self._pool is None or not n:
            return self._plan_here().outputs(np.ascontiguousarray(images))
        file = self._pool.files["evaluation"]
        arrays = file.allocate(
            [
                ("images", "uint8", (n, PIXELS)),
                ("outputs", self.network.dtype, (n, 10)),
                ("begun", "uint8", (-(-n // PORTION),)),
            ]
        )
        arrays["images"][...] = images.reshape(n, PIXELS)
        arrays["begun"].fill(0)
        self._model["given.parameters"][...] = self.network.parameters
        self._model["progress"].fill(0)

        def watch() -> None:
            if progress is not None:
                progress(int(self._model["progress"].sum()), arrays["outputs"][:0, 0])

        self._pool.run(
            "outputs",
            watch,
            evaluation=file.specification,
            parties=max(1, min(self.workers, n // SMALLEST_SHARE)),
        )
        return np.array(arrays["outputs"])

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()

    # ---- without workers

    def _plan_here(self, grid: bool = False) -> CpuPlan:
        """A plan in this process; `grid`: for distorted images."""
        network = self.network
        if grid not in self._plans:
            self._plans[grid] = CpuPlan(
                network.parameters,
                [network.gradients],
                network.shapes,
                background=network.background,
                ink=network.ink,
                grid=grid,
                head=head_of(network.variant, network.loss, network.dtype, CHUNK),
            )
        return self._plans[grid]

    def _train_here(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        """The same steps in this process, where no workers can be started."""
        network = self.network
        if covers_step(network.variant, network.loss, self.optimizer, batch_size, self._labels):
            return self._train_online_here(order, learning_rates, progress, distortions)
        plan = self._plan_here(grid=distortions is not None)
        distorter = None
        if distortions is not None:
            from lenet_gpu.engine.cpu_distort import BatchDistorter

            distorter = BatchDistorter(self._images, CHUNK)
        losses = np.zeros(len(learning_rates), np.float32)
        for step, rate in enumerate(learning_rates):
            part = slice(step * batch_size, (step + 1) * batch_size)
            batch = order[part]
            source: np.ndarray | Fill = self._images
            if distorter is not None and distortions is not None:
                source = distorter.source(batch, distortions[part])
            loss = plan.gradients(source, self._labels, batch, 1.0 / len(batch))
            losses[step] = loss / len(batch)
            self.optimizer.update(self.network.parameters, self.network.gradients, float(rate))
            if progress is not None and (step % 64 == 63 or step == len(losses) - 1):
                progress(step + 1, losses[: step + 1])
        return losses

    def _train_online_here(
        self,
        order: np.ndarray,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        """Steps of one image each in this process."""
        network = self.network
        training = OnlineTraining(
            network.parameters,
            network.shapes,
            self.optimizer,
            background=network.background,
            ink=network.ink,
            loss=network.loss,
        )
        losses = np.zeros(len(learning_rates))

        def go_on(done: int) -> bool:
            if progress is not None and done:
                progress(done, losses[:done].astype(np.float32))
            return True

        training.run(self._images, self._labels, order, learning_rates, losses, distortions, go_on)
        if progress is not None:
            progress(len(losses), losses.astype(np.float32))
        return losses.astype(np.float32)
