"""The interface of the engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.nn.metrics import Evaluation, evaluate_outputs

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

Progress = Callable[[int, np.ndarray], None]
"""Called now and then with the number of finished steps (or images) and the losses of the finished steps."""


class Engine(ABC):
    """Runs training and inference of one network.

    A training set is loaded once and stays where the engine computes; an epoch is handed over as a whole, so
    that an engine is free to run many steps without coming back to Python.

    Args:
        network: The network whose parameters are trained in place.
        optimizer: The update rule; None for inference alone.

    Attributes:
        name: Name for the command line.
        workers: Number of processes or threads that compute.
        stages: Whether it gains by being told of an epoch while the one before is running.
    """

    name = ""
    workers = 1
    stages = False

    def __init__(self, network: Network, optimizer: Optimizer | None = None) -> None:
        self.network, self._optimizer = network, optimizer

    @property
    def optimizer(self) -> Optimizer:
        """The update rule.

        Raises:
            InputError: The engine was made without one.
        """
        if self._optimizer is None:
            raise InputError(
                "training", found="an engine for inference alone", remedy="make the engine with an optimizer"
            )
        return self._optimizer

    @property
    def description(self) -> str:
        """The engine in words, for the header of a training run."""
        return self.name

    def described(self, batch_size: int) -> str:
        """Describe the engine as it trains with batches of a size."""
        return self.description

    @abstractmethod
    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Make a training set resident.

        Args:
            images: (n, 28, 28) uint8 on the host; must not be changed afterwards.
            labels: (n,) integers from 0 to below the number of classes on the host, or that number: none of them.
        """

    @abstractmethod
    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one optimiser step for every mini-batch of `order`.

        Args:
            order: Indices into the loaded training set, (m,). The last batch may be smaller.
            batch_size: Images a step.
            learning_rates: (steps,) with steps = ceil(m / batch_size).
            progress: Called at progress-bar pace.
            distortions: (m, 8) float32, how each image of `order` is distorted (see `augment.draw`); None: the
                images as they are.

        Returns:
            Mean loss of each batch before its update, (steps,) float32 on the host. When this method returns,
            or is left by KeyboardInterrupt, `network.parameters` holds the outcome of whole steps.
        """

    def stage(self, order: np.ndarray, distortions: np.ndarray | None = None) -> None:  # noqa: B027 (see `stages`)
        """Bring a coming epoch to where the engine computes, while it trains or evaluates; from any thread.

        `train` knows it by the very arrays. What is not trained is replaced by the next one.

        Args:
            order: As for `train`; must not be changed afterwards.
            distortions: As for `train`; must not be changed afterwards.
        """

    @abstractmethod
    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the scores of the classes before softmax; see `Network.outputs`.

        The very array that was loaded is not transferred again.

        Args:
            images: (n, 28, 28) uint8 on the host.
            progress: Called at progress-bar pace with the number of finished images.

        Returns:
            (n, classes) float on the host.
        """

    def evaluate(self, images: np.ndarray, labels: np.ndarray, progress: Progress | None = None) -> Evaluation:
        """Compare the network's answers with labels.

        Args:
            images: (n, 28, 28) uint8 on the host.
            labels: (n,) integers from 0 to below the number of classes on the host, or that number: none of them.
            progress: As for `outputs`.

        Returns:
            The evaluation: answers, and their mean cross-entropy in double precision.
        """
        return evaluate_outputs(self.outputs(images, progress), labels)

    def keep(self, images: np.ndarray, labels: np.ndarray) -> None:  # noqa: B027 (on the host it stays anyway)
        """Announce that a set will be evaluated again, so that an engine may let it stay where it computes.

        It is known again by the two arrays themselves.

        Args:
            images: (n, 28, 28) uint8 on the host; must not be changed as long as the engine is used.
            labels: (n,) as for `evaluate`; must not be changed either.
        """

    def activations(self, images: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Compute the outputs of layers by name; see `Network.activations`.

        Args:
            images: (n, 28, 28) uint8 on the host.
            names: Which layers; all that have a name if None.

        Returns:
            (n, ...) host arrays.
        """
        return self.network.readable_activations(images, names)

    def close(self) -> None:  # noqa: B027 (an engine that holds nothing has nothing to give back)
        """Give back processes, memory and devices. The engine can't be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
