"""Every kernel compiles for every supported architecture, within stored ceilings of registers, memory and spills.

The compiler is NVRTC, the one CuPy uses at run time; it needs neither a driver nor a GPU.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parents[2])]

from cuda_on_cpu import harness, nvrtc

from lenet_gpu.engine.cover import MOST_CLASSES
from lenet_gpu.engine.cuda.source import (
    ALONE_THREADS,
    CLUSTER_THREADS,
    INFER,
    KERNEL_FOLDER,
    OPTIONS,
    TRAIN_ALONE,
    TRAIN_IMAGES,
    cluster_sizes,
    kernel_names,
    kernel_source,
    sizes,
)

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
PAGE = TESTS.parent / "docs" / "explain" / "gpu.md"
CEILINGS = json.loads((HERE / "ceilings.json").read_text())

ALL = ("75", "80", "86", "89", "90", "100", "120")
"""Compute capabilities of the supported architectures, times ten."""

BUILDS = {
    "portable": ("portable", "modern", 10, ALL),
    "portable, paper": ("portable", "paper", 10, ("75", "90", "120")),
    "portable, 64 classes": ("portable", "modern", 64, ("75", "90")),
    "throughput": ("throughput", "modern", 10, ("80", "90", "100")),
    "throughput, 64 classes": ("throughput", "modern", 64, ("90",)),
    "cluster": ("cluster", "modern", 10, ("90", "100")),
    "cluster, paper": ("cluster", "paper", 10, ("90",)),
    "alone": ("alone", "modern", 10, ("90", "100")),
    "alone, paper": ("alone", "paper", 10, ("90",)),
}
"""Form, network, number of classes and architectures of what is compiled."""

CASES = [(name, architecture) for name, (*_, architectures) in BUILDS.items() for architecture in architectures]

BLOCK_KIB = {"75": 64, "80": 163, "86": 99, "89": 99, "90": 227, "100": 227, "120": 99}
"""Shared memory that a block may ask for, in KiB."""

MULTIPROCESSOR_KIB = {"75": 64, "80": 164, "86": 100, "89": 100, "90": 228, "100": 228, "120": 100}
"""Shared memory of a multiprocessor. Both: CUDA C++ Programming Guide, technical specifications by capability."""

REGISTERS, REGISTERS_AT_ONCE, RESERVED_BYTES = 65536, 256, 1024
"""Registers of a multiprocessor; how many a warp gets at once; shared memory that each block takes beside its own,
since compute capability 8.0."""

FIGURE = re.compile(r"<!-- compiled -->\n(.*?)<!-- end -->", re.DOTALL)
"""Where the page shows what the compiler makes of the kernels."""


@functools.cache
def compiled() -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """What the kernels take, by build and architecture; compiled once for all processes that run tests."""
    kept = harness.folder() / "compiled.json"
    with filelock.FileLock(kept.with_suffix(".lock")):  # a thread or another process may be compiling ahead
        if not kept.exists():
            kept.write_text(json.dumps(compile_all()))
    return json.loads(kept.read_text())


def compile_all() -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Compile each build in a process, a few side by side."""

    def one(name: str) -> dict[str, dict[str, dict[str, int]]]:
        form, variant, classes, architectures = BUILDS[name]
        tool = [
            *harness.NICE,
            sys.executable,
            str(TESTS / "cuda_on_cpu" / "nvrtc.py"),
            variant,
            str(classes),
            form,
            *architectures,
        ]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        reports = {}
        for report in map(json.loads, done.stdout.splitlines()):
            # ptxas says nothing but what it was asked for: no warning anywhere.
            assert "warning" not in report["log"].lower(), report["log"]
            reports[report["architecture"]] = report["kernels"]
        return reports

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(BUILDS, pool.map(one, BUILDS), strict=True))


@pytest.mark.parametrize(("build", "architecture"), CASES)
def test_kernels_stay_below_their_ceilings(build: str, architecture: str) -> None:
    found, ceilings = compiled()[build][architecture], CEILINGS[build][architecture]
    form, variant, classes, _ = BUILDS[build]
    assert list(found) != []
    assert set(found) == set(ceilings) == set(kernel_names(kernel_source(variant, classes, form)))
    for kernel, ceiling in ceilings.items():
        assert ceiling["spills"] == ceiling["stack"] == 0
        over = {what: (found[kernel][what], most) for what, most in ceiling.items() if found[kernel][what] > most}
        assert not over, f"{build}, {kernel}, sm_{architecture}: (found, ceiling) {over}"


@pytest.mark.parametrize("architecture", ALL)
def test_shared_memory_of_a_block_of_the_portable_form_fits(architecture: str) -> None:
    for classes in range(2, MOST_CLASSES + 1):
        assert sizes("modern", classes).shared_bytes <= BLOCK_KIB[architecture] * 1024


