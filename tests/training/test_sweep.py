"""Sweeps: the same runs by any executor, resumed after kill -9, and their table."""

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fields import assert_documented, tables

from lenet_gpu.cli import run as command
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.report.sweep_table import Spread, summarize, t_quantile, table_lines
from lenet_gpu.training import sweep
from lenet_gpu.training.sweep import Job

PYTHON = Path(sys.executable)
MPIEXEC = PYTHON.with_name("mpiexec")


@pytest.fixture(scope="module")
def digits(tmp_path_factory, mnist):
    """A data set of 400 and 200 digits."""
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        file, x_train=mnist.train.images[:400], y_train=mnist.train.labels[:400], x_test=mnist.test.images[:200],
        y_test=mnist.test.labels[:200],
    )  # fmt: skip
    return file


def arguments(digits, folder, *more):
    return ["sweep", "--backend", "cpu", "--dataset", str(digits), "--recipe", "classic", "--out", str(folder), *more]


def models(folder):
    return {file.parent.name: file.read_bytes() for file in sorted(folder.glob("*/model.npz"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, digits):
    """A finished sweep of two settings and two seeds."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    given = arguments(digits, folder, "--seeds", "0,3", "--vary", "epochs=1,2", "--jobs", "2")
    done = subprocess.run(
        [PYTHON, "-m", "lenet_gpu", *given], capture_output=True, text=True, check=True, timeout=300
    )
    return folder, given, done.stdout.splitlines()


def test_a_table_of_every_setting_and_its_ensemble(whole, digits, capsys):
    folder, _, said = whole
    assert list(models(folder)) == ["epochs=1-seed0", "epochs=1-seed3", "epochs=2-seed0", "epochs=2-seed3"]
    heading, first, second, *ensembles = said[4:]
    assert heading.split()[:2] == ["setting", "runs"]
    assert first.split()[:2] == ["epochs=1", "2"]
    assert second.split()[:2] == ["epochs=2", "2"]
    # Each run is the one that `train` makes, and the ensemble's error is the one that `evaluate` finds.
    alone = folder.parent / "alone"
    assert command(["train", "--backend", "cpu", "--dataset", str(digits), "--recipe", "classic", "--epochs", "2",
                    "--seed", "3", "--threads", "1", "--out", str(alone)]) == 0  # fmt: skip
    assert (alone / "model.npz").read_bytes() == models(folder)["epochs=2-seed3"]
    capsys.readouterr()
    runs = ensembles[1].split()[3:]
    assert command(["evaluate", *runs, "--dataset", str(digits), "--json", "--no-picture"]) == 0
    found = json.loads(capsys.readouterr().out)["errors"] / 200
    assert second.split()[-1] == f"{100 * found:.2f}"


def test_a_finished_run_knows_its_datas_folder_and_asks_no_process(mnist, tmp_path, monkeypatch):
    images, labels = mnist.test.images[:64], mnist.test.labels[:64]
    few = Dataset("mnist", Split(images, labels), Split(images, labels), {"all": "0" * 64})
    monkeypatch.setattr("lenet_gpu.datasets.load_dataset", lambda *source, **options: few)
    job = Job(str(tmp_path / "run"), 0, {"epochs": 1}, data_dir="/sets")
    sweep._data.cache_clear()
    try:
        result = sweep.run_job(job)
    finally:
        sweep._data.cache_clear()
    assert " --dataset mnist --data-dir /sets " in (tmp_path / "run/command.txt").read_text()
    told = []
    assert sweep.run_jobs(None, [job], told.append) == told == [result]


def test_a_sweep_that_is_killed_goes_on(whole, digits, tmp_path):
    finished, given, said = whole
    folder = tmp_path / "sweep"
    given = [str(folder) if word == str(finished) else word for word in given]
    child = subprocess.Popen([PYTHON, "-m", "lenet_gpu", *given], stdout=subprocess.PIPE, text=True)
    child.stdout.readline()  # one run is finished, others are not
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert len(list(folder.glob("*/result.json"))) < 4
    time.sleep(1.0)  # what it had started ends of itself
    done = subprocess.run(
        [PYTHON, "-m", "lenet_gpu", *given], capture_output=True, text=True, check=True, timeout=300
    )
    assert models(folder) == models(finished)
    assert [line.replace(str(folder), str(finished)) for line in done.stdout.splitlines()[4:]] == said[4:]


def test_ranks_of_mpi_carry_out_the_same_runs(whole, tmp_path):
    finished, given, said = whole
    folder = tmp_path / "sweep"
    words = [str(folder) if word == str(finished) else word for word in given if word not in ("--jobs", "2")]
    program = [MPIEXEC, "-n", "3", PYTHON, "-m", "mpi4py.futures", "-m", "lenet_gpu", *words, "--executor", "mpi"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert models(folder) == models(finished)
    assert done.stdout.splitlines()[4:7] == said[4:7]


def test_a_dask_cluster_is_an_executor_too_and_what_json_says_is_documented(whole, tmp_path, monkeypatch, capsys):
    finished, given, _ = whole
    asked = []

    class Client:
        def __init__(self, address):
            asked.append(address)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append("closed")

        def get_executor(self):
            return ThreadPoolExecutor(1)

    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(Client=Client))
    folder = tmp_path / "sweep"
    words = [str(folder) if word == str(finished) else word for word in given if word not in ("--jobs", "2")]
    assert command([*words, "--executor", "dask", "--scheduler", "tcp://localhost:8786", "--json"]) == 0
    assert asked == ["tcp://localhost:8786", "closed"]
    assert models(folder) == models(finished)
    report = json.loads(capsys.readouterr().out)
    held_out = {name for name in tables("json.md")["sweep"] if "validation_error" in name}
    assert_documented("json.md", "sweep", report, absent=held_out)
    assert [row["name"] for row in report["settings"]] == ["epochs=1", "epochs=2"]
    results = [json.loads(file.read_text("utf-8")) for file in folder.glob("*/result.json")]
    assert_documented("files.md", "result.json", *results, absent={"validation_error"})
    assert all(run in results for run in report["runs"])
    plan = json.loads((folder / "sweep.json").read_text("utf-8"))
    assert set(plan) == {"runs", "digests"}
    assert_documented("files.md", "A sweep's folder", *plan["runs"])


def test_another_sweep_is_not_mixed_with_the_one_in_the_folder(whole, capsys):
    folder, given, _ = whole
    before = models(folder)
    assert command([*given, "--validation", "0.1"]) == 2
    assert "a sweep with other runs or other data" in capsys.readouterr().err
    assert models(folder) == before


def test_a_run_that_fails_is_named_and_the_others_are_finished(digits, tmp_path, capsys):
    given = arguments(digits, tmp_path / "s", "--epochs", "1", "--vary", "learning_rate=1e30,0.01")
    assert command([*given, "--jobs", "2"]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "1 of 2 runs: found epochs=1-learning_rate=1e+30-seed0: training diverged" in line
    assert list(models(tmp_path / "s")) == ["epochs=1-learning_rate=0.01-seed0"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (("--seeds", "3-1"), "'3-1'"),
        (("--seeds", "a"), "'a'"),
        (("--vary", "momentum=0.1"), "'momentum=0.1'"),
        (("--vary", "epochs=x"), "'x'"),
        (("--vary", "epochs=0"), "epochs: found 0"),
        (("--vary", "recipe=none"), "recipe: found 'none'"),
        (("--epochs", "2", "--vary", "epochs=1,2"), "--vary epochs: found it twice"),
        (("--executor", "mpi", "--jobs", "2"), "--jobs: found executor mpi"),
        (("--scheduler", "a"), "--scheduler: found executor processes"),
        (("--devices", "0,1", "--device", "1"), "--devices: found --device"),
    ],
)
def test_options_that_make_no_sense_are_refused(digits, tmp_path, capsys, more, found):
    try:
        status = command(arguments(digits, tmp_path / "s", *more))
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert found in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_the_interval_is_students(rng):
    # Values by hand: 1, 2, 3, 4 have deviation 1.29099 and t(3) = 3.182.
    spread = Spread.of([4.0, 1.0, 3.0, 2.0])
    assert (spread.mean, spread.best, spread.worst) == (2.5, 1.0, 4.0)
    assert spread.deviation == pytest.approx(math.sqrt(5 / 3))
    assert spread.high - spread.mean == pytest.approx(3.182 * math.sqrt(5 / 3) / 2)
    assert Spread.of([0.5]) == Spread(0.5, 0.0, 0.5, 0.5, 0.5, 0.5)
    # Published values for 40, 60 and 120 degrees of freedom; and no gap between table and expansion.
    assert [round(t_quantile(n), 3) for n in (40, 60, 120)] == [2.021, 2.000, 1.980]
    assert t_quantile(30) > t_quantile(31) > 2.039
    # It covers the mean as often as it says.
    covered = [(lambda s: s.low <= 1.0 <= s.high)(Spread.of(list(1.0 + rng.standard_normal(5)))) for _ in range(4000)]
    assert statistics.fmean(covered) == pytest.approx(0.95, abs=0.015)


def test_the_table_has_columns_for_what_was_measured():
    results = [
        {"settings": {}, "seed": seed, "train_error": 0.1, "test_error": 0.01 * seed, "validation_error": 0.02}
        for seed in range(3)
    ]
    (row,) = summarize(results)
    assert row["test_error"].mean == pytest.approx(0.01)
    heading, line = table_lines([row])
    assert "validation error %" in heading
    assert line.split() == ["all", "3", "2.000", "0.000", "2.000..2.000", "2.00..2.00", "1.000", "1.000",
                            "-1.484..3.484", "0.00..2.00"]  # fmt: skip
