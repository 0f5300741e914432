"""Files of the user's that are named like modules are never run, wherever a command starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from stand_in import fake_cupy

NAMES = ("json", "re", "enum", "types", "typing", "numpy", "cupy", "app", "logging", "argparse", "matplotlib")

BY_PYTHON_ITSELF = ("types",)
"""What `python -m` may import before it comes to us, unless a start-up file of the environment has done so."""

STARTS = {
    "-m": [sys.executable, "-m", "lenet_gpu"],
    "-P -m": [sys.executable, "-P", "-m", "lenet_gpu"],
    "command": [Path(sys.executable).with_name("lenet-gpu")],
}


def shadow(folder, name):
    """Write a file that is named like a module, and leaves a mark when it runs."""
    (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nraise RuntimeError('mine')\n")


@pytest.mark.parametrize(
    ("name", "start"),
    [(name, start) for name in NAMES for start in STARTS if start != "-m" or name not in BY_PYTHON_ITSELF],
)
def test_the_doctor_runs_none_of_them_and_blames_nobody(tmp_path, name, start):
    shadow(tmp_path, name)
    ended = subprocess.run([*STARTS[start], "doctor"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()
    assert "mine" not in ended.stdout


def test_the_process_that_tries_cupy_runs_none_of_them(tmp_path):
    """It starts wherever the user is, and CuPy is blamed for nothing that happens there."""
    for name in NAMES:
        shadow(tmp_path, name)
    report = fake_cupy.answer(fake_cupy.run(fake_cupy.WORKING, tmp_path, "doctor"))  # starts in that folder
    assert report["gpu"]["usable"] is True
    assert not (tmp_path / "ran").exists()
