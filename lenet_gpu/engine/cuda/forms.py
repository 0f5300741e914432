"""The forms of the kernels: how a training step is shared out over thread blocks, and which form a batch gets.

All forms compute the same step from the same arguments, and leave what the images contribute to the gradient in
the same two arrays (`EpochBuffers.groups` and `records`), where the next kernel adds it up. They differ in how many
blocks work on an image, or images on a block, and so in the cards and the batches that they are good for. kernels/
has a folder for each.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from lenet_gpu.engine.cuda.buffers import GRAPH_STEPS, update_blocks
from lenet_gpu.engine.cuda.dependent import launch_dependent
from lenet_gpu.engine.cuda.device import Kernels, device_properties
from lenet_gpu.engine.cuda.occupancy import blocks_that_fit, clusters_that_fit, has_clusters
from lenet_gpu.engine.cuda.source import (
    ALONE_CLUSTER,
    ALONE_THREADS,
    CLUSTER,
    CLUSTER_THREADS,
    INFER,
    PACK,
    TRAIN_ALONE,
    TRAIN_IMAGES,
    UPDATE,
    UPDATE_THREADS,
    update_jobs,
)
from lenet_gpu.engine.cuda.steps import Launch, StepArguments

Array = Any

OVERLAPS = True
"""Of the kernels of a step, each of which waits by itself for the one in front of it."""

IMAGES_SCORED = 4
"""Images that a block of the throughput form's inference works on at a time."""


class Form(ABC):
    """A form of the kernels, for one network on one device.

    Args:
        xp: The module cupy.
        kernels: The network's kernels of this form.

    Attributes:
        name: Name of the form.
        folder: Its kernels, one of `source.FORMS`.
        meaning: The form in a few words.
        captured: Whether steps are captured in a CUDA graph; if not, one launch takes many steps by itself.
        chunk_steps: Steps in one graph, or in one launch.
        at_once: Blocks (or clusters) of the training kernel that the device runs at once; 0 if it can't run any.
        largest_batch: The largest batch size that it is for.
        overlaps: Whether the device and its driver can begin a kernel before the one in front has ended.
    """

    name = folder = ""
    meaning = ""
    captured = True
    chunk_steps = GRAPH_STEPS
    at_once = 0
    largest_batch: float = math.inf

    def __init__(self, xp: Any, kernels: Kernels) -> None:
        self._xp, self.kernels, self.sizes = xp, kernels, kernels.sizes
        self.multiprocessors: int = device_properties(xp)["multiProcessorCount"]
        self.overlaps = has_clusters(xp)  # both came with Hopper
        if kernels.allow(self.shared_bytes()):
            self.at_once = self.fitting()

    @property
    def description(self) -> str:
        """The form in words, for the header of a training run."""
        repeated = f"{self.chunk_steps} steps a {'CUDA graph' if self.captured else 'launch'}"
        return f"{self.name} form: {self.meaning}, {repeated}"

    @abstractmethod
    def shared_bytes(self) -> dict[str, int]:
        """Return the dynamic shared memory of a block, by the kernels' names."""

    @abstractmethod
    def fitting(self) -> int:
        """Ask the device for `at_once`."""

    def scratch(self) -> tuple[Array, ...]:
        """Allocate what the form needs besides the epoch's buffers."""
        return ()

    def begin(self, step: StepArguments) -> None:  # noqa: B027 (most forms have nothing to begin with)
        """Launch what must come before the first step of an epoch, on the current stream."""

    @abstractmethod
    def launches(self, step: StepArguments) -> list[Launch]:
        """Return what one step launches, in order; the counter on the device says which step it is."""

    def enqueue(self, step: StepArguments, steps: int) -> None:
        """Launch the kernels of some steps on the current stream."""
        launches = self.launches(step)
        for _ in range(steps):
            for launch in launches:
                self.launch(launch)

    def launch(self, launch: Launch) -> None:
        """Launch a kernel on the current stream."""
        kernel = self.kernels[launch.kernel]
        if launch.overlaps and self.overlaps:
            stream = self._xp.cuda.get_current_stream()
            self.overlaps = launch_dependent(
                kernel, launch.blocks, launch.threads, launch.arguments, launch.shared_bytes, stream
            )
            if self.overlaps:
                return
        kernel((launch.blocks,), (launch.threads,), launch.arguments, shared_mem=launch.shared_bytes)

    def infer(self, parameters: Array, images: Array, pixel: tuple[np.float32, np.float32], scores: Array) -> None:
        """Launch the inference of images on the current stream.

        Args:
            parameters: The network's, float32.
            images: (n, 28, 28) uint8.
            pixel: Background and scale.
            scores: (n, classes) float32, out.
        """
        raise NotImplementedError(f"the {self.name} form trains alone")


