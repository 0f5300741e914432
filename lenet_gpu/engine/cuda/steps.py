"""Hands a training step to the kernels: their arguments, and their launches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.engine.cuda.buffers import EpochBuffers

Array = Any


@dataclass(frozen=True)
class StepArguments:
    """Holds what a step of an epoch reads and writes, as the kernels take it.

    Attributes:
        parameters: The network's, float32.
        images: (n, 28, 28) uint8, the whole training set.
        labels: (n,) uint8.
        loss: Number of the loss.
        pixel: Background and scale: a pixel value v stands for background + scale * v.
        fields: The table of elastic fields, or a dummy.
        rule: The update rule's number, arrays and constants, from `rule` to `rates`.
        buffers: The epoch's.
    """

    parameters: Array
    images: Array
    labels: Array
    loss: np.int32
    pixel: tuple[np.float32, np.float32]
    fields: Array
    rule: tuple[Any, ...]
    buffers: EpochBuffers

    def of_images(self) -> tuple[Any, ...]:
        """Return the arguments of the kernel that works on images."""
        buffers, distorted = self.buffers, self.buffers.schedule.distorted
        return (
            self.parameters,
            self.images,
            self.labels,
            buffers.order,
            self.loss,
            *self.pixel,
            np.int32(distorted),
            buffers.distortions if distorted else buffers.dummy,
            self.fields if distorted else buffers.dummy,
            buffers.counter,
            buffers.groups,
            buffers.records,
        )

    def of_update(self) -> tuple[Any, ...]:
        """Return the arguments of the update kernel."""
        buffers = self.buffers
        return (
            self.parameters,
            *self.rule,
            buffers.groups,
            buffers.records,
            buffers.learning_rates,
            buffers.shares,
            buffers.counter,
            buffers.losses,
            buffers.correct,
        )


class Launch(NamedTuple):
    """A launch of a kernel.

    Attributes:
        kernel: Its name.
        blocks: Of the grid.
        threads: Of a block.
        arguments: What it is handed.
        shared_bytes: Dynamic shared memory of a block.
        overlaps: Whether it may begin before the kernel in front of it has ended; it waits for that one itself.
    """

    kernel: str
    blocks: int
    threads: int
    arguments: tuple[Any, ...]
    shared_bytes: int = 0
    overlaps: bool = False
