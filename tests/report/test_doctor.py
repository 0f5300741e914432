"""`lenet-gpu doctor`: its data, its text, its exit status; with fake and broken CuPys in real processes."""

import json
import sys
from pathlib import Path

import pytest
from fields import assert_documented
from stand_in import fake_cupy

from lenet_gpu._version import __version__
from lenet_gpu.engine.cpu import squash
from lenet_gpu.report import doctor

each_failure = pytest.mark.parametrize(
    "scenario", [*fake_cupy.BROKEN, fake_cupy.CRASHING], ids=lambda scenario: scenario.name
)


@each_failure
def test_json_names_stage_exception_and_remedy(scenario, tmp_path):
    ended = fake_cupy.run(scenario, tmp_path, "doctor")
    report = fake_cupy.answer(ended)
    assert (ended.returncode, ended.stderr) == (0, "")
    stages = report["gpu"]["stages"]
    failed = [stage for stage in stages if stage["outcome"] == "failed"]
    assert [stage["key"] for stage in failed] == [scenario.stage]
    assert scenario.detail in failed[0]["detail"]
    assert scenario.remedy in failed[0]["remedy"]
    outcomes = [stage["outcome"] for stage in stages]
    at = outcomes.index("failed")
    assert outcomes == ["ok"] * at + ["failed"] + ["not reached"] * (len(stages) - at - 1)
    assert report["gpu"]["facts"]["distributions"] == sorted(scenario.distributions)
    assert report["verdict"]["training"] == "cpu"
    # The text says the same.
    text = doctor.render(report)
    assert scenario.detail in text
    assert f"-> {failed[0]['remedy']}" in text
    assert text.splitlines()[-1].endswith(f'the GPU is out of reach at stage "{scenario.stage}".')


def test_with_a_working_gpu(tmp_path):
    ended = fake_cupy.run(fake_cupy.WORKING, tmp_path, "doctor")
    report = fake_cupy.answer(ended)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert report["gpu"]["usable"] is True
    assert {stage["outcome"] for stage in report["gpu"]["stages"]} == {"ok"}
    facts = report["gpu"]["facts"]
    assert Path(facts.pop("cupy_path")).name == "__init__.py"
    assert facts == {
        "distributions": ["cupy-cuda13x"],
        "cupy_version": "14.2.0",
        "cuda_runtime": "13.2",
        "cuda_driver": "13.0",
        "device_count": 1,
        "devices": ["Stand-in GPU"],
        "device_name": "Stand-in GPU",
        "compute_capability": "9.0",
        "memory_total": 2**33,
    }
    assert report["verdict"] == {"training": "gpu", "sentence": "Training runs on the GPU, Stand-in GPU."}
    text = doctor.render(report)
    assert "Stand-in GPU, 8.0 GiB, compute capability 9.0" in text
    assert "CUDA 13.2, driver's CUDA 13.0" in text


def test_every_field_is_documented(tmp_path):
    report, here = fake_cupy.answer(fake_cupy.run(fake_cupy.WORKING, tmp_path, "doctor")), doctor.collect()
    assert set(report["gpu"].pop("forms")) == {"error"}  # the stand-in compiles no kernels
    assert set(report.pop("data")["mnist"]) == {"error"}  # its process has no platformdirs
    elsewhere = ("nvidia_driver", "cuda_visible_devices")  # some machines have them
    for each in (report, here):
        for name in elsewhere:
            each["gpu"]["facts"].pop(name, None)
    here["gpu"].pop("forms", None)
    forms = {"gpu.forms.training[].from_batch", "gpu.forms.training[].form", "gpu.forms.inference"}
    absent = {*forms, *(f"gpu.facts.{name}" for name in elsewhere)}
    assert_documented("json.md", "doctor", report, here, absent=absent)


def test_the_devices_and_the_variable_that_hides_some_are_said(tmp_path):
    report = fake_cupy.answer(fake_cupy.run(fake_cupy.WORKING, tmp_path, "doctor"))
    facts = report["gpu"]["facts"]
    assert "CUDA_VISIBLE_DEVICES" not in doctor.render(report)
    facts |= {"devices": ["Stand-in GPU", "Another"], "cuda_visible_devices": "2,3"}
    text = doctor.render(report)
    assert "0: Stand-in GPU, 1: Another" in text
    assert "CUDA_VISIBLE_DEVICES=2,3\n" in text
    facts["cuda_visible_devices"] = ""
    assert "it hides every GPU" in doctor.render(report)


