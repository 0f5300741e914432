"""`train --from`: a model learns somebody's digits, and says what it came from; `train` on few pictures."""

import hashlib
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
from fields import assert_documented

from lenet_gpu import LeNet5, seeds
from lenet_gpu.cli import build_parser
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.handwriting.digits import STYLES
from lenet_gpu.handwriting.variation import write
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.storage.shipped_models import model_path
from lenet_gpu.training.few import LEAST_PATTERNS, for_few
from lenet_gpu.training.recipes import RECIPES
from lenet_gpu.training.repeat import fine_tuning_command


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with 160 digits of one made-up hand, mine.npz."""
    monkeypatch.chdir(tmp_path)
    rng = seeds.generator(20_264, 1)
    drawings = [drawing for digit in range(10) for drawing in write(rng, STYLES[digit][-4], 16)]
    np.savez(tmp_path / "mine.npz", images=drawings_to_mnist(drawings), labels=np.repeat(np.arange(10), 16))
    return tmp_path


def run(*arguments):
    options = build_parser().parse_args(list(arguments))
    return options.run(options)


def test_a_shipped_model_learns_own_digits(mine, capsys):
    assert run("train", "--from", "mnist", "--dataset", "mine.npz", "--out", "tuned") == 0
    out = capsys.readouterr().out
    assert "wrote     tuned: command.txt, model.npz" in out
    assert sorted(os.listdir("tuned")) == ["command.txt", "model.npz"]
    base, tuned = LeNet5.load("mnist"), LeNet5.load("tuned")
    note = tuned.record["fine_tuned"]
    assert_documented("files.md", "Fine-tuned models", note)
    assert note["from"] == "mnist"
    assert note["from_sha256"] == hashlib.sha256(model_path("mnist").read_bytes()).hexdigest()
    assert (note["dataset"], note["accepted"], note["images"]) == ("mine.npz", True, 140)
    assert note["digests"]
    assert note["after"] > note["before"]
    assert note["test_images"] == 20
    assert note["test_accuracy"] >= note["test_accuracy_before"]
    assert (
        f"learned {100 * note['test_accuracy_before']:.1f} % before, {100 * note['test_accuracy']:.1f} % now" in out
    )
    assert tuned.record["recipe"] == base.record["recipe"]  # that of the model it came from
    for name in ("c1.weight", "c3.weight", "c5.weight", "c5.bias"):
        np.testing.assert_array_equal(tuned.views[name], base.views[name])


def test_the_folder_of_runs_and_a_model_file_will_do(mine, capsys):
    assert run("train", "--from", str(model_path("mnist")), "--dataset", "mine.npz") == 0
    assert os.listdir("runs") == ["mine-from-mnist"]
    with np.load("mine.npz") as file:
        images, labels = file["images"], file["labels"]
    known = LeNet5.load("runs/mine-from-mnist").predict(images) == labels
    np.savez("known.npz", images=images[known], labels=labels[known])
    assert run("train", "--from", "runs/mine-from-mnist", "--dataset", "known.npz") == 0
    assert "nothing reads more of them; the model is a copy" in capsys.readouterr().out
    assert LeNet5.load("runs/known-from-mine-from-mnist").record["fine_tuned"]["from"] == "mine-from-mnist"


@pytest.mark.parametrize("model", ["mnist", "base.npz"])
def test_the_command_in_the_folder_teaches_the_same_again(mine, monkeypatch, capsys, model):
    LeNet5.load("mnist").save("base.npz")
    assert run("train", "--from", model, "--dataset", "mine.npz", "--out", "tuned") == 0
    line = (mine / "tuned/command.txt").read_text().strip()
    assert capsys.readouterr().out.splitlines()[-1] == f"repeat    {line}"
    (mine / "elsewhere").mkdir()
    monkeypatch.chdir(mine / "elsewhere")
    program, *words = shlex.split(line)
    assert program == "lenet-gpu"
    assert run(*words, "--out", "again") == 0
    for name in ("command.txt", "model.npz"):
        assert (mine / "elsewhere/again" / name).read_bytes() == (mine / "tuned" / name).read_bytes()


@pytest.mark.parametrize("more", [
    ("--validation", "0.2"), ("--patience", "1"), ("--copies", "2"), ("--device", "0"), ("--devices", "0,1"),
])  # fmt: skip
def test_from_refuses_what_it_would_not_heed(mine, more):
    with pytest.raises(InputError, match=f"{more[0]} with --from: found an option of training from scratch"):
        run("train", "--from", "mnist", "--dataset", "mine.npz", *more)


def test_from_looks_for_a_named_data_set_where_it_is_told_and_says_so(mine):
    with pytest.raises(DataError, match=r"^sets: found nothing there"):
        run("train", "--from", "mnist", "--dataset", "mnist", "--data-dir", "sets", "--no-download")
    command = fine_tuning_command("mnist", "mnist", "sets")
    assert command == f"lenet-gpu train --from mnist --dataset mnist --data-dir {mine}/sets"


def test_from_and_resume_exclude_each_other(mine):
    with pytest.raises(InputError, match=r"--from with --resume: .*already settled"):
        run("train", "--from", "touch", "--resume", "runs/one")


def test_few_pictures_are_shown_often(mine, capsys, caplog):
    assert run("train", "--dataset", "mine.npz", "--out", "new", "--backend", "cpu", "--threads", "1",
               "--recipe", "classic") == 0  # fmt: skip
    assert "98 patterns an image" in capsys.readouterr().out
    (line,) = [record.getMessage() for record in caplog.records if "--from touch" in record.getMessage()]
    assert line.endswith("lenet-gpu train --from touch --dataset mine.npz")
    assert LeNet5.load("new").record["test_accuracy"] >= 0.9


@pytest.mark.parametrize(("name", "images", "copies"), [
    ("fast", 200, 96), ("fast", 19_199, 2), ("fast", 19_200, 1), ("fast", 60_000, 1),
    ("touch", 200, 1), ("paper", 200, 1), ("classic", 1, 13_715),
])  # fmt: skip
def test_a_training_shows_enough_patterns(name, images, copies):
    recipe = for_few(RECIPES[name], images)
    assert recipe.copies == copies
    if copies > 1:
        assert recipe.epochs * recipe.copies * images >= LEAST_PATTERNS > recipe.epochs * (copies - 1) * images
    assert recipe.with_changes(copies=1) == RECIPES[name]


def test_a_run_knows_the_folder_that_its_data_set_was_looked_for_in(mnist, tmp_path, monkeypatch):
    """So do the command that repeats it and its resumption; the folder has a few images of the data set's name."""
    asked = []

    def few(source, *, data_dir=None, **_):
        asked.append((source, str(Path(data_dir).absolute())))
        train, test = (Split(split.images[:64], split.labels[:64]) for split in (mnist.train, mnist.test))
        return Dataset("mnist", train, test, {"all": "0" * 64})

    monkeypatch.setattr("lenet_gpu.datasets.load_dataset", few)
    monkeypatch.chdir(tmp_path)
    shared = ("--backend", "cpu", "--threads", "1", "--epochs")
    assert run("train", *shared, "1", "--data-dir", "sets", "--out", "one") == 0
    assert f" --dataset mnist --data-dir {tmp_path}/sets --backend cpu " in (tmp_path / "one/command.txt").read_text()
    assert run("train", *shared, "2", "--resume", "one") == 0
    assert asked == [("mnist", f"{tmp_path}/sets")] * 2
