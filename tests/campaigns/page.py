"""The exported page at length: parity with Python, times in a browser, and an accessibility check.

    python tests/campaigns/page.py parity [MODEL ...] [--pendigits FILE]
    python tests/campaigns/page.py times [MODEL]
    python tests/campaigns/page.py axe AXE.JS [MODEL]      AXE.JS: axe.min.js of the package axe-core

`parity` compares answers to MNIST's 10,000 test digits, 2,000 drawings and 300 numbers, the page's script in node;
with --pendigits the drawings and numbers are those of pendigits' training file instead of drawn ones. `times` and
`axe` need Chromium and Playwright. Ends with status 1 where answers differ, or a check finds something.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "export")]  # beside this file's own folder

from browser import SCREENS, Screen, clear, draw, opened, placed, said  # noqa: E402
from page_in_node import compared, compared_numbers, drawings, numbers, read_in_node  # noqa: E402
from page_times import table_of_times  # noqa: E402

from lenet_gpu import LeNet5, Recognizer, load_dataset  # noqa: E402
from lenet_gpu.export import export_network  # noqa: E402

IMAGES, DRAWINGS, NUMBERS = 10_000, 2_000, 300
CLOSE = 1e-3


def pendigits(path: Path) -> tuple[list[Any], list[Any]]:
    """Drawings and numbers of strokes that people wrote."""
    from lenet_gpu.datasets.pendigits import read_npz

    every = read_npz(path)[0].drawings
    rng = np.random.default_rng(7)
    chosen = rng.permutation(len(every))
    rows = []
    for _ in range(NUMBERS):
        edge, strokes = 0.0, []
        for k in rng.integers(0, len(every), rng.integers(1, 7)):
            points = np.concatenate(every[int(k)])
            low, height = points.min(axis=0), max(float(np.ptp(points[:, 1])), float(np.ptp(points[:, 0])) / 2, 1e-6)
            placed_strokes = [(stroke - low) / height + [edge, rng.uniform(-0.06, 0.06)] for stroke in every[int(k)]]
            strokes += placed_strokes
            edge = max(float(stroke[:, 0].max()) for stroke in strokes) + rng.uniform(0.0, 0.4)
        rows.append(strokes)
    return [every[int(k)] for k in chosen[:DRAWINGS]], rows


def parity(models: Sequence[str], strokes: Path | None) -> int:
    """Compare the page's answers with Python's."""
    images = load_dataset("mnist", download=False, progress=False).test.images[:IMAGES]
    drawn = pendigits(strokes) if strokes else (drawings(101, DRAWINGS), numbers(102, NUMBERS))
    wrong = 0
    for name in models:
        model = Recognizer(name)
        with tempfile.TemporaryDirectory() as folder:
            theirs = read_in_node(model.network, folder, images, *drawn)
        for kind, found in (
            ("images", compared([model.read(image) for image in images], theirs["fields"])),
            ("drawings", compared([model.predict_strokes(each) for each in drawn[0]], theirs["drawings"])),
            ("numbers", compared_numbers([model.predict_number(each) for each in drawn[1]], theirs["numbers"])),
        ):
            print(f"{name:10} {kind:10} {found}")
            for line in found.different[:10]:
                print("           ", line)
            wrong += len(found.different) + (found.off >= CLOSE)
    return int(wrong > 0)


def axe(browser: Any, script: Path, address: str) -> int:
    """Check the page in all its states by axe-core."""
    source = script.read_text("utf-8")
    found = 0
    for name, screen in SCREENS.items():
        for language in ("en", "de", "he"):
            for scheme in ("light", "dark"):
                with opened(browser, f"{address}#{language}", screen, color_scheme=scheme) as page:
                    for state in states(page, screen):
                        page.evaluate(source)
                        result = page.evaluate("axe.run(document)")
                        for problem in result["violations"]:
                            found += 1
                            nodes = "; ".join(str(node["target"]) for node in problem["nodes"][:3])
                            print(f"{name} {language} {scheme} {state}: {problem['id']}: {problem['help']}: {nodes}")
                        unsure = sorted({problem["id"] for problem in result["incomplete"]})
                        print(f"{name} {language} {scheme} {state}: {len(result['passes'])} rules passed, {unsure=}")
    print(f"{found} findings")
    return int(found > 0)


def states(page: Any, screen: Screen) -> Iterator[str]:
    """Bring the page into one state after the other."""
    yield "blank"
    draw(page, placed(drawings(41, 1)[0], page), screen.pointer)
    yield f"a digit ({said(page)[0]})"
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.locator("#maps .c5 canvas").click(position={"x": 8, "y": 5})
    yield "looking inside"
    clear(page)
    draw(page, placed([[[0, 0], [1, 0.02]]], page), screen.pointer)
    yield "no digit"
    clear(page)
    page.click("#number")
    draw(page, placed(numbers(42, 1)[0], page, 0.05, 0.95), screen.pointer)
    yield "a number"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("parity", "times", "axe"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--pendigits", type=Path)
    options = parser.parse_args()
    if options.what == "parity":
        return parity(options.names or ["touch", "mnist"], options.pendigits)
    from playwright.sync_api import sync_playwright

    model = (options.names[options.what == "axe" :] or ["touch"])[0]
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (written,) = export_network(LeNet5.load(model), "html", Path(folder) / "page.html")
        browser = playwright.chromium.launch(executable_path=program)
        if options.what == "axe":
            return axe(browser, Path(options.names[0]), written.as_uri())
        return table_of_times(browser, written)


if __name__ == "__main__":
    sys.exit(main())
