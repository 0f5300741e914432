"""The readable layers on several GPUs: one device a rank, the portions of a batch gathered by NCCL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu.augment.distort import distort_reference
from lenet_gpu.engine.base import Progress
from lenet_gpu.engine.layered import EVALUATION_BATCH, LayeredEngine
from lenet_gpu.engine.ranks import Ranks, portion, portions, rows_of_batches

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

PORTIONS = 8
"""Portions of a batch, whatever the number of ranks, up to so many of which each has something to compute."""


class NcclGather:
    """Gathers rows between devices, in the order in which the device is given its work: the host waits for nothing.

    NCCL's own sums depend on the number of devices; a broadcast of each rank's rows does not.

    Args:
        ranks: The ranks, each with a device of its own, by which they find each other.
        xp: The module cupy, with that device chosen.
    """

    def __init__(self, ranks: Ranks, xp: Any) -> None:
        self._nccl, self._xp = xp.cuda.nccl, xp
        own = self._nccl.get_unique_id()  # bytes, or in earlier versions of CuPy 128 numbers from -128 to 127
        numbers = np.frombuffer(own, np.int8) if isinstance(own, bytes) else np.array(own, np.int8)
        rows = np.zeros((ranks.size, len(numbers)), np.int8)
        rows[ranks.rank] = numbers
        ranks.gather(rows, [1] * ranks.size)
        first = rows[0].tobytes() if isinstance(own, bytes) else tuple(rows[0].tolist())
        self._communicator = self._nccl.NcclCommunicator(ranks.size, first, ranks.rank)

    def __call__(self, rows: Any, counts: list[int]) -> None:
        """Fill in the rows that other ranks have computed.

        Args:
            rows: (sum of counts, n) float32 on the device, C-contiguous.
            counts: Rows of each rank.
        """
        stream = self._xp.cuda.get_current_stream().ptr
        self._nccl.groupStart()
        first = 0
        for rank, count in enumerate(counts):
            part = rows[first : first + count]
            if count:
                address = part.data.ptr
                kind = self._nccl.NCCL_FLOAT32
                self._communicator.broadcast(address, address, part.size, kind, rank, stream)
            first += count
        self._nccl.groupEnd()


class RankedLayers(LayeredEngine):
    """Trains layer by layer, each rank on some portions of a batch; all ranks call the same methods.

    Args:
        network: The network, in float32 on this rank's device.
        optimizer: The update rule, which every rank applies to its own copy.
        ranks: The others.
        gather: Fills in the rows of an array on the device that other ranks have computed.
    """

    workers = PORTIONS

    def __init__(self, network: Network, optimizer: Optimizer | None, ranks: Ranks, gather: NcclGather) -> None:
        super().__init__(network, optimizer)
        self._ranks, self._gather = ranks, gather

    @property
    def description(self) -> str:
        """The engine in words."""
        return f"layered (readable layers, {self._ranks.size} ranks, {PORTIONS} portions)"

    def step(self, indices: Any, learning_rate: float, distortions: Any = None) -> Any:
        """Take one step; see `LayeredEngine.step`."""
        network, xp, ranks = self.network, self.network.backend.xp, self._ranks
        m, parameters = len(indices), network.parameters.size
        rows = xp.zeros((PORTIONS, parameters + 1), dtype="float32")  # the gradient, and the loss behind it
        for shard in portion(PORTIONS, ranks.rank, ranks.size):
            part = portion(m, shard, PORTIONS)
            positions = slice(part.start, part.stop)
            chosen = indices[positions]
            if not len(chosen):
                continue
            images, labels = self._images[chosen], self._labels[chosen]
            if distortions is None:
                x = network.input_layer(images)
            else:
                x = network.grid_layer(distort_reference(xp, images, distortions[positions], self._fields))
            loss = network.input_loss_backward(x, labels, training=True)
            share = len(chosen) / m
            rows[shard, :parameters] = network.gradients * share
            rows[shard, parameters] = loss * share
        self._gather(rows, portions(PORTIONS, ranks.size))
        total = rows[0]
        for shard in range(1, PORTIONS):
            total = total + rows[shard]
        network.gradients[...] = total[:parameters]
        self.optimizer.update(network.parameters, network.gradients, learning_rate)
        return total[parameters]

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the scores of the classes before softmax, each rank those of its own batches."""
        ranks, n = self._ranks, len(images)
        out = np.empty((n, self.network.classes), dtype=self.network.dtype)
        batches = -(-n // EVALUATION_BATCH)
        for batch in portion(batches, ranks.rank, ranks.size):
            part = slice(batch * EVALUATION_BATCH, (batch + 1) * EVALUATION_BATCH)
            out[part] = self._answers(images[part])
        ranks.gather(out, rows_of_batches(n, EVALUATION_BATCH, ranks.size))
        if progress is not None:
            progress(n, out[:0])
        return out
