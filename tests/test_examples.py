"""The examples run as they stand, each in a process of its own, and reach what they are for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

FLOORS = {
    # what each reaches at least, per cent of its test images
    "own_layer.py": 90.0,
    "own_table.py": 88.0,
    "own_optimizer.py": 93.0,
    "own_data.py": 96.0,
    "letters.py": 95.0,
    "early_stopping.py": 90.0,
    "log_to_tensorboard.py": 85.0,
    "log_to_wandb.py": 85.0,
    "log_to_mlflow.py": 85.0,
}

LOGGERS = EXAMPLES.parent / "tests/stand_in/loggers"
"""Stand-ins for the packages to which the examples send a run's figures."""


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(FLOORS)


@pytest.mark.parametrize("name", FLOORS)
def test_an_example_runs_and_reaches_its_accuracy(name, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(LOGGERS)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (accuracy,) = re.findall(r"^(\d+\.\d+) % ", done.stdout, re.MULTILINE)
    assert float(accuracy) >= FLOORS[name], done.stdout
    if name.startswith("log_to_"):
        lines = json.loads((tmp_path / "logged.json").read_text())
        assert lines[0][0] == "open"
        assert lines[-1] == ["close"]
        found = {(key, step): value for _, key, value, step in lines[1:-1]}
        assert {("loss", 1), ("loss", 2), ("validation_error", 2)} <= set(found)
        assert found["loss", 2] < found["loss", 1]


@pytest.mark.parametrize("name", FLOORS)
def test_an_example_is_one_screen(name):
    assert 20 <= len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 60
