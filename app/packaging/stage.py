"""Put together the folder that phones, tablets and one-folder programs are built from.

    python app/packaging/stage.py build/stage

It holds main.py, `app` and of `lenet_gpu` only what reading digits needs, with the shipped models, and the
buildozer.spec. Nothing in it imports anything but the standard library, NumPy and Kivy; tests/app/test_packaging.py
runs it where nothing else is installed.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MARK = ".staged"
"""File by which a folder is known to be of our making, so that it may be made anew."""

LEFT_OUT = (
    "lenet_gpu.backend.probe",
    "lenet_gpu.backend.remedies",
    "lenet_gpu.backend.isolated_probe",
    "lenet_gpu.engine.cuda",
    "lenet_gpu.ink.image_files",
    "lenet_gpu.report.plots",
    "lenet_gpu.datasets",
    "lenet_gpu.training.trainer",
    "lenet_gpu.commands",
    "lenet_gpu.cli",
)
"""Imported inside functions alone, which the app never calls on a phone: the GPU, training, Pillow."""

DATA = (
    "app/**/*.kv",
    "app/lessons/*.json",
    "app/**/*.ttf",
    "app/**/*.png",
    "lenet_gpu/weights/*",
    "lenet_gpu/nn/*.npz",
)

MAIN = '''\
"""Starts the app: phones look for a file of this name."""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy: the drawing must not wait for its threads

from app.main import run

if __name__ == "__main__":
    run()
'''


def source(module: str) -> Path | None:
    """Find the file of one of our modules; None if there is no such module."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imports(path: Path) -> Iterator[str]:
    """Yield every module of ours that a file imports, anywhere in it, save for type checkers alone."""
    package = path.relative_to(ROOT).parent.parts
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] in ("app", "lenet_gpu"))
        todo.extend(ast.iter_child_nodes(node))


def app_modules() -> list[str]:
    """List every module of the app, packaging apart: kv files and translations import by name, not by statement."""
    paths = [path.relative_to(ROOT) for path in (ROOT / "app").rglob("*.py") if HERE not in path.parents]
    names = [".".join(path.with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def modules() -> dict[str, Path]:
    """Find all modules to stage, by name: the app's, and what they import, with the packages around them."""
    found: dict[str, Path] = {}
    todo = app_modules()
    while todo:
        name = todo.pop()
        path = source(name)
        if path is None or name in found or any(name == out or name.startswith(out + ".") for out in LEFT_OUT):
            continue
        found[name] = path
        todo.extend(imports(path))
        if "." in name:
            todo.append(name.rpartition(".")[0])
    return dict(sorted(found.items()))


def stage(target: Path) -> list[Path]:
    """Make the folder.

    Args:
        target: Where; it must not exist, be empty, or have been made by this function.

    Returns:
        The files in it, relative to it.

    Raises:
        FileExistsError: There is something else in the folder.
    """
    if target.exists() and any(target.iterdir()):
        if not (target / MARK).exists():
            raise FileExistsError(f"{target}: found other files, expected an empty folder; name another one")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)
    (target / MARK).write_text("made by app/packaging/stage.py\n", encoding="utf-8")
    found = [path for pattern in DATA for path in ROOT.glob(pattern)]
    data = [path for path in found if path.is_file() and HERE not in path.parents]
    for path in {*modules().values(), *data}:
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for name in ("buildozer.spec", "icon.png"):
        shutil.copyfile(HERE / name, target / name)
    (target / "main.py").write_text(MAIN, encoding="utf-8")
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


def main() -> int:
    """Run the command line: the folder to make."""
    parser = argparse.ArgumentParser(description="Stage the app with only what reading digits needs.")
    parser.add_argument("folder", type=Path, help="folder to make, for example build/stage")
    options = parser.parse_args()
    try:
        files = stage(options.folder)
    except OSError as error:
        print(f"stage: error: {error}", file=sys.stderr)
        return 2
    print(f"staged    {len(files)} files in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
