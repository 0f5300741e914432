"""The CUDA kernels' barriers, exchanges and bounds, executed on the CPU; and that broken kernels are found out."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import harness
from cuda_on_cpu.cases import digits, everything, make_steps, permutation
from cuda_on_cpu.steps import KERNELS, Steps

from lenet_gpu.engine.cuda.source import INFER, kernel_source

HARNESS = Path(harness.__file__).parent


def test_arguments_of_another_type_are_refused() -> None:
    steps = make_steps(permutation(1), 1)
    kernel = steps.kernel(INFER)
    arguments = (steps.parameters, steps.images, np.float64(0), np.float32(0), np.int32(1), steps.records)
    with pytest.raises(TypeError, match="argument 2 is a float64"):
        kernel((1,), (512,), arguments, shared_mem=steps.shared)


# ---- no barrier too few, and none that some threads miss


@functools.cache
def numbered_barriers(variant: str) -> tuple[Path, list[str]]:
    """The kernels with every barrier numbered, so that a test can leave one out; the file of each barrier."""
    parts = kernel_source(variant).split("__syncthreads();")
    source = parts[0] + "".join(f"if (left_out != {k}) __syncthreads();{part}" for k, part in enumerate(parts[1:]))
    before = ["".join(parts[: k + 1]) for k in range(len(parts) - 1)]
    files = [re.findall(r'^#line \d+ "(.*)"$', text, re.MULTILINE)[-1] for text in before]
    return harness.build(f'extern "C" int left_out;\nint left_out = -1;\n{source}', KERNELS), files


@pytest.mark.parametrize("kernels", ["training", "inference"])
@pytest.mark.parametrize(("variant", "loss"), [("modern", "cross_entropy"), ("paper", "map")])
def test_every_missing_barrier_is_found(variant: str, loss: str, kernels: str) -> None:
    built, files = numbered_barriers(variant)
    left_out = ctypes.c_int.in_dll(ctypes.CDLL(str(built)), "left_out")

    def result(backwards: bool) -> bytes:
        # One block for several images: also what one image leaves behind for the next one must be waited for.
        options = everything(permutation(2))
        steps = make_steps(permutation(2), 2, loss, backwards=backwards, grids=(1, 2), **options)
        steps.library = built
        if kernels == "inference":
            return steps.infer(digits()[0][:2], 1).tobytes()
        return steps.run().tobytes() + steps.losses.tobytes()

    right, found = result(False), []
    assert right == result(True)
    try:
        for k in range(len(files)):
            left_out.value = k
            if {result(False), result(True)} != {right}:
                found.append(k)
    finally:
        left_out.value = -1
    training = ("ward.cuh", "distort.cuh", "train_images.cu", "update.cu")
    own = ("forward.cuh", "infer.cu") if kernels == "inference" else training
    assert found == [k for k, name in enumerate(files) if name.endswith(own)]


def broken(old: str, new: str) -> Steps:
    """Steps with kernels in which `old` is replaced."""
    source = kernel_source()
    assert source.count(old) == 1
    steps = make_steps(permutation(2), 2)
    steps.library = harness.build(source.replace(old, new), KERNELS)
    return steps


def test_a_barrier_that_not_all_threads_reach_is_found() -> None:
    steps = broken(
        "s2 = backward_s2(m);\n    __syncthreads();",
        "s2 = backward_s2(m);\n    if (threadIdx.x < 384) __syncthreads();",
    )
    with pytest.raises(harness.KernelError, match=r"lenet5_train_images: block .*barrier divergence: "):
        steps.run()


def test_a_warp_exchange_that_not_all_lanes_reach_is_found() -> None:
    steps = broken(
        "if (lane % HEAD_SLICES == 0 && unit < F6_UNITS) m.d_f6",
        "if (lane % HEAD_SLICES == 1) quad_sum(sum);\n    if (lane % HEAD_SLICES == 0 && unit < F6_UNITS) m.d_f6",
    )
    with pytest.raises(harness.KernelError, match="for ever"):
        steps.run()


# ---- No access beyond an array, with AddressSanitizer in a process of its own.


def sanitized(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    built = harness.build(source, KERNELS, sanitize=True)
    runtime = subprocess.run(
        [harness.COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    environment = {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, str(HARNESS / "steps.py"), str(built), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(("variant", "classes"), [("modern", 10), ("modern", 29), ("paper", 10)])
def test_no_access_lies_beyond_its_array(variant: str, classes: int) -> None:
    done = sanitized(kernel_source(variant, classes), variant, str(classes))
    assert done.returncode == 0, done.stderr[:3000]
    assert done.stdout.startswith("finished")


def test_an_access_beyond_a_buffer_is_found() -> None:
    source = kernel_source().replace("k < RECORD / 4; k += THREADS", "k <= RECORD / 4; k += THREADS")
    done = sanitized(source, "modern", "10")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


def test_too_little_shared_memory_is_found() -> None:
    done = sanitized(kernel_source(), "modern", "10", "16")
    assert done.returncode != 0
    assert "use-after-poison" in done.stderr
