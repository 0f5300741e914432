"""The CPU engine in the user's own process: the same plans, without workers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cpu.online.training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu.plan import CHUNK, CpuPlan, Fill
from lenet_gpu.engine.cpu.spec import NetworkSpec, training_rows
from lenet_gpu.engine.cpu.threads import ThreadPlans, turns
from lenet_gpu.engine.cpu.workers.cores import portions

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

EVALUATION_BATCH = 32 * CHUNK
"""Images between two reports of progress where there is nothing to train."""

PROGRESS_STEPS = 64
"""Steps between two reports of progress in training."""


def _shifted(fill: Fill, start: int, chunk: slice, grids: np.ndarray) -> None:
    """Fill grids with images of a portion that begins at a batch's image `start`."""
    fill(slice(start + chunk.start, start + chunk.stop), grids)


class LocalEngine(Engine):
    """Trains and evaluates LeNet-5 with prepared plans, on the core that the user's program runs on.

    For inference, for systems without worker processes, and for optimizers that workers can't know: `update` is
    called here, so any optimizer will do. `outputs` and `activations` may be called by several threads at once.

    Args:
        network: The network, on the CPU.
        optimizer: The update rule, prepared for the network; None for inference alone.
    """

    name = "cpu_plan"

    def __init__(self, network: Network, optimizer: Optimizer | None = None) -> None:
        super().__init__(network, optimizer)
        self._inference = {
            form: ThreadPlans(partial(CpuPlan.of, network, images=form)) for form in ("uint8", "float")
        }
        self._training: dict[tuple[str, str], CpuPlan] = {}

    @property
    def description(self) -> str:
        """The engine in words."""
        return "cpu_plan (prepared NumPy calls, in this process)"

    # ---- inference

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the values of the output layer before softmax, (n, classes); images uint8, or float from 0 to 1."""
        images = np.ascontiguousarray(images)
        out = np.empty((len(images), self.network.classes), self.network.dtype)
        plan = self._plan_for(images)
        for start in range(0, len(images), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            with turns.take(long=len(images) >= CHUNK):
                plan.outputs(images[batch], out[batch])
            if progress is not None:
                progress(min(start + EVALUATION_BATCH, len(images)), out[:0, 0])
        return out

    def activations(self, images: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Compute the layers' outputs by name; see `CpuPlan.activations`."""
        images = np.ascontiguousarray(images)
        with turns.take(long=len(images) >= CHUNK):
            return self._plan_for(images).activations(images, names)

    def _plan_for(self, images: np.ndarray) -> CpuPlan:
        """Give the calling thread's plan for images of this dtype."""
        return self._inference["uint8" if images.dtype == np.uint8 else "float"].get()

    # ---- training

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
        network, update = self.network, self.optimizer.update
        self._batch_size = batch_size
        facts = NetworkSpec.of(network)
        if covers_step(facts, self.optimizer, batch_size, self._labels):
            return self._train_online(facts, order, learning_rates, progress, distortions)
        plan = self._training_plan(network.loss, "uint8" if distortions is None else "grid")
        distorter = None
        if distortions is not None:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

            distorter = BatchDistorter(self._images, CHUNK)
        losses = np.zeros(len(learning_rates), np.float32)
        for step, rate in enumerate(learning_rates):
            steps = slice(step * batch_size, (step + 1) * batch_size)
            batch = order[steps]
            source: np.ndarray | Fill = self._images
            if distorter is not None and distortions is not None:
                source = distorter.source(batch, distortions[steps])
            losses[step] = self._gradients(plan, source, batch) / len(batch)
            update(network.parameters, network.gradients, float(rate))
            if progress is not None and (step % PROGRESS_STEPS == PROGRESS_STEPS - 1 or step == len(losses) - 1):
                progress(step + 1, losses[: step + 1])
        return losses

    def _training_plan(self, loss: str, form: str) -> CpuPlan:
        """Give the plan that writes into the network's gradients."""
        if (loss, form) not in self._training:
            targets = [self.network.gradients, np.zeros_like(self.network.gradients)]
            self._training[loss, form] = CpuPlan.of(self.network, targets, images=form)
        return self._training[loss, form]

    def _gradients(self, plan: CpuPlan, source: np.ndarray | Fill, batch: np.ndarray) -> float:
        """Compute a batch's gradients portion by portion, as workers do; returns the summed loss."""
        total, m, pieces = 0.0, len(batch), portions(self._batch_size)
        for p in range(pieces):
            part = slice(m * p // pieces, m * (p + 1) // pieces)
            images = source if isinstance(source, np.ndarray) else partial(_shifted, source, part.start)
            total += plan.gradients(images, self._labels, batch[part], 1.0 / m, min(p, 1), refresh=p == 0)
            if p:
                np.add(self.network.gradients, plan.targets[1], out=self.network.gradients)
        return total

    def _train_online(
        self,
        facts: NetworkSpec,
        order: np.ndarray,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        """Take steps of one image each."""
        training = OnlineTraining(facts, self.network.parameters, self.optimizer)
        losses = np.zeros(len(learning_rates))

        def go_on(done: int) -> bool:
            if progress is not None and done:
                progress(done, losses[:done].astype(np.float32))
            return True

        training.run(self._images, self._labels, order, learning_rates, losses, distortions, go_on)
        if progress is not None:
            progress(len(losses), losses.astype(np.float32))
        return losses.astype(np.float32)
