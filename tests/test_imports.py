"""Imports run one way, and importing the package loads little: read from the sources and seen in processes.

The rules hold for whatever modules there are; a rule about a module that does not exist yet says nothing. That
the checker itself sees what it should is tested on sources written for the purpose.
"""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from stand_in import fake_cupy

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lenet_gpu"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LAZY = ("cupy", "cupyx", "matplotlib", "tqdm", "PIL", "platformdirs", "onnx", "mpi4py", "safetensors")
"""Imported inside functions alone."""

FRAMEWORKS = ("torch", "jax", "tensorflow", "keras", "sklearn", "numba")
"""What the program does without, everywhere."""

HEAVY = (*LAZY, *FRAMEWORKS, "kivy", "scipy", "pandas", "onnxruntime")
"""Nothing of this may be loaded before it is needed, or at all."""


@dataclass(frozen=True)
class Import:
    """One import: what it names, and whether it runs when the module is loaded."""

    name: str
    line: int
    at_load: bool
    for_types: bool


def name_of(path, root=ROOT):
    """Dotted name of the module in a file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source, module, is_package=False):
    """All imports of a module, with relative ones made absolute.

    `from a import b` counts as a.b, since b may be a module; `import_module("a")` and `__import__("a")` count too.
    """
    found = []

    def visit(node, at_load, for_types):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            at_load = False
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + (1 if is_package else 0)]
                base = ".".join([*above, base] if base else above)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                names = [str(node.args[0].value)]
        found.extend(Import(name, node.lineno, at_load, for_types) for name in names)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                visit(child, at_load, True)
            for child in node.orelse:
                visit(child, at_load, for_types)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, at_load, for_types)

    visit(ast.parse(source), True, False)
    return found


def under(name, roots):
    """Whether a dotted name is one of the roots or lies under it."""
    return any(name == root or name.startswith(root + ".") for root in roots)


def ours(*names):
    return tuple(f"lenet_gpu.{name}" for name in names)


COMMANDS = ours("cli", "__main__", "commands", "doctor")
UPPER = (*ours("trainer", "datasets", "plots", "recipes", "callbacks", "checkpoint"), *COMMANDS, "app")

DIRECTIONS = (
    # (these modules, never import these)
    (ours("layers", "losses", "optim", "paper", "seeds"), (*UPPER, *ours("lenet5", "engine", "inference"))),
    (ours("lenet5", "modelfile"), (*UPPER, *ours("inference"))),
    (ours("engine"), (*UPPER, *ours("inference"))),
    (
        ours("backend", "probe", "remedies", "isolated_probe", "errors", "_version"),
        (*UPPER, *ours("lenet5", "layers", "losses", "optim", "engine", "inference")),
    ),
    (ours("inference", "preprocess"), (*UPPER, "matplotlib", "tqdm")),
    (ours("datasets", "augment"), (*COMMANDS, *ours("trainer", "engine", "lenet5"), "app")),
    (ours("trainer", "callbacks", "checkpoint"), (*COMMANDS, "app")),
    (("lenet_gpu",), ("kivy", *FRAMEWORKS)),
)

MAY_IMPORT_CUPY = ours("backend", "probe")


def wrong_directions(module, imports, rules=DIRECTIONS):
    """The imports of a module that a rule forbids, those for type checkers included."""
    return [
        f"{module}:{found.line} imports {found.name}"
        for modules, forbidden in rules
        if under(module, modules)
        for found in imports
        if under(found.name, forbidden)
    ]


def misplaced_cupy(module, imports):
    """The imports of cupy outside the modules, or the functions, where they belong."""
    belongs = module in MAY_IMPORT_CUPY or module.startswith("lenet_gpu.engine.cuda.engine")
    found = [i for i in imports if under(i.name, ("cupy", "cupyx"))]
    return [i for i in found if not belongs or (i.at_load and not i.for_types)]


def too_early(imports):
    """The imports that run when the module is loaded, though what they load is slow."""
    return [i for i in imports if under(i.name, LAZY) and i.at_load and not i.for_types]


def read(path):
    return imports_of(path.read_text(encoding="utf-8"), name_of(path), path.name == "__init__.py")


each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))


@each_source
def test_imports_run_one_way(path):
    assert wrong_directions(name_of(path), read(path)) == []


@each_source
def test_cupy_is_imported_where_it_belongs(path):
    assert misplaced_cupy(name_of(path), read(path)) == []


@each_source
def test_what_is_slow_to_import_is_imported_inside_functions(path):
    assert too_early(read(path)) == []


def test_the_package_was_found():
    assert {"lenet_gpu.backend.backend", "lenet_gpu.backend.probe", "lenet_gpu.errors"} <= {
        name_of(path) for path in SOURCES
    }


# ---- the checker itself

SAMPLE = """
from __future__ import annotations
import os, numpy.linalg as la
from typing import TYPE_CHECKING
from . import trainer
from .. import app
from .datasets import load
if TYPE_CHECKING:
    import cupy
else:
    import kivy
try:
    from tqdm import tqdm
except ImportError:
    tqdm = None
class C:
    import PIL.Image
    def method(self):
        import matplotlib.pyplot as plt
        return importlib.import_module("onnx"), __import__("mpi4py")
