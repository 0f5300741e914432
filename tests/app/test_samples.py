"""Samples survive crashes, torn lines and full disks; an export is a data set that training takes."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from fields import assert_documented

from app.samples import FILE, SampleStore
from app.texts import TEXTS
from lenet_gpu.datasets import load_dataset
from lenet_gpu.datasets.load import load_addition
from lenet_gpu.datasets.mix import with_added
from lenet_gpu.errors import InputError
from lenet_gpu.ink.preprocess import strokes_to_mnist

SEVEN = [[[10, 10], [30.25, 10], [18, 44.1234567]], [[14, 27], [26, 27]]]
ONE = [[[5, 0], [5.5, 30]]]


@pytest.fixture
def store(tmp_path):
    return SampleStore(tmp_path / "user")


def contents(store):
    return [([s.tolist() for s in sample.strokes], sample.label, sample.predicted) for sample in store]


def test_samples_are_kept_as_they_were_drawn(store):
    store.add(SEVEN, 7, 1)
    store.add([np.array(ONE[0])], np.int64(1), None)
    again = SampleStore(store.path.parent)
    assert len(again) == 2
    assert contents(again) == contents(store)
    first, second = again
    np.testing.assert_allclose(first.strokes[0], SEVEN[0], rtol=1e-5)
    assert [stroke.dtype for stroke in first.strokes] == [np.float32] * 2
    assert (first.label, first.predicted, second.label, second.predicted) == (7, 1, 1, None)
    np.testing.assert_array_equal(first.image(), strokes_to_mnist(first.strokes))
    assert again.message == ""
    lines = map(json.loads, store.path.read_text("utf-8").splitlines())
    assert_documented("files.md", "samples.jsonl", *lines, store.add(ONE, None).to_json())


def test_the_last_can_be_forgotten_for_good(store):
    store.add(SEVEN, 7, 1)
    store.add(ONE, 1, 7)
    assert store.remove_last().label == 1
    assert [sample.label for sample in SampleStore(store.path.parent)] == [7]
    store.add(ONE, 1, 2)
    assert [sample.predicted for sample in SampleStore(store.path.parent)] == [1, 2]
    assert store.remove_last().predicted == 2
    assert store.remove_last().label == 7
    assert store.remove_last() is None
    assert len(SampleStore(store.path.parent)) == 0


def test_forgetting_everything_leaves_nothing(store):
    store.add(SEVEN, 7, 1)
    with open(store.path, "ab") as file:
        file.write(b"torn")
    store = SampleStore(store.path.parent)
    assert len(os.listdir(store.path.parent)) == 2
    store.clear()
    assert len(store) == 0
    assert os.listdir(store.path.parent) == []


@pytest.mark.parametrize(
    ("strokes", "label", "predicted"),
    [
        ([], 1, None),
        ([[]], 1, None),
        ([[[1, 2, 3]]], 1, None),
        ([[[1, float("nan")]]], 1, None),
        ([[[1, 2], [3]]], 1, None),
        ("text", 1, None),
        (ONE, 10, None),
        (ONE, -1, None),
        (ONE, 1, 11),
        ([np.zeros((30_000, 2))], 1, None),
    ],
)
def test_what_is_no_digit_is_refused_and_not_kept(store, strokes, label, predicted):
    with pytest.raises(InputError) as error:
        store.add(strokes, label, predicted)
    assert "\n" not in str(error.value)
    assert len(store) == 0
    assert not store.path.exists()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_costs_that_line_alone(store, cut):
    store.add(SEVEN, 7, 1)
    store.add(ONE, 1, 4)
    whole = store.path.read_bytes()
    torn = whole[:-cut]
    store.path.write_bytes(torn)
    again = SampleStore(store.path.parent)
    lost = 0 if cut == 1 else 1  # only the line's end is lost: the sample is whole
    assert len(again) == 2 - lost
    assert again.message == ("samples_aside" if lost else "")
    assert again.message in ("", *TEXTS)
    again.add(ONE, 1, 5)
    assert [sample.predicted for sample in SampleStore(store.path.parent)] == ([1, 5] if lost else [1, 4, 5])
    if lost:
        aside = store.path.with_name(FILE + ".broken").read_bytes()
        assert aside == torn.split(b"\n")[1] + b"\n"


@pytest.mark.parametrize("bad", [b"{}", b"[1]", b"\xff", b'{"label":1,"predicted":null,"strokes":[]}', b"[" * 10_000])
def test_a_broken_line_is_set_aside_and_the_others_stay(store, bad):
    store.add(SEVEN, 7, 1)
    store.add(ONE, 1, 4)
    first, second = store.path.read_bytes().splitlines()
    store.path.write_bytes(b"\n".join([first, bad, second, b""]))
    for message in ("samples_aside", ""):  # the second time all is well
        again = SampleStore(store.path.parent)
        assert [sample.label for sample in again] == [7, 1]
        assert again.message == message
    assert store.path.with_name(FILE + ".broken").read_bytes() == bad + b"\n"


WRITER = """
import sys
from app.samples import SampleStore
store = SampleStore(sys.argv[1])
print("ready", flush=True)
for i in range(100_000):
    store.add([[[0, 0], [1, i]] * 20], i % 10, None)
