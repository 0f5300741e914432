"""The figures by writer in docs/explain/accuracy.md are the stored results, and the results are what they say."""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import writers

from lenet_gpu import LeNet5
from lenet_gpu.datasets import read_writers


def test_page_and_results_agree():
    page = writers.PAGE.read_text(encoding="utf-8")
    assert writers.fill(page, json.loads(writers.RESULTS.read_text())) == page
    table = page.partition("<!-- begin writers -->")[2].partition("<!-- end writers -->")[0]
    assert table.count("\n|") == 2 + 4 * len(writers.MODELS)


def test_the_results_are_the_shipped_models(mnist):
    """Whoever ships other weights measures anew: python tests/benchmarks/writers.py."""
    stored, who = json.loads(writers.RESULTS.read_text()), read_writers()
    for name in writers.MODELS:
        right = LeNet5.load(name).predict(mnist.test.images) == mnist.test.labels
        found = writers.by_writer(right, who.test, who.test_series)
        for group, figures in stored[name].items():
            # A digit more or less on another processor.
            assert abs(found[group]["accuracy"] - figures["accuracy"]) < 0.05, (name, group)


def test_the_worst_tenth_is_pooled():
    """Ten people of ten digits, the third with four misses; then twenty, with a tie that more digits decide."""
    people, right = np.repeat(np.arange(10), 10), np.ones(100, bool)
    right[30:34] = False
    found = writers.worst_tenth(people, right)
    assert (found["writers"], found["digits"], found["worst_writers"], found["worst_digits"]) == (10, 100, 1, 10)
    assert (found["accuracy"], found["worst_accuracy"], found["flawless"]) == (96.0, 60.0, 9)
    people = np.repeat([*range(20), 3, 7], [*[4] * 20, 4, 8])
    right = ~((people == 3) & (np.cumsum(people == 3) <= 4)) & ~((people == 7) & (np.cumsum(people == 7) <= 6))
    found = writers.worst_tenth(people, right)  # both half wrong: 8 digits and 12
    assert (found["worst_writers"], found["worst_digits"], found["worst_accuracy"]) == (2, 20, 50.0)


def test_employees_and_pupils_are_told_apart():
    people, series = np.repeat([1, 2, 3], [30, 20, 10]), np.repeat([0, 4, 4], [30, 20, 10])
    found = writers.by_writer(np.arange(60) != 40, people, series)
    assert (found["employees"]["accuracy"], found["pupils"]["worst_accuracy"]) == (100.0, 95.0)
    assert (found["all"]["writers"], found["many"]["writers"], found["many"]["digits"]) == (3, 2, 50)
