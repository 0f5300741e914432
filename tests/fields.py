"""Tables of fields in docs/reference, and whether what programs print and files hold is what they say.

A table has the columns field, type and meaning, and stands under a heading of its own. A field is named by its way
from the top: `lines[].text` is the text of each of the lines; a part in capitals stands for any name. What is told
elsewhere is "object" or "list ..." as a whole.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"

ROW = re.compile(r"^\| `([^`|]+)` \| ([a-z0-9, ]+?) \|.* \|$", re.M)

TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", dict: "object"}
"""JSON's names of types; whole numbers go by one of their own, and arrays by their dtype."""


def tables(page: str) -> dict[str, dict[str, set[str]]]:
    """Read a page's tables: types by field, by the heading that a table stands under."""
    text = re.sub(r"^```.*?^```$", "", (REFERENCE / page).read_text("utf-8"), flags=re.S | re.M)
    found = {}
    for section in re.split(r"^#+ ", text, flags=re.M)[1:]:
        heading, _, body = section.partition("\n")
        if "| field | type |" in body:
            found[heading] = {name: set(re.split(", | or ", types)) for name, types in ROW.findall(body)}
    return found


def fields(value: Any, table: Mapping[str, set[str]], way: str = "") -> Iterator[tuple[str, str]]:
    """List the table's fields that a value has, and ways to what is not in the table, with the types there."""
    name = name_in(table, way)
    if isinstance(value, dict) and "object" not in table.get(name, ()):
        for key, inside in value.items():
            yield from fields(inside, table, f"{way}.{key}" if way else key)
    elif isinstance(value, list) and (as_one := [kind for kind in table.get(name, ()) if kind.startswith("list")]):
        yield name, as_one[0]
    elif isinstance(value, list):
        for inside in value:
            yield from fields(inside, table, f"{way}[]")
    else:
        yield name, TYPES.get(type(value)) or str(value.dtype)


def assert_documented(page: str, heading: str, *values: Any, absent: Collection[str] = ()) -> None:
    """Hold values, taken together, to a table: every field is in it, of its type, and every field of it is found.

    Args:
        page: Name of a page in docs/reference.
        heading: Heading of the table.
        values: What a program has printed or a file holds, as JSON gives it.
        absent: Fields of the table that these values lack: those of another machine, or of another call.
    """
    table = tables(page)[heading]
    found = defaultdict(set)
    for value in values:
        for name, kind in fields(value, table):
            found[name].add(kind)
    unknown, missing = set(found) - set(table), set(table) - set(absent) - set(found)
    assert (unknown, missing) == (set(), set()), f"docs/reference/{page}, {heading}"
    assert set(found).isdisjoint(absent), f"docs/reference/{page}, {heading}: they are there"
    for name, kinds in found.items():
        allowed = table[name] | ({"integer"} if "number" in table[name] else set())
        assert kinds <= allowed, f"docs/reference/{page}, {heading}: {name}"


def name_in(table: Collection[str], way: str) -> str:
    """Find the field of a table that a way leads to; the way itself where there is none."""
    if way in table:
        return way
    for name in table:
        parts = (r"[^\[\]]+" if part.isupper() else re.escape(part) for part in re.split(r"(?<=\.)|(?=[.\[])", name))
        if re.fullmatch("".join(parts), way):
            return name
    return way
