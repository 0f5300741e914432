"""LeNet-5 in NumPy at full speed: the whole network as prepared lists of calls.

The same numbers as layers.py, run differently. Every array is allocated once and every operation is prepared
once, as a NumPy function with its arguments, its output array among them. A training step walks the lists; it
allocates nothing and decides nothing. How the arrays lie in memory is drawn in layout.py, what is computed
is in passes.py.

The parameters stay what they are: whatever the calls need of them (Toeplitz matrices, folded constants) is
made anew before a step, and its gradients are turned into the parameters' gradients after it (weights.py).
So any optimiser can work on the parameters themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from lenet_gpu.engine.cpu.heads import Call, Head, SoftmaxHead
from lenet_gpu.engine.cpu.layout import GRID, PIXELS
from lenet_gpu.engine.cpu.ops import Products, bounds
from lenet_gpu.engine.cpu.passes import Calls
from lenet_gpu.engine.cpu.processor import has_wide_vectors
from lenet_gpu.engine.cpu.single import SingleImage
from lenet_gpu.engine.cpu.squash import ByExp, ByTanh
from lenet_gpu.engine.cpu.weights import Terms
from lenet_gpu.nn.layer import named_views
from lenet_gpu.nn.losses import softmax
from lenet_gpu.paper import BACKGROUND, INK, INPUT_SIZE

CHUNK = 32
"""Images computed at once: enough for long runs and full-speed products, few enough for the caches. (With 64
C1's outputs alone are 1.2 MiB; on a processor with 512 KiB of cache a core that costs 5 % of a step.)"""


QUIET = partial(np.errstate, over="ignore", invalid="ignore")
"""Around all calls: a network that diverges overflows, and its loss says so."""


Fill = Callable[[slice, np.ndarray], object]
"""Writes images into the plan: given which of a batch's images are wanted and where their grids go, (n, 32, 32)."""


class _Program(NamedTuple):
    """What is prepared for one number of images and one target."""

    images: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray
    restore: list[Call]
    load: list[Call]
    forward: list[Call]
    backward: list[Call]


def run(calls: Sequence[Call]) -> None:
    """Run prepared calls in order."""
    for function, arguments in calls:
        function(*arguments)


class CpuPlan:
    """Forward and backward pass of the `modern` network over any number of images, in chunks.

    Args:
        parameters: Flat parameter buffer, float32 (float64 for tests); read anew by every call.
        targets: Flat buffers of the same form, one of which `gradients` overwrites; none for inference alone.
        shapes: Shape of each parameter by name, in the order of the flat buffer.
        capacity: Largest number of images computed at once.
        background: Input value of an empty pixel.
        ink: Input value of a full pixel.
        pixels: dtype of the images: uint8 (0 to 255), or float32 (0 to 1).
        grid: Images are whole input layers instead, margin included: 32x32 pixels, float32 from 0 to 255.
        head: What follows F6, made for this dtype and at least this capacity; softmax if None.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        targets: Sequence[np.ndarray],
        shapes: Mapping[str, Sequence[int]],
        capacity: int = CHUNK,
        *,
        background: float = BACKGROUND,
        ink: float = INK,
        pixels: str = "uint8",
        grid: bool = False,
        head: Head | None = None,
    ) -> None:
        wide = has_wide_vectors()
        self.capacity, self.dtype = capacity, parameters.dtype
        scale = (ink - background) / (255.0 if grid or pixels == "uint8" else 1.0)
        kind, self._pixels = (np.dtype(np.float32), GRID) if grid else (np.dtype(pixels), PIXELS)
        # A batch's first chunk writes its gradients to the target, later chunks here, to be added (index -1).
        self._targets = [*targets, np.zeros_like(parameters)] if targets else []
        self._labels = np.zeros(capacity, np.intp)
        squash = ByTanh() if wide else ByExp()
        self._terms = Terms(parameters, shapes, background, scale, squash)
        views = named_views(parameters, shapes)
        self._head = SoftmaxHead(views, capacity) if head is None else head
        self._calls = Calls(
            parameters, shapes, self._terms, self._head, squash, Products(cut=wide), capacity, kind,
            training=bool(targets), grid=grid,
        )  # fmt: skip
        self._single = SingleImage(views, self._terms, squash) if head is None and kind == np.uint8 else None
        self._single_is_ready = False
        self._programs: dict[tuple[int, int], _Program] = {}
        self._ready_for = 0

    def outputs(self, images: np.ndarray, out: np.ndarray | None = None, *, refresh: bool = True) -> np.ndarray:
        """Values of the output layer before softmax.

        Args:
            images: (n, 28, 28), of the plan's pixel dtype; (n, 32, 32) for grids.
            out: Receives the result; a new array if None.
            refresh: False if the parameters are known to be unchanged since the last call.

        Returns:
            (n, 10), of the plan's dtype.
        """
        if out is None:
            out = np.empty((len(images), 10), self.dtype)
        if not refresh and len(images) == 1 and (single := self._for_one()):
            np.copyto(single.grid, images)
            run(single.forward)
            np.copyto(out, single.logits)
            return out
        flat = images.reshape(len(images), self._pixels)
        with QUIET():
            if refresh:
                self._expand()
            for start, n in self._chunks(len(images)):
                program = self._program(n, 0)
                np.copyto(program.images, flat[start : start + n])
                run(program.load)
                run(program.forward)
                np.copyto(out[start : start + n], program.outputs)
        return out

    def probabilities(self, images: np.ndarray, *, refresh: bool = True) -> np.ndarray:
        """Softmax probabilities of the classes, (n, 10); arguments as for `outputs`.

        One image with `refresh=False` takes the shortest way, see single.py.
        """
        if not refresh and len(images) == 1 and (single := self._for_one()):
            np.copyto(single.grid, images)
            run(single.forward)
            run(single.softmax)
            return single.probabilities.copy()
        return softmax(np, self.outputs(images, refresh=refresh))

    def _expand(self) -> None:
        """Take in the parameters."""
        run(self._terms.expand)
        self._single_is_ready = False

    def _for_one(self) -> SingleImage | None:
        """The path for one image with all folded, or None if this plan or its parameters don't allow for it."""
        single = self._single
        if single is None:
            return None
        if not self._single_is_ready:
            single.fold()
            self._single_is_ready = True
        return single if single.safe else None

    def gradients(
        self,
        images: np.ndarray | Fill,
        labels: np.ndarray,
        indices: np.ndarray,
        scale: float = 1.0,
        target: int = 0,
    ) -> float:
        """Loss of a batch and its derivative by every parameter, in one of the targets.

        Args:
            images: (n, 784), of the plan's pixel dtype: the whole training set. In a plan for grids (n, 1024),
                or a function that is called as `images(chunk, grids)` for every chunk (a slice of the batch)
                and writes the images `indices[chunk]` into the grids (len of the chunk, 32, 32): what it
                writes is computed with as it lies, without any copy.
            labels: (n,) intp, its labels; 10 is "not a digit".
            indices: (m,) intp, the images that make up the batch.
            scale: Factor of the gradients: 1 for the derivative of the summed loss, 1 / m for its mean.
            target: Index of the buffer that receives the gradients.

        Returns:
            The cross-entropy summed over the batch, not scaled.
        """
        total = 0.0
        gradient, more = self._targets[target], self._targets[-1]
        if not len(indices):
            gradient.fill(0.0)
            return total
        with QUIET():
            self._expand()
            self._head.scale[...] = scale
            for start, n in self._chunks(len(indices)):
                program = self._program(n, -1 if start else target)
                chunk = indices[start : start + n]
                if isinstance(images, np.ndarray):
                    images.take(chunk, 0, program.images, "clip")
                else:
                    images(slice(start, start + n), program.images.reshape(n, INPUT_SIZE, INPUT_SIZE))
                labels.take(chunk, 0, program.labels, "clip")
                run(program.load)
                run(program.forward)
                run(program.backward)
                if start:
                    np.add(gradient, more, gradient)
                total += float(self._head.loss)
        return total

    def _chunks(self, n: int) -> list[tuple[int, int]]:
        """(start, size) of the chunks of n images, as equal as can be: two sizes at most."""
        if 0 < n <= self.capacity:
            return [(0, n)]
        return [(a, b - a) for a, b in bounds(n, -(-n // self.capacity))] if n else []

    def _program(self, n: int, target: int) -> _Program:
        """What is needed for n images and one target, prepared when it is wanted for the first time."""
        program = self._programs.get((n, target))
        if program is None:
            calls, labels = self._calls, self._labels[:n]
            program = self._programs[n, target] = _Program(
                calls.images(n),
                labels,
                self._head.outputs(n).T,
                calls.restore(n),
                calls.load(n),
                calls.forward(n),
                calls.backward(n, labels, self._targets[target]) if self._targets else [],
            )
        if n != self._ready_for:
            run(program.restore)
            self._ready_for = n
        return program
