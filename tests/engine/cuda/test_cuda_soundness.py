"""The CUDA kernels' barriers, exchanges and bounds, executed on the CPU; and that broken kernels are found out."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu import harness, soundness
from cuda_on_cpu.cases import make_steps, permutation
from cuda_on_cpu.steps import KERNELS, Steps

from lenet_gpu.engine.cuda.source import INFER, kernel_source


def test_arguments_of_another_type_are_refused() -> None:
    steps = make_steps(permutation(1), 1)
    kernel = steps.kernel(INFER)
    arguments = (steps.parameters, steps.images, np.float64(0), np.float32(0), np.int32(1), steps.records)
    with pytest.raises(TypeError, match="argument 2 is a float64"):
        kernel((1,), (512,), arguments, shared_mem=steps.shared)


# ---- no barrier too few, and none that some threads miss


@pytest.mark.parametrize("kernels", ["training", "inference"])
@pytest.mark.parametrize(("variant", "loss"), [("modern", "cross_entropy"), ("paper", "map")])
def test_every_missing_barrier_is_found(variant: str, loss: str, kernels: str) -> None:
    barriers = soundness.Barriers(kernel_source(variant))
    training = ("ward.cuh", "distort.cuh", "train_images.cu", "update.cu")
    own = ("forward.cuh", "infer.cu") if kernels == "inference" else training
    needed = barriers.needed_for_inference() if kernels == "inference" else barriers.needed_for_training(loss)
    assert needed == barriers.of_files(*own)


FAULTS = (
    # what stands in the kernel, what stands there where FAULT is 1, and what is said of that
    (
        "s2 = backward_s2(m);\n    __syncthreads();",
        "s2 = backward_s2(m);\n    if (!FAULT || threadIdx.x < 384) __syncthreads();",
        "lenet5_train_images: block .*barrier divergence: ",
    ),
    (
        "if (lane % HEAD_SLICES == 0 && unit < F6_UNITS) m.d_f6",
        "if (FAULT && lane % HEAD_SLICES == 1) quad_sum(sum);\n"
        "    if (lane % HEAD_SLICES == 0 && unit < F6_UNITS) m.d_f6",
        "for ever",
    ),
)


@pytest.fixture(scope="module")
def faults() -> soundness.Faults:
    return soundness.Faults(kernel_source(), KERNELS, [fault[:2] for fault in FAULTS])


def with_faults(faults: soundness.Faults) -> Steps:
    steps = make_steps(permutation(2), 2)
    steps.library = faults.library
    return steps


@pytest.mark.parametrize(
    "number", range(len(FAULTS)), ids=["a barrier for some threads", "an exchange of some lanes"]
)
def test_a_broken_kernel_is_found(number: int, faults: soundness.Faults) -> None:
    steps = with_faults(faults)
    with faults.present(number), pytest.raises(harness.KernelError, match=FAULTS[number][2]):
        steps.run()


def test_without_a_fault_the_kernels_are_the_kernels(faults: soundness.Faults) -> None:
    assert with_faults(faults).run().tobytes() == make_steps(permutation(2), 2).run().tobytes()


# ---- No access beyond an array, with AddressSanitizer in a process of its own.


@pytest.mark.parametrize(("variant", "classes"), [("modern", 10), ("modern", 29), ("paper", 10)])
def test_no_access_lies_beyond_its_array(variant: str, classes: int) -> None:
    done = soundness.sanitized(kernel_source(variant, classes), variant, str(classes))
    assert done.returncode == 0, done.stderr[:3000]
    assert done.stdout.startswith("finished")


def test_an_access_beyond_a_buffer_is_found() -> None:
    source = kernel_source().replace("k < RECORD / 4; k += THREADS", "k <= RECORD / 4; k += THREADS")
    done = soundness.sanitized(source, "modern", "10")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


def test_too_little_shared_memory_is_found() -> None:
    done = soundness.sanitized(kernel_source(), "modern", "10", "16")
    assert done.returncode != 0
    assert "use-after-poison" in done.stderr
