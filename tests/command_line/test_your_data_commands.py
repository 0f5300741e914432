"""Own data on the command line: tables in, class names out, and data sets added to others."""

import csv
import json
import zipfile

import numpy as np
import pytest
from fields import assert_documented
from PIL import Image

from lenet_gpu import LeNet5, Trainer, load_dataset
from lenet_gpu.cli import build_parser
from lenet_gpu.datasets.mix import with_added
from lenet_gpu.errors import DataError, InputError, LenetError
from lenet_gpu.training.checkpoint import Checkpoint

HEADER = ",".join(f"pixel{k}" for k in range(784))
QUICK = ("--backend", "cpu", "--engine", "cpu_plan", "--threads", "1", "--epochs", "1")


def table(images, labels=None):
    rows = images.reshape(len(images), -1).tolist()
    if labels is None:
        return "\n".join([HEADER, *(",".join(map(str, row)) for row in rows)]) + "\n"
    lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, rows, strict=True)]
    return "\n".join([f"label,{HEADER}", *lines]) + "\n"


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, in an empty folder; returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        options = build_parser().parse_args(list(arguments))
        capsys.readouterr()
        assert options.run(options) == 0
        return capsys.readouterr().out

    return run


def submission(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["ImageId", "Label"]
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    return [label for _, label in rows]


def test_kaggle_from_zip_to_submission(tmp_path, mnist, lenet_gpu_command):
    train, test = mnist.train, mnist.test
    with zipfile.ZipFile(tmp_path / "digit-recognizer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", table(train.images[:300], train.labels[:300].tolist()))
        archive.writestr("test.csv", table(test.images[:50]))
        archive.writestr("sample_submission.csv", "ImageId,Label\n")
    done = lenet_gpu_command("train", "--dataset", "digit-recognizer.zip", "--out", "run", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "50 pictures without labels, which are left for predict" in done.stderr
    done = lenet_gpu_command("predict", "run", "digit-recognizer.zip", "--out", "submission.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "wrote     submission.csv: 50 answers\n")
    expected = LeNet5.load(tmp_path / "run").predict(test.images[:50])
    assert submission(tmp_path / "submission.csv") == list(map(str, expected))


def test_tables_are_converted_as_for_training(tmp_path, mnist, here, caplog):
    images, labels = mnist.test.images[:30], mnist.test.labels[:30]
    (tmp_path / "dark.csv").write_text(table(255 - images))
    (tmp_path / "labelled.csv").write_text(table(images, labels.tolist()))
    printed = here("predict", "mnist", "dark.csv")
    assert "all pictures are dark on light, and were inverted" in caplog.text
    assert printed.splitlines()[1:] == [f"{k},{label}" for k, label in enumerate(labels.tolist(), 1)]
    answer = json.loads(here("predict", "mnist", "labelled.csv", "--json"))
    assert_documented("json.md", "A table of pictures", answer)
    assert answer["labels"] == labels.tolist()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("t.csv", "p.png"), "t.csv: found a table beside other files, expected it alone"),
        (("p.png", "--out", "s.csv"), "--out: found no table among the files"),
        (("none.csv", "--out", "s.csv"), "none.csv: found no such file"),
        (("t.csv", "--out", "none/s.csv"), "make the folder first"),
        (("z.zip",), "z.zip: found the CSV files (none)"),
    ],
)
def test_what_can_not_be_predicted_is_one_line(arguments, expected, tmp_path, mnist, here):
    (tmp_path / "t.csv").write_text(table(mnist.test.images[:2]))
    Image.fromarray(mnist.test.images[0]).save(tmp_path / "p.png")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("x.txt", "x")
    with pytest.raises(LenetError) as error:
        here("predict", "mnist", *arguments)
    assert (error.value.exit_status, "\n" in str(error.value)) == (2, False)
    assert expected in str(error.value)


def test_class_names_travel_from_folders_to_answers(tmp_path, mnist, here):
    names = {0: 'the "0"', 1: "eins, 1"}
    for image, label in zip(mnist.train.images[:600], mnist.train.labels[:600].tolist(), strict=True):
        if label in names:
            folder = tmp_path / "data" / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{len(list(folder.iterdir()))}.png")
    here("train", "--dataset", "data", "--out", "run", *QUICK[:-1], "6")
    assert LeNet5.load(tmp_path / "run").class_labels == ("eins, 1", 'the "0"')
    zeros, ones = (mnist.test.images[mnist.test.labels == k][:5] for k in (0, 1))
    Image.fromarray(255 - zeros[0]).resize((90, 90)).save(tmp_path / "zero.png")
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "blank.png")
    (tmp_path / "strokes.json").write_text("[[[20, 10], [20, 90]]]")
    printed = here("predict", "run", "zero.png", "strokes.json", "blank.png")
    lines = [line for line in printed.splitlines() if not line.startswith(" ")]
    assert lines[0].startswith('zero.png: the "0"  (confidence ')
    assert lines[1].startswith("strokes.json: eins, 1  (confidence ")
    assert lines[2] == "blank.png: nothing to read (blank)"
    report, blank = map(json.loads, here("predict", "run", "zero.png", "blank.png", "--json").splitlines())
    assert_documented("json.md", "A network of other classes", report, blank)
    assert (report["label"], set(report["probabilities"])) == ('the "0"', set(names.values()))
    by_class = here("evaluate", "run", "--dataset", "data", "--no-picture").splitlines()[4:6]
    assert by_class[0].split() == ["class", "eins,", "1", "the", '"0"']
    assert by_class[1].split() == ["right,", "%", "100.0", "100.0"]
    (tmp_path / "t.csv").write_text(table(np.concatenate([zeros, ones])))
    here("predict", "run", "t.csv", "--out", "s.csv")
    assert submission(tmp_path / "s.csv") == ['the "0"'] * 5 + ["eins, 1"] * 5
    with pytest.raises(InputError, match=r"s\.csv: found a file that exists"):
        here("predict", "run", "t.csv", "--out", "s.csv")


