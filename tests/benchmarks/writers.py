"""Accuracy by writer: how well the worst-read people are read, and employees beside pupils.

    python tests/benchmarks/writers.py             the shipped models; writes "By writer" in docs/explain/accuracy.md
    python tests/benchmarks/writers.py --no-run    the page alone, from the stored results

MNIST's test set is by 297 NIST writers, none of whom wrote a training digit. They are ranked by their accuracy, those
with more digits first among equals; the digits of the last tenth, rounded down, are pooled.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import blocks  # noqa: E402
import numpy as np  # noqa: E402
from accuracy_page import PAGE, table  # noqa: E402

RESULTS = HERE / "results" / "writers.json"
MODELS = ("mnist", "touch")
MANY = 20
"""Digits from which a writer's accuracy says something about the writer."""


def worst_tenth(writers: np.ndarray, right: np.ndarray) -> dict:
    """Pool the digits of the tenth of the writers that is read worst.

    Args:
        writers: (n,) who wrote each digit.
        right: (n,) bool, whether it was read right.
    """
    numbers, which, counts = np.unique(writers, return_inverse=True, return_counts=True)
    hits = np.bincount(which, weights=right)
    order = np.lexsort((-counts, hits / counts))  # the lowest accuracy first, then the most digits
    worst = order[: max(1, len(numbers) // 10)]
    return {
        "writers": len(numbers),
        "digits": int(counts.sum()),
        "accuracy": 100.0 * float(right.mean()),
        "flawless": int((hits == counts).sum()),
        "worst_writers": len(worst),
        "worst_digits": int(counts[worst].sum()),
        "worst_accuracy": 100.0 * float(hits[worst].sum() / counts[worst].sum()),
    }


def by_writer(right: np.ndarray, writers: np.ndarray, series: np.ndarray) -> dict:
    """Measure one model.

    Args:
        right: (n,) bool, whether each digit was read right.
        writers: (n,) who wrote it.
        series: (n,) 0 for employees, 4 for pupils.
    """
    numbers, counts = np.unique(writers, return_counts=True)
    many = np.isin(writers, numbers[counts >= MANY])
    report = {"all": worst_tenth(writers, right), "many": worst_tenth(writers[many], right[many])}
    for name, number in (("employees", 0), ("pupils", 4)):
        theirs = series == number
        report[name] = worst_tenth(writers[theirs], right[theirs])
    return report


def measure() -> dict:
    """Read MNIST's test set with the shipped models."""
    from lenet_gpu import LeNet5, load_dataset
    from lenet_gpu.datasets import read_writers

    test, writers = load_dataset("mnist").test, read_writers()
    return {
        name: by_writer(LeNet5.load(name).predict(test.images) == test.labels, writers.test, writers.test_series)
        for name in MODELS
    }


def writers_table(report: dict) -> list[str]:
    rows = []
    groups = {"all test writers": "all", f"with {MANY} digits or more": "many", "employees": "employees",
              "pupils": "pupils"}  # fmt: skip
    for title, key in groups.items():
        for name in MODELS:
            found = report[name][key]
            rows.append(
                (
                    title, f"`{name}`", found["writers"], f"{found['digits']:,}", f"{found['accuracy']:.2f}",
                    f"{found['worst_accuracy']:.1f} ({found['worst_writers']}, {found['worst_digits']})",
                    found["flawless"],
                )
            )  # fmt: skip
    head = ("writers", "model", "how many", "digits", "read right, %", "worst tenth, % (writers, digits)",
            "without a miss")  # fmt: skip
    return table(head, rows)


def fill(page: str, report: dict) -> str:
    """Write the table into the page, between its markers."""
    return blocks.fill(page, {"writers": writers_table(report)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-run", action="store_true", help="measure nothing, write the page")
    if not parser.parse_args().no_run:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n")
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), json.loads(RESULTS.read_text())), encoding="utf-8")


if __name__ == "__main__":
    main()
