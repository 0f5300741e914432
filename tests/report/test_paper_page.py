"""The figures of docs/explain/paper.md are those of the stored results, and the command that made them still does."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu import LeNet5, Trainer
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.training.callbacks import RunFolder
from lenet_gpu.training.checkpoint import Checkpoint
from lenet_gpu.training.recipes import RECIPES

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE / "benchmarks"))

import paper as measuring  # noqa: E402
import paper_page  # noqa: E402
import paper_runs  # noqa: E402


def test_page_and_results_agree():
    page = paper_page.PAGE.read_text(encoding="utf-8")
    report = json.loads(paper_page.RESULTS.read_text())
    assert paper_page.fill(page, report) == page
    for name in paper_page.TABLES:
        table = page.partition(f"<!-- begin {name} -->")[2].partition(f"<!-- end {name} -->")[0]
        assert table.count("\n|") > 3, f"no table of {name}"
    for picture in re.findall(r"\((\.\./pictures/[^)]+)\)", page):
        assert (paper_page.PAGE.parent / picture).exists(), picture


def test_stored_counts_are_the_papers():
    report = json.loads(paper_page.RESULTS.read_text())
    assert report["layers"] == measuring.layers(LeNet5("paper"))
    for row in report["layers"]:
        assert {key: row[key] for key in ("maps", "size", "trainable", "connections")} == {
            key: row["printed"][key] for key in ("maps", "size", "trainable", "connections")
        }
    assert sum(row["multiply_adds"] for row in report["layers"]) == 328_096
    # The networks measured are those of the logs.
    assert report["test_errors"] == pytest.approx([seed[-1]["test"] for seed in report["runs"]["plain"]["history"]])


def test_the_whole_page_in_small(mnist, tmp_path, monkeypatch):
    """Everything that the command does, with 300 images and one pass."""
    small = {name: group._replace(images=300) for name, group in paper_runs.GROUPS.items() if name != "images15000"}
    monkeypatch.setattr(paper_runs, "GROUPS", small)
    train, test = (Split(s.images[:300], s.labels[:300]) for s in (mnist.train, mnist.test))
    data = Dataset("digits", train, test, {"all": "0" * 64})
    paper_runs.make(tmp_path, dict.fromkeys(small, (1,)), data, epochs=1)
    groups = paper_runs.found(tmp_path)
    assert {name: [path.name for path in paths] for name, paths in groups.items()} == {n: [f"{n}-1"] for n in small}
    for name in small:  # nothing is left to do
        assert paper_runs.command(tmp_path, name, 1, data) == []
    report = measuring.measure(groups, train, test, tmp_path, measuring.Sizes(invariance=50, nondigits=10))
    assert json.loads(json.dumps(report)) == report
    assert report["test_errors"] == pytest.approx([seed[-1]["test"] for seed in report["runs"]["plain"]["history"]])
    assert report["runs"]["distorted"]["patterns"] == 3000
    for name in re.findall(r"pictures/(paper_\w+\.png)", paper_page.PAGE.read_text(encoding="utf-8")):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG", name
    filled = paper_page.fill("".join(f"<!-- begin {n} -->\n<!-- end {n} -->\n" for n in paper_page.TABLES), report)
    assert filled.count("\n| ---") == len(paper_page.TABLES)
    low, high = report["rates"][0]
    assert 0 < low < high <= RECIPES["paper"].rates[0] / RECIPES["paper"].mu


def test_an_interrupted_run_is_resumed(mnist, tmp_path):
    train = Split(mnist.train.images[:60], mnist.train.labels[:60])
    data = Dataset("digits", train, train, {"all": "0" * 64})
    folder = tmp_path / "plain-0"
    recipe = RECIPES["paper"].with_changes(samples=20)
    folder.mkdir()
    Trainer(LeNet5("paper"), recipe.with_changes(epochs=1), callbacks=[RunFolder(folder)]).fit(data)
    assert paper_runs.command(tmp_path, "plain", 0, data) == []
    unfinished = Checkpoint.load(folder)
    unfinished.recipe = recipe
    unfinished.save(folder / "checkpoint.npz")
    assert paper_runs.command(tmp_path, "plain", 0, data)[-2:] == ["--resume", str(folder)]


def test_rejection_sets_the_closest_calls_aside():
    out = -np.array([[0.0, 9, 9], [5, 0, 9], [0, 1, 9], [9, 9, 0]] * 50)  # the third kind is close, and wrong
    labels = np.array([0, 1, 1, 2] * 50)
    found = measuring.rejection(out, labels)
    assert found["kept_error"][0] == 25.0
    assert found["kept_error"][-1] == pytest.approx(100 * 30 / 180)
    assert found["share_for_target"] == pytest.approx(24.5, abs=0.5)


def test_changes_go_where_they_say():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 12:16, 18:20] = 255  # right of the centre
    rows, columns = np.mgrid[:32, :32] - 15.5

    def centre(kind, amount):
        grid = measuring.changed(image, kind, amount)[0]
        return (grid * columns).sum() / grid.sum(), (grid * rows).sum() / grid.sum()

    for kind, amount, expected in (
        ("scale", 1.0, (5, 0)),
        ("scale", 2.0, (10, 0)),
        ("rotation", 90, (0, 5)),
        ("shift right", 3, (8, 0)),
        ("shift down", -4, (5, -4)),
    ):
        assert centre(kind, amount) == pytest.approx(expected, abs=0.2), kind
    assert (measuring.changed(image, "noise", 100) == 255 - measuring.changed(image, "noise", 0)).all()
