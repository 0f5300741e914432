"""The kernels on docs/explain/gpu_ladder.md compute LeNet-5's training step."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import harness, nvrtc
from cuda_on_cpu.cases import assert_close, digits, oracle_of, permutation, trained_parameters

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import gpu_ladder


def test_a_step_of_the_pages_kernels_is_the_networks() -> None:
    library = harness.build(gpu_ladder.source(), gpu_ladder.names())
    order = permutation(3).astype(np.int32)
    images, labels = digits()
    oracle = oracle_of("cross_entropy")
    loss = oracle.loss_backward(images[order], labels[order])
    start, rate = trained_parameters(), 0.5
    flat = start.copy()
    a = gpu_ladder.arrays(np, len(order))
    for name, count, arguments in gpu_ladder.launches(a, oracle.views_of(flat), images, labels, order, rate):
        blocks = -(-count // gpu_ladder.THREADS)
        harness.Kernel(library, name)((blocks,), (gpu_ladder.THREADS,), arguments)
    assert a["loss"].mean() == pytest.approx(loss, rel=1e-6)
    assert_close(oracle, (start.astype(float) - flat) / rate, oracle.gradients, 2e-5)


def test_the_pages_kernels_compile_for_a_gpu() -> None:
    _, log = nvrtc.compile_source(gpu_ladder.source(), "sm_90", nvrtc.CUPY_OPTIONS)
    assert "warning" not in log.lower()
