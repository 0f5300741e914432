"""Files of the user's that are named like modules are never run, wherever a command starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in import fake_cupy

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


def test_the_process_that_tries_cupy_runs_none_of_them(tmp_path):
    """It starts wherever the user is, and CuPy is blamed for nothing that happens there."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise RuntimeError('mine')\n")
    install = tmp_path / "install"
    install.mkdir()
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        report = fake_cupy.answer(fake_cupy.run(fake_cupy.WORKING, install, "doctor"))
    finally:
        os.chdir(here)
    assert report["gpu"]["usable"] is True
    assert not (tmp_path / "ran").exists()