def test_a_file_that_can_not_be_read_takes_no_other_answer_along(tmp_path, mnist, here, capsys):
    LeNet5(classes=2, seed=1).save(tmp_path / "two.npz")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(mnist.test.images[1]).save(tmp_path / name / "1.png")
    (tmp_path / "a" / "2.png").write_bytes(b"none")
    options = build_parser().parse_args(["predict", "two.npz", "a", "b/*.png"])
    assert options.run(options) == 2
    told = capsys.readouterr()
    assert [line.split(":")[0] for line in told.out.splitlines()[::2]] == ["a/1.png", "b/1.png"]
    assert "a/2.png: found " in told.err
    options = build_parser().parse_args(["predict", "two.npz", "a/2.png", "--json"])
    assert options.run(options) == 2
    assert_documented("json.md", "A file that can't be read", json.loads(capsys.readouterr().out))
    options = build_parser().parse_args(["predict", "two.npz", "a", "--show", "seen"])
    with pytest.raises(InputError, match="--show: found a network of 2 classes"):
        options.run(options)


def test_pictures_of_one_name_are_shown_beside_each_other(tmp_path, mnist, here):
    for name, image in zip("abc", mnist.test.images, strict=False):
        (tmp_path / name).mkdir()
        Image.fromarray(np.kron(255 - image, np.ones((3, 3), np.uint8))).save(tmp_path / name / "1.png")
    here("predict", "mnist", "a", "b/1.png", "c", "--show", "seen")
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["1-2.png", "1-3.png", "1.png"]
    assert len({path.read_bytes() for path in (tmp_path / "seen").iterdir()}) == 3


def test_added_data_are_learnt_from_and_found_again(tmp_path, mnist, here):
    for name, part in (("one", slice(0, 120)), ("two", slice(120, 240)), ("three", slice(240, 360))):
        (tmp_path / f"{name}.csv").write_text(table(mnist.train.images[part], mnist.train.labels[part].tolist()))
    added = ("--add", "two.csv", "--add", "three.csv")
    here("train", "--dataset", "one.csv", *added, "--out", "run", *QUICK)
    checkpoint = Checkpoint.load(tmp_path / "run")
    assert checkpoint.added == [str(tmp_path / "two.csv"), str(tmp_path / "three.csv")]
    assert set(checkpoint.digests) == {"one.csv", "two.csv/two.csv", "three.csv/three.csv"}
    here("train", "--resume", "run", "--epochs", "2", "--backend", "cpu")
    assert LeNet5.load(tmp_path / "run").record["digests"] == checkpoint.digests
    with pytest.raises(InputError, match="--add with --resume"):
        here("train", "--resume", "run", "--add", "three.csv")
    (tmp_path / "two.csv").write_text(table(mnist.train.images[:120], mnist.train.labels[:120].tolist()))
    with pytest.raises(DataError, match="found other digests than the checkpoint's"):
        here("train", "--resume", "run", "--epochs", "3", "--backend", "cpu")
    (tmp_path / "two.csv").unlink()
    with pytest.raises(DataError, match=r"two\.csv': found no such file"):
        here("train", "--resume", "run", "--epochs", "3", "--backend", "cpu")


def test_added_data_have_the_same_classes(tmp_path, mnist):
    (tmp_path / "d.csv").write_text(table(mnist.train.images[:120], mnist.train.labels[:120].tolist()))
    digits = load_dataset(tmp_path / "d.csv")
    both = with_added(digits, digits, "again")
    assert len(both.train) == 2 * len(digits.train)
    assert both.test is digits.test
    (tmp_path / "w.csv").write_text(table(mnist.train.images[:120], [f"a{k}" for k in mnist.train.labels[:120]]))
    with pytest.raises(DataError, match=r"w: found the classes a0, .*expected those of .*d\.csv: 0, 1, 2"):
        with_added(digits, load_dataset(tmp_path / "w.csv"), "w")
    run = Trainer(LeNet5(), "classic", engine="layered", epochs=1, progress=False).fit(both)
    assert run.model.class_labels == ()
