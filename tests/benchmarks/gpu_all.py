"""All that a GPU has to show, with one command: tests, single costs, profile, benchmark, records, search.

    python tests/benchmarks/gpu_all.py --out results            # all parts; --parts tests,micro,gpu some of them

Every part is a process with a time limit of its own; what fails or takes too long does not keep the others from
running. Output and results of each lie in the folder; a short table comes last, and in summary.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def parts(out: Path) -> dict[str, tuple[float, list[str]]]:
    """Seconds and command of each part, in the order in which they run."""

    def program(name: str, *arguments: str) -> list[str]:
        return [sys.executable, str(HERE / name), *arguments]

    return {
        "tests": (150, [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"]),
        "micro": (60, program("gpu_micro.py", "--out", str(out / "micro.json"))),
        "profile": (60, program("gpu_profile.py", "--out", str(out / "profile.json"))),
        "gpu": (270, program("gpu.py", "--out", str(out), "--minutes", "4")),
        "record": (90, program("gpu_record.py", "--out", str(out), "--minutes", "1")),
        "paper": (90, program("gpu_record.py", "--out", str(out / "paper"), "--only", "paper")),
        "search": (120, program("record_search.py", "--out", str(out / "record_search.json"), "--seconds", "80")),
    }


def run(name: str, limit: float, command: list[str], out: Path) -> dict:
    """Run a part; its output goes to a file and the end of it to the screen."""
    print(f"== {name} (at most {limit:.0f} s)", flush=True)
    start = time.monotonic()
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    log = out / f"{name}.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            status: int | str = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = "out of time"
    seconds = time.monotonic() - start
    lines = log.read_text(errors="replace").splitlines()
    print("\n".join(lines[-25:]), flush=True)
    return {"status": status, "seconds": round(seconds, 1), "last_line": lines[-1] if lines else ""}


def main(argv=None):
    """Run the parts; the exit status: 0, 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark"))
    parser.add_argument("--parts", type=lambda s: s.split(","), help=f"some of {','.join(parts(Path()))}")
    parser.add_argument("--limit", action="append", default=[], metavar="PART=SECONDS", help="another time limit")
    options = parser.parse_args(argv)
    out = options.out.resolve()
    known = parts(out)
    chosen = options.parts or list(known)
    limits = dict(text.split("=") for text in options.limit)
    if unknown := {*chosen, *limits} - set(known):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    summary = {}
    for name in chosen:
        limit, command = known[name]
        summary[name] = run(name, float(limits.get(name, limit)), command, out)
        (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print("\npart      status        seconds")
    for name, facts in summary.items():
        print(f"{name:9} {facts['status']!s:12} {facts['seconds']:8.1f}  {facts['last_line'][:90]}")
    return int(any(facts["status"] != 0 for facts in summary.values()))


if __name__ == "__main__":
    sys.exit(main())
