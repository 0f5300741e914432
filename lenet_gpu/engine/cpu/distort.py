"""Distorted images for the CPU plan: from rows of the training set straight into the plan's input."""

from __future__ import annotations

import numpy as np

from lenet_gpu.augment.distort import Distorter
from lenet_gpu.engine.cpu.plan import Fill


class BatchDistorter:
    """Distorts the images of a batch chunk by chunk.

    Args:
        images: (n, 784) uint8, the whole training set.
        capacity: Largest number of images of a chunk.
    """

    def __init__(self, images: np.ndarray, capacity: int) -> None:
        self._images = images
        self._rows = np.empty((capacity, images.shape[1]), np.uint8)
        self._distorter = Distorter(capacity)

    def source(self, indices: np.ndarray, distortions: np.ndarray) -> Fill:
        """What `CpuPlan.gradients` takes instead of images.

        Args:
            indices: (m,) intp, the batch.
            distortions: (m, 8) float32, how each of its images is distorted.
        """

        def fill(chunk: slice, grids: np.ndarray) -> None:
            rows = self._rows[: chunk.stop - chunk.start]
            self._images.take(indices[chunk], 0, rows, "clip")
            self._distorter(rows, distortions[chunk], grids.reshape(len(grids), -1))

        return fill
