"""The staged probe, stage by stage and as a whole, in this process; real processes are in test_backend."""

import json
import sys
import threading
import time

import pytest
from stand_in import fake_cupy

from lenet_gpu.backend import isolated_probe, probe, remedies
from lenet_gpu.backend.probe import (
    ProbeResult,
    Stage,
    StageFailure,
    StageResult,
    Work,
    describe,
    one_line,
    run_stages,
)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


def raising(error):
    def check(_):
        raise error

    return check


def run_one(check, timeout=30.0):
    return next(run_stages([Stage("product", "a product", check)], timeout))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImportError("libcublas.so.13: no"), "ImportError: libcublas.so.13: no"),
        (OSError(5, "broken"), "OSError: [Errno 5] broken"),
        (SystemError("null result"), "SystemError: null result"),
        (MemoryError(), "MemoryError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (Unprintable(), "Unprintable"),
        (StageFailure("said by us"), "said by us"),
        (RuntimeError("=" * 40 + "\nFailed\n\n  to import\n" + "=" * 40), "RuntimeError: Failed to import"),
    ],
)
def test_whatever_a_stage_raises_becomes_its_result(error, line):
    result, _ = run_one(raising(error))
    assert (result.key, result.outcome, result.detail) == ("product", "failed", line)
    assert result.remedy


def test_long_messages_keep_their_beginning_and_end():
    line = one_line("begin " + "x" * 5000 + " end")
    assert len(line) <= 240
    assert line.startswith("begin ")
    assert line.endswith(" end")
    assert one_line("a\n b\tc") == "a b c"
    assert describe(ValueError("two\nlines")) == "ValueError: two lines"


def test_stages_hand_facts_on_and_nothing_runs_after_a_failure():
    ran = []

    def first(work):
        work.facts["seen"] = 1
        return "fine"

    def second(work):
        assert work.facts == {"seen": 1}
        raise OSError("broken")

    stages = [Stage("one", "", first), Stage("two", "", second), Stage("three", "", ran.append)]
    results = list(run_stages(stages, 30.0))
    assert [(result.key, result.outcome) for result, _ in results] == [("one", "ok"), ("two", "failed")]
    assert [facts for _, facts in results] == [{"seen": 1}, {"seen": 1}]
    assert ran == []


def test_a_stage_starts_only_when_the_last_result_was_taken():
    # Else a stage that ends the process would take the results before it along.
    started = threading.Event()
    results = run_stages([Stage("one", "", lambda _: "fine"), Stage("two", "", lambda _: started.set())], 30.0)
    next(results)
    assert not started.wait(0.2)
    next(results)
    assert started.is_set()


def test_a_hanging_stage_is_given_up_and_the_next_never_started():
    release, later = threading.Event(), []
    stages = [Stage("device", "", lambda _: release.wait(60)), Stage("next", "", later.append)]
    ((result, _),) = run_stages(stages, 0.2)
    release.set()
    time.sleep(0.1)
    assert (result.outcome, result.detail) == ("failed", "no answer within 0.2 s")
    assert "nvidia-smi" in result.remedy
    assert later == []


def test_the_stages_are_these_in_this_order():
    keys = [stage.key for stage in probe.STAGES]
    assert keys[:4] == ["installed", "distributions", "import", "device"]
    assert keys[4:] == ["allocation", "kernel", "elementwise", "product", "synchronise"]


def test_a_result_has_every_stage(monkeypatch):
    stages = [Stage(key, f"the {key}", lambda _: "fine") for key in "abc"]
    stages[1] = Stage("b", "the b", raising(OSError("broken")))
    monkeypatch.setattr(probe, "STAGES", tuple(stages))
    result = probe.probe()
    assert [stage.outcome for stage in result.stages] == ["ok", "failed", "not reached"]
    assert not result.usable
    assert result.failed is result.stages[1]
    assert result.reason == 'stage "b": OSError: broken'
    assert json.loads(json.dumps(result.to_dict()))["stages"][2] == {
        "key": "c", "title": "the c", "outcome": "not reached", "detail": "", "remedy": "",
    }  # fmt: skip


def test_a_result_without_failure_is_usable():
    result = ProbeResult((StageResult("a", "", "ok"),), {})
    assert (result.usable, result.failed, result.reason) == (True, None, "")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 60), ("5", 5), ("0.5", 0.5), ("0", 60), ("-3", 60), ("soon", 60), ("nan", 60), ("inf", 60)],
)
def test_the_time_a_stage_may_take(monkeypatch, value, seconds):
    monkeypatch.delenv("LENET_GPU_PROBE_TIMEOUT", raising=False)
    if value is not None:
        monkeypatch.setenv("LENET_GPU_PROBE_TIMEOUT", value)
    assert probe.stage_timeout() == seconds


