"""The command line in processes of its own, as a user meets it."""

import gzip
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from fields import assert_documented
from PIL import Image

from lenet_gpu import LeNet5

NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def write_idx(folder, mnist, count=2000):
    """A small data set of real digits in MNIST's own format."""
    folder.mkdir()
    for split in ("train", "test"):
        images = getattr(mnist, split).images[:count]
        labels = getattr(mnist, split).labels[:count]
        (folder / NAMES[split, "images"]).write_bytes(
            struct.pack(">4I", 2051, len(images), 28, 28) + images.tobytes()
        )
        (folder / NAMES[split, "labels"]).write_bytes(struct.pack(">2I", 2049, len(labels)) + labels.tobytes())
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory, mnist):
    return write_idx(tmp_path_factory.mktemp("data") / "digits", mnist)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, small):
    """A finished run of two epochs."""
    folder = tmp_path_factory.mktemp("run") / "run"
    subprocess.run(
        [sys.executable, "-m", "lenet_gpu", "train", "--backend", "cpu", "--dataset", small, "--epochs", "2",
         "--learning-rate", "0.1", "--out", folder],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_train_leaves_model_checkpoint_log_and_plot(run_folder):
    names = sorted(p.name for p in run_folder.iterdir())
    assert names == [
        "checkpoint.npz",
        "command.txt",
        "curves.png",
        "log.jsonl",
        "model.npz",
    ]
    epochs = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in epochs] == [1, 2]
    held_out = {f"validation_{what}" for what in ("loss", "accuracy", "error")}
    assert_documented("files.md", "log.jsonl", *epochs, absent=held_out)


