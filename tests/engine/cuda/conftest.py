"""What the tests of the CUDA engine share."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import cases, cluster_steps, harness, soundness
from cuda_on_cpu.engines import N
from cuda_on_cpu.steps import KERNELS
from stand_in import cuda_cupy

from lenet_gpu.datasets import Dataset
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.cuda.source import kernel_source

GRAPH_STEPS = 4

MANY = 100
"""Tests from which on their libraries are built ahead."""


def libraries() -> Iterator[Callable[[], object]]:
    """What the tests have built, nearly in their order."""
    for variant, classes in (("modern", 10), ("paper", 10), ("modern", 26), ("modern", 64), ("modern", 2)):
        for form in cluster_steps.KERNELS:
            yield lambda v=variant, c=classes, f=form: cluster_steps.library(v, c, f)
    waits = sys.modules["test_cluster_soundness"].numbered_waits
    for variant, form in (("modern", "alone"), ("modern", "cluster"), ("paper", "alone")):
        yield lambda v=variant, f=form: waits(v, 10, f)
    for variant, classes, form in (("modern", 10, "cluster"), ("modern", 29, "alone"), ("paper", 10, "cluster")):
        source, kernels = kernel_source(variant, classes, form), cluster_steps.KERNELS[form]
        yield lambda s=source, k=kernels: harness.build(s, k, sanitize=True)
    for variant, classes in (("modern", 2), ("modern", 3), ("modern", 26), ("modern", 64), ("modern", 10)):
        yield lambda v=variant, c=classes: cases.library(v, c)
    yield sys.modules["test_cuda_compile"].compiled
    yield lambda: harness.build(kernel_source(), KERNELS, worst_case=1.0)
    yield lambda: cases.library("paper")
    for variant in ("modern", "paper"):
        yield lambda v=variant: soundness.Barriers(kernel_source(v))
    for variant, classes in (("modern", 10), ("modern", 29), ("paper", 10)):
        yield lambda v=variant, c=classes: harness.build(kernel_source(v, c), KERNELS, sanitize=True)
    for variant, classes in (("modern", 10), ("paper", 10), ("modern", 2), ("modern", 27), ("modern", 64)):
        yield lambda v=variant, c=classes: cases.library(v, c, "throughput")
    yield lambda: soundness.Barriers(kernel_source(form="throughput"), "throughput")


def build_ahead() -> None:
    """Build libraries one after the other; who wants one that is being built waits for it."""
    with contextlib.suppress(Exception):  # a test tells
        for build in libraries():
            build()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin with the compilers while other tests run; one process does it for all."""
    here = Path(__file__).parent
    if (
        os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
        and sum(here in item.path.parents for item in session.items) > MANY
    ):
        threading.Thread(target=build_ahead, daemon=True, name="compilers").start()


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
