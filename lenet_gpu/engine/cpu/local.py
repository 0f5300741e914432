"""The CPU engine where no worker processes can be started: the same plans, in the user's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.engine.cpu.layout import PIXELS
from lenet_gpu.engine.cpu.online.training import OnlineTraining, covers_step
from lenet_gpu.engine.cpu.plan import CHUNK, CpuPlan, Fill
from lenet_gpu.engine.cpu.rbf_head import head_of

if TYPE_CHECKING:
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.optim import GradientDescent


class InProcess(Engine):
    """What `CpuEngine` hands everything to if it can have no workers.

    Args:
        network: The network, on the CPU.
        optimizer: The update rule, prepared for the network.
    """

    def __init__(self, network: LeNet5, optimizer: GradientDescent | None = None) -> None:
        super().__init__(network, optimizer)
        self._plans: dict[bool, CpuPlan] = {}

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Keep a training set."""
        self._images = np.ascontiguousarray(images).reshape(len(images), PIXELS)
        self._labels = np.asarray(labels).astype(np.intp)

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Values of the output layer before softmax, (n, 10)."""
        return self._plan().outputs(np.ascontiguousarray(images))

    def _plan(self, grid: bool = False) -> CpuPlan:
        """The plan; `grid`: for distorted images."""
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

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`."""
        network = self.network
        if covers_step(network.variant, network.loss, self.optimizer, batch_size, self._labels):
            return self._train_online(order, learning_rates, progress, distortions)
        plan = self._plan(grid=distortions is not None)
        distorter = None
        if distortions is not None:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

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
            self.optimizer.update(network.parameters, network.gradients, float(rate))
            if progress is not None and (step % 64 == 63 or step == len(losses) - 1):
                progress(step + 1, losses[: step + 1])
        return losses

    def _train_online(
        self,
        order: np.ndarray,
        learning_rates: np.ndarray,
        progress: Progress | None,
        distortions: np.ndarray | None,
    ) -> np.ndarray:
        """Steps of one image each."""
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
