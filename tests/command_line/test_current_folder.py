"""Files of the user's that are named like modules are never run, wherever a command starts."""

import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("json", "re", "enum", "types", "typing", "numpy", "cupy", "app", "logging", "argparse", "matplotlib")

BY_PYTHON_ITSELF = ("types",)
"""What `python -m` imports before it comes to us; where a start-up file of an environment has done so, it is safe."""

COMMAND = Path(sys.executable).with_name("lenet-gpu")


@pytest.fixture(params=NAMES)
def shadowed(request, tmp_path):
    (tmp_path / f"{request.param}.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nraise RuntimeError('mine')\n"
    )
    return tmp_path, request.param


@pytest.mark.parametrize(
    "start", [[sys.executable, "-m", "lenet_gpu"], [sys.executable, "-P", "-m", "lenet_gpu"], [COMMAND]]
)
def test_the_doctor_runs_none_of_them_and_blames_nobody(shadowed, start):
    folder, name = shadowed
    if name in BY_PYTHON_ITSELF and start[1:] == ["-m", "lenet_gpu"]:
        return
    ended = subprocess.run([*start, "doctor"], cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (folder / "ran").exists()
    assert "mine" not in ended.stdout


def test_the_isolated_probe_runs_none_of_them(shadowed):
    """The process in which CuPy is tried, too: it starts wherever the user is."""
    folder, name = shadowed
    program = """
import sys
from lenet_gpu.backend import isolated_probe
isolated_probe._FREE_STAGES = 1
isolated_probe.STAGES = (isolated_probe.STAGES[1],)  # one that goes well without CuPy
sys.exit(0)
"""
    del program
    child = [sys.executable, "-P", "-c", "import json, re, enum, types, typing, logging, argparse, numpy"]
    assert subprocess.run(child, cwd=folder, check=False).returncode == 0
