"""Closed, missing and full standard streams end no command, and cost no work."""

import os
import subprocess
import sys

import pytest
from test_cli import write_idx

STREAMS = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full", "| true")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mnist):
    folder = tmp_path_factory.mktemp("streams")
    write_idx(folder / "small", mnist, 300)
    (folder / "strokes.json").write_text("[[[0, 0], [0, 9]]]")
    return folder


def shell(folder, command, streams):
    """Run a command in bash with its streams redirected; the status is the command's own."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" {streams}', "bash", sys.executable, "-m", "lenet_gpu", *command],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def expected_status(streams):
    return 1 if ">/dev/full" in streams.split() or "|" in streams else 0


@pytest.mark.parametrize("streams", STREAMS)
def test_a_training_is_whole_whatever_the_streams_are(folder, streams):
    out = folder / f"run{STREAMS.index(streams)}"
    ended = shell(folder, ["train", "--backend", "cpu", "--dataset", "small", "--epochs", "1", "--out", out], streams)
    assert ended.returncode == expected_status(streams), ended.stderr
    assert sorted(file.name for file in out.iterdir()) == [
        "checkpoint.npz",
        "command.txt",
        "curves.png",
        "log.jsonl",
        "model.npz",
    ]
    assert "Traceback" not in ended.stderr
    assert "defect" not in ended.stderr


COMMANDS = (
    ("evaluate", "mnist", "--dataset", "small", "--backend", "cpu", "--no-picture"),
    ("predict", "mnist", "strokes.json"),
    ("bench", "--backend", "cpu", "--dataset", "small", "--seconds", "0.05", "--threads", "1"),
    ("plot", "--augment", "--dataset", "small"),
    ("doctor",),
    ("train", "--help"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">/dev/full", "| true"])
def test_no_stream_ends_a_command_in_a_traceback(folder, command, streams):
    ended = shell(folder, command, streams)
    assert ended.returncode == expected_status(streams), ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("Matplotlib is building")]
    if streams == ">/dev/full":
        assert lines == [
            "lenet-gpu: error: standard output: found no space left on device; send it elsewhere, or free some space"
        ]
    else:
        assert lines == []


@pytest.mark.parametrize("missing", ["sys.stdout", "sys.stderr", "sys.stdin = sys.stdout = sys.stderr"])
def test_a_program_without_streams_runs_every_command(folder, missing):
    program = f"""
import os, sys
{missing} = None
from lenet_gpu.cli import run
statuses = [run(arguments.split()) for arguments in ({" ".join(COMMANDS[0])!r}, {" ".join(COMMANDS[1])!r}, "doctor")]
os._exit(10 + sum(statuses))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (10, False), ended.stderr


def test_a_trainer_without_standard_error_trains(folder):
    program = """
import sys
sys.stdout = sys.stderr = None
from lenet_gpu import LeNet5, Trainer, load_dataset
Trainer(LeNet5(), epochs=1, threads=1).fit(load_dataset("small"))
sys.exit(7)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 7, ended.stderr


def test_the_workers_files_never_take_the_place_of_a_closed_stream(folder):
    program = """
import os
for fd in range(3):
    os.close(fd)
import numpy as np
from lenet_gpu import LeNet5, load_dataset
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.nn.optim import SGD
data = load_dataset("small", progress=False)
with CpuEngine(LeNet5(), SGD(), threads=2) as engine:
    engine.load(data.train.images, data.train.labels)
    shared = [file.fd for file in engine._pool.files.values()]
    os.write(shared[0], b"")
    losses = engine.train(np.arange(256), 32, np.full(8, 0.01))
os._exit(20 + (min(shared) > 2 and bool(np.isfinite(losses).all())))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, env={**os.environ}, check=False)
    assert ended.returncode == 21
