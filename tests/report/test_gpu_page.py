"""What docs/explain/gpu.md says was measured is what the result files hold."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import gpu_page
import pytest


@pytest.mark.parametrize("page", gpu_page.PAGES, ids=lambda page: page.name)
def test_the_page_is_made_of_the_result_files(page):
    text = page.read_text(encoding="utf-8")
    assert gpu_page.written(text) == text, "run tests/benchmarks/gpu_page.py"
