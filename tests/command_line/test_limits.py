"""Little memory, few files, few processes, no home folder: a command works, or says in one line what it lacks."""

import os
import shutil
import subprocess
import sys

import pytest
from test_cli import write_idx

from lenet_gpu.errors import exhausted


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mnist):
    folder = tmp_path_factory.mktemp("limits")
    folder.chmod(0o777)
    write_idx(folder / "small", mnist, 300)
    (folder / "strokes.json").write_text("[[[0, 0], [0, 9]]]")
    return folder


COMMANDS = {
    "train": ("train", "--backend", "cpu", "--dataset", "small", "--epochs", "1", "--threads", "2"),
    "evaluate": ("evaluate", "mnist", "--backend", "cpu", "--dataset", "small", "--no-picture"),
    "predict": ("predict", "mnist", "strokes.json"),
    "doctor": ("doctor",),
}


def limited(folder, limit, command, prefix=()):
    return subprocess.run(
        [*prefix, "prlimit", limit, sys.executable, "-m", "lenet_gpu", *COMMANDS[command]],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def check(ended):
    """It worked, or one line says why not."""
    said = [line for line in ended.stderr.splitlines() if not line.startswith("Matplotlib ")]
    lines = [line for line in said if "pictures to learn from are few" not in line]
    assert ended.returncode in (0, 1, 2), ended.stderr
    if lines and lines[0].startswith("lenet-gpu: no picture: "):  # it goes on without
        assert "ulimit" in lines.pop(0)
    assert len(lines) == (ended.returncode != 0), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "defect" not in ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("megabytes", [60, 105, 120, 160, 200])
def test_little_memory(folder, command, megabytes):
    check(limited(folder, f"--as={megabytes * 1_000_000}", command))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("files", [8, 12, 16])
def test_few_descriptors(folder, command, files):
    ended = limited(folder, f"--nofile={files}", command)
    check(ended)
    if ended.returncode:
        assert "too many open files" in ended.stderr
        assert "ulimit -n" in ended.stderr


def as_somebody(folder):
    """The beginning of a command line that runs it as a user whom limits on processes concern, and nobody knows.

    Root is above them. The rights to read keep this Python within reach, wherever it lies.
    """
    if os.geteuid():
        return []
    rights = "+dac_override,+dac_read_search"
    return ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", f"--inh-caps={rights}",
            f"--ambient-caps={rights}"]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("processes", [1, 2])
def test_few_processes(folder, command, processes):
    ended = limited(folder, f"--nproc={processes}", command, as_somebody(folder))
    check(ended)
    assert bool(ended.returncode) == (command in ("train", "evaluate"))
    if ended.returncode:
        assert "no more processes or threads" in ended.stderr


@pytest.mark.parametrize("cause", [MemoryError("x"), OSError(24, "y"), RuntimeError("can't start new thread")])
def test_a_limit_is_found_behind_other_exceptions(cause):
    outer = ImportError("numpy failed")
    outer.__cause__ = cause
    assert exhausted(outer)
    assert exhausted(ValueError("something else")) is None


def test_without_home_and_name_mnist_of_the_clone_is_loaded(folder):
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    for arguments in (
        ["plot", "--augment"],
        COMMANDS["doctor"],
        ["evaluate", "mnist", "--no-picture", "--backend", "cpu"],
    ):
        ended = subprocess.run(
            [*as_somebody(folder), sys.executable, "-m", "lenet_gpu", *arguments],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_download_without_a_home_folder_is_one_line(folder):
    ended = subprocess.run(
        [*as_somebody(folder), sys.executable, "-m", "lenet_gpu", "train", "--dataset", "emnist-digits"],
        cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if os.geteuid() == 0:  # whom nobody knows; the one who runs this has a home folder all the same
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert "LENET_GPU_CACHE" in ended.stderr


def test_a_dead_network_is_not_the_users_mistake(folder, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "lenet_gpu", "train", "--dataset", "emnist-digits"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "LENET_GPU_CACHE": str(tmp_path), "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert ended.returncode == 1
    assert "check the network" in ended.stderr
    assert shutil.which("prlimit")
