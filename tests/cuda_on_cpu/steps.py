"""Training steps of the CUDA kernels on the CPU, with every buffer exactly as large as it must be.

Run as a program it takes a few steps and infers once: what the sanitized library is checked with.

    python tests/cuda_on_cpu/steps.py LIBRARY VARIANT CLASSES [bytes of shared memory to leave out [FORM]]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from cuda_on_cpu.harness import Kernel

from lenet_gpu.augment.distort import elastic_fields
from lenet_gpu.engine.cuda.buffers import LOSSES, update_blocks
from lenet_gpu.engine.cuda.source import INFER, TRAIN_IMAGES, UPDATE, UPDATE_THREADS, Sizes, sizes, update_jobs
from lenet_gpu.nn.lenet5 import VARIANTS
from lenet_gpu.paper import CLASSES

KERNELS = (TRAIN_IMAGES, UPDATE, INFER)
DUMMY = np.zeros(0, np.float32)
BACKGROUND, SCALE = np.float32(-0.1), np.float32(1.275 / 255)


@dataclass
class Steps:
    """An epoch's buffers, and its kernels.

    Attributes:
        library: The built kernels.
        images: (n, 28, 28) uint8.
        labels: (n,) uint8.
        order: (m,) int32.
        batch_size: Images a step.
        parameters: The network's, float32, trained in place.
        learning_rates: (steps,) float32.
        backwards: Order of the fibers.
        grids: Blocks of the two training kernels; None is one block a group of images, and as many blocks as the
            update kernel has work for.
        too_little_shared: Bytes of shared memory that are left out of what the kernels need.
        distortions: (m, 8) float32, or None.
        loss: Name of the loss; the library's network must know it.
        classes: Number of classes; the library must be built for it.
        form: The kernels' form; the library must be built for it.
        nesterov: (momentum, weight_decay), or None for another rule.
        shares: (steps,) float32, Nesterov's share of the weights in their average after each step.
        rates: A rate of each parameter, or None for another rule; plain gradient descent if both are None.
        velocity, average: As `parameters`, Nesterov's state, trained in place.
    """

    library: Path
    images: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    batch_size: int
    parameters: np.ndarray
    learning_rates: np.ndarray
    backwards: bool = False
    grids: tuple[int | None, int | None] = (None, None)
    too_little_shared: int = 0
    distortions: np.ndarray | None = None
    loss: str = "cross_entropy"
    classes: int = CLASSES
    form: str = "portable"
    nesterov: tuple[float, float] | None = None
    shares: np.ndarray | None = None
    rates: np.ndarray | None = None
    velocity: np.ndarray = field(init=False)
    average: np.ndarray = field(init=False)
    groups: np.ndarray = field(init=False)
    records: np.ndarray = field(init=False)
    losses: np.ndarray = field(init=False)
    correct: np.ndarray = field(init=False)
    counter: np.ndarray = field(init=False)
    split_sums: np.ndarray = field(init=False)
    tickets: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        steps = len(self.learning_rates)
        self.shares = np.zeros(steps, np.float32) if self.shares is None else self.shares
        self.velocity, self.average = np.zeros_like(self.parameters), self.parameters.copy()
        self.groups = np.full((self.group_count, self.sizes.group), np.nan, np.float32)
        self.records = np.full((self.batch_size, self.sizes.record), np.nan, np.float32)
        self.losses = np.full(steps, np.nan, np.float32)
        self.correct = np.full(steps, -1, np.int32)
        self.counter = np.array([0, 0, len(self.order), self.batch_size], np.int32)
        self.split_sums = np.full(self.sizes.split_sums, np.nan, np.float32)
        self.tickets = np.zeros(sum(self.sizes.update_tiles), np.int32)

    @property
    def sizes(self) -> Sizes:
        return sizes("modern" if self.loss == "cross_entropy" else "paper", self.classes, self.form)

    @property
    def group_count(self) -> int:
        return -(-self.batch_size // self.sizes.group_images)

    @property
    def shared(self) -> int:
        return self.sizes.shared_bytes - self.too_little_shared

    def kernel(self, name: str) -> Kernel:
        return Kernel(self.library, name, backwards=self.backwards)

    def train_images(self) -> None:
        arguments = (
            self.parameters,
            self.images,
            self.labels,
            self.order,
            np.int32(LOSSES[self.loss]),
            BACKGROUND,
            SCALE,
            np.int32(self.distortions is not None),
            DUMMY if self.distortions is None else self.distortions,
            DUMMY if self.distortions is None else np.ascontiguousarray(elastic_fields()),
            self.counter,
            self.groups,
            self.records,
        )
        grid = (self.grids[0] or self.group_count,)
        self.kernel(TRAIN_IMAGES)(grid, (self.sizes.threads,), arguments, shared_mem=self.shared)

    def update(self, parameters: np.ndarray | None = None) -> None:
        target = self.parameters if parameters is None else parameters
        number, state, numbers, rates = 0, (DUMMY, DUMMY), (np.float32(0),) * 2, DUMMY
        if self.nesterov is not None and parameters is None:
            number, state, numbers = 1, (self.velocity, self.average), tuple(map(np.float32, self.nesterov))
        elif self.rates is not None and parameters is None:
            number, rates = 2, self.rates
        rule = (np.int32(number), *state, *numbers, rates)
        steps = self.learning_rates, self.shares, self.counter, self.losses, self.correct
        arguments = (target, *rule, self.groups, self.records, *steps)
        blocks = update_blocks(target.size)
        if self.sizes.split_sums:
            arguments += (self.split_sums, self.tickets)
            blocks = update_jobs(self.sizes, self.batch_size)
        grid = (self.grids[1] or blocks,)
        self.kernel(UPDATE)(grid, (UPDATE_THREADS,), arguments)

    def run(self, steps: int | None = None) -> np.ndarray:
        """Take steps; the parameters."""
        for _ in range(len(self.learning_rates) if steps is None else steps):
            self.train_images()
            self.update()
        return self.parameters

    def gradient(self) -> np.ndarray:
        """The gradient of the next step, exactly as the update kernel forms it."""
        learning_rates = self.learning_rates
        self.learning_rates = np.full_like(learning_rates, -1.0)
        gradient = np.zeros_like(self.parameters)
        self.train_images()
        self.update(gradient)  # 0 - (-1) * gradient
        self.learning_rates = learning_rates
        return gradient

    def infer(self, images: np.ndarray, grid: int) -> np.ndarray:
        """Scores (n, classes)."""
        scores = np.full((len(images), self.classes), np.nan, np.float32)
        arguments = (self.parameters, images, BACKGROUND, SCALE, np.int32(len(images)), scores)
        shared = self.sizes.inference_bytes - self.too_little_shared
        self.kernel(INFER)((grid,), (self.sizes.threads,), arguments, shared_mem=shared)
        return scores

    def distort(self, rng: np.random.Generator) -> None:
        """Everything there is: distortions far beyond the image, Nesterov's rule."""
        self.distortions = rng.normal(0, 3, (len(self.order), 8)).astype(np.float32)
        self.distortions[:, 6] = np.linspace(0, 1023, len(self.order), dtype=np.int32)
        self.nesterov = (0.9, 1e-4)
        self.shares = np.linspace(1.0, 0.5, len(self.learning_rates), dtype=np.float32)


