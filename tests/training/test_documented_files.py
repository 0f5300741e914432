"""What a run's files hold is what docs/reference/files.md says."""

import json

import numpy as np
import pytest
from fields import REFERENCE, assert_documented

from app import drawing_file, samples, settings, tune, user_folder
from lenet_gpu import LeNet5, Network
from lenet_gpu.commands import evaluate, plot
from lenet_gpu.commands.sweep import _plain
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.nn import Dense, Flatten
from lenet_gpu.nn.extras import REJECTION, TEMPERATURE
from lenet_gpu.report.sweep_table import summarize
from lenet_gpu.storage.shipped_models import model_path
from lenet_gpu.training import checkpoint, run_folder, sweep
from lenet_gpu.training.recipes import get_recipe


def contents(path):
    """The arrays of a file by name, and its object."""
    with np.load(path) as file:
        arrays = dict(file)
    return arrays, json.loads(arrays.pop("meta").tobytes())


@pytest.fixture(scope="module")
def result(tmp_path_factory, mnist):
    """The result of a run that holds images out and ends early."""
    data = tmp_path_factory.mktemp("data") / "digits.npz"
    train, test = (split.images[:120] for split in (mnist.train, mnist.test))
    np.savez(data, x_train=train, y_train=mnist.train.labels[:120], x_test=test, y_test=mnist.test.labels[:120])
    job = sweep.Job(
        str(data.parent / "run"), 0, {"epochs": 2}, recipe="classic", dataset=str(data), validation=0.25, patience=2
    )
    return {"folder": data.parent / "run", **sweep.run_job(job)}


@pytest.fixture
def folder(result):
    return result["folder"]


def test_a_model_holds_what_is_documented(folder):
    arrays, meta = contents(folder / "model.npz")
    assert_documented("files.md", "The object `meta`", meta)
    assert_documented(
        "files.md", "The architecture of LeNet-5", meta["architecture"], absent=("class_labels[]", "frozen[]")
    )
    other = {"source_digests.NAME", "own.NAME", "fine_tuned", "tuned_on", "imported"}
    assert_documented("files.md", "The record", meta["record"], absent=other)
    assert set(meta["record"]["recipe"]) == set(get_recipe("classic").as_dict())
    beside = {name: arrays[name] for name in (TEMPERATURE, *REJECTION)}
    assert_documented("files.md", "Arrays beside the parameters", beside)
    assert set(arrays) == {*LeNet5().shapes, *beside}
    other |= {"best_epoch", "validation_accuracy"}
    for name, absent in (("mnist", other), ("touch", other - {"source_digests.NAME"})):  # the shipped records
        record = json.loads(model_path(name).with_suffix(".json").read_text("utf-8"))
        assert_documented("files.md", "The record", record, absent=absent)


def test_a_network_of_layers_holds_what_is_documented(tmp_path):
    network = Network([Flatten(), Dense("out", 32 * 32, 2)])
    network.class_labels, network.layers[1].frozen = ("a", 1), True
    network.save(tmp_path / "own.npz")
    arrays, meta = contents(tmp_path / "own.npz")
    assert_documented("files.md", "The architecture of other networks", meta["architecture"])
    assert (set(arrays), meta["record"]) == ({"out.weight", "out.bias"}, {})


def test_a_run_writes_what_is_documented(folder):
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert_documented("files.md", "log.jsonl", *log)
    arrays, meta = contents(folder / "checkpoint.npz")
    kept = {name: meta.pop(name) for name in ("format", "version", "sha256")}
    assert kept["format"] == "lenet-gpu checkpoint"
    assert_documented("files.md", "checkpoint.npz", meta, absent=("added", "data_dir"))
    assert meta["history"] == log
    assert all(name == "parameters" or name.startswith("state.") for name in arrays)


def test_a_sweep_with_images_held_out_says_what_is_documented(result):
    result = {name: value for name, value in result.items() if name != "folder"}
    assert_documented("files.md", "result.json", result)
    report = {"runs": [result], "settings": [_plain(row) for row in summarize([result])]}
    assert_documented("json.md", "sweep", report, absent=("settings[].ensemble_error",))


def test_an_export_has_the_facts_that_are_documented():
    assert_documented("files.md", "Facts of an export", PlainNetwork.of(LeNet5()).facts)


def test_every_file_has_its_place_on_the_page():
    page = (REFERENCE / "files.md").read_text("utf-8")
    names = [*checkpoint.RUN_FILES, run_folder.LOCK_FILE, sweep.PLAN_FILE, sweep.RESULT_FILE, evaluate.PICTURE]
    names += [plot.COMPARISON_FILE, plot.AUGMENTATION_FILE, samples.FILE, settings.FILE, drawing_file.FILE, tune.FILE]
    names += [user_folder.LOCK, user_folder.BROKEN, f"{tune.FILE}{tune.OUTDATED}"]
    missing = [name for name in names if f"`{name}`" not in page and f"### {name}\n" not in page]
    assert missing == []
