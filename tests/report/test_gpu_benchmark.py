"""The GPU benchmark as a program: arguments, JSON, chart, and the check that all contestants compute the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import nvrtc
from stand_in import cuda_cupy

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def programs(monkeypatch):
    """The benchmark's modules, importable for the length of a test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_micro
    import gpu_peers

    return gpu_micro, gpu_peers


def run(*arguments):
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_dry_run_writes_json_and_chart(tmp_path):
    done = run("--dry-run", "--only", "lenet-gpu,readable", "--out", tmp_path / "new" / "folder")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "new" / "folder" / "gpu.json").read_text())
    assert report["dry_run"] is True
    assert all(error < 1e-5 for error in report["loss_errors"].values())
    rows = {(row["kind"], row["batch_size"], row["name"]): row for row in report["results"]}
    names = {name for _, _, name in rows}
    assert len(rows) == 2 * 2 * len(names) == 8
    for row in rows.values():
        assert 0 < row["min_us"] <= row["median_us"] <= row["max_us"]
        assert row["n"] == 2
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["median_us"] * 1e6)
    assert report["paper_step"]["engine"] == "cpu_plan"
    assert report["paper_step"]["n"] == 2
    assert report["paper_step"]["median_us"] > 0
    assert (tmp_path / "new" / "folder" / "gpu.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.torch
def test_pytorch_computes_the_same_losses(tmp_path):
    done = run("--dry-run", "--only", "torch", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["loss_errors"]["PyTorch"] < 1e-5


def test_a_contestant_that_computes_something_else_is_left_out(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import gpu
right = gpu.Ours.losses
gpu.Ours.losses = lambda self, order: right(self, order) * (1.01 if self.engine_name == "auto" else 1.0)
sys.exit(gpu.main(["--dry-run", "--only", "lenet-gpu,readable", "--out", {str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "WRONG" in done.stdout
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["left_out"] == {"lenet-gpu": "computes another loss"}
    assert {row["name"] for row in report["results"]} == {"readable layers, numpy"}


def test_arguments_are_checked(tmp_path):
    done = run("--dry-run", "--only", "tensorflow", "--out", tmp_path)
    assert done.returncode == 2
    assert "unknown contestants: tensorflow" in done.stderr
    assert not list(tmp_path.iterdir())


def test_tables_c3_is_masked_alike(programs):
    _, peers = programs
    mask = peers.table_mask()
    assert mask.sum() == 60
    weights = np.arange(1, 1501, dtype=np.float32).reshape(60, 5, 5)
    dense = peers.parameters_of({"c3.weight": weights})["c3.weight"]
    assert np.array_equal(dense != 0, np.broadcast_to(mask != 0, dense.shape))
    assert np.array_equal(dense[(mask != 0)[:, :, 0, 0]], weights)


def test_kernels_of_the_micro_benchmark_compile(programs):
    micro, _ = programs
    for architecture in ("sm_75", "sm_90", "sm_120"):
        nvrtc.compile_source(micro.SOURCE, architecture, ("-std=c++17",))


def test_kernels_are_timed_with_the_arguments_they_take(programs, monkeypatch):
    """On the stand-in, whose kernels refuse arguments of another type."""
    micro, _ = programs
    runs = []

    def event_time(xp, stream, work):
        work()
        stream.synchronize()
        runs.append(work)
        return 50.0

    monkeypatch.setattr(micro, "event_time", event_time)
    deactivate = cuda_cupy.activate()
    try:
        stream = cuda_cupy.Stream(non_blocking=True)
        with stream:
            found = micro.kernel_times(cuda_cupy.xp, stream, batches=(1,))
        assert cuda_cupy.world.counts["lenet5_train_images"] == cuda_cupy.world.counts["lenet5_update"] == 50
    finally:
        deactivate()
    assert found == {"train_images_1": 1.0, "update_1": 1.0}
    assert len(runs) == 2