"""


def test_a_killed_process_loses_no_finished_sample(store, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.path.parent)], stdout=subprocess.PIPE, cwd=ROOT
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        while not (store.path.exists() and store.path.stat().st_size > 20_000):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    written = store.path.read_bytes().count(b"\n")
    again = SampleStore(store.path.parent)
    assert written <= len(again) <= written + 1
    assert [sample.strokes[0][1, 1] for sample in again] == list(range(len(again)))


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FULL_DISK = """
import resource, signal, sys
from app.samples import SampleStore
from lenet_gpu.datasets.load import load_addition
from lenet_gpu.datasets.mix import with_added
from lenet_gpu.errors import InputError
store = SampleStore(sys.argv[1])
store.add([[[0, 0], [1, 1]]], 1, None)
size = store.path.stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))
try:
    store.add([[[0, 0], [1, 1]] * 50], 2, None)
except InputError as error:
    print(error)
assert len(store) == 1 and store.path.stat().st_size == size
"""


def test_a_full_disk_is_one_line_and_leaves_the_file_whole(store):
    command = [sys.executable, "-c", FULL_DISK, str(store.path.parent)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("\n") == 1
    assert FILE in ended.stdout
    assert [sample.label for sample in SampleStore(store.path.parent)] == [1]


def wobbly(rng, label):
    """A digit of 0 or 1 that is never twice the same."""
    if label == 1:
        return [rng.normal([[0, 0], [0, 40]], 1)]
    angle = np.linspace(0, 6.3, 30)[:, None]
    return [np.hstack([np.cos(angle) * rng.uniform(8, 14), np.sin(angle) * rng.uniform(16, 22)])]


def test_an_export_trains(store, tmp_path, rng, lenet_gpu_command):
    for i in range(24):
        store.add(wobbly(rng, i % 2), i % 2, 1)
    export = store.export(tmp_path / "out" / "mine")
    assert (export.csv.name, export.strokes.name, export.count) == ("mine.csv", "mine.strokes.json", 24)
    assert sorted(os.listdir(tmp_path / "out")) == ["mine.csv", "mine.strokes.json"]

    data = load_dataset(export.csv)
    assert (len(data.train), len(data.test)) == (20, 4)
    labels = [sample.label for sample in store]
    images = np.stack([sample.image() for sample in store])
    assert sorted(map(bytes, images)) == sorted(map(bytes, [*data.train.images, *data.test.images]))
    assert {bytes(image) for image in data.train.images[data.train.labels == 1]} <= {
        bytes(image) for image, label in zip(images, labels, strict=True) if label == 1
    }
    listed = json.loads(export.strokes.read_text())["samples"]
    assert [sample["label"] for sample in listed] == labels
    np.testing.assert_array_equal(strokes_to_mnist(listed[3]["strokes"]), images[3])

    arguments = ("train", "--dataset", export.csv, "--backend", "cpu", "--engine", "layered", "--epochs", 2)
    ended = lenet_gpu_command(*arguments, "--recipe", "classic", "--out", tmp_path / "run", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "model.npz").exists()


def test_an_export_of_nothing_is_refused(store, tmp_path):
    with pytest.raises(InputError, match="samples"):
        store.export(tmp_path / "mine.csv")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("count", [1, 3])
def test_however_few_the_exported_digits_join_a_training(store, tmp_path, mnist, count):
    """`lenet-gpu train --add digits.csv`, to the point where training begins."""
    for x in range(count):
        store.add([[[5, 0], [5 + 4 * x, 30]]], 1, 4)
    store.add([[[0, 0], [9, 9]]], None, 7)  # no digit: MNIST has no place for it
    path = store.export(tmp_path / "digits").csv
    both = with_added(mnist, load_addition(path, download=False), "digits")
    assert len(both.train) == len(mnist.train) + count
    assert both.train.labels[-count:].tolist() == [1] * count
    np.testing.assert_array_equal(both.train.images[-1], list(store)[count - 1].image())
    assert both.test is mnist.test


def test_a_drawing_is_found_whatever_its_label(store):
    first = store.add(SEVEN, 7, 1)
    store.add(ONE, 1, 1)
    assert store.find([np.asarray(stroke, np.float32) for stroke in SEVEN]) is first
    assert store.find([np.asarray(SEVEN[0], np.float32) + 1]) is None
    store.remove(first)
    assert store.find([np.asarray(stroke, np.float32) for stroke in SEVEN]) is None
    assert [sample.label for sample in SampleStore(store.path.parent)] == [1]
