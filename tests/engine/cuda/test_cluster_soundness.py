"""The cluster form's barriers, mail and bounds, executed on the CPU; and that broken kernels are found out."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_on_cpu import harness
from cuda_on_cpu.cases import everything, permutation
from cuda_on_cpu.cluster_steps import KERNELS, ClusterSteps, make_steps
from cuda_on_cpu.soundness import Faults

from lenet_gpu.engine.cuda.source import kernel_source

HERE = Path(harness.__file__).parent
WAITS = re.compile(
    r"\b(workers_wait\(\)|wait_for\(m, \w+, [^;]*\)|barrier_(?:wait|arrive)<\w+_BARRIER, \w+>\(\)|cluster_wait\(\));"
)
LINE = re.compile(r'^#line \d+ "(.*)"$', re.MULTILINE)
ORDERS = (0, 1, 2, 3, 4, 5, 17)


def numbered_waits(variant: str, classes: int, form: str) -> tuple[Path, list[tuple[str, str]]]:
    """The kernels with every wait numbered, so that a test can leave one out; the file of each, and what it is."""
    source, found = kernel_source(variant, classes, form), []

    def numbered(match: re.Match[str]) -> str:
        before = source[: match.start()]
        file = LINE.findall(before)[-1]
        if before.rpartition("\n")[2].startswith("__device__"):  # how it is made
            return match.group(0)
        found.append((file, match.group(1)))
        return f"if (left_out != {len(found) - 1}) {match.group(0)}"

    text = WAITS.sub(numbered, source)
    return harness.build(f'extern "C" int left_out;\nint left_out = -1;\n{text}', KERNELS[form]), found


def outcome(library: Path, loss: str, classes: int, number: int, alone: bool) -> bytes:
    order = permutation(2 if alone else 4)
    steps = make_steps(order, 1 if alone else 3, loss, classes, number=number, **everything(order))
    steps.library = library
    if alone:
        steps.alone()
    else:
        # Two clusters: also what an image leaves behind must be waited for; in the second step one has nothing to do.
        steps.grids = (2, None)
        steps.run()
    return steps.parameters.tobytes() + steps.losses.tobytes() + steps.velocity.tobytes()


@pytest.mark.parametrize(
    ("variant", "loss", "classes", "alone"),
    [
        ("modern", "cross_entropy", 10, True),
        ("modern", "cross_entropy", 10, False),
        ("paper", "map", 10, True),
    ],
)
def test_every_missing_wait_is_found(variant: str, loss: str, classes: int, alone: bool) -> None:
    library, waits = numbered_waits(variant, classes, "alone" if alone else "cluster")
    left_out = ctypes.c_int.in_dll(ctypes.CDLL(str(library)), "left_out")
    right = outcome(library, loss, classes, 0, alone)
    assert {outcome(library, loss, classes, number, alone) for number in ORDERS} == {right}

    def noticed() -> bool:
        for number in ORDERS:
            try:
                if outcome(library, loss, classes, number, alone) != right:
                    return True
            except harness.KernelError:
                return True
        return False

    missed = []
    try:
        for k, wait in enumerate(waits):
            left_out.value = k
            if not noticed():
                missed.append(wait)
    finally:
        left_out.value = -1
    # Those of the softmax that is not compiled for so many classes are never reached.
    counts = {"modern": {10: 4, 26: 2}, "paper": {10: 0}}[variant][classes]
    # Nor can it be seen that a cluster leaves between the two halves of its barrier; that is only good form.
    if not alone:
        missed.remove(("cluster/train_images.cu", "cluster_wait()"))
    heads = [wait for wait in missed if "head" in wait[0]]
    rest = [wait for wait in missed if "head" not in wait[0]]
    assert len(heads) == counts
    assert len(rest) == (1 if classes == 26 else 0), rest  # `if (warp >= HEAD_WARPS)`


FAULTS = (
    # what stands in the kernel, what stands there where FAULT is 1, and what is said of that
    ("SLOTS * BACK * FLOAT *", "(SLOTS + FAULT) * BACK * FLOAT *", "deadlock: .*0 arrivals and 224 bytes"),
    (
        "    backward_s4(m, turn, s4_sums);\n    workers_wait();",
        "    backward_s4(m, turn, s4_sums);\n    if (!FAULT || threadIdx.x < 128) workers_wait();",
        "deadlock",
    ),
    (
        "which = 0; which < MAILS; ++which) mbarrier_init",
        "which = FAULT; which < MAILS; ++which) mbarrier_init",
        "more arrivals",
    ),
    ("MARK(14);", "if (FAULT) barrier_arrive<WORKERS_BARRIER, THREADS + 32>();", "differing counts"),
    (
        "remote(at, block), mail = remote(mail_of(m, MAIL_S2), block)",
        "remote(at, block + FAULT), mail = remote(mail_of(m, MAIL_S2), block)",
        "beyond the shared memory",
    ),
)


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults(kernel_source(form="alone"), KERNELS["alone"], [fault[:2] for fault in FAULTS])


def with_faults(faults: Faults) -> ClusterSteps:
    steps = make_steps(permutation(2), 1)
    steps.library = faults.library
    return steps


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[fault[2] for fault in FAULTS])
def test_a_broken_kernel_is_found(number: int, faults: Faults) -> None:
    steps, message = with_faults(faults), FAULTS[number][2]
    with (
        faults.present(number),
        pytest.raises(harness.KernelError, match=f"lenet5_train_alone: cluster: .*{message}"),
    ):
        steps.alone()


def test_without_a_fault_the_kernel_is_the_kernel(faults: Faults) -> None:
    assert with_faults(faults).alone().tobytes() == make_steps(permutation(2), 1).alone().tobytes()


def sanitized(variant: str, classes: int, form: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    built = harness.build(kernel_source(variant, classes, form), KERNELS[form], sanitize=True)
    runtime = subprocess.run(
        [harness.COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    environment = {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, str(HERE / "cluster_steps.py"), str(built), variant, str(classes), form, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("variant", "classes", "form"), [("modern", 10, "cluster"), ("modern", 29, "alone"), ("paper", 10, "cluster")]
)
def test_no_access_lies_beyond_its_array(variant: str, classes: int, form: str) -> None:
    done = sanitized(variant, classes, form)
    assert done.returncode == 0, done.stderr[:3000]
    assert done.stdout.startswith("finished")


def test_too_little_shared_memory_is_found() -> None:
    done = sanitized("modern", 29, "alone", "16")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
