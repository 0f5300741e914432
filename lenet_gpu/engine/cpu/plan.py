"""LeNet-5 in NumPy at full speed: the whole network as prepared lists of calls.

The same numbers as layers.py, run differently. Every array is allocated once and every operation is prepared
once, as a NumPy function with its arguments, its output array among them (programs.py). A training step walks the
lists; it allocates nothing and decides nothing. How the arrays lie in memory is drawn in layout.py, what is
computed is in forward.py and backward.py; `CpuPlan.describe` lists it call by call.

The parameters stay what they are: whatever the calls need of them (Toeplitz matrices, folded constants) is
built anew before a step, and its gradients are turned into the parameters' gradients after it (weights.py).
So any optimizer can work on the parameters themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lenet_gpu.engine.cpu.ops import bounds, quietly, run
from lenet_gpu.engine.cpu.programs import Variants
from lenet_gpu.engine.cpu.single import SingleImage
from lenet_gpu.engine.cpu.spec import DENSE_CHUNKS, NetworkSpec, PlanSpec
from lenet_gpu.engine.cpu.squash import has_wide_vectors
from lenet_gpu.errors import InputError
from lenet_gpu.nn.losses import softmax
from lenet_gpu.paper import INPUT_SIZE, SQUASH_A

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

CHUNK = 32
"""Images computed at once: enough for long runs and full-speed products, few enough for the caches. (With 64
C1's outputs alone are 1.2 MiB; on a processor with 512 KiB of cache a core that costs 5 % of a step.)"""

LAYERS = ("c1", "s2", "c3", "s4", "c5", "f6", "output")
"""Names of the activations that a plan can give."""

Fill = Callable[[slice, np.ndarray], object]
"""Writes images into the plan: given which of a batch's images are needed and where their grids go, (n, 32, 32)."""


class CpuPlan:
    """Forward and backward pass of LeNet-5 over any number of images, in chunks.

    A plan computes in arrays of its own: it may be used by one thread at a time (threads.py has one for each).

    Args:
        network: The facts about the network.
        parameters: Its flat parameter buffer, read anew by every call.
        targets: Flat buffers of the same form, one of which `gradients` overwrites; none for inference alone.
        capacity: Largest number of images computed at once.
        images: Their form, "uint8", "float" or "grid"; see `PlanSpec`.
        dense_chunks: Chunks that go through the fully connected layers together in inference; see `PlanSpec`.

    Attributes:
        targets: The buffers that `gradients` may write to; behind those given one of the plan's own.
    """

    def __init__(
        self,
        network: NetworkSpec,
        parameters: np.ndarray,
        targets: Sequence[np.ndarray] = (),
        *,
        capacity: int = CHUNK,
        images: str = "uint8",
        dense_chunks: int = DENSE_CHUNKS,
    ) -> None:
        self.spec = spec = PlanSpec(
            network, capacity, images, bool(targets), has_wide_vectors(), dense_chunks=dense_chunks
        )
        self.capacity, self.dtype = capacity, spec.dtype
        # A batch's first chunk writes its gradients to the target, later chunks here, to be added (index -1).
        self.targets = [*targets, np.zeros_like(parameters)] if targets else []
        self._variants = Variants(spec, parameters, self.targets)
        self._programs = self._variants.get(frozenset())
        for_one = network.output == "softmax" and images == "uint8"
        self._single = SingleImage(parameters, spec) if for_one else None

    @classmethod
    def of(
        cls,
        network: Network,
        targets: Sequence[np.ndarray] = (),
        *,
        capacity: int = CHUNK,
        images: str = "uint8",
        dense_chunks: int = DENSE_CHUNKS,
    ) -> CpuPlan:
        """Make the plan of a network on the CPU, which reads the network's parameters; arguments as above."""
        spec = NetworkSpec.of(network, training=bool(targets))
        return cls(spec, network.parameters, targets, capacity=capacity, images=images, dense_chunks=dense_chunks)

    # ---- inference

    def refresh(self) -> None:
        """Take in the parameters after a change of them."""
        with quietly():
            self._build_weights()

    def _build_weights(self) -> None:
        self._programs = self._variants.built()
        if self._single is not None:
            self._single.outdate()

    def outputs(self, images: np.ndarray, out: np.ndarray | None = None, *, refresh: bool = True) -> np.ndarray:
        """Compute the values of the output layer before softmax.

        Args:
            images: (n, 28, 28), of the plan's form; (n, 32, 32) for grids.
            out: Receives the result; a new array if None.
            refresh: False if the parameters are known to be unchanged since the last call.

        Returns:
            (n, classes), of the plan's dtype.
        """
        if out is None:
            out = np.empty((len(images), self.spec.network.classes), self.dtype)
        if not refresh and len(images) == 1 and (single := self._for_one()):
            single.run(images)
            np.copyto(out, single.logits)
            return out
        flat = images.reshape(len(images), self.spec.pixels)
        with quietly():
            if refresh:
                self._build_weights()
            for start in range(0, len(images), self.spec.together):
                part = slice(start, start + self.spec.together)
                np.copyto(out[part], self._forward(flat[part]))
        return out

    def probabilities(self, images: np.ndarray, *, refresh: bool = True) -> np.ndarray:
        """Compute the softmax probabilities of the classes, (n, classes); arguments as for `outputs`.

        One image with `refresh=False` takes the shortest way, see single.py.
        """
        if not refresh and len(images) == 1 and (single := self._for_one()):
            single.run(images)
            run(single.softmax)
            return single.probabilities.copy()
        return softmax(np, self.outputs(images, refresh=refresh))

    def read(self, images: np.ndarray, *, refresh: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Compute what recognition needs in one pass: probabilities, and the units of F6 for rejection.

        Args:
            images: As for `outputs`.
            refresh: As for `outputs`; one image with `refresh=False` takes the shortest way, see single.py.

        Returns:
            Probabilities (n, classes), and F6 in units of the squashing function's A (n, 84).
        """
        if not refresh and len(images) == 1 and (single := self._for_one()):
            single.run(images)
            run(single.softmax)
            return single.probabilities.copy(), single.f6.copy()
        found = self._collect(images, ("f6", "output"), refresh)
        return softmax(np, found["output"]), found["f6"] / self.dtype.type(SQUASH_A)

    def activations(self, images: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Compute the layers' outputs, those of the readable layers.

        Args:
            images: As for `outputs`.
            names: Some of `LAYERS`; all of them if None.

        Returns:
            By name: c1 (n, 6, 28, 28), s2 (n, 6, 14, 14), c3 (n, 16, 10, 10), s4 (n, 16, 5, 5), c5 (n, 120) and
            f6 (n, 84), squashed; output (n, classes): logits, or the paper's penalties.

        Raises:
            InputError: An unknown name.
        """
        names = LAYERS if names is None else names
        if unknown := [name for name in names if name not in LAYERS]:
            raise InputError("activations", found=", ".join(map(repr, unknown)), expected=" or ".join(LAYERS))
        found = self._collect(images, names, refresh=True)
        if "output" in found and self.spec.network.output == "rbf":
            np.negative(found["output"], out=found["output"])  # scores are penalties with their sign turned
        return found

    def _collect(self, images: np.ndarray, names: Sequence[str], refresh: bool) -> dict[str, np.ndarray]:
        """Run forward and copy what the layers named have left behind; "output" as `outputs` gives it."""
        if not len(images):  # nothing to compute, but arrays of the right shapes to return
            one = self._collect(np.zeros((1, self.spec.pixels), self.spec.pixel_dtype), names, refresh)
            return {name: array[:0] for name, array in one.items()}
        flat = images.reshape(len(images), self.spec.pixels)
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        in_chunks = [name for name in names if name in LAYERS[:4]]
        dense = [name for name in names if name in ("c5", "f6")]

        def keep(layers: Sequence[str], n: int) -> None:
            for name in layers:
                found[name].append(self._programs.forward.maps(name, n))

        with quietly():
            if refresh:
                self._build_weights()
            for start in range(0, len(images), self.spec.together):
                part = flat[start : start + self.spec.together]
                outputs = self._forward(part, partial(keep, in_chunks))
                keep(dense, len(part))
                if "output" in found:
                    found["output"].append(outputs.copy())
        return {name: np.concatenate(arrays) for name, arrays in found.items()}

    def _forward(self, flat: np.ndarray, seen: Callable[[int], object] | None = None) -> np.ndarray:
        """Run images forward, at most `together`: C1 to S4 chunk by chunk, the dense layers at once.

        Args:
            flat: (n, pixels).
            seen: Called with the number of images of each chunk, whose activations up to S4 are there then.

        Returns:
            The array of their outputs, (n, classes).
        """
        dense = self._programs.dense(len(flat))
        for start, n in self._chunks(len(flat)):
            program = self._programs.get(n, 0)
            np.copyto(program.images, flat[start : start + n])
            run(program.load)
            run(program.forward)
            if n < len(flat):
                np.copyto(dense.s4[:, start : start + n], program.s4)
            if seen is not None:
                seen(n)
        run(dense.calls)
        return dense.outputs

    def _for_one(self) -> SingleImage | None:
        """Give the path for one image, or None if this plan or its parameters don't allow for it."""
        return self._single if self._single is not None and self._single.usable() else None

    # ---- training

    def gradients(
        self,
        images: np.ndarray | Fill,
        labels: np.ndarray,
        indices: np.ndarray,
        scale: float = 1.0,
        target: int = 0,
        *,
        refresh: bool = True,
    ) -> float:
        """Compute the loss of a batch and, in one of the targets, its derivative by every parameter.

        Args:
            images: (n, 784), of the plan's form: the whole training set. In a plan for grids (n, 1024),
                or a function that is called as `images(chunk, grids)` for every chunk (a slice of the batch)
                and writes the images `indices[chunk]` into the grids (len of the chunk, 32, 32): what it
                writes is computed with as it lies, without any copy.
            labels: (n,) intp, its labels; `classes` is "none of them".
            indices: (m,) intp, the images that make up the batch.
            scale: Factor of the gradients: 1 for the derivative of the summed loss, 1 / m for its mean.
            target: Index of the buffer that receives the gradients.
            refresh: False if the parameters are known to be unchanged since the last call.

        Returns:
            The loss summed over the batch, not scaled.
        """
        if refresh:
            self.refresh()
        total = 0.0
        gradient, more = self.targets[target], self.targets[-1]
        if not len(indices):
            gradient.fill(0.0)
            return total
        with quietly():
            head = self._programs.head
            head.scale[...] = scale
            for start, n in self._chunks(len(indices)):
                program = self._programs.get(n, -1 if start else target)
                chunk = indices[start : start + n]
                if isinstance(images, np.ndarray):
                    images.take(chunk, 0, program.images, "clip")
                else:
                    images(slice(start, start + n), program.images.reshape(n, INPUT_SIZE, INPUT_SIZE))
                labels.take(chunk, 0, program.labels, "clip")
                run(program.load)
                run(program.forward)
                run(self._programs.dense(n).calls)
                run(program.backward)
                if start:
                    np.add(gradient, more, gradient)
                total += float(head.loss)
        return total

    def describe(self, n: int = CHUNK) -> str:
        """List the calls of a training step, or of a forward pass in a plan for inference.

        Args:
            n: Number of images, at most the capacity.

        Returns:
            Text: each call with its function, operands, shapes and output, by pass and layer. Nothing of it is kept
            while the plan runs: the calls are recorded once more for it.
        """
        return self._programs.describe(n)

    def _chunks(self, n: int) -> list[tuple[int, int]]:
        """List (start, size) of the chunks of n images, as equal as can be: two sizes at most."""
        if 0 < n <= self.capacity:
            return [(0, n)]
        return [(a, b - a) for a, b in bounds(n, -(-n // self.capacity))] if n else []