class Portable(Form):
    """One image a thread block, for every GPU since Turing."""

    name = folder = "portable"
    meaning = "a block an image"

    def shared_bytes(self) -> dict[str, int]:
        """Return the same for both kernels that work on images."""
        return {TRAIN_IMAGES: self.sizes.shared_bytes, INFER: self.sizes.inference_bytes}

    def fitting(self) -> int:
        """Return the multiprocessors: the registers of 512 threads leave room for no second block."""
        return self.multiprocessors

    def launches(self, step: StepArguments) -> list[Launch]:
        """Return two launches; see `Form.launches`."""
        images, blocks = len(step.buffers.records), update_blocks(step.parameters.size)
        return [
            Launch(TRAIN_IMAGES, images, self.sizes.threads, step.of_images(), self.sizes.shared_bytes, OVERLAPS),
            Launch(UPDATE, blocks, UPDATE_THREADS, step.of_update(), 0, OVERLAPS),
        ]

    def infer(self, parameters: Array, images: Array, pixel: tuple[np.float32, np.float32], scores: Array) -> None:
        """Launch inference, each block going through many images with the weights it has loaded once."""
        arguments = (parameters, images, *pixel, np.int32(len(images)), scores)
        blocks = min(len(images), self.at_once)
        self.launch(Launch(INFER, blocks, self.sizes.threads, arguments, self.sizes.inference_bytes))


class Throughput(Form):
    """Two images a thread block and two blocks a multiprocessor, each weight read for both: for large batches."""

    name = folder = "throughput"
    meaning = "a block for two images"

    def shared_bytes(self) -> dict[str, int]:
        """Return those of training, of two images, and of inference, of four."""
        return {TRAIN_IMAGES: self.sizes.shared_bytes, INFER: self.sizes.inference_bytes}

    def fitting(self) -> int:
        """Ask the driver: two blocks a multiprocessor on Hopper, one or none on smaller GPUs."""
        return self._blocks_at_once(TRAIN_IMAGES)

    def _blocks_at_once(self, kernel: str) -> int:
        shared = self.shared_bytes()[kernel]
        each = blocks_that_fit(self._xp, self.kernels[kernel], self.sizes.threads, shared)
        return each * self.multiprocessors

    def scratch(self) -> tuple[Array, ...]:
        """Allocate the sums of the update's splits, and a counter of finished splits for each tile."""
        return (
            self._xp.zeros(self.sizes.split_sums, dtype="float32"),
            self._xp.zeros(sum(self.sizes.update_tiles), dtype="int32"),
        )

    def launches(self, step: StepArguments) -> list[Launch]:
        """Return two launches; see `Form.launches`.

        They do not overlap: blocks that come while others leave would crowd on some multiprocessors.
        """
        groups, jobs = len(step.buffers.groups), update_jobs(self.sizes, len(step.buffers.records))
        update = (*step.of_update(), *step.buffers.scratch)
        return [
            Launch(
                TRAIN_IMAGES,
                min(groups, self.at_once),
                self.sizes.threads,
                step.of_images(),
                self.sizes.shared_bytes,
            ),
            Launch(UPDATE, jobs, UPDATE_THREADS, update),
        ]

    def infer(self, parameters: Array, images: Array, pixel: tuple[np.float32, np.float32], scores: Array) -> None:
        """Launch inference, four images a block at a time."""
        arguments = (parameters, images, *pixel, np.int32(len(images)), scores)
        blocks = min(math.ceil(len(images) / IMAGES_SCORED), self._blocks_at_once(INFER))
        self.launch(Launch(INFER, blocks, self.sizes.threads, arguments, self.sizes.inference_bytes))


