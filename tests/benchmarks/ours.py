"""lenet-gpu itself as a contender: its engines, and its public `forward` in one process."""

from __future__ import annotations

import network
import numpy as np
from contender import LEARNING_RATE, Contender

from lenet_gpu import LeNet5, __version__
from lenet_gpu.nn.losses import softmax
from lenet_gpu.nn.optim import SGD


class Ours(Contender):
    """An engine ("cpu_plan", "layered"), or inference in one process: "plan" is the prepared plan that the
    engine's workers use, "forward" the public LeNet5.forward.
    """

    chunks = (10000,)  # the engines cut the images up themselves

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)
        self._implementation = implementation
        self._engine = None

    def versions(self) -> dict[str, str]:
        return {"lenet-gpu": __version__}

    def load(self, images, labels, views) -> None:
        self._images, self._labels = images, labels
        self._model = LeNet5()
        self.reset()
        self._plan = None

    def _ready(self):
        if self._engine is None:
            from lenet_gpu.engine.select import make_engine

            self._engine = make_engine(self._model, SGD(), self._implementation, self.threads)
            if self._engine.name != self._implementation or self._engine.workers != self.threads:
                raise RuntimeError(f"got {self._engine.description}")
            self._engine.load(self._images, self._labels)
        return self._engine

    def reset(self) -> None:
        self._model.set_parameters(network.start_parameters(self._model))

    def compile_training(self, batch: int) -> None:
        self._ready()

    def train(self, order, batch: int):
        steps = -(-len(order) // batch)
        return self._ready().train(order, batch, np.full(steps, LEARNING_RATE))

    def parameters(self):
        return self._model.host_parameters()

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        self._trained = np.concatenate([view.ravel() for view in views.values()])
        self.use_trained()
        if self._implementation == "plan":
            from lenet_gpu.engine.cpu.plan import CpuPlan

            self._plan = CpuPlan.of(self._model)
            self._plan.outputs(np.zeros((1, 28, 28), np.uint8))  # takes in the parameters, once
        elif self._implementation != "forward":
            self._ready()

    def use_trained(self) -> None:
        self._model.set_parameters(self._trained)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def probabilities(self, images):
        if self._implementation == "forward":
            return self._model.forward(images)
        if self._plan is not None:
            return self._plan.probabilities(images, refresh=len(images) > 1)
        return softmax(np, self._engine.outputs(images))
