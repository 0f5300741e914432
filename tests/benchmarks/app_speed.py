"""Latency of the app on the CPU with software GL: python tests/benchmarks/app_speed.py [--json FILE] [--rounds N].

Every figure comes from a Kivy process of its own, with real frames on SDL's offscreen driver. Milliseconds are CPU
time of the process (all its threads, software GL's among them), whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "app"))

from kivy_process import play  # noqa: E402

LIMITS = {
    "rasterise": 3.0,
    "one digit": 1.0,
    "last point to bars": 50.0,
    "frame while drawing with live maps": 25.0,
}
"""Milliseconds."""

FIRST_FRAME = 1.0
"""Seconds from the start of the process, files in the system's cache."""


def measure(rounds: int) -> dict[str, object]:
    """All figures."""
    timings, starts, lost = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            timings.append(play("timing", folder, "offscreen", size=(480, 800), timeout=400))
        with tempfile.TemporaryDirectory() as folder:
            starts.append(play("first_frame", folder, "offscreen", size=(480, 800), timeout=400))
    with tempfile.TemporaryDirectory() as folder:
        points = play("slow_mouse", folder, "mock", frames=5)["points"]
        lost.append(101 - sum(points))
    names = [name for name in timings[0] if isinstance(timings[0][name], dict)]
    best = {name: min(one[name]["best"] for one in timings) for name in names}
    middle = {name: min(one[name]["median"] for one in timings) for name in names}
    return {
        "machine": {"python": platform.python_version(), "system": platform.platform(), "rounds": rounds},
        "milliseconds": {
            name: {"best": best[name], "median": middle[name], "limit": LIMITS.get(name)} for name in names
        },
        "first frame, seconds": {
            "best": min(one["seconds"] for one in starts), "cpu": min(one["cpu_seconds"] for one in starts),
            "limit": FIRST_FRAME,
        },
        "moves lost of 100 at 5 frames a second": lost[0],
    }  # fmt: skip


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = measure(options.rounds)
    print(f"{'':38} {'best':>9} {'median':>9} {'limit':>9}")
    for name, row in found["milliseconds"].items():  # type: ignore[attr-defined]
        limit = f"{row['limit']:.0f} ms" if row["limit"] else ""
        print(f"{name:38} {row['best']:6.2f} ms {row['median']:6.2f} ms {limit:>9}")
    first = found["first frame, seconds"]
    print(f"{'start to first frame':38} {first['best']:6.2f} s  {first['cpu']:6.2f} s (CPU) {FIRST_FRAME:.0f} s")  # type: ignore[index]
    print(f"{'moves lost of 100 at 5 frames a second':38} {found['moves lost of 100 at 5 frames a second']:6}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
