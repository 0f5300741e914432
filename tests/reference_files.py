"""Makes the tables of docs/reference/files.md that the code holds already: a model's arrays, a class's fields."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from inspect import getdoc
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "benchmarks"))

import blocks  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "files.md"

JSON = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "dict": "object",
    "list": "list",
    "None": "null",
}
"""JSON's names of Python's types, with `integer` for whole numbers."""


def file_formats() -> str:
    """The page of file formats, with its tables made anew."""
    from app.settings import Settings
    from lenet_gpu.augment.augmentation import Augmentation
    from lenet_gpu.training.checkpoint import FIELDS, LATER_FIELDS, Checkpoint
    from lenet_gpu.training.sweep import Job

    kept = [name for name in Checkpoint.__dataclass_fields__ if name in FIELDS | LATER_FIELDS or name == "recipe"]
    chosen = [name for name in Settings.__dataclass_fields__ if name not in ("folder", "message")]
    made = {
        "arrays": arrays(),
        "augmentation": rows(Augmentation),
        "checkpoint": rows(Checkpoint, kept, {"recipe": "object"}),
        "job": rows(Job),
        "settings": rows(Settings, chosen, defaults=True),
    }
    return blocks.fill(PAGE.read_text(encoding="utf-8"), made)


def table(*lines: Iterable[object]) -> list[str]:
    """A table of which the first line is the head."""
    head, *body = ([str(cell) for cell in line] for line in lines)
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *body)]


def arrays() -> list[str]:
    """The arrays of both networks, in the order of the file."""
    from lenet_gpu import LeNet5

    modern, paper = (LeNet5(variant).shapes for variant in ("modern", "paper"))
    shapes = [(f"`{name}`", shape, paper.get(name, "none")) for name, shape in modern.items()]
    return table(("array", "shape in `modern`", "shape in `paper`"), *shapes)


def rows(
    owner: type, names: Iterable[str] | None = None, kinds: Mapping[str, str] | None = None, *, defaults: bool = False
) -> list[str]:
    """The fields of a dataclass with what its docstring says of them.

    Args:
        owner: The dataclass.
        names: Some of its fields; None: all.
        kinds: Types of fields that JSON has in another form.
        defaults: Whether to name what a new object has.
    """
    said, own = attributes(owner), {field.name: field for field in fields(owner)}
    lines: list[list[object]] = []
    for name in own if names is None else names:
        kind = (kinds or {}).get(name) or json_type(str(own[name].type))
        default = [f"`{shown(own[name].default)}`"] if defaults else []
        lines.append([f"`{name}`", kind, *default, said[name]])
    return table(("field", "type", *(["default"] if defaults else []), "meaning"), *lines)


def shown(value: Any) -> str:
    """A default as JSON has it."""
    assert value is not MISSING
    return json.dumps(value)


def json_type(annotation: str) -> str:
    """What JSON calls the type of a field; a list of such is NAME, ..."""
    parts = []
    for part in annotation.split(" | "):
        of = re.fullmatch(r"(?:tuple|list)\[(\w+)(?:, \.\.\.)?\]", part)
        parts.append(f"list of {JSON[of[1]]}s" if of else JSON[part.split("[")[0]])
    return " or ".join(parts)


def attributes(owner: type) -> dict[str, str]:
    """What a class's docstring says of its attributes, by name."""
    _, _, section = (getdoc(owner) or "").partition("Attributes:\n")
    said: dict[str, str] = {}
    for line in section.split("\n\n")[0].splitlines():
        if found := re.match(r"    (\w+): (.*)", line):
            name = found[1]
            said[name] = found[2]
        else:
            said[name] += f" {line.strip()}"
    return {name: uncapitalized(text.removesuffix(".")) for name, text in said.items()}


def uncapitalized(text: str) -> str:
    """A sentence as the cells of a table have it: SHA-256 stays as it is, and None is JSON's null."""
    text = re.sub(r"\bNone\b", "null", text)
    return text if text[1:2].isupper() else text[0].lower() + text[1:]
