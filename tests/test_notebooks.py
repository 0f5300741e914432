"""The notebooks run from their first cell to their last, and stand here with what they print and draw."""

import nbformat
import notebooks
import pytest

PAGES = sorted(notebooks.FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_runs(page, tmp_path):
    notebooks.run(page, tmp_path)  # raises where a cell does


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_shows_what_it_does(page):
    cells = [cell for cell in nbformat.read(page, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)
