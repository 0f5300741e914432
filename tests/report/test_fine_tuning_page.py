"""The figures of docs/howto/fine_tuning.md are those of the stored results."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import fine_tuning_page


def test_page_and_results_agree():
    page = fine_tuning_page.PAGE.read_text(encoding="utf-8")
    assert fine_tuning_page.fill(page) == page
    for name in fine_tuning_page.TABLES:
        table = page.partition(f"<!-- begin {name} -->")[2].partition(f"<!-- end {name} -->")[0]
        assert table.count("\n|") > 3, f"no table of {name}"
