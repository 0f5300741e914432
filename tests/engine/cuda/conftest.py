"""What the tests of the CUDA engine share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cuda_on_cpu.engines import N
from stand_in import cuda_cupy

from lenet_gpu.datasets import Dataset
from lenet_gpu.engine.cuda.engine import CudaEngine

GRAPH_STEPS = 4


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A healthy stand-in for a GPU, and graphs of few steps: what is tested does not depend on how many."""
    monkeypatch.setattr(CudaEngine, "chunk_steps", GRAPH_STEPS)
    deactivate = cuda_cupy.activate()
    yield
    deactivate()


@pytest.fixture
def digits(mnist: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a small training set."""
    return mnist.train.images[:N], mnist.train.labels[:N]