class Cluster(Form):
    """One image a cluster of three thread blocks, which exchange what they compute: small batches, since Hopper."""

    name = folder = "cluster"
    meaning = "three blocks an image"

    def __init__(self, xp: Any, kernels: Kernels) -> None:
        self.own_sizes = kernels.cluster_sizes
        super().__init__(xp, kernels)
        self.largest_batch = self.at_once

    def shared_bytes(self) -> dict[str, int]:
        """Return that of the kernel of batches."""
        return {TRAIN_IMAGES: self.own_sizes.shared_bytes}

    def fitting(self) -> int:
        """Ask the driver for clusters."""
        shared = self.own_sizes.shared_bytes
        return clusters_that_fit(self.kernels[TRAIN_IMAGES], CLUSTER, CLUSTER_THREADS, shared)

    def scratch(self) -> tuple[Array, ...]:
        """Allocate the copy of the parameters in which each block's part is contiguous."""
        return (self._xp.zeros(CLUSTER * self.own_sizes.part, dtype="float32"),)

    def begin(self, step: StepArguments) -> None:
        """Write the copy."""
        arguments = (step.parameters, *step.buffers.scratch)
        self.launch(Launch(PACK, self.multiprocessors, CLUSTER_THREADS, arguments))

    def launches(self, step: StepArguments) -> list[Launch]:
        """Return two launches; see `Form.launches`."""
        blocks = CLUSTER * len(step.buffers.records)
        images = (step.parameters, *step.buffers.scratch, *step.of_images()[1:])
        update = (*step.of_update(), *step.buffers.scratch)
        return [
            Launch(TRAIN_IMAGES, blocks, CLUSTER_THREADS, images, self.own_sizes.shared_bytes, OVERLAPS),
            Launch(UPDATE, update_blocks(step.parameters.size), UPDATE_THREADS, update, 0, OVERLAPS),
        ]


class Alone(Cluster):
    """One image a step, by a single cluster that keeps the parameters from step to step: for batch 1."""

    name = folder = "alone"
    meaning = "four blocks that keep the parameters"
    captured = False
    chunk_steps = 500

    def __init__(self, xp: Any, kernels: Kernels) -> None:
        super().__init__(xp, kernels)
        self.largest_batch = min(self.at_once, 1)

    def shared_bytes(self) -> dict[str, int]:
        """Return that of the kernel of single images."""
        return {TRAIN_ALONE: self.own_sizes.alone_shared_bytes}

    def fitting(self) -> int:
        """Ask the driver for clusters."""
        shared = self.own_sizes.alone_shared_bytes
        return clusters_that_fit(self.kernels[TRAIN_ALONE], ALONE_CLUSTER, ALONE_THREADS, shared)

    def scratch(self) -> tuple[Array, ...]:
        """Allocate nothing."""
        return ()

    def begin(self, step: StepArguments) -> None:
        """Launch nothing."""

    def launches(self, step: StepArguments) -> list[Launch]:
        """Return the launch for one step."""
        return [self._launch(step, 1)]

    def enqueue(self, step: StepArguments, steps: int) -> None:
        """Launch once for all steps."""
        self.launch(self._launch(step, steps))

    def _launch(self, step: StepArguments, steps: int) -> Launch:
        buffers = step.buffers
        arguments = (
            *step.of_images()[:-3],
            *step.rule,
            buffers.learning_rates,
            buffers.shares,
            buffers.counter,
            buffers.losses,
            buffers.correct,
            np.int32(steps),
        )
        return Launch(TRAIN_ALONE, ALONE_CLUSTER, ALONE_THREADS, arguments, self.own_sizes.alone_shared_bytes)


FORMS: tuple[type[Form], ...] = (Portable, Throughput, Cluster, Alone)
"""All forms."""