def launched(form: str, variant: str, classes: int) -> dict[str, tuple[int, int]]:
    """Threads and dynamic shared memory of a block of the kernels that work on images, by name."""
    host = sizes(variant, classes, form)
    own = cluster_sizes(variant, classes)
    if form == "cluster":
        return {TRAIN_IMAGES: (CLUSTER_THREADS, own.shared_bytes)}
    if form == "alone":
        return {TRAIN_ALONE: (ALONE_THREADS, own.alone_shared_bytes)}
    return {TRAIN_IMAGES: (host.threads, host.shared_bytes), INFER: (host.threads, host.inference_bytes)}


def blocks_that_fit(architecture: str, registers: int, threads: int, shared_bytes: int) -> int:
    """Blocks of a kernel that a multiprocessor runs at once, from its table of limits."""
    if shared_bytes > BLOCK_KIB[architecture] * 1024:
        return 0
    each = -(-registers * 32 // REGISTERS_AT_ONCE) * REGISTERS_AT_ONCE * threads // 32
    taken = shared_bytes + (RESERVED_BYTES if architecture != "75" else 0)
    return min(REGISTERS // each, MULTIPROCESSOR_KIB[architecture] * 1024 // taken)


def test_blocks_fit_as_the_forms_need_it() -> None:
    def fitting(build: str, architecture: str, kernel: str) -> int:
        form, variant, classes, _ = BUILDS[build]
        threads, shared = launched(form, variant, classes)[kernel]
        return blocks_that_fit(architecture, CEILINGS[build][architecture][kernel]["registers"], threads, shared)

    for build, architecture in CASES:
        if build.startswith("portable"):
            assert fitting(build, architecture, TRAIN_IMAGES) == fitting(build, architecture, INFER) == 1
    for architecture in ("90", "100"):
        assert fitting("throughput", architecture, TRAIN_IMAGES) == fitting("throughput", architecture, INFER) == 2
        assert fitting("cluster", architecture, TRAIN_IMAGES) == fitting("alone", architecture, TRAIN_ALONE) == 1
    assert fitting("throughput", "80", TRAIN_IMAGES) == 1


def figure() -> str:
    """The page's table: registers a thread, shared memory of a block and blocks that fit, form by architecture."""
    lines = [
        "| form | kernel | shared memory | " + " | ".join(f"sm_{a}" for a in ALL) + " |",
        "|" + "---|" * (3 + len(ALL)),
    ]
    for build, (form, variant, classes, _) in BUILDS.items():
        for kernel, (threads, shared) in launched(form, variant, classes).items():
            cells = []
            for architecture in ALL:
                found = CEILINGS[build].get(architecture)
                if found is None:
                    cells.append("")
                    continue
                registers = found[kernel]["registers"]
                cells.append(f"{registers} / {blocks_that_fit(architecture, registers, threads, shared)}")
            lines.append(f"| {build} | `{kernel}` | {shared:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_documented_figures_are_the_measured_ones() -> None:
    shown = FIGURE.search(PAGE.read_text(encoding="utf-8"))
    assert shown is not None
    assert shown.group(1).strip() == figure().strip(), f"docs/explain/gpu.md: run {Path(__file__).name} as a program"


def test_spills_would_be_seen() -> None:
    """With half the registers the compiler must spill, and the figures must say so."""
    source = kernel_source().replace("__launch_bounds__(THREADS, 1)", "__launch_bounds__(THREADS, 2)")
    _, log = nvrtc.compile_source(source, "sm_90", (*OPTIONS, *nvrtc.CUPY_OPTIONS))
    kernel = nvrtc.resources(log)[TRAIN_IMAGES]
    assert kernel["registers"] <= 64
    assert kernel["spills"] > 0


def test_an_error_names_the_file_and_line_of_the_source_as_it_is() -> None:
    source = kernel_source().replace("return value - rule.learning_rate", "return value - rule.learning_rat")
    line = 1 + [*map(str.strip, (KERNEL_FOLDER / "rules.cuh").read_text().splitlines())].index(
        "return value - rule.learning_rate * gradient;"
    )
    with pytest.raises(RuntimeError, match=rf"rules\.cuh\({line}\): error: .*learning_rat"):
        nvrtc.compile_source(source, "sm_90", OPTIONS)


def record() -> None:
    """Write the ceilings and the page's table anew from what this compiler makes of the kernels, run as a program."""
    note = f"measured with {nvrtc.DISTRIBUTION} {nvrtc.importlib.metadata.version(nvrtc.DISTRIBUTION)}"
    new = {"note": note, **compiled()}
    CEILINGS.clear()
    CEILINGS.update(new)
    path = HERE / "ceilings.json"
    path.with_suffix(".tmp").write_text(json.dumps(new, indent=1) + "\n")
    os.replace(path.with_suffix(".tmp"), path)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(FIGURE.sub(lambda _: f"<!-- compiled -->\n{figure()}<!-- end -->", text), encoding="utf-8")


if __name__ == "__main__":
    record()
