"""Figures of README and docs are those of the stored results."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import figures
import front_page

SENTENCES = list(figures.sentences())


@pytest.mark.parametrize("page", front_page.PAGES, ids=lambda page: page.name)
def test_the_first_tables_are_made_of_the_results(page):
    assert front_page.fill(page) == page.read_text(encoding="utf-8"), "run tests/benchmarks/front_page.py"


@pytest.mark.parametrize(("page", "sentence"), SENTENCES, ids=[f"{Path(p).name}-{s[:30]}" for p, s in SENTENCES])
def test_a_sentence_says_what_was_measured(page, sentence):
    assert figures.words(sentence) in figures.words((front_page.ROOT / page).read_text(encoding="utf-8"))


def test_readme_has_no_figure_of_unknown_origin():
    said = " ".join(sentence for page, sentence in SENTENCES if page == "README.md")
    unknown = [found for found in figures.figures_outside(front_page.README.read_text("utf-8")) if found not in said]
    assert unknown == [], "say in tests/benchmarks/figures.py where it comes from"


def test_a_page_that_names_its_results_names_files_that_there_are():
    for page in (front_page.ROOT / "docs").rglob("*.md"):
        for name in re.findall(r"tests/benchmarks/results/\w+\.json", page.read_text("utf-8")):
            assert (front_page.ROOT / name).exists(), (page, name)