early = lambda: import_module("late")
"""


def test_the_checker_sees_every_kind_of_import():
    found = {
        (i.name, "types" if i.for_types else "load" if i.at_load else "later")
        for i in imports_of(SAMPLE, "lenet_gpu.sub.layers")
    }
    assert found == {
        ("__future__.annotations", "load"),
        ("os", "load"),
        ("numpy.linalg", "load"),
        ("typing.TYPE_CHECKING", "load"),
        ("lenet_gpu.sub.trainer", "load"),
        ("lenet_gpu.app", "load"),
        ("lenet_gpu.sub.datasets.load", "load"),
        ("cupy", "types"),
        ("kivy", "load"),
        ("tqdm.tqdm", "load"),
        ("PIL.Image", "load"),
        ("matplotlib.pyplot", "later"),
        ("onnx", "later"),
        ("mpi4py", "later"),
        ("late", "later"),
    }


def test_relative_imports_of_a_package_start_at_itself():
    (found,) = imports_of("from .dataset import Split", "lenet_gpu.datasets", is_package=True)
    assert found.name == "lenet_gpu.datasets.dataset.Split"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lenet_gpu.nn.layers", "from lenet_gpu.training.trainer import Trainer"),
        ("lenet_gpu.nn.layers", "from lenet_gpu import trainer"),
        ("lenet_gpu.nn.losses", "import lenet_gpu.cli"),
        ("lenet_gpu.paper", "def f():\n    from .datasets import Split"),
        ("lenet_gpu.nn.lenet5", "import app.touch"),
        ("lenet_gpu.engine.cuda.engine", "from lenet_gpu.datasets import load_dataset"),
        ("lenet_gpu.engine.cpu.plan", "from ..trainer import Trainer"),
        ("lenet_gpu.recognition.recognizer", "def f():\n    import matplotlib.pyplot"),
        ("lenet_gpu.ink.preprocess", "from tqdm import tqdm"),
        ("lenet_gpu.backend.backend", "from lenet_gpu.nn.lenet5 import LeNet5"),
        ("lenet_gpu.anything", "def f():\n    from kivy.app import App"),
        ("lenet_gpu.anything", "import torch"),
    ],
)
def test_the_checker_finds_a_forbidden_import(module, source):
    assert len(wrong_directions(module, imports_of(source, module))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("lenet_gpu.nn.lenet5", "from lenet_gpu.nn.layers import Layer"),
        ("lenet_gpu.training.trainer", "from lenet_gpu.datasets import Dataset"),
        ("lenet_gpu.recognition.recognizer", "from lenet_gpu.ink.preprocess import from_image"),
        ("lenet_gpu.nn.layers", "from lenet_gpu.trainers_of_another_name import x"),
    ],
)
def test_the_checker_lets_the_right_direction_pass(module, source):
    assert wrong_directions(module, imports_of(source, module)) == []


@pytest.mark.parametrize(
    ("module", "source", "fine"),
    [
        ("lenet_gpu.backend.backend", "def f():\n    import cupy", True),
        ("lenet_gpu.engine.cuda_graph", "def f():\n    from cupy.cuda import Stream", True),
        ("lenet_gpu.engine.cuda.engine", "if TYPE_CHECKING:\n    import cupy", True),
        ("lenet_gpu.backend.backend", "import cupy", False),
        ("lenet_gpu.engine.cuda.engine", "try:\n    import cupyx.profiler\nexcept ImportError: pass", False),
        ("lenet_gpu.engine.layered", "def f():\n    import cupy", False),
        ("lenet_gpu.nn.layers", "if TYPE_CHECKING:\n    import cupy", False),
        ("lenet_gpu.nn.layers", "def f():\n    return importlib.import_module('cupy')", False),
    ],
)
def test_the_checker_knows_where_cupy_belongs(module, source, fine):
    assert (misplaced_cupy(module, imports_of(source, module)) == []) is fine


# ---- in processes

IMPORT_ALL = """
import importlib, json, sys
names, heavy = json.loads(sys.argv[1])
guilty = {}
for name in names:
    importlib.import_module(name)
    for package in heavy:
        if package in sys.modules and package not in guilty:
            guilty[package] = name
print(json.dumps(guilty))
"""


def heavy_after(*modules):
    """Import modules one after the other in a fresh process; which loaded which heavy package first."""
    command = [sys.executable, "-c", IMPORT_ALL, json.dumps((modules, HEAVY))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_importing_the_package_loads_nothing_heavy():
    assert heavy_after("lenet_gpu") == {}


def test_importing_any_module_loads_nothing_heavy():
    assert heavy_after(*(name_of(path) for path in SOURCES)) == {}


def test_the_process_would_see_a_heavy_import():
    assert heavy_after("json", "PIL.Image") == {"PIL": "PIL.Image"}


def test_choosing_the_cpu_loads_neither_cupy_nor_the_probe(tmp_path):
    answer = fake_cupy.answer(fake_cupy.run(fake_cupy.WORKING, tmp_path, "cpu"))
    assert (answer["name"], answer["cupy_imported"], answer["probe_imported"]) == ("cpu", False, False)
