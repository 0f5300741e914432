"""The GPU benchmark as a program: arguments, JSON, chart, and the check that all contestants compute the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import nvrtc
from stand_in import cuda_cupy

from lenet_gpu.engine.cuda.forms import Portable

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
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def test_dry_run_writes_json_and_chart(tmp_path):
    done = run("--dry-run", "--only", "lenet-gpu,readable", "--out", tmp_path / "new" / "folder")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "new" / "folder" / "gpu.json").read_text())
    assert report["dry_run"] is True
    assert report["left_out"] == {}
    assert all(error < 1e-5 for errors in report["loss_errors"].values() for error in errors.values())
    rows = {(row["batch_size"], row["name"]): row for row in report["results"]}
    assert set(rows) == {(4, "lenet-gpu"), (4, "readable layers"), (8, "lenet-gpu")}
    for row in rows.values():
        assert 0 < row["min_us"] <= row["median_us"] <= row["max_us"]
        assert row["n"] == 2
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["median_us"] * 1e6)
        assert row["form"]
    assert {row["kind"] for row in report["inference"]} == {"resident", "host"}
    assert all(0 < row["min"] <= row["images_per_second"] <= row["max"] for row in report["inference"])
    assert report["paper_step"]["engine"] == "cpu_plan"
    assert report["paper_step"]["n"] == 2
    assert report["paper_step"]["median_us"] > 0
    assert (tmp_path / "new" / "folder" / "gpu.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.torch
def test_pytorch_computes_the_same_losses(tmp_path):
    done = run("--dry-run", "--only", "lenet-gpu,torch,torch-channels-last,torch-unfold", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    errors = report["loss_errors"]
    assert len(errors) == 4
    assert all(error < 1e-5 for of_one in errors.values() for error in of_one.values())
    ratio = report["ratios"][0]
    assert ratio["framework"] == "PyTorch"
    assert ratio["n"] == [2, 2]
    assert 0 < ratio["at_least"] <= ratio["times_faster"] <= ratio["at_most"]


def test_a_contestant_that_computes_something_else_is_left_out(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import gpu
right = gpu.Ours.losses
gpu.Ours.losses = lambda self, steps: right(self, steps) * (1.01 if self.engine_name == "auto" else 1.0)
sys.exit(gpu.main(["--dry-run", "--only", "lenet-gpu,readable", "--out", {str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "WRONG" in done.stdout
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["left_out"] == {"lenet-gpu": "computes another loss"}
    assert {row["name"] for row in report["results"]} == {"readable layers"}


def test_a_contestant_that_fails_is_left_out_with_its_reason(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import gpu
def fail(self, *arguments):
    if self.engine_name == "layered": raise RuntimeError("no such device")
    return gpu.Ours.losses(self, *arguments)
gpu.Ours.train = fail
sys.exit(gpu.main(["--dry-run", "--only", "lenet-gpu,readable", "--out", {str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["left_out"] == {"readable layers, batch 4": "RuntimeError: no such device"}
    assert [row["batch_size"] for row in report["results"]] == [4, 8]


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
    monkeypatch.setattr(Portable, "chunk_steps", 2)
    deactivate = cuda_cupy.activate()
    try:
        stream = cuda_cupy.Stream(non_blocking=True)
        with stream:
            found = micro.kernel_times(cuda_cupy.xp, stream, batches=(1,))
        assert cuda_cupy.world.counts["lenet5_train_images"] >= 50 + 2
        assert cuda_cupy.world.counts["lenet5_update"] >= 50 + 2
    finally:
        deactivate()
    for kernel in ("lenet5_train_images", "lenet5_update"):
        assert found[f"portable {kernel}, batch 1"] == 1.0
    assert found["portable step, batch 1"] == 50.0 / 2


def test_marks_become_phases(programs):
    import gpu_profile

    source = "MARK(0);\nMARK(1);  // C1 and S2\nMARK(5);\n"
    names = gpu_profile.names_of_marks(source)
    assert names == {1: "C1 and S2"}
    marks = np.zeros((4, 8), np.int64)
    marks[:3, 0], marks[:3, 1], marks[:3, 5] = 100, [110, 130, 120], 200
    found = gpu_profile.phases(marks, names)  # the fourth block did not run
    assert [(row["from"], row["to"], row["name"]) for row in found[:2]] == [
        (0, 1, "C1 and S2"),
        (1, 5, "mark 1 to 5"),
    ]
    assert (found[0]["median"], found[0]["fastest"], found[0]["slowest"]) == (20, 10, 30)
    assert (found[2]["name"], found[2]["median"], found[2]["blocks"]) == ("all", 100, 3)
    assert gpu_profile.phases(np.zeros((4, 8), np.int64), names) == []


def test_profiled_kernels_compile(programs):
    import gpu_profile

    from lenet_gpu.engine.cuda.forms import FORMS
    from lenet_gpu.engine.cuda.source import OPTIONS, kernel_source

    for folder in sorted({form.folder for form in FORMS}):
        source = kernel_source("modern", 10, folder)
        assert gpu_profile._ARRAY.search(source)
        nvrtc.compile_source(gpu_profile.profiled(source), "sm_90", (*OPTIONS, *nvrtc.CUPY_OPTIONS))


def test_search_and_record_in_small(tmp_path):
    for program, file, *more in (("record_search.py", "search.json"), ("gpu_record.py", ".", "--only", "record")):
        command = [sys.executable, str(BENCHMARKS / program), "--dry-run", "--out", str(tmp_path / file), *more]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    search = json.loads((tmp_path / "search.json").read_text())
    assert search["held_out"] > 0
    assert search["results"][0]["n"] >= 1
    assert search["results"][0]["ms"] > 0
    record = json.loads((tmp_path / "record.json").read_text())["recipes"]["record"]["summary"]
    assert record["fit_s"]["n"] == 2
    assert 0 <= record["share_at_goal"] <= 1
    assert record["training_s"]["median"] < record["fit_s"]["median"]


def test_one_command_runs_the_parts_one_after_the_other(tmp_path, programs, monkeypatch):
    import gpu_all

    commands = {
        "fails": (60, [sys.executable, "-c", "raise SystemExit(3)"]),
        "hangs": (0.5, [sys.executable, "-c", "import time; time.sleep(60)"]),
        "works": (60, [sys.executable, "-c", "print('done')"]),
    }
    monkeypatch.setattr(gpu_all, "parts", lambda out: commands)
    assert gpu_all.main(["--out", str(tmp_path / "out")]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [facts["status"] for facts in summary.values()] == [3, "out of time", 0]
    assert summary["works"]["last_line"] == "done"
    assert (tmp_path / "out" / "works.txt").read_text() == "done\n"
