"""Folders of runs: one training at a time, nothing overwritten, no dead end, no lost record."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from campaigns.kills import FILES, write_small_mnist
from model_files import rewrite

from lenet_gpu import LeNet5

ONE = ("--backend", "cpu", "--threads", "1", "--recipe", "classic", "--epochs", "2")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_small_mnist(tmp_path_factory.mktemp("data") / "digits", 300)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small):
    """A finished run; tests work on copies."""
    folder = tmp_path_factory.mktemp("run") / "run"
    command = [sys.executable, "-m", "lenet_gpu", "train", *ONE, "--dataset", small, "--out", folder]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def train(lenet_gpu_command, tmp_path):
    return lambda *arguments, **more: lenet_gpu_command("train", *arguments, cwd=tmp_path, **more)


def assert_one_line(done, *words):
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def same_model(folder, finished):
    return (folder / "model.npz").read_bytes() == (finished / "model.npz").read_bytes()


@pytest.mark.parametrize("model", ["there", "gone"])
def test_resuming_a_finished_run_keeps_its_record_byte_for_byte(model, train, folder, finished, small, tmp_path):
    if model == "gone":
        (folder / "model.npz").unlink()
    moved = shutil.copytree(small, tmp_path / "elsewhere")  # the same data under another name are the same run
    done = train("--resume", folder, "--dataset", moved)
    assert done.returncode == 0, done.stderr
    assert same_model(folder, finished)
    record = LeNet5.load(folder / "model.npz").record
    assert (record["epochs"], record["dataset"]) == (2, "digits")  # the name alone, not the path
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_two_trainings_into_one_folder(train, small, tmp_path):
    """The second is refused; the first goes on; its lock goes with it, even when it is killed."""
    out, arguments = tmp_path / "run", (*ONE[:-1], "3000", "--dataset", small, "--out", tmp_path / "run")
    first = subprocess.Popen(
        [sys.executable, "-m", "lenet_gpu", "train", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (out / "model.npz").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert_one_line(train(*arguments), "another training")
        assert_one_line(train("--backend", "cpu", "--resume", out), "another training")
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert (out / ".training.lock").exists()
    epochs = len((out / "log.jsonl").read_text().splitlines())
    done = train("--backend", "cpu", "--resume", out, "--epochs", epochs + 2)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == FILES


def test_a_model_without_a_checkpoint_is_no_dead_end(train, folder, small):
    (folder / "checkpoint.npz").unlink()
    before = (folder / "model.npz").read_bytes()
    start = (*ONE, "--dataset", small, "--out", folder)
    assert_one_line(train("--resume", folder), f"start it again as before, with --out {folder} --force")
    assert_one_line(train(*start), "--force")
    assert (folder / "model.npz").read_bytes() == before
    done = train(*start, "--force")
    assert done.returncode == 0, done.stderr
    assert (folder / "model.npz").read_bytes() == before  # the same seed


@pytest.mark.parametrize("name", ["log.jsonl", "curves.png"])
def test_files_of_others_are_not_overwritten(name, train, small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    assert_one_line(train(*ONE, "--dataset", small, "--out", "mine"), name, "--force")
    assert (tmp_path / "mine" / name).read_text() == "mine"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("")], ids=["pipe", "file"])
def test_out_must_be_a_folder(make, train, small, tmp_path):
    make(tmp_path / "thing")
    assert_one_line(train(*ONE, "--dataset", small, "--out", "thing"), "expected a folder")
    assert_one_line(train("--resume", "thing"), "expected the folder of a run")


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_backend_and_folder_are_refused_before_the_data_are_looked_for(train, folder, tmp_path):
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    nowhere = ("--data-dir", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert_one_line(train("--out", tmp_path / "file", *nowhere), "a file", "another --out")
    assert_one_line(train("--out", folder, *nowhere), "a training run", "--force")
    assert_one_line(train("--from", "touch", "--dataset", tmp_path / "nowhere", "--out", folder), "a training run")
    assert_one_line(train("--out", folder, "--force", *nowhere), "nothing there")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert_one_line(train("--out", tmp_path / "new", *nowhere), "nothing there")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("reason", ["no room", "a pipe"])
def test_resume_tries_to_write_before_it_trains(reason, folder, tmp_path):
    if reason == "a pipe":
        (folder / "log.jsonl").unlink()
        os.mkfifo(folder / "log.jsonl")
    done = subprocess.run(
        [sys.executable, "-m", "lenet_gpu", "train", "--backend", "cpu", "--resume", folder, "--epochs", "9"],
        cwd=tmp_path,
        preexec_fn=limit_files if reason == "no room" else None, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert_one_line(done, "File too large" if reason == "no room" else "a named pipe")
    assert "epoch" not in done.stdout


def test_a_picture_that_cannot_be_drawn_costs_no_result(train, lenet_gpu_command, folder, finished, small, tmp_path):
    (folder / "curves.png").unlink()
    (folder / "curves.png").mkdir()
    for backend in ("nowhere", "agg"):  # the second fails at the folder of that name
        done = train("--backend", "cpu", "--resume", folder, MPLBACKEND=backend)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("lenet-gpu: no picture: ")
        assert done.stderr.count("\n") == 1
        assert same_model(folder, finished)
    arguments = ("evaluate", folder, "--dataset", small)
    done = lenet_gpu_command(*arguments, "--json", cwd=tmp_path, MPLBACKEND="nowhere")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["picture"] is None
    assert "MPLBACKEND" in done.stderr


def test_pictures_replace_only_pictures_of_ours(lenet_gpu_command, finished, tmp_path):
    def plot(*arguments):
        return lenet_gpu_command("plot", finished, *arguments, cwd=tmp_path)

    (tmp_path / "mine.png").write_bytes(b"mine")
    assert_one_line(plot("--out", "mine.png"), "--force")
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
    assert_one_line(plot("--out", "curves.jpg"), ".png")
    for arguments in (("--out", "mine.png", "--force"), ("--out", "mine.png")):  # the second replaces ours
        assert plot(*arguments).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--resume", "run", f"--{name}={value}") for name, value in (("seed", 0), ("out", "x"), ("loss", "map"))),
        ("--resume", "run", "--force"),
        ("--dataset", ""),
        ("--data-dir", ""),
        ("--out", ""),
        ("--resume", ""),
        ("--epoch", "3"),
        ("--epochs", "1_0"),
        ("--epochs", "٣"),
        ("--learning-rate", "1_0"),
    ],
)
def test_nothing_is_silently_something_else(arguments, train, tmp_path):
    assert_one_line(train("--backend", "cpu", *arguments), arguments[-1].partition("=")[0] or arguments[-2])
    assert not list(tmp_path.iterdir())


def test_a_run_finds_its_data_from_another_folder_and_names_what_is_gone(lenet_gpu_command, small, tmp_path):
    shutil.copytree(small, tmp_path / "here/digits")
    (tmp_path / "there").mkdir()
    out = tmp_path / "run"
    begin = ("train", *ONE, "--dataset", "digits", "--out", out)
    assert lenet_gpu_command(*begin, cwd=tmp_path / "here").returncode == 0
    resume = ("train", "--resume", out)
    assert lenet_gpu_command(*resume, cwd=tmp_path / "there").returncode == 0
    shutil.rmtree(tmp_path / "here/digits")
    gone = lenet_gpu_command(*resume, cwd=tmp_path / "there")
    assert_one_line(gone, str(tmp_path / "here/digits"), "--dataset", "--data-dir")


def test_sources_keep_to_no_download(train, small, tmp_path):
    done = train(
        "--backend", "cpu", "--recipe", "touch", "--no-download", "--dataset", small, "--out", "run",
        LENET_GPU_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "pendigits" in done.stderr
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "run").exists()


def test_another_version_of_the_package_is_said(folder, train):
    rewrite(folder / "checkpoint.npz", facts={"package_version": "0.0.1"})
    done = train("--resume", folder)
    assert done.returncode == 0, done.stderr
    assert "was written by lenet-gpu 0.0.1" in done.stderr
