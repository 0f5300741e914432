"""Time and memory that reading a picture takes once it is decoded, on one core.

    python tests/benchmarks/picture_cost.py [--rounds 15] --out tests/benchmarks/results/picture_cost.json

One digit on grainy paper, 28x28, 800x600 and 4000x3000 pixels; at 800x600 also on squared paper, security print and
with a strip and a shadow, which take the longest ways, and a page of 40 digits. The sizes take turns, so that
what else the machine does meets all alike; printed are medians, the least and the greatest of the rounds, and the
processor's time. Memory is the peak of what Python and NumPy allocate during one more reading, beside the picture
itself (tracemalloc); `--rounds 0` measures that alone. `accuracy_page.py` writes the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tracemalloc
from pathlib import Path
from statistics import median

from pool import ROOT, THREAD_VARIABLES, machine_facts

os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import made_pictures as made  # noqa: E402
import numpy as np  # noqa: E402

from lenet_gpu import Recognizer  # noqa: E402
from lenet_gpu.handwriting import draw_digits  # noqa: E402
from lenet_gpu.seeds import generator  # noqa: E402

SEED = 61
PLAIN = {"28x28": (28, 28), "800x600": (600, 800), "4000x3000": (3000, 4000)}
OTHERS = {
    "800x600, squared paper": ("squared",),
    "800x600, security print": ("security print",),
    "800x600, strip and shadow": ("strip", "hard shadow"),
}


def one_digit(size: tuple[int, int], names: tuple[str, ...]) -> np.ndarray:
    """A seven on paper, a third of the picture's height; (h, w) uint8."""
    rng = generator(SEED, 1)
    ink = made.drawn(draw_digits(rng, np.array([7]))[0], max(20, size[0] // 3), 0.1)
    return made.picture_of(made.scene_of(ink, size), names, rng)


def page_of_40() -> np.ndarray:
    """Four lines of ten digits, 1200x600."""
    rng = generator(SEED, 2)
    ink = np.zeros((600, 1200), np.float32)
    for k, drawing in enumerate(draw_digits(rng, np.arange(40) % 10)):
        digit = made.drawn(drawing, 70, 0.08)[:, :90]
        top, left = 50 + 135 * (k // 10), 60 + 110 * (k % 10)
        ink[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    scene = made.Scene(np.full(ink.shape, made.PAPER, np.float32), ink, (0, 0, *ink.shape), made.INK, ink)
    return made.picture_of(scene, ("grain",), rng)


def measure(rounds: int) -> dict[str, dict]:
    recognizer = Recognizer("touch")
    works = {name: (recognizer.predict_image, one_digit(size, ("grain",))) for name, size in PLAIN.items()}
    works |= {name: (recognizer.predict_image, one_digit((600, 800), names)) for name, names in OTHERS.items()}
    works["1200x600, page of 40 digits"] = recognizer.read_page, page_of_40()
    walls: dict[str, list[float]] = {name: [] for name in works}
    cores: dict[str, list[float]] = {name: [] for name in works}
    for work, picture in works.values():
        work(picture)
    for _ in range(rounds):
        for name, (work, picture) in works.items():
            wall, core = time.perf_counter(), time.process_time()
            work(picture)
            cores[name].append(time.process_time() - core)
            walls[name].append(time.perf_counter() - wall)
    rows = {}
    for name, (work, picture) in works.items():
        tracemalloc.start()
        work(picture)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows[name] = {"peak_mib": round(peak / 2**20, 2), "picture_mib": round(picture.nbytes / 2**20, 2)}
        if rounds:
            rows[name]["ms"] = [round(1000 * f(walls[name]), 2) for f in (median, min, max)]
            rows[name]["processor_ms"] = round(1000 * median(cores[name]), 2)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    facts = machine_facts()
    found = {"rounds": options.rounds, "machine": facts, "rows": measure(options.rounds)}
    for name, row in found["rows"].items():
        print(name, *(f"{key}: {value}" for key, value in row.items()), sep="  ")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
