"""The interface of the engines and the choice among them."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from lenet_gpu.engine.names import ENGINES, FAST_ENGINE
from lenet_gpu.errors import BackendError, InputError

if TYPE_CHECKING:
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.optim import GradientDescent

Progress = Callable[[int, np.ndarray], None]
"""Called now and then with the number of finished steps (or images) and the losses of the finished steps."""


class Engine(ABC):
    """Runs training and inference of one network.

    A training set is loaded once and stays where the engine computes; an epoch is handed over as a whole, so
    that an engine is free to run many steps without coming back to Python.

    Args:
        network: The network whose parameters are trained in place.
        optimizer: The update rule.

    Attributes:
        name: Name for the command line.
        workers: Number of processes or threads that compute.
    """

    name = ""
    workers = 1

    def __init__(self, network: LeNet5, optimizer: GradientDescent) -> None:
        self.network, self.optimizer = network, optimizer

    @property
    def description(self) -> str:
        """The engine in words, for the header of a training run."""
        return self.name

    @abstractmethod
    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Make a training set resident.

        Args:
            images: (n, 28, 28) uint8 on the host; must not be changed afterwards.
            labels: (n,) integers 0..9 on the host, or `paper.NOT_A_DIGIT`.
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

    @abstractmethod
    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Values of the output layer before softmax.

        The very array that was loaded is not transferred again.

        Args:
            images: (n, 28, 28) uint8 on the host.
            progress: Called at progress-bar pace with the number of finished images.

        Returns:
            (n, 10) float on the host.
        """

    def close(self) -> None:  # noqa: B027 (an engine that holds nothing has nothing to give back)
        """Give back processes, memory and devices. The engine can't be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_engine(
    network: LeNet5, optimizer: GradientDescent, name: str = "auto", threads: int | None = None
) -> Engine:
    """Choose the fastest engine that covers the network on its backend.

    Args:
        network: The network to run.
        optimizer: The update rule.
        name: "auto", or the engine to use, one of `ENGINES`.
        threads: Number of workers of the CPU engine; one a core if None.

    Returns:
        The engine, ready for `load`.

    Raises:
        InputError: Unknown engine, or one that does not cover this network on this backend.
        BackendError: The engine asked for by name can't be started.
    """
    from lenet_gpu.engine.layered import LayeredEngine

    if name not in ("auto", *ENGINES):
        raise InputError("engine", found=repr(name), expected=" or ".join(("auto", *ENGINES)))
    fast = FAST_ENGINE[network.backend.name]
    if name not in ("auto", "layered", fast):
        raise InputError(
            f"engine {name}",
            found=f"the {network.backend.name} backend",
            expected="the other one",
            remedy="use --engine auto, or another --backend",
        )
    if name == "layered":
        return LayeredEngine(network, optimizer)
    try:
        return _fast_engine(fast, network, optimizer, threads)
    except (InputError, BackendError) as error:
        if name != "auto":
            raise
        print(f"lenet-gpu: using the readable layers ({error})", file=sys.stderr)
        return LayeredEngine(network, optimizer)


def _fast_engine(name: str, network: LeNet5, optimizer: GradientDescent, threads: int | None) -> Engine:
    """A fast engine by name; InputError if it does not cover the network, BackendError if it can't start."""
    if name == "cuda":
        from lenet_gpu.engine.cuda.engine import CudaEngine, covers

        reason = covers(network, network.backend, optimizer)
    else:
        from lenet_gpu.engine.cpu.engine import CpuEngine

        reason = CpuEngine.covers(network)
    if reason is not None:
        raise InputError(
            f"engine {name}", found=reason, expected="a network it covers", remedy="use --engine layered"
        )
    return CudaEngine(network, optimizer) if name == "cuda" else CpuEngine(network, optimizer, threads)