def test_train_says_what_it_does(lenet_gpu_command, small, tmp_path):
    done = lenet_gpu_command("train", "--backend", "cpu", "--dataset", small, "--epochs", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in (
        "60,850 parameters",
        "2,000 training",
        "recipe    fast: 1 epoch, batch 32, nesterov",
        "engine",
        "epoch  1/1",
        "images/s",
        "wrote",
    ):
        assert words in done.stdout
    assert (tmp_path / "runs/digits-fast-seed0/model.npz").exists()
    # A second run of the same name gets a folder of its own.
    again = lenet_gpu_command("train", "--backend", "cpu", "--dataset", small, "--epochs", 1, cwd=tmp_path)
    assert "runs/digits-fast-seed0-2" in again.stdout


def wait_for_epochs(log, epochs, process):
    deadline = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) < epochs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def start_training(small, out, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "lenet_gpu", "train", "--backend", "cpu", "--dataset", small,
         "--out", out, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_killed_inside_epoch_4_and_resumed_gives_the_same_bytes(lenet_gpu_command, small, tmp_path):
    whole = start_training(small, tmp_path / "whole", "--epochs", "5")
    whole.communicate(timeout=120)
    killed = start_training(small, tmp_path / "killed", "--epochs", "5")
    wait_for_epochs(tmp_path / "killed/log.jsonl", 3, killed)
    time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert len((tmp_path / "killed/log.jsonl").read_text().splitlines()) in (3, 4)
    done = lenet_gpu_command("train", "--backend", "cpu", "--resume", tmp_path / "killed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "continuing after epoch" in done.stdout
    assert (tmp_path / "killed/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


def test_ctrl_c_keeps_the_last_epoch_and_says_how_to_resume(small, tmp_path):
    process = start_training(small, tmp_path / "run", "--epochs", "500")
    wait_for_epochs(tmp_path / "run/log.jsonl", 1, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"continue with: lenet-gpu train --resume {tmp_path / 'run'}" in stderr
    assert "Traceback" not in stderr


def test_evaluate_prints_and_draws(lenet_gpu_command, run_folder, small, tmp_path):
    done = lenet_gpu_command("evaluate", run_folder, "--dataset", small, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert_documented("json.md", "evaluate", report)
    last = json.loads((run_folder / "log.jsonl").read_text().splitlines()[-1])
    assert report["accuracy"] == pytest.approx(last["test_accuracy"])
    assert np.sum(report["confusion"]) == report["images"] == 2000
    assert np.trace(report["confusion"]) == 2000 - report["errors"]
    with Image.open(tmp_path / "evaluation.png") as picture:
        assert min(picture.size) > 500
    text = lenet_gpu_command("evaluate", run_folder, "--dataset", small, "--no-picture", cwd=tmp_path).stdout
    assert f"{100 * report['accuracy']:.2f} %" in text
    wrong = np.array(report["confusion"])
    np.fill_diagonal(wrong, 0)
    a, b = np.unravel_index(wrong.argmax(), wrong.shape)
    assert f"mistaken  {a} as {b}: {wrong[a, b]} times" in text


def test_evaluate_several_networks_and_views(lenet_gpu_command, run_folder, small, tmp_path):
    arguments = ("evaluate", run_folder, "mnist", "--tta", "--dataset", small, "--json", "--no-picture")
    done = lenet_gpu_command(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["views"] == 9
    alone = json.loads((run_folder / "log.jsonl").read_text().splitlines()[-1])["test_accuracy"]
    assert alone < report["accuracy"] <= 1.0


def test_plot_draws_the_curves_again(lenet_gpu_command, run_folder, tmp_path):
    done = lenet_gpu_command("plot", run_folder, "--out", "c.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.png").read_bytes() == (run_folder / "curves.png").read_bytes()


def test_doctor_speaks_json(lenet_gpu_command, tmp_path):
    done = lenet_gpu_command("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "app", "plot", "bench", "doctor"])
def test_help_has_examples(lenet_gpu_command, command, tmp_path):
    done = lenet_gpu_command(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert f"lenet-gpu {command}" in done.stdout


def corrupt(folder, name, change):
    """Change one file of a data set."""
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"

BAD_DATA = {
    "missing": (lambda f: (f / IMAGES).unlink(), "train-images"),
    "empty": (lambda f: corrupt(f, IMAGES, lambda b: b""), IMAGES),
    "truncated": (lambda f: corrupt(f, IMAGES, lambda b: b[:-100]), IMAGES),
    "wrong magic": (lambda f: corrupt(f, IMAGES, lambda b: b"\0\0\x08\x09" + b[4:]), IMAGES),
    "2^31 images": (lambda f: corrupt(f, IMAGES, lambda b: b[:4] + struct.pack(">I", 2**31) + b[8:]), IMAGES),
    "label 10": (lambda f: corrupt(f, LABELS, lambda b: b[:-1] + b"\x0a"), LABELS),
    "broken gzip": (
        lambda f: ((f / (IMAGES + ".gz")).write_bytes(gzip.compress((f / IMAGES).read_bytes())[:-9]),
                   (f / IMAGES).unlink()),
        IMAGES,
    ),
}  # fmt: skip


def assert_one_clear_line(done, *words):
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("lenet-gpu")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_one_clear_line(name, lenet_gpu_command, mnist, tmp_path):
    damage, words = BAD_DATA[name]
    folder = write_idx(tmp_path / "digits", mnist, 50)
    damage(folder)
    done = lenet_gpu_command("train", "--backend", "cpu", "--dataset", folder, "--out", "run", cwd=tmp_path)
    assert_one_clear_line(done, words)
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]


def test_bad_csv_row_is_named_by_its_number(lenet_gpu_command, tmp_path):
    row = ",".join(["5"] + ["0"] * 784)
    (tmp_path / "digits.csv").write_text("\n".join([row] * 6 + ["5,1,2"] + [row] * 3))
    done = lenet_gpu_command("train", "--backend", "cpu", "--dataset", "digits.csv", cwd=tmp_path)
    assert_one_clear_line(done, "digits.csv", "7")


def half_a_model(path, model):
    path.write_bytes(model[: len(model) // 2])


@pytest.mark.parametrize("command", ["evaluate", "predict", "plot"])
def test_model_file_cut_in_half(command, lenet_gpu_command, run_folder, tmp_path):
    name = "checkpoint.npz" if command == "plot" else "model.npz"
    half_a_model(tmp_path / name, (run_folder / name).read_bytes())
    arguments = {"evaluate": [name], "predict": [name, "x.png"], "plot": ["."]}[command]
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    assert_one_clear_line(lenet_gpu_command(command, *arguments, cwd=tmp_path), name, "expected")


def test_not_an_image(lenet_gpu_command, run_folder, tmp_path):
    (tmp_path / "note.png").write_text("hello")
    Image.new("L", (28, 28)).save(tmp_path / "fine.png")
    done = lenet_gpu_command("predict", run_folder, "fine.png", "note.png", "fine.png", cwd=tmp_path)
    assert_one_clear_line(done, "note.png", "not an image")
    assert done.stdout.splitlines() == ["fine.png: not a digit (blank)"] * 2  # the others are read all the same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--backend", "gpu"], "gpu"),
        (["train", "--backend", "cpu", "--out", "/proc/lenet"], "/proc/lenet"),
        (["train", "--epochs", "0"], "0"),
        (["train", "--device", "x"], "--device"),
        (["train", "--learning-rate", "nan"], "nan"),
        (["train", "--recipe", "magic"], "magic"),
        (["train", "--dataset", "nowhere"], "nowhere"),
        (["train", "--resume", "nowhere"], "nowhere"),
        (["train", "--resume", "nowhere", "--seed", "1"], "--seed"),
        (["evaluate", "nowhere.npz"], "nowhere.npz"),
        (["predict", "nowhere.npz", "x.png"], "nowhere.npz"),
        (["plot", "nowhere"], "nowhere"),
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["train", "--resume", "x" * 300], "name too long"),
        (["app", "--folder", ""], "--folder"),
        (["evaluate", "touch", "--thread", "2"], "lenet-gpu evaluate --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments_are_one_clear_line(arguments, words, lenet_gpu_command, tmp_path):
    assert_one_clear_line(lenet_gpu_command(*arguments, cwd=tmp_path), words)
    assert not list(tmp_path.iterdir())


def test_a_run_is_never_overwritten(lenet_gpu_command, run_folder, small, tmp_path):
    before = {p.name: p.read_bytes() for p in run_folder.iterdir()}
    done = lenet_gpu_command("train", "--backend", "cpu", "--dataset", small, "--out", run_folder, cwd=tmp_path)
    assert_one_clear_line(done, str(run_folder), "--resume")
    assert before == {p.name: p.read_bytes() for p in run_folder.iterdir()}


def draw_seven(size, ink, paper, place):
    """A 7 of two strokes with rounded corners, by Pillow."""
    from PIL import ImageDraw

    picture = Image.new("L", size, paper)
    x, y, scale = place
    points = [(x, y), (x + 10 * scale, y), (x + 4 * scale, y + 16 * scale)]
    ImageDraw.Draw(picture).line(points, fill=ink, width=max(2, round(2 * scale)), joint="curve")
    return picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    draw_seven((300, 200), 0, 255, (200, 20, 6)).save(folder / "corner.png")
    draw_seven((64, 64), 255, 0, (5, 40, 1)).save(folder / "light.bmp")
    draw_seven((1200, 900), 30, 220, (100, 100, 30)).convert("RGB").save(folder / "photo.jpg")
    return folder


@pytest.mark.parametrize("name", ["corner.png", "light.bmp", "photo.jpg"])
def test_shipped_model_reads_pictures(name, lenet_gpu_command, pictures, tmp_path):
    done = lenet_gpu_command("predict", "mnist", pictures / name, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert_documented("json.md", "A picture of one digit", answer)
    assert answer["digit"] == 7
    assert answer["confidence"] == max(answer["probabilities"])
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_folders_patterns_standard_input_and_pictures_of_what_was_read(lenet_gpu_command, pictures, tmp_path):
    (tmp_path / "two").mkdir()
    both = Image.new("L", (500, 200), 255)
    both.paste(draw_seven((200, 200), 0, 255, (40, 40, 7)), (0, 0))
    both.paste(draw_seven((200, 200), 0, 255, (40, 50, 6)), (240, 0))
    both.save(tmp_path / "two" / "both.png")
    (tmp_path / "two" / "page.pdf").write_bytes(b"%PDF-1.7")
    done = lenet_gpu_command("predict", "touch", pictures, "two", "two/b*.png", "--show", "seen", cwd=tmp_path)
    assert done.returncode == 2
    assert "page.pdf: found a PDF document" in done.stderr
    assert "export its page as PNG" in done.stderr
    read = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(": ")[1][:2].strip() for line in read] == ["7", "7", "7", "77", "77"]
    with Image.open(tmp_path / "seen" / "both.png") as shown:
        assert shown.mode == "RGB"
        assert shown.height > 200
    with open(tmp_path / "two" / "both.png", "rb") as file:
        arguments = [sys.executable, "-m", "lenet_gpu", "predict", "touch", "-", "--json"]
        answer = json.loads(subprocess.run(arguments, stdin=file, capture_output=True, check=True).stdout)
    assert_documented("json.md", "A picture of several digits", answer)
    assert answer["text"] == "77"
    assert [len(line["digits"]) for line in answer["lines"]] == [2]
    done = lenet_gpu_command("predict", "touch", "none*.png", cwd=tmp_path)
    assert_one_clear_line(done, "none*.png", "no such file")


def test_predict_in_words(lenet_gpu_command, pictures, mnist, tmp_path):
    Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
    doubtful = next(k for k in range(300) if LeNet5.load("mnist").forward(mnist.test.images[k : k + 1]).max() < 0.8)
    Image.fromarray(mnist.test.images[doubtful]).save(tmp_path / "doubtful.png")
    done = lenet_gpu_command("predict", "mnist", pictures / "corner.png", "doubtful.png", "blank.png", cwd=tmp_path)
    sure, unsure, rivals, blank = done.stdout.splitlines()
    assert re.fullmatch(r".*corner\.png: 7  \(confidence \d+\.\d %\)", sure)  # no rival is worth a word
    assert unsure.startswith("doubtful.png: ")
    assert re.fullmatch(r"  or (\d: \d+\.\d %(, )?)+", rivals)
    assert blank == "blank.png: not a digit (blank)"