def test_duplicate_distributions_are_found_by_their_records(monkeypatch, tmp_path):
    names = ("cupy-cuda12x", "cupy-cuda13x", "cupy-xarray", "amd-cupy", "cupy-rocm-7-0")
    fake_cupy.install(fake_cupy.Scenario("", None, fault=None, distributions=names), tmp_path)
    damaged = tmp_path / "broken-1.0.dist-info"
    damaged.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert probe.cupy_distributions() == ["amd-cupy", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-7-0"]


def test_a_folder_that_hides_cupy_is_named(monkeypatch, tmp_path):
    (tmp_path / "cupy").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    result = probe.probe()
    assert result.failed.key == "installed"
    assert result.failed.detail == f"the folder {tmp_path / 'cupy'} hides the package cupy"
    assert "rename" in result.failed.remedy


def test_the_driver_tells_its_version(monkeypatch, tmp_path):
    file = tmp_path / "version"
    file.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n")
    monkeypatch.setattr(probe, "DRIVER_FILE", file)
    assert probe.nvidia_driver() == "535.104.05"
    file.write_text("nothing that we know")
    assert probe.nvidia_driver() is None
    monkeypatch.setattr(probe, "DRIVER_FILE", tmp_path / "none")
    assert probe.nvidia_driver() is None


def test_facts_of_a_machine_without_cupy_choose_the_right_extra(monkeypatch, tmp_path):
    file = tmp_path / "version"
    monkeypatch.setattr(probe, "DRIVER_FILE", file)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    work = Work()
    file.write_text("NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n")
    with pytest.raises(StageFailure, match="not installed"):
        probe.STAGES[0].check(work)
    assert work.facts == {"nvidia_driver": "580.65.06", "cuda_visible_devices": "", "distributions": []}
    remedy = remedies.remedy_for("installed", "CuPy is not installed", work.facts)
    assert remedy == "there is an NVIDIA driver (580.65.06): pip install 'cupy-cuda13x[ctk]'"


@pytest.mark.parametrize(
    ("facts", "extra"),
    [
        ({}, "cuda13"),
        ({"nvidia_driver": "535.104.05"}, "cuda12"),
        ({"nvidia_driver": "580.65.06"}, "cuda13"),
        ({"distributions": ["cupy-cuda12x"], "nvidia_driver": "580.65.06"}, "cuda12"),
        ({"distributions": ["cupy-cuda13x"], "nvidia_driver": "535.104.05"}, "cuda13"),
        ({"distributions": ["cupy-cuda12x", "cupy-cuda13x"]}, "cuda13"),
        ({"distributions": ["cupy-cuda12x", "cupy-cuda13x"], "nvidia_driver": "535.1"}, "cuda12"),
        ({"distributions": ["cupy"]}, "cuda13"),
    ],
)
def test_the_extra_that_fits(facts, extra):
    assert remedies.extra(facts) == extra


OLD_GPU = {"distributions": ["cupy-cuda13x"], "compute_capability": "6.1"}
NEW_GPU = {"distributions": ["cupy-cuda12x"], "compute_capability": "13.0"}


@pytest.mark.parametrize(
    ("stage", "detail", "facts", "remedy"),
    [
        ("import", "ImportError: libcuda.so.1: cannot open shared object file", {}, "install the NVIDIA driver"),
        ("import", "ImportError: numpy.core.multiarray failed to import", {}, "pip uninstall cupy"),
        ("device", "CUDARuntimeError: cudaErrorSystemDriverMismatch", {}, "restart the computer"),
        ("device", "CUDARuntimeError: cudaErrorNoDevice", {"cuda_visible_devices": ""}, "=''"),
        ("allocation", "CUDARuntimeError: cudaErrorDevicesUnavailable", {}, "nvidia-smi lists who"),
        ("kernel", "PermissionError: [Errno 13] '/home/ada/.cupy'", {}, "CUPY_CACHE_DIR"),
        ("kernel", "OSError: [Errno 30] Read-only file system: '/home/me/.cupy'", {}, "CUPY_CACHE_DIR"),
        ("kernel", "invalid value for --gpu-architecture (-arch)", OLD_GPU, "CUDA 13 no longer knows"),
        ("kernel", "invalid value for --gpu-architecture (-arch)", NEW_GPU, "--upgrade 'cupy-cuda12x[ctk]'"),
        ("elementwise", "cudaErrorNoKernelImageForDevice", OLD_GPU, "pip install 'cupy-cuda12x[ctk]'"),
        ("product", "CUBLASError: CUBLAS_STATUS_ALLOC_FAILED", {}, "nvidia-smi lists who"),
        ("a stage nobody knows", "?", {}, "nvidia-smi"),
    ],
)
def test_remedies_fit_the_failure(stage, detail, facts, remedy):
    assert remedy in remedies.remedy_for(stage, detail, facts)


def test_every_stage_has_a_remedy_for_an_unknown_failure():
    assert list(remedies.REMEDIES) == [stage.key for stage in probe.STAGES]
    for stage in probe.STAGES:
        remedy = remedies.remedy_for(stage.key, "something never seen", {})
        assert len(remedy) > 10
        assert "\n" not in remedy


def test_a_frozen_app_is_not_started_again_to_probe(monkeypatch):
    fine = StageResult("installed", "", "ok"), {}
    monkeypatch.setattr(isolated_probe, "run_stages", lambda *_: iter([fine, fine]))
    monkeypatch.setattr(isolated_probe, "cached_probe", lambda: "in this process")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert isolated_probe.probe_isolated() == "in this process"


def test_a_process_that_can_not_be_started_is_done_without(monkeypatch):
    fine = StageResult("installed", "", "ok"), {}
    monkeypatch.setattr(isolated_probe, "run_stages", lambda *_: iter([fine, fine]))
    monkeypatch.setattr(isolated_probe, "cached_probe", lambda: "in this process")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert isolated_probe.probe_isolated() == "in this process"
