"""The figures of docs/explain/accuracy.md are those of the stored results."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE / "benchmarks"))

import accuracy_page  # noqa: E402


def test_page_and_results_agree():
    page = accuracy_page.PAGE.read_text(encoding="utf-8")
    report = json.loads(accuracy_page.RESULTS.read_text())
    assert accuracy_page.fill(page, report) == page
    for name in accuracy_page.TABLES:
        table = page.partition(f"<!-- begin {name} -->")[2].partition(f"<!-- end {name} -->")[0]
        assert table.count("\n|") > 3, f"no table of {name}"
