"""Phones build Python 3.14 today: the staged folder uses nothing that it lacks, read from the sources.

Kivy has no wheels for it yet, so that nothing can be run here; what 3.12 to 3.14 have taken away is written down.
"""

import ast
import runpy
import sys
import warnings
from pathlib import Path

import pytest

STAGE = Path(__file__).resolve().parents[2] / "app" / "packaging" / "stage.py"

GONE_MODULES = {
    # 3.12
    *("asynchat", "asyncore", "distutils", "imp", "smtpd"),
    # 3.13 (PEP 594)
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "mailcap", "msilib", "nis", "nntplib"),
    *("ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib", "lib2to3"),
}
"""Modules of the standard library that 3.14 has no more."""

GONE_NAMES = {
    "ast": {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"},
    "asyncio": {"AbstractChildWatcher", "FastChildWatcher", "MultiLoopChildWatcher", "SafeChildWatcher"},
    "collections.abc": {"ByteString"},
    "importlib.abc": {"ResourceReader", "Traversable", "TraversableResources", "Finder"},
    "locale": {"resetlocale", "format"},
    "pkgutil": {"find_loader", "get_loader", "ImpImporter", "ImpLoader"},
    "pty": {"master_open", "slave_open"},
    "re": {"template", "TEMPLATE"},
    "sqlite3": {"version", "version_info", "enable_shared_cache", "OptimizedUnicode"},
    "typing": {"io", "re", "ByteString"},
    "unittest": {"findTestCases", "makeSuite"},
    "urllib.request": {"URLopener", "FancyURLopener"},
    "webbrowser": {"MacOSX"},
}
"""Names in modules likewise."""


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Every staged module, by its path in the folder; a wrong escape in a text is an error."""
    folder = tmp_path_factory.mktemp("stage") / "stage"
    runpy.run_path(str(STAGE))["stage"](folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {str(path.relative_to(folder)): ast.parse(path.read_text("utf-8")) for path in folder.rglob("*.py")}


def imported(tree):
    """Modules and names: (module, name or None) of every import, relative ones apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def test_the_staged_folder_imports_nothing_but_what_phones_have(trees):
    assert len(trees) > 60
    known = sys.stdlib_module_names - GONE_MODULES | {"numpy", "kivy", "app", "lenet_gpu", "__future__"}
    foreign = {
        (path, module)
        for path, tree in trees.items()
        for module, _ in imported(tree)
        if module.split(".")[0] not in known
    }
    # Tried inside functions, with another way where they are missing; Kivy has it where there is no Pillow.
    assert {module.split(".")[0] for _, module in foreign} <= {"PIL", "cupy", "cupyx", "tqdm", "platformdirs", "onnx"}


def test_no_name_is_used_that_3_14_has_taken_away(trees):
    used = []
    for path, tree in trees.items():
        modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        used += [(path, m, n) for m, n in imported(tree) if n in GONE_NAMES.get(m, ())]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = modules.get(node.value.id, "")
                if node.attr in GONE_NAMES.get(module, ()):
                    used.append((path, module, node.attr))
    assert used == []


def leaves(body):
    """Return, break and continue that would leave a block, those inside functions and loops of its own apart."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, (ast.Return, ast.Break, ast.Continue)):
            yield node
        inner = leaves(ast.iter_child_nodes(node))
        loop = isinstance(node, (ast.For, ast.While))
        yield from (one for one in inner if isinstance(one, ast.Return) or not loop)


def test_no_finally_is_left_early(trees):
    """A SyntaxWarning from 3.14 on (PEP 765)."""
    found = [
        (path, node.lineno)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for _ in leaves(node.finalbody)
    ]
    assert found == []


def test_these_checks_see_what_they_are_for():
    tree = ast.parse("import imp\nfrom pkgutil import find_loader\ntry:\n  f()\nfinally:\n  return")
    assert next(module for module, _ in imported(tree)) in GONE_MODULES
    assert ("pkgutil", "find_loader") in list(imported(tree))
    assert len(list(leaves(tree.body[-1].finalbody))) == 1
