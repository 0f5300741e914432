"""Runs that hold out a share: the best epoch's file, patience, and the command that repeats a run."""

import json
import shlex

import numpy as np
import pytest

from lenet_gpu import EarlyStopping, LeNet5, Trainer
from lenet_gpu.cli import run as command
from lenet_gpu.datasets import Dataset
from lenet_gpu.training.best_epoch import BestEpoch
from lenet_gpu.training.callbacks import RunFolder


def arguments(folder, *more):
    return ["train", "--backend", "cpu", "--no-download", "--dataset", str(folder), "--recipe", "classic", *more]


@pytest.fixture(scope="module")
def digits(tmp_path_factory, mnist):
    """A data set of 600 and 200 digits."""
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(
        file, x_train=mnist.train.images[:600], y_train=mnist.train.labels[:600], x_test=mnist.test.images[:200],
        y_test=mnist.test.labels[:200],
    )  # fmt: skip
    return file


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_share_is_held_out_and_its_best_epoch_is_kept(digits, tmp_path):
    # Steps so large that the run gets worse again.
    assert command(arguments(digits, "--epochs", "9", "--validation", "0.25", "--learning-rate", "0.2",
                             "--out", str(tmp_path / "run"))) == 0  # fmt: skip
    log = log_of(tmp_path / "run")
    assert len(log) == 9
    best = min(log, key=lambda entry: entry["validation_loss"])
    kept = LeNet5.load(tmp_path / "run/best.npz")
    assert kept.record["epochs"] == best["epoch"]
    assert kept.record["validation_accuracy"] == best["validation_accuracy"]
    assert LeNet5.load(tmp_path / "run/model.npz").record["epochs"] == 9


def test_patience_ends_a_run_and_an_interrupted_one_ends_alike(digits, tmp_path, monkeypatch):
    given = arguments(digits, "--epochs", "30", "--validation", "0.25", "--patience", "2", "--learning-rate", "0.4")
    assert command([*given, "--out", str(tmp_path / "whole")]) == 0
    log = log_of(tmp_path / "whole")
    best = min(log, key=lambda entry: entry["validation_loss"])["epoch"]
    assert len(log) == best + 2 < 30
    model = LeNet5.load(tmp_path / "whole/model.npz")
    assert model.record["best_epoch"] == best
    np.testing.assert_array_equal(model.parameters, LeNet5.load(tmp_path / "whole/best.npz").parameters)

    # Stopped just behind the best epoch: what is to be restored comes from the file.
    class Stop(KeyboardInterrupt):
        pass

    original = BestEpoch.on_epoch

    def interrupt(self, trainer, entry):
        original(self, trainer, entry)
        if entry["epoch"] == best + 1:
            raise Stop

    monkeypatch.setattr(BestEpoch, "on_epoch", interrupt)
    assert command([*given, "--out", str(tmp_path / "parts")]) == 1
    monkeypatch.undo()
    assert len(log_of(tmp_path / "parts")) == best + 1
    assert command(["train", "--backend", "cpu", "--resume", str(tmp_path / "parts")]) == 0
    assert (tmp_path / "parts/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert (tmp_path / "parts/best.npz").read_bytes() == (tmp_path / "whole/best.npz").read_bytes()


def test_a_finished_run_that_is_resumed_takes_no_further_epoch(digits, tmp_path):
    given = arguments(digits, "--epochs", "30", "--validation", "0.25", "--patience", "1", "--learning-rate", "0.4")
    assert command([*given, "--out", str(tmp_path / "run")]) == 0
    before = (tmp_path / "run/model.npz").read_bytes()
    epochs = len(log_of(tmp_path / "run"))
    assert command(["train", "--backend", "cpu", "--resume", str(tmp_path / "run")]) == 0
    assert len(log_of(tmp_path / "run")) == epochs
    assert (tmp_path / "run/model.npz").read_bytes() == before


def test_a_file_of_another_epoch_is_not_restored(mnist, tmp_path, caplog):
    images, labels = mnist.train.images[:400], mnist.train.labels[:400]
    data = Dataset.from_arrays(images, labels, validation=0.25)
    first = EarlyStopping(patience=9, file=tmp_path / "best.npz")
    made = Trainer(LeNet5(), "classic", epochs=2, progress=False, callbacks=[RunFolder(tmp_path), first])
    made.fit(data)
    foreign = LeNet5(seed=5)
    foreign.record = {"epochs": 77}
    foreign.save(tmp_path / "best.npz")
    watching = EarlyStopping("train_loss", patience=9, min_delta=1e9, file=tmp_path / "best.npz")
    again = Trainer.resume(tmp_path, epochs=3, progress=False, callbacks=[watching])
    again.fit(data)
    assert watching.best_epoch == 1
    assert "its parameters are not kept" in caplog.text


@pytest.mark.parametrize("more", [
    "--epochs 2 --copies 2 --seed 7 --threads 2 --batch-size 48",
    "--epochs 3 --validation 0.2 --patience 1 --learning-rate 0.3 --threads 1",
    "--recipe record --epochs 3 --threads 1",  # the recipe's own number: few images, yet shown once
    "--recipe paper --loss rbf --distortions --epochs 1 --engine layered --batch-size 400",
])  # fmt: skip
def test_the_command_in_the_folder_repeats_the_run(digits, tmp_path, capsys, more):
    given = arguments(digits, *more.split(), "--out", str(tmp_path / "a"))
    assert command(given) == 0
    (line,) = (tmp_path / "a/command.txt").read_text().splitlines()
    assert capsys.readouterr().out.splitlines()[-1] == f"repeat    {line}"
    program, *words = shlex.split(line)
    assert program == "lenet-gpu"
    assert command([*words, "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b/model.npz").read_bytes() == (tmp_path / "a/model.npz").read_bytes()
    assert (tmp_path / "b/command.txt").read_text().strip() == line


def test_several_runs_in_one_picture(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in ("1", "2"):
        assert command(arguments(digits, "--epochs", seed, "--seed", seed, "--validation", "0.1", "--out", seed)) == 0
    capsys.readouterr()
    assert command(["plot", "1", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("1: error after 1 epochs  train ")
    assert "validation" in said[1]
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_help_of_validation_is_refused_where_it_makes_no_sense(digits, tmp_path, capsys):
    for share in ("0", "1", "1.5", "x"):
        with pytest.raises(SystemExit):
            command(arguments(digits, "--validation", share, "--out", str(tmp_path / "run")))
        assert "found" in capsys.readouterr().err