def test_what_is_missing_beside_numpy_is_said(tmp_path):
    # The processes of the stand-ins have NumPy and nothing else.
    report = fake_cupy.answer(fake_cupy.run(fake_cupy.BROKEN[0], tmp_path, "doctor"))
    packages = report["packages"]
    assert packages.pop("numpy")
    assert packages == {"matplotlib": None, "tqdm": None, "platformdirs": None, "Pillow": None}
    assert report["kivy"]["installed"] is False
    assert "pip install kivy" in report["kivy"]["remedy"]
    text = doctor.render(report)
    assert "pip install matplotlib tqdm platformdirs Pillow" in text
    assert "not installed; to draw digits: pip install kivy" in text


def test_the_report_of_this_machine():
    report = doctor.collect()
    assert json.loads(json.dumps(report)) == report
    assert report["version"] == __version__
    assert report["python"]["version"] == sys.version.split()[0]
    assert 1 <= report["cpu"]["usable"] <= report["cpu"]["count"]
    assert report["numpy"]["works"] is True
    assert report["numpy"]["blas"]["name"]
    assert set(report["numpy"]["threads"]) == set(doctor.BLAS_VARIABLES)
    assert report["engines"] == doctor.engines()
    assert report["verdict"]["training"] in ("cpu", "gpu")


@pytest.mark.parametrize(("wide", "text"), [(True, ", on AVX-512"), (False, "")])
def test_wide_vectors_are_named(monkeypatch, wide, text):
    monkeypatch.setattr(squash, "has_wide_vectors", lambda: wide)
    report = doctor.collect()
    assert report["numpy"]["wide_vectors"] is wide
    assert dict(doctor._system_rows(report))["NumPy"] == report["numpy"]["version"] + text


def test_blas_threads_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads = doctor._numpy()["threads"]
    assert (threads["OPENBLAS_NUM_THREADS"], threads["OMP_NUM_THREADS"]) == ("3", None)


def test_weights_and_data_are_listed(monkeypatch, tmp_path):
    (tmp_path / "touch.npz").write_bytes(b"x" * 245_678)
    (tmp_path / "touch.json").write_text("{}")
    monkeypatch.setattr(doctor, "WEIGHTS", tmp_path)
    monkeypatch.setattr(doctor, "_mnist", lambda: {"place": "/data/mnist"})
    report = doctor.collect()
    assert report["weights"] == {"folder": str(tmp_path), "files": {"touch.npz": 245_678}}
    assert report["data"]["mnist"] == {"place": "/data/mnist"}
    text = doctor.render(report)
    assert "  weights       touch.npz (246 kB)" in text
    assert "  MNIST         /data/mnist" in text


def test_data_that_is_not_there_yet(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "WEIGHTS", tmp_path)
    monkeypatch.setattr(doctor, "_mnist", lambda: {"place": None})
    text = doctor.render(doctor.collect())
    assert "not here yet" in text
    assert f"none in {tmp_path}" in text


@pytest.mark.parametrize("part", ["_cpu", "_gpu", "_mnist", "_weights"])
def test_a_part_that_breaks_is_a_finding_not_an_end(monkeypatch, capsys, part):
    def broken():
        raise RuntimeError("could\nnot look")

    monkeypatch.setattr(doctor, part, broken)
    assert doctor.run() == 0
    out = capsys.readouterr().out
    assert "RuntimeError: could not look" in out
    assert out.rstrip().splitlines()[-1].startswith("Training runs on the CPU") or part != "_gpu"


@pytest.mark.parametrize("finding", [{"works": False, "version": "2.4", "blas": {"error": "?"}, "threads": {}}, None])
def test_without_a_numpy_that_computes_nothing_can_be_trained(monkeypatch, capsys, finding):
    def numpy():
        if finding is None:
            raise ImportError("numpy is damaged")
        return finding

    monkeypatch.setattr(doctor, "_numpy", numpy)
    assert doctor.run() == 1
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert last.startswith("Training is not possible, NumPy does not work (")
    assert "pip install --force-reinstall numpy" in last
    assert doctor.run(as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["verdict"]["training"] is None


def test_text_is_aligned_and_ends_with_a_sentence(capsys):
    assert doctor.run() == 0
    lines = capsys.readouterr().out.rstrip("\n").splitlines()
    assert lines[0] == f"lenet-gpu {__version__}"
    rows = [line for line in lines if line.startswith("  ")]
    assert rows
    for row in rows:
        label, text = row[2:16], row[16:]
        assert label == label.strip().ljust(14)
        assert text
    assert lines[-1].endswith(".")
    assert lines[-2] == ""
