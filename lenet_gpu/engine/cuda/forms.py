"""The forms of the kernels: how a training step is shared out over thread blocks, and which form a batch gets.

All forms compute the same step from the same arguments, and leave what the images contribute to the gradient in
the same two arrays (`EpochBuffers.groups` and `records`), where the next kernel adds it up. They differ in how many
blocks work on an image, or images on a block, and so in the cards and the batches that they are good for. kernels/
has a folder for each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lenet_gpu.engine.cuda.buffers import GRAPH_STEPS, EpochBuffers, update_blocks
from lenet_gpu.engine.cuda.device import Kernels, device_properties
from lenet_gpu.engine.cuda.source import INFER, THREADS, TRAIN_IMAGES, UPDATE, UPDATE_THREADS

Array = Any


@dataclass(frozen=True)
class StepArguments:
    """What a step of an epoch reads and writes, as the kernels take it.

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
    """A launch of a kernel: its name, blocks, threads of a block, arguments, and dynamic shared memory of a block."""

    kernel: str
    blocks: int
    threads: int
    arguments: tuple[Any, ...]
    shared_bytes: int = 0


class Form(ABC):
    """A form of the kernels, compiled for one network.

    Args:
        xp: The module cupy.
        variant: The network, one of `source.OUTPUTS`.
        classes: Number of its classes.

    Attributes:
        name: Name of the form, and of its folder of kernels.
        meaning: The form in a few words.
        images_a_group: Images whose gradients are added before they are written.
        captured: Whether steps are captured in a CUDA graph; if not, one launch takes many steps by itself.
        chunk_steps: Steps in one graph, or in one launch.

    Raises:
        BackendError: The kernels can't be compiled or loaded on this machine.
    """

    name = ""
    meaning = ""
    images_a_group = 1
    captured = True
    chunk_steps = GRAPH_STEPS

    def __init__(self, xp: Any, variant: str, classes: int) -> None:
        self._xp = xp
        self.kernels = Kernels(xp, variant, classes, self.name)
        self.sizes = self.kernels.sizes
        self.multiprocessors: int = device_properties(xp)["multiProcessorCount"]

    @property
    def description(self) -> str:
        """The form in words, for the header of a training run."""
        repeated = f"{self.chunk_steps} steps a {'CUDA graph' if self.captured else 'launch'}"
        return f"{self.name} form: {self.meaning}, {repeated}"

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
        self.kernels[launch.kernel](
            (launch.blocks,), (launch.threads,), launch.arguments, shared_mem=launch.shared_bytes
        )

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

    name = "portable"
    meaning = "a block an image"

    def launches(self, step: StepArguments) -> list[Launch]:
        """Return two launches; see `Form.launches`."""
        images, blocks = len(step.buffers.records), update_blocks(step.parameters.size)
        return [
            Launch(TRAIN_IMAGES, images, THREADS, step.of_images(), self.sizes.shared_bytes),
            Launch(UPDATE, blocks, UPDATE_THREADS, step.of_update()),
        ]

    def infer(self, parameters: Array, images: Array, pixel: tuple[np.float32, np.float32], scores: Array) -> None:
        """Launch inference; see `Form.infer`."""
        # The registers of 512 threads leave room for no second block; each goes through many images with the weights
        # that it has loaded once.
        blocks = min(len(images), self.multiprocessors)
        arguments = (parameters, images, *pixel, np.int32(len(images)), scores)
        self.launch(Launch(INFER, blocks, THREADS, arguments, self.sizes.shared_bytes))


FORMS: tuple[type[Form], ...] = (Portable,)
"""All forms."""


class Forms:
    """The forms that this device runs, each compiled when it is first asked for.

    Args:
        xp: The module cupy.
        variant: The network, one of `source.OUTPUTS`.
        classes: Number of its classes.
    """

    def __init__(self, xp: Any, variant: str, classes: int) -> None:
        self._network = xp, variant, classes
        self._made: dict[type[Form], Form] = {}
        self.of_inference()  # what can't be compiled says so at once

    def of_training(self, batch_size: int) -> Form:
        """Return the form for training with batches of a size."""
        return self._form(Portable)

    def of_inference(self) -> Form:
        """Return the form for inference."""
        return self._form(Portable)

    def _form(self, kind: type[Form]) -> Form:
        if kind not in self._made:
            self._made[kind] = kind(*self._network)
        return self._made[kind]
