"""Epochs of single-image steps: what the CPU engine and its workers run where OnlinePlan covers the training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lenet_gpu.engine.cpu.online.plan import OnlinePlan
from lenet_gpu.engine.cpu.spec import NetworkSpec
from lenet_gpu.nn.optim import SGD, Optimizer
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import CLASSES, IMAGE_SIZE, INPUT_SIZE

CHUNK = 64
"""Steps between two calls of `go_on`, and images distorted at once."""


def covers_step(network: NetworkSpec, optimizer: Optimizer, batch_size: int, labels: np.ndarray) -> bool:
    """Tell whether a training's steps can be taken by an OnlinePlan.

    Args:
        network: The facts about the network.
        optimizer: The update rule; one that moves every parameter by a rate of its own times its gradient.
        batch_size: Images a step.
        labels: Labels of the training set; loss (8) needs digits.
    """
    return (
        network.output == "rbf"
        and batch_size == 1
        and type(optimizer) in (SGD, SDLM)
        and (network.loss == "map" or bool((labels < CLASSES).all()))
    )


class OnlineTraining:
    """Takes the steps of whole epochs one image at a time.

    Args:
        network: The facts about the network.
        parameters: Its flat parameter buffer, trained in place.
        optimizer: One that `covers_step` approves of.
    """

    def __init__(self, network: NetworkSpec, parameters: np.ndarray, optimizer: Optimizer) -> None:
        self._parameters, self._optimizer = parameters, optimizer
        self._plan = OnlinePlan(network)

    def run(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
        learning_rates: np.ndarray,
        losses: np.ndarray,
        distortions: np.ndarray | None,
        go_on: Callable[[int], bool],
    ) -> int:
        """Take one step for each image of `order`.

        Args:
            images: (n, 784) uint8, the training set.
            labels: (n,) integers 0..9; with loss (9) also 10.
            order: (m,) indices of images.
            learning_rates: (m,) one for each step.
            losses: Receives the loss of each image before its step, (m,).
            distortions: (m, 8) float32, how each image of `order` is distorted; None: not at all.
            go_on: Called now and then with the number of finished steps; False ends the run.

        Returns:
            Number of finished steps, whose outcome is in the parameters.
        """
        plan = self._plan
        plan.read(self._parameters)
        plan.set_rates(self._optimizer.state.get("rates", 1.0), 0.0)
        pixels, source = images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), None
        if distortions is not None:
            from lenet_gpu.engine.cpu.distort import BatchDistorter

            distorter = BatchDistorter(images, CHUNK)
            source = distorter.source(order, distortions)
            grids = np.empty((CHUNK, INPUT_SIZE, INPUT_SIZE), np.float32)
        # A run of steps with the same learning rate begins at each of these.
        turns = np.append(np.flatnonzero(np.diff(learning_rates, prepend=np.nan) != 0.0), len(order)).tolist()
        start = 0
        while start < len(order) and go_on(start):
            if start >= turns[0]:
                plan.set_learning_rate(float(learning_rates[start]))
                turns.pop(0)
            stop = min(start + CHUNK, turns[0])
            steps = slice(start, stop)
            # A network that diverges overflows, and its loss says so.
            with np.errstate(over="ignore", invalid="ignore"):
                if source is None:
                    plan.train(pixels, labels, order[steps], losses[steps])
                else:
                    source(steps, grids[: stop - start])
                    plan.train(grids, labels[order[steps]], np.arange(stop - start), losses[steps])
            start = stop
        plan.write(self._parameters)
        return start
