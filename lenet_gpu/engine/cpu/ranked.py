"""The CPU engine shared out to the processes of several machines: the same portions, the same sums, the same bytes.

A batch is cut into the portions into which `CpuEngine` cuts it, by its size alone. Each rank computes some of
them; then all ranks gather all portions' gradients and add them up in the portions' order, so that neither the number
of ranks nor who has computed what can be told from the outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cpu.online.training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu.ops import BUFFER
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.spec import NetworkSpec, check_pixels, mean_losses, training_rows
from lenet_gpu.engine.cpu.workers import cores
from lenet_gpu.engine.cpu.workers.cores import check_workers, default_workers
from lenet_gpu.engine.cpu.workers.team import evaluation_batch
from lenet_gpu.engine.ranks import Ranks, portion, portions, rows_of_batches

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

PROGRESS_STEPS = 64
"""Steps between two reports of progress, before which the ranks exchange their portions' losses."""


class RankedEngine(Engine):
    """Trains and evaluates LeNet-5 together with the other ranks; all of them call the same methods.

    Args:
        network: The network, on the CPU.
        optimizer: The update rule, prepared for the network, which every rank applies to its own copy; None for
            inference alone.
        ranks: The others.
        threads: The number of workers that model files and checkpoints are to name, and nothing else; if None, as
            many as rank 0 would have.
    """

    name = "cpu_plan"

    def __init__(
        self, network: Network, optimizer: Optimizer | None, ranks: Ranks, threads: int | None = None
    ) -> None:
        super().__init__(network, optimizer)
        check_workers(threads)
        self._ranks = ranks
        self.workers = ranks.from_first(threads or default_workers())
        self._spec = NetworkSpec.of(network, training=optimizer is not None)
        self._plan = CpuPlan(self._spec, network.parameters)
        self._training: dict[tuple[int, str], tuple[np.ndarray, CpuPlan]] = {}

    @property
    def description(self) -> str:
        """The engine in words."""
        return f"cpu_plan (prepared NumPy calls, {self._ranks.size} ranks)"

    def described(self, batch_size: int) -> str:
        """Describe the engine; also say how many ranks have nothing to do."""
        shards = cores.portions(batch_size)
        idle = max(0, self._ranks.size - shards)
        hint = (
            f"; {idle} of the ranks idle, for a batch of {batch_size} has {shards} portion{'s' if shards > 1 else ''}"
        )
        return self.description + (hint if idle else "")

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Keep a training set."""
        self._images, self._labels = training_rows(images, labels)

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`."""
        with _as_workers_compute():
            if covers_step(self._spec, self.optimizer, batch_size, self._labels):
                return self._train_online(order, learning_rates, progress, distortions)
            return self._train(order, batch_size, learning_rates, progress, distortions)

    def _train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        ranks, network, labels = self._ranks, self.network, self._labels
        shards = cores.portions(batch_size)
        own, counts = portion(shards, ranks.rank, ranks.size), portions(shards, ranks.size)
        gradients, plan = self._prepared(shards, "uint8" if distortions is None else "grid")
        distorter = None
        if distortions is not None:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

            distorter = BatchDistorter(self._images, plan.capacity)
        steps = len(learning_rates)
        sizes = np.minimum(batch_size, len(order) - batch_size * np.arange(steps))
        losses = np.zeros((shards, steps))
        told = 0
        for step, rate in enumerate(learning_rates.tolist()):
            first, m = step * batch_size, int(sizes[step])
            for shard in own:
                part = portion(m, shard, shards)
                positions = slice(first + part.start, first + part.stop)
                indices = order[positions]
                source = self._images if distorter is None else distorter.source(indices, distortions[positions])  # type: ignore[index]
                losses[shard, step] = plan.gradients(
                    source, labels, indices, 1.0 / m, shard, refresh=shard == own.start
                )
            self.optimizer.update(network.parameters, ranks.add_up(gradients, counts), rate)
            if step % PROGRESS_STEPS == PROGRESS_STEPS - 1 or step == steps - 1:
                block = np.ascontiguousarray(losses[:, told : step + 1])
                ranks.gather(block, counts)
                losses[:, told : step + 1] = block
                told = step + 1
                if progress is not None:
                    progress(told, mean_losses(losses, sizes, told))
        return mean_losses(losses, sizes, steps)

    def _prepared(self, shards: int, form: str) -> tuple[np.ndarray, CpuPlan]:
        """Give the portions' gradients, (shards, parameters), and the plan that writes into them."""
        if (shards, form) not in self._training:
            gradients = np.zeros((shards, self.network.parameters.size), self.network.parameters.dtype)
            plan = CpuPlan(self._spec, self.network.parameters, list(gradients), images=form)
            self._training = {(shards, form): (gradients, plan)}
        return self._training[shards, form]

    def _train_online(
        self,
        order: np.ndarray,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        """Take steps of one image each: there is nothing to share, so every rank takes all of them."""
        losses = np.zeros(len(learning_rates))

        def go_on(done: int) -> bool:
            if progress is not None and done:
                progress(done, losses[:done].astype(np.float32))
            return True

        training = OnlineTraining(self._spec, self.network.parameters, self.optimizer)
        training.run(self._images, self._labels, order, learning_rates, losses, distortions, go_on)
        return losses.astype(np.float32)

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the values of the output layer before softmax, (n, classes), each rank those of its own batches."""
        check_pixels(images)
        ranks, n = self._ranks, len(images)
        out = np.empty((n, self.network.classes), self.network.dtype)
        size = evaluation_batch(n)
        batches = -(-n // size)
        fresh = True
        with _as_workers_compute():
            for batch in portion(batches, ranks.rank, ranks.size):
                chosen = slice(batch * size, (batch + 1) * size)
                alone = len(out[chosen]) == 1  # goes the way of many, as in workers
                self._plan.outputs(np.ascontiguousarray(images[chosen]), out[chosen], refresh=fresh or alone)
                fresh = False
        ranks.gather(out, rows_of_batches(n, size, ranks.size))
        if progress is not None:
            progress(n, out[:0, 0])
        return out


@contextmanager
def _as_workers_compute() -> Iterator[None]:
    """Compute with the workers' size of NumPy's buffers, which decides how sums are cut up."""
    before = np.setbufsize(BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)
