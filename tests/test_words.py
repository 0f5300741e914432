"""One spelling for identifiers, and docstrings that say what a thing is or does."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "lenet_gpu").rglob("*.py"), *(ROOT / "app").rglob("*.py")])

BRITISH = re.compile("optimis|colour|synchronis|initialis(?!ation|e)|normalis|centre", re.IGNORECASE)
"""Spellings of prose. Identifiers have NumPy's and PyTorch's; the paper's word initialisation names a parameter."""

CLAUSE = re.compile(r"(What|How|Where|Whether|Which|When|Who|Why)\b")


def identifiers(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield node.arg or ""


def docstrings(tree):
    """Docstrings of modules, classes and functions, and the texts behind constants and attributes."""
    for node in ast.walk(tree):
        for child in getattr(node, "body", []) if isinstance(getattr(node, "body", None), list) else []:
            value = (
                child.value.value if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) else None
            )
            if isinstance(value, str):
                yield value


def said(tree):
    """What a program may say: all texts but docstrings."""
    unsaid = set(map(id, (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unsaid:
            yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert sorted({name for name in identifiers(tree) if BRITISH.search(name)}) == []
    assert [text.splitlines()[0] for text in docstrings(tree) if CLAUSE.match(text)] == []
    assert [text for text in said(tree) if "docs/" in text] == []  # an installed package has no such folder
