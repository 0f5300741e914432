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

LAZY = ("cupy", "cupyx", "matplotlib", "tqdm", "PIL", "platformdirs", "onnx", "mpi4py", "safetensors", "shtab")
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


ABOVE = {
    # wing or module: what it may import beside itself and what those may import
    "paper": (),
    "errors": (),
    "hooks": (),
    "quiet": (),
    "seeds": (),
    "_version": (),
    "array_checks": ("paper", "errors"),
    "input_files": ("errors",),
    "storage": ("input_files", "errors", "_version"),
    "backend": ("errors", "_version"),
    "augment": ("paper", "seeds", "errors"),
    "nn": ("array_checks", "hooks", "backend", "augment", "storage", "paper", "seeds", "errors"),
    "ink": ("array_checks", "input_files", "paper", "errors"),
    "engine": ("nn", "backend", "augment", "storage", "paper", "errors"),
    "datasets": ("ink", "array_checks", "input_files", "storage", "paper", "seeds", "errors", "quiet", "_version"),
    "handwriting": ("ink", "array_checks", "paper", "seeds", "errors"),
    "recognition": ("engine", "ink", "nn", "backend", "storage", "paper", "errors"),
    "training": (
        *("recognition", "datasets", "handwriting", "engine", "nn", "backend", "augment", "ink", "storage"),
        *("paper", "seeds", "errors", "quiet", "_version", "blas_threads"),
    ),
    "export": (
        "recognition",
        "ink",
        "engine",
        "nn",
        "backend",
        "storage",
        "input_files",
        "paper",
        "errors",
        "_version",
    ),
    "report": (
        *("training", "recognition", "datasets", "handwriting", "engine", "nn", "backend", "augment", "ink"),
        *("storage", "paper", "seeds", "errors", "_version"),
    ),
    "commands": (
        *("report", "export", "training", "recognition", "datasets", "handwriting", "engine", "nn", "backend"),
        *("augment", "ink", "storage", "input_files", "paper", "seeds", "errors", "quiet", "_version", "app"),
    ),
    "streams": (),
    "interrupts": (),
    "blas_threads": (),
    "cli": ("commands", "streams", "interrupts", "errors", "quiet", "_version"),
    "__main__": ("cli", "interrupts", "errors", "blas_threads"),
}
"""The house's arrows, by wing. A wing that is not named here does not belong to the house."""


ON_A_PHONE = ("recognition", "ink", "engine", "nn", "backend", "storage", "augment")
"""Wings that run where there are only NumPy and Kivy."""


def wing_of(name):
    """The wing, or the module of the top level, that a dotted name of ours lies in; "" for the package itself."""
    return name.removeprefix("lenet_gpu").lstrip(".").split(".")[0]


MAY_IMPORT_CUPY = ours("backend.backend", "backend.probe", "engine.cuda")


def wrong_directions(module, imports):
    """The imports of a module that the house has no arrow for, those for type checkers included."""
    wing = wing_of(module)
    wrong = []
    for found in imports:
        if under(found.name, ("kivy", *FRAMEWORKS, *(("matplotlib", "tqdm") if wing in ON_A_PHONE else ()))):
            wrong.append(f"{module}:{found.line} imports {found.name}")
            continue
        target = (
            "app"
            if under(found.name, ("app", "lenet_gpu_app"))
            else wing_of(found.name)
            if under(found.name, ("lenet_gpu",))
            else wing
        )
        # What the package itself offers (`from lenet_gpu import LeNet5`) is for its users: ours name the wing.
        if target != wing and (wing in ABOVE and target not in ABOVE[wing]):
            wrong.append(f"{module}:{found.line} imports {found.name}")
    return wrong


def circles(arrows):
    """The groups of names that import one another, by Tarjan's algorithm.

    Args:
        arrows: What each name imports.
    """
    number, lowest, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for target in arrows.get(name, ()):
            if target not in number:
                visit(target)
            if target in stack:
                lowest[name] = min(lowest[name], lowest[target])
        if lowest[name] == number[name]:
            group = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in arrows:
        if name not in number:
            visit(name)
    return found


def misplaced_cupy(module, imports):
    """The imports of cupy outside the modules, or the functions, where they belong."""
    belongs = under(module, MAY_IMPORT_CUPY)
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


def test_every_module_lies_in_a_wing():
    assert {wing_of(name_of(path)) for path in SOURCES} - {""} <= set(ABOVE)


def test_the_arrows_between_wings_have_no_circle():
    assert circles({wing: [t for t in targets if t in ABOVE] for wing, targets in ABOVE.items()}) == []


def test_no_modules_import_one_another():
    """Circles of modules, by what runs when they are loaded and by what functions import later; types apart."""
    modules = {name_of(path) for path in SOURCES}
    arrows = {}
    for path in SOURCES:
        targets = set()
        for found in read(path):
            if not found.for_types:
                name = found.name if found.name in modules else found.name.rpartition(".")[0]
                targets |= {name} & modules - {name_of(path)}
        arrows[name_of(path)] = sorted(targets)
    assert circles(arrows) == []


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
        ("lenet_gpu.nn.layers", "from lenet_gpu import training"),
        ("lenet_gpu.nn.losses", "import lenet_gpu.cli"),
        ("lenet_gpu.paper", "def f():\n    from .datasets import Split"),
        ("lenet_gpu.nn.lenet5", "import app.touch"),
        ("lenet_gpu.nn.lenet5", 'def f():\n    import_module("lenet_gpu_app.touch")'),
        ("lenet_gpu.augment.distort", "from lenet_gpu.nn.layers import Layer"),
        ("lenet_gpu.engine.cuda.engine", "from lenet_gpu.datasets import load_dataset"),
        ("lenet_gpu.engine.cpu.plan", "from ...training.trainer import Trainer"),
        ("lenet_gpu.recognition.recognizer", "if TYPE_CHECKING:\n    from lenet_gpu.datasets import Split"),
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
        ("lenet_gpu.engine.cpu.plan", "from ...nn.layers import Layer"),
    ],
)
def test_the_checker_lets_the_right_direction_pass(module, source):
    assert wrong_directions(module, imports_of(source, module)) == []


def test_the_checker_finds_circles():
    arrows = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["f", "a"], "f": ["e"]}
    assert sorted(circles(arrows)) == [["b", "c"], ["e", "f"]]
    assert circles({"a": ["b"], "b": []}) == []


@pytest.mark.parametrize(
    ("module", "source", "fine"),
    [
        ("lenet_gpu.backend.backend", "def f():\n    import cupy", True),
        ("lenet_gpu.engine.cuda.graph", "def f():\n    from cupy.cuda import Stream", True),
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