def random_steps(
    kind: type[Steps],
    library: str,
    variant: str,
    classes: int,
    too_little_shared: int,
    order: np.ndarray,
    batch: int,
    **more: object,
) -> Steps:
    """Steps of noise, no more images than needed."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, classes + 1, 5, dtype=np.uint8)
    parameters = rng.uniform(-0.1, 0.1, sizes(variant, classes).parameters).astype(np.float32)
    rates = np.full(-(-len(order) // batch), 0.05, np.float32)
    options = {
        "loss": VARIANTS[variant].losses[0],
        "classes": classes,
        "too_little_shared": too_little_shared,
        **more,
    }
    return kind(Path(library), images, labels, order, batch, parameters, rates, **options)


def main(library: str, variant: str, classes: str, too_little_shared: str = "0", form: str = "portable") -> None:
    """Two steps (the last one incomplete) by each rule, two with everything there is, and an inference."""
    order = np.array([4, 0, 2], np.int32)
    steps = random_steps(Steps, library, variant, int(classes), int(too_little_shared), order, 2, form=form)
    steps.run()
    steps.loss, steps.rates = VARIANTS[variant].losses[-1], np.ones_like(steps.parameters)
    steps.counter[:2] = 0
    steps.run()
    steps.distort(np.random.default_rng(2))
    steps.counter[:2] = 0
    steps.run()
    steps.infer(steps.images, 2)
    print("finished", steps.losses)


if __name__ == "__main__":
    main(*sys.argv[1:])
