"""Interrupts commands while their workers start: python tests/campaigns/interrupted_starts.py [COUNT] [SEED].

Each time Ctrl-C reaches the whole group of processes at a random moment from the end of the interpreter's own start
on, as in a terminal. What must come is one line and status 1, and no process may stay.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

LINE = "lenet-gpu: interrupted"

STARTED = """
import os, sys
from lenet_gpu.__main__ import main
os.write(1, b"started\\n")
os.dup2(2, 1)
sys.exit(main())
"""
"""Says when Python comes to our first line: before that no program can answer for what a signal does."""

LONGEST_SECONDS = 2.0


def processes_of(group):
    """Ids of the processes of a group that are alive."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(folder.name))
    return found


def _heed_signals():
    """Undo what nohup, and a shell's `&`, have their commands ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def interrupted_start(folder, delay, number=signal.SIGINT):
    """Interrupt one training after `delay` seconds; returns its status, what it said, and whoever is left."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, "train", "--backend", "cpu", "--no-download", "--threads", "2",
         "--epochs", "1000", "--out", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heed_signals,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "started\n"
        time.sleep(delay)
        os.killpg(process.pid, number)
        said = process.communicate(timeout=60)[1]
        deadline = time.monotonic() + 5.0
        while (left := processes_of(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return process.returncode, said, left
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def fault(status, said, left):
    """What is wrong with the end of an interrupted command; empty if nothing is."""
    lines = [line for line in said.splitlines() if line.startswith(LINE)]
    if status != 1 or len(lines) != 1 or "Traceback" in said or "Error" in said or left:
        return f"status {status}, left {left}, said: {said[-2000:]}"
    return ""


def campaign(folder, count, seed):
    """Interrupt `count` starts; returns the faults."""
    chance, faults = random.Random(seed), []
    for trial in range(count):
        delay = chance.uniform(0.0, LONGEST_SECONDS)
        wrong = fault(*interrupted_start(Path(folder) / f"run{trial}", delay))
        if wrong:
            faults.append(f"after {delay:.3f} s: {wrong}")
    return faults


if __name__ == "__main__":
    import tempfile

    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as scratch:
        wrong = campaign(scratch, asked, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(*wrong, sep="\n")
    print(f"{asked} starts interrupted, {asked - len(wrong)} of them ended as they should")
    sys.exit(bool(wrong))
