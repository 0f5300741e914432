"""Runs the notebooks of docs/notebooks and keeps what they print and draw.

python tests/notebooks.py [NAME ...]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"


def run(path: Path, folder: Path) -> Any:
    """Run a notebook from its first cell to its last.

    Args:
        path: The notebook.
        folder: Where it runs.

    Returns:
        The notebook with its outputs.

    Raises:
        CellExecutionError: A cell ended in an error.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    return notebook


def keep(path: Path) -> None:
    """Run a notebook and write it with its outputs, without what differs from run to run."""
    import nbformat

    start = time.perf_counter()
    notebook = run(path, FOLDER)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)
    print(f"{path.name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(FOLDER.glob("*.ipynb")):
        keep(Path(each))
