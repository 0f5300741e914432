"""The kernel that evaluates scores, executed on the CPU: its losses and answers are the host's."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import harness, nvrtc

from lenet_gpu.engine.cuda.source import EVALUATE, EVALUATED, EVALUATED_BYTES, OPTIONS, evaluation_source
from lenet_gpu.nn.metrics import evaluate_outputs


@cache
def library(classes: int) -> Path:
    return harness.build(evaluation_source(classes), (EVALUATE,))


def cases(classes: int, n: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores, of which some are equal, and labels, some of them none of the classes."""
    rng = np.random.default_rng(n)
    scores = rng.normal(0, scale, (n, classes)).astype(np.float32)
    scores[::7, -1] = scores[::7].max(axis=1)
    labels = rng.integers(0, classes + 1, n).astype(np.uint8)
    return scores, labels


def evaluate(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    blocks: int | None = None,
    backwards: bool = False,
    built: Path | None = None,
) -> tuple[float, np.ndarray, bytes]:
    """Mean loss, answers, and all bytes as they come from the device."""
    groups = -(-len(scores) // EVALUATED)
    out = np.full((groups, EVALUATED_BYTES), 0xFF, np.uint8)
    kernel = harness.Kernel(built or library(scores.shape[1]), EVALUATE, backwards=backwards)
    kernel((blocks or groups,), (EVALUATED,), (scores, labels, np.int32(len(scores)), out))
    losses = np.ascontiguousarray(out[:, :8]).view(np.float64)
    return math.fsum(losses[:, 0]) / len(scores), out[:, 8:].reshape(-1)[: len(scores)], out.tobytes()


@pytest.mark.parametrize(
    ("classes", "n", "scale"), [(10, 1, 3.0), (10, 700, 3.0), (10, 512, 300.0), (2, 257, 1.0), (64, 300, 5.0)]
)
def test_losses_and_answers_are_those_of_the_host(classes: int, n: int, scale: float) -> None:
    scores, labels = cases(classes, n, scale)
    expected = evaluate_outputs(scores, labels)
    loss, answers, found = evaluate(scores, labels)
    assert loss == pytest.approx(expected.loss, rel=1e-13)
    assert np.array_equal(answers, expected.predictions)
    assert evaluate(scores, labels, blocks=1)[2] == found
    assert evaluate(scores, labels, backwards=True)[2] == found


def test_penalties_with_their_sign_turned() -> None:
    rng = np.random.default_rng(1)
    scores, labels = -rng.uniform(0, 400, (300, 10)).astype(np.float32), rng.integers(0, 10, 300).astype(np.uint8)
    expected = evaluate_outputs(scores, labels)
    assert evaluate(scores, labels)[0] == pytest.approx(expected.loss, rel=1e-13)


def test_what_is_no_number_is_told_as_on_the_host() -> None:
    scores, labels = cases(10, 3, 1.0)
    scores[1, [4, 6]] = np.nan
    loss, answers, _ = evaluate(scores, labels)
    assert math.isnan(loss)
    assert np.array_equal(answers, scores.argmax(axis=1))


@pytest.mark.parametrize(("classes", "architecture"), [(10, "75"), (64, "75"), (2, "90"), (10, "90"), (10, "120")])
def test_the_compiler_takes_it_without_a_word(classes: int, architecture: str) -> None:
    options = (*OPTIONS, *nvrtc.CUPY_OPTIONS)
    _, log = nvrtc.compile_source(evaluation_source(classes), f"sm_{architecture}", options)
    assert "warning" not in log.lower()
    assert nvrtc.resources(log)[EVALUATE]["registers"] <= 64


def test_every_missing_barrier_is_found() -> None:
    parts = evaluation_source().split("__syncthreads();")
    numbered = parts[0] + "".join(f"if (left_out != {k}) __syncthreads();{part}" for k, part in enumerate(parts[1:]))
    built = harness.build(f'extern "C" int left_out;\nint left_out = -1;\n{numbered}', (EVALUATE,))
    left_out = ctypes.c_int.in_dll(ctypes.CDLL(str(built)), "left_out")
    scores, labels = cases(10, 500, 3.0)
    right = evaluate(scores, labels)[2]
    try:
        for k in range(len(parts) - 1):
            left_out.value = k
            found = {evaluate(scores, labels, blocks=1, backwards=way, built=built)[2] for way in (False, True)}
            assert found != {right}, k
    finally:
        left_out.value = -1
