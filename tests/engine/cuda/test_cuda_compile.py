"""Every kernel compiles for every supported architecture, within stored ceilings of registers, memory and spills.

The compiler is NVRTC, the one CuPy uses at run time; it needs neither a driver nor a GPU.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_on_cpu import nvrtc

from lenet_gpu.engine.cover import MOST_CLASSES
from lenet_gpu.engine.cuda.source import (
    INFER,
    KERNEL_FOLDER,
    OPTIONS,
    OUTPUTS,
    THREADS,
    TRAIN_IMAGES,
    UPDATE,
    UPDATE_THREADS,
    kernel_source,
    sizes,
)

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
CEILINGS = json.loads((HERE / "ceilings.json").read_text())
ALL = ("75", "80", "86", "89", "90", "100", "120")
"""Compute capabilities of the supported architectures, times ten."""

NETWORKS = {
    "modern": (10, ALL),
    "paper": (10, ALL),
    "modern, 2 classes": (2, ("75", "90")),
    "modern, 26 classes": (26, ("75", "90")),
    "modern, 64 classes": (64, ("75", "90")),
}
"""Number of classes of the networks that are compiled, and for what architectures."""

BUILDS = [(name, architecture) for name, (_, architectures) in NETWORKS.items() for architecture in architectures]


@functools.cache
def compiled() -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """What the kernels take, by network and architecture: a network a process, side by side."""
    tool = [sys.executable, str(TESTS / "cuda_on_cpu" / "nvrtc.py")]
    running = {
        name: subprocess.Popen(
            [*tool, name.split(",")[0], str(classes), *architectures],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (classes, architectures) in NETWORKS.items()
    }
    reports: dict[str, dict[str, dict[str, dict[str, int]]]] = {name: {} for name in NETWORKS}
    for name, process in running.items():
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        for line in out.splitlines():
            report = json.loads(line)
            # ptxas says nothing but what it was asked for: no warning anywhere.
            assert "warning" not in report["log"].lower(), report["log"]
            reports[name][report["architecture"]] = report["kernels"]
    return reports


@pytest.mark.parametrize(("network", "architecture"), BUILDS)
def test_kernels_stay_below_their_ceilings(network: str, architecture: str) -> None:
    found, ceilings = compiled()[network][architecture], CEILINGS[network][architecture]
    assert set(found) == set(ceilings) == {TRAIN_IMAGES, UPDATE, INFER}
    for kernel, ceiling in ceilings.items():
        over = {what: (found[kernel][what], most) for what, most in ceiling.items() if found[kernel][what] > most}
        assert not over, f"{network}, {kernel}, sm_{architecture}: (found, ceiling) {over}"


@pytest.mark.parametrize("architecture", ALL)
def test_shared_memory_of_a_block_fits(architecture: str) -> None:
    """The most a block may ask for (CUDA C++ Programming Guide, technical specifications by compute capability)."""
    kib = {"75": 64, "80": 163, "86": 99, "89": 99, "90": 227, "100": 227, "120": 99}[architecture]
    for classes in range(2, MOST_CLASSES + 1):
        assert sizes("modern", classes).shared_bytes <= kib * 1024


def test_registers_leave_room_for_a_whole_block() -> None:
    for network, architecture in BUILDS:
        kernels = compiled()[network][architecture]
        for kernel, threads in ((TRAIN_IMAGES, THREADS), (UPDATE, UPDATE_THREADS), (INFER, THREADS)):
            assert kernels[kernel]["registers"] * threads <= 65536, (network, architecture, kernel)


def test_the_documented_figures_are_the_measured_ones() -> None:
    text = (TESTS.parent / "docs" / "gpu.md").read_text()
    for architecture in ALL:
        figures = (
            CEILINGS[variant][architecture][kernel] for variant in OUTPUTS for kernel in (TRAIN_IMAGES, UPDATE, INFER)
        )
        cells = " | ".join(f"{found['registers']} / {found['spills']}" for found in figures)
        assert f"| sm_{architecture} | {cells} |" in text, f"docs/gpu.md: expected | sm_{architecture} | {cells} |"
    assert f"{sizes().shared_bytes:,} bytes" in text


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
    """Write the ceilings anew from what this compiler makes of the kernels, when this file is run as a program."""
    note = f"measured with {nvrtc.DISTRIBUTION} {nvrtc.importlib.metadata.version(nvrtc.DISTRIBUTION)}"
    new = {"note": note, **compiled()}
    path = HERE / "ceilings.json"
    path.with_suffix(".tmp").write_text(json.dumps(new, indent=1) + "\n")
    os.replace(path.with_suffix(".tmp"), path)


if __name__ == "__main__":
    record()
