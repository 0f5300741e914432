"""The CUDA engine's device memory and launch sizes, and the numbers of losses and update rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.augment import distort
from lenet_gpu.nn.optim import Nesterov
from lenet_gpu.nn.sdlm import SDLM

if TYPE_CHECKING:
    from lenet_gpu.engine.cuda.source import Sizes
    from lenet_gpu.nn.optim import Optimizer

Array = Any

PARAMETERS_A_BLOCK = 128
"""Parameters that a block of the update kernel moves at a time: 32 lanes, 4 each."""

GRAPH_STEPS = 64
"""Steps in one CUDA graph. Launching it costs about as much as launching a kernel, so a step's share is small; and
it is short enough for progress and Ctrl-C."""


LOSSES = {"cross_entropy": 0, "rbf": 8, "map": 9}
"""Numbers of the losses in the kernels, by the names of `losses.LOSSES`; the paper's have their equation's number."""

NESTEROV, RATES = 1, 2
"""Numbers of the update rules in the kernels; 0 is plain gradient descent."""


def update_blocks(parameters: int) -> int:
    """Return the number of blocks of the update kernel for so many parameters."""
    return math.ceil(parameters / PARAMETERS_A_BLOCK)


@dataclass(frozen=True)
class Schedule:
    """The launches of an epoch's steps.

    Attributes:
        images: Images of the epoch.
        batch_size: Images a step.
        distorted: Whether the images are distorted.
        elastic: Whether by elastic fields, too.
        chunk_steps: Steps in one CUDA graph, or in one launch.
    """

    images: int
    batch_size: int
    distorted: bool = False
    elastic: bool = False
    chunk_steps: int = GRAPH_STEPS

    @property
    def steps(self) -> int:
        """Steps of the epoch; the last one may have fewer images than the others."""
        return math.ceil(self.images / self.batch_size)

    @property
    def chunks_whole(self) -> int:
        """Number of whole chunks; a chunk takes whole batches only."""
        return self.images // self.batch_size // self.chunk_steps

    def chunks(self) -> list[int]:
        """Return the steps of each chunk of work, in order: whole ones first, then the remaining steps."""
        rest = self.steps - self.chunks_whole * self.chunk_steps
        return [self.chunk_steps] * self.chunks_whole + ([rest] if rest else [])


class EpochBuffers:
    """The device memory of an epoch. A CUDA graph holds its addresses: it lives no longer than the buffers.

    Args:
        xp: The array module.
        schedule: The epoch to make room for.
        sizes: What the kernels and the host agree on.
        scratch: What else the form of the kernels needs.

    Attributes:
        schedule: That epoch; another one of the same shape can use the buffers too.
        order: (images,) int32, the epoch's permutation.
        distortions: (images, 8) float32, how each image of the order is distorted; empty if none is.
        learning_rates: (steps,) float32.
        shares: (steps,) float32, the weights' share of their running average after each step; 0 of an optimiser
            that keeps none.
        losses: (steps,) float32, mean loss of each step.
        correct: (steps,) int32, right answers of each step, before its update.
        counter: (4,) int32, see StepCounter in lenet5.cuh.
        groups: (groups, 1716) float32, what each group of images contributes to the gradient of C1 to S4.
        records: (batch, record) float32, what each image contributes to the gradient of the other layers.
        scratch: What else the form of the kernels needs.
        dummy: (1,) float32, the argument for an array that the kernel does not read.
    """

    def __init__(self, xp: Any, schedule: Schedule, sizes: Sizes, scratch: tuple[Array, ...] = ()) -> None:
        self.schedule, self.scratch = schedule, scratch
        self.order: Array = xp.zeros(schedule.images, dtype="int32")
        distorted = schedule.images if schedule.distorted else 0
        self.distortions: Array = xp.zeros((distorted, distort.PARAMETERS), dtype="float32")
        self.dummy: Array = xp.zeros(1, dtype="float32")
        self.learning_rates: Array = xp.zeros(schedule.steps, dtype="float32")
        self.shares: Array = xp.zeros(schedule.steps, dtype="float32")
        self.losses: Array = xp.zeros(schedule.steps, dtype="float32")
        self.correct: Array = xp.zeros(schedule.steps, dtype="int32")
        self.counter: Array = xp.zeros(4, dtype="int32")
        batch = min(schedule.batch_size, schedule.images)
        self.groups: Array = xp.zeros((math.ceil(batch / sizes.group_images), sizes.group), dtype="float32")
        self.records: Array = xp.zeros((batch, sizes.record), dtype="float32")

    def start(
        self,
        order: np.ndarray | None,
        learning_rates: np.ndarray,
        distortions: np.ndarray | None = None,
        shares: np.ndarray | None = None,
    ) -> None:
        """Upload an epoch and set the step counter to its first step, on the current stream.

        Args:
            order: (images,) integers; None: it is there already, and the distortions with it.
            learning_rates: (steps,) float.
            distortions: (images, 8) float32 if the schedule says that images are distorted.
            shares: (steps,) float if the optimiser keeps a running average.
        """
        if order is not None:
            self.order.set(np.ascontiguousarray(order, dtype=np.int32))
        if order is not None and distortions is not None:
            self.distortions.set(np.ascontiguousarray(distortions, dtype=np.float32))
        if shares is not None:
            self.shares.set(np.ascontiguousarray(shares, dtype=np.float32))
        self.learning_rates.set(np.ascontiguousarray(learning_rates, dtype=np.float32))
        self.counter.set(np.array([0, 0, self.schedule.images, self.schedule.batch_size], dtype=np.int32))


def plain_rule(buffers: EpochBuffers) -> tuple[Any, ...]:
    """Return the update kernel's arguments for plain gradient descent: dummies for the other rules' arrays."""
    dummy, zero = buffers.dummy, np.float32(0)
    return (np.int32(0), dummy, dummy, zero, zero, dummy)


def rule_of(optimizer: Optimizer, buffers: EpochBuffers) -> tuple[Any, ...]:
    """Return the update kernel's arguments for an optimiser.

    Args:
        optimizer: Plain gradient descent, `Nesterov` or `SDLM`; the arrays of the latter two are handed over as
            they are.
        buffers: The epoch's.

    Returns:
        The kernel's arguments from `rule` to `rates`.
    """
    plain = plain_rule(buffers)
    if isinstance(optimizer, Nesterov):
        numbers = np.float32(optimizer.momentum), np.float32(optimizer.weight_decay)
        state = optimizer.state["velocity"], optimizer.state["average"]
        return (np.int32(NESTEROV), *state, *numbers, buffers.dummy)
    if isinstance(optimizer, SDLM):
        return (np.int32(RATES), *plain[1:-1], optimizer.state["rates"])
    return plain


def coming_shares(optimizer: Optimizer, steps: int) -> np.ndarray | None:
    """Return the shares of the running average for the coming steps, (steps,) float64; None if there is none."""
    return optimizer.shares(steps) if isinstance(optimizer, Nesterov) else None


def count_steps(optimizer: Optimizer, buffers: EpochBuffers) -> None:
    """Add the finished steps of the epoch to the optimiser's own count, on the device and the current stream."""
    if isinstance(optimizer, Nesterov):
        optimizer.state["steps"] += buffers.counter[:1]  # the step of the kernel that works on images
