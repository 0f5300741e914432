"""Makes docs/reference: the command line from its own help, the Python interface and files from docstrings.

python tests/reference.py
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from reference_files import file_formats  # noqa: E402

FOLDER = ROOT / "docs" / "reference"

MODULES = {
    "lenet_gpu": "Networks, training, data, reading",
    "lenet_gpu.nn": "Layers, losses, optimisers",
    "lenet_gpu.export": "A network for other programs",
}

SECTIONS = ("Args", "Returns", "Raises", "Yields", "Parameters", "Attributes")


def command_line() -> str:
    """The page of the command line."""
    from lenet_gpu.cli import build_parser

    os.environ["COLUMNS"], os.environ["NO_COLOR"] = "100", "1"
    parser = build_parser()
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    page = [
        "# The command line",
        "",
        "What `lenet-gpu COMMAND --help` prints, made by `python tests/reference.py`.",
        "",
    ]
    page += ["```", parser.format_help().rstrip(), "```", ""]
    for name, command in commands.choices.items():
        page += [f"## {name}", "", "```", command.format_help().rstrip(), "```", ""]
    return "\n".join(page)


def python_interface() -> str:
    """The page of the Python interface."""
    page = [
        "# The Python interface",
        "",
        "The public names with their docstrings, made by `python tests/reference.py`.",
        "",
    ]
    seen: set[int] = set()
    public = {
        id(getattr(module, name)) for module in map(importlib.import_module, MODULES) for name in module.__all__
    }
    for module_name, what in MODULES.items():
        module = importlib.import_module(module_name)
        page += [f"## {module_name}: {what[0].lower()}{what[1:]}", ""]
        for name in sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            if id(value) not in seen and (inspect.isclass(value) or inspect.isfunction(value)):
                seen.add(id(value))
                page += entry(name, value, "###")
                if inspect.isclass(value):
                    for method, function in methods(value, public):
                        page += entry(f"{name}.{method}", function, "####")
    return "\n".join(page)


def methods(owner: type, public: set[int]) -> Iterator[tuple[str, object]]:
    """The public methods and properties that a class defines itself, or a base of it that has no name in public."""
    found: set[str] = set()
    for kind in owner.__mro__:
        if kind is not owner and (id(kind) in public or not kind.__module__.startswith("lenet_gpu.")):
            break
        for name, member in vars(kind).items():
            function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            if name not in found and not name.startswith("_"):
                found.add(name)
                if inspect.isfunction(function) or isinstance(function, property):
                    yield name, function


def entry(name: str, value: object, level: str) -> list[str]:
    """Heading, signature and docstring of one name."""
    lines = [f"{level} {name}", ""]
    if not isinstance(value, property):
        lines += ["```", f"{name}{signature(value)}", "```", ""]
    return [*lines, *markdown(inspect.getdoc(value) or ""), ""]


def signature(value: object) -> str:
    """What a call may say, without the quotes around annotations."""
    if inspect.isclass(value):
        value = value.__init__ if "__init__" in vars(value) else value
    text = str(inspect.signature(value))  # type: ignore[arg-type]
    text = re.sub(r"^\((self|cls)(, )?", "(", text)
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def markdown(docstring: str) -> list[str]:
    """Google's sections as lists, indented code as it stands."""
    lines, section = [], ""
    for line in docstring.splitlines():
        heading = re.fullmatch(r"(\w+):", line)
        if heading and heading[1] in SECTIONS:
            section = heading[1]
            lines += [f"**{section}**", ""]
        elif section and re.match(r"    \S", line):
            item = line.strip()
            named = re.match(r"(\*{0,2}[\w., ]+?): (.*)", item) if section != "Returns" else None
            lines.append(f"- `{named[1]}`: {named[2]}" if named else f"- {item}")
        elif section and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            section = section if not line.strip() else ""
            lines.append(line.replace("::", ":") if line.endswith("::") else line)
    return lines


PAGES = {"command_line.md": command_line, "python.md": python_interface, "files.md": file_formats}

if __name__ == "__main__":
    for each, make in PAGES.items():
        (FOLDER / each).write_text(make(), encoding="utf-8")
