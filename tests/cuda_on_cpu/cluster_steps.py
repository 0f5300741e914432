"""Training steps of the CUDA kernels' cluster form on the CPU, with every buffer exactly as large as it must be.

Run as a program it takes a few steps: what the sanitized library is checked with.

    python tests/cuda_on_cpu/cluster_steps.py LIBRARY VARIANT CLASSES FORM [bytes of shared memory to leave out]
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from cuda_on_cpu import cases, harness, steps
from cuda_on_cpu.steps import BACKGROUND, DUMMY, SCALE, Steps

from lenet_gpu.augment.distort import elastic_fields
from lenet_gpu.engine.cuda.buffers import LOSSES, NESTEROV, RATES, update_blocks
from lenet_gpu.engine.cuda.source import (
    ALONE_CLUSTER,
    ALONE_THREADS,
    CLUSTER,
    CLUSTER_THREADS,
    PACK,
    TRAIN_ALONE,
    TRAIN_IMAGES,
    UPDATE,
    UPDATE_THREADS,
    ClusterSizes,
    cluster_sizes,
    kernel_source,
)
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.paper import CLASSES

KERNELS = {"alone": (TRAIN_ALONE,), "cluster": (TRAIN_IMAGES, UPDATE, PACK)}
"""Of the two forms of clusters."""


@functools.cache
def library(variant: str = "modern", classes: int = CLASSES, form: str = "cluster") -> Path:
    return harness.build(kernel_source(variant, classes, form), KERNELS[form])


def aligned(floats: int) -> np.ndarray:
    """NaNs on a 16-byte boundary: an allocation of CuPy's begins on one of 512 bytes."""
    memory = np.full(floats + 4, np.nan, np.float32)
    first = -memory.ctypes.data // 4 % 4
    return memory[first : first + floats]


@dataclass
class ClusterSteps(Steps):
    """An epoch's buffers, and its kernels in the form "cluster", or "alone".

    Attributes:
        number: Of the order of warps, blocks and messages.
        packed: (3 * part,) float32, the copy of the parameters.
    """

    number: int = 0
    packed: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.packed = aligned(CLUSTER * self.own_sizes.part)

    @property
    def own_sizes(self) -> ClusterSizes:
        return cluster_sizes("modern" if self.loss == "cross_entropy" else "paper", self.classes)

    def kernel(self, name: str) -> harness.Kernel:
        return harness.Kernel(self.library, name, backwards=self.number)

    def images_arguments(self) -> tuple[object, ...]:
        distorted = self.distortions is not None
        return (
            self.images,
            self.labels,
            self.order,
            np.int32(LOSSES[self.loss]),
            BACKGROUND,
            SCALE,
            np.int32(distorted),
            self.distortions if distorted else DUMMY,
            np.ascontiguousarray(elastic_fields()) if distorted else DUMMY,
        )

    def rule_arguments(self, gradient: bool = False) -> tuple[object, ...]:
        number, state, numbers, rates = 0, (DUMMY, DUMMY), (np.float32(0),) * 2, DUMMY
        if self.nesterov is not None and not gradient:
            number, state = NESTEROV, (self.velocity, self.average)
            numbers = tuple(map(np.float32, self.nesterov))
        elif self.rates is not None and not gradient:
            number, rates = RATES, self.rates
        return (np.int32(number), *state, *numbers, rates)

    def pack(self) -> None:
        self.kernel(PACK)((3,), (CLUSTER_THREADS,), (self.parameters, self.packed))

    def alone(self, most: int | None = None) -> np.ndarray:
        """Take steps of one image in one launch, at most so many; the parameters."""
        count = np.int32(len(self.learning_rates) if most is None else most)
        arguments = (
            self.parameters,
            *self.images_arguments(),
            *self.rule_arguments(),
            self.learning_rates,
            self.shares,
            self.counter,
            self.losses,
            self.correct,
            count,
        )
        shared = self.own_sizes.alone_shared_bytes - self.too_little_shared
        self.kernel(TRAIN_ALONE)((ALONE_CLUSTER,), (ALONE_THREADS,), arguments, shared_mem=shared)
        return self.parameters

    def train_images(self) -> None:
        if np.isnan(self.packed[0]):
            self.pack()
        arguments = (
            self.parameters,
            self.packed,
            *self.images_arguments(),
            self.counter,
            self.groups,
            self.records,
        )
        grid = (CLUSTER * (self.grids[0] or self.batch_size),)
        shared = self.own_sizes.shared_bytes - self.too_little_shared
        self.kernel(TRAIN_IMAGES)(grid, (CLUSTER_THREADS,), arguments, shared_mem=shared)

    def update(self, parameters: np.ndarray | None = None) -> None:
        target = self.parameters if parameters is None else parameters
        packed = self.packed if parameters is None else aligned(len(self.packed))
        rest = self.learning_rates, self.shares, self.counter, self.losses, self.correct, packed
        arguments = (target, *self.rule_arguments(parameters is not None), self.groups, self.records, *rest)
        grid = (self.grids[1] or update_blocks(target.size),)
        self.kernel(UPDATE)(grid, (UPDATE_THREADS,), arguments)

    def alone_gradient(self) -> np.ndarray:
        """The gradient of the next image, as `alone` forms it: from a step so large that the weights don't matter."""
        before, rates = self.parameters.copy(), self.learning_rates
        self.learning_rates = np.full_like(rates, 2.0**20)
        moved = self.alone(1).astype(np.float64)
        self.learning_rates = rates
        self.parameters[...] = before
        self.counter[:2] = 0
        return ((before - moved) / 2.0**20).astype(np.float32)


def make_steps(
    order: np.ndarray, batch_size: int, loss: str = "cross_entropy", classes: int = CLASSES, **options: object
) -> ClusterSteps:
    """As `cases.make_steps`, of the form "alone" where the batch size is 1, else of the form "cluster"."""
    form = options.pop("form", "alone" if batch_size == 1 else "cluster")
    common = cases.make_options(order, batch_size, loss, classes, options)
    return ClusterSteps(library(cases.variant_of(loss), classes, str(form)), **common)


def main(built: str, variant: str, classes: str, form: str, too_little_shared: str = "0") -> None:
    """Steps alone or in batches, plain and with everything there is."""
    order = np.array([4, 0, 2], np.int32)
    batch_size = 1 if form == "alone" else 2
    made = steps.random_steps(ClusterSteps, built, variant, int(classes), int(too_little_shared), order, batch_size)
    take = made.alone if form == "alone" else made.run
    take()
    made.loss, made.rates = VARIANTS[variant].losses[-1], np.ones_like(made.parameters)
    made.counter[:2] = 0
    take()
    made.distort(np.random.default_rng(2))
    made.counter[:2] = 0
    take()
    print("finished", made.losses)


if __name__ == "__main__":
    main(*sys.argv[1:])
