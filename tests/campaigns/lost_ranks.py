"""Kills one rank of a training at random moments, and goes on: python tests/campaigns/lost_ranks.py [TRIALS] [RANKS]

Each trial starts a training of a few epochs by `mpiexec`, waits for a random time within the length of an undisturbed
run, kills a random rank by SIGKILL, and measures how long it takes until no process of the training is left. Then the
run goes on as a user would go on with it. One JSON line a trial; status 1 if anything was wrong.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lenet_gpu import load_dataset

PYTHON = Path(sys.executable)
MPIEXEC = PYTHON.with_name("mpiexec")
SETTINGS = ("--backend", "cpu", "--recipe", "fast", "--epochs", "6", "--seed", "5")
LIMIT_SECONDS = 5.0


def rank_processes(root):
    """Process ids by rank, of the processes that a launcher has started."""
    parents, found = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    for pid in parents:
        line, up = {pid}, pid
        while (up := parents.get(up, 0)) > 1 and up not in line:
            line.add(up)
        if root in line and pid != root:
            try:
                variables = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found |= {int(entry[9:]): pid for entry in variables if entry.startswith(b"PMI_RANK=")}
    return found


def command(ranks, data, *more):
    program = [MPIEXEC, "-n", str(ranks), PYTHON, "-m", "mpi4py", "-m", "lenet_gpu", "train"]
    return [*program, *SETTINGS, "--threads", str(ranks), "--dataset", data, *more]


def trial(chance, ranks, data, folder, longest, whole):
    """Kill once; returns what has happened."""
    given = command(ranks, data, "--out", folder)
    child = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while len(processes := rank_processes(child.pid)) < ranks and child.poll() is None:
        time.sleep(0.01)
    wait, victim = chance.uniform(0.0, longest), chance.randrange(ranks)
    time.sleep(wait)
    story = {"after": round(wait, 2), "rank": victim}
    if child.poll() is not None:
        return {**story, "hit": False, "wrong": []}
    started = time.monotonic()
    os.kill(processes[victim], signal.SIGKILL)
    child.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in processes.values()):
        time.sleep(0.01)
    ended = time.monotonic() - started
    checkpoint = (folder / "checkpoint.npz").exists()
    again = ["--resume", folder] if checkpoint else ["--out", folder, "--force"]
    resumed = (
        [*given[: given.index("train") + 1], "--backend", "cpu", *again]
        if checkpoint
        else command(ranks, data, *again)
    )
    done = subprocess.run(resumed, capture_output=True, text=True, timeout=600, check=False)
    wrong = [f"{ended:.1f} s until the end"] if ended > LIMIT_SECONDS else []
    if done.returncode:
        wrong.append(done.stderr.strip().splitlines()[-1:])
    elif (folder / "model.npz").read_bytes() != whole:
        wrong.append("other bytes")
    kept = len((folder / "log.jsonl").read_text().splitlines())
    return {
        **story,
        "hit": True,
        "seconds": round(ended, 2),
        "checkpoint": checkpoint,
        "epochs": kept,
        "wrong": wrong,
    }


def main(trials=10, ranks=2, seed=1):
    chance, failed = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        place, mnist = Path(place), load_dataset("mnist")
        data = place / "digits.npz"
        np.savez(
            data, x_train=mnist.train.images[:2000], y_train=mnist.train.labels[:2000],
            x_test=mnist.test.images[:500], y_test=mnist.test.labels[:500],
        )  # fmt: skip
        started = time.monotonic()
        subprocess.run(command(ranks, data, "--out", place / "whole"), check=True, capture_output=True)
        longest = time.monotonic() - started
        whole = (place / "whole/model.npz").read_bytes()
        print(json.dumps({"undisturbed": round(longest, 1), "ranks": ranks, "load": os.getloadavg()[0]}), flush=True)
        for number in range(trials):
            story = trial(chance, ranks, data, place / str(number), longest, whole)
            print(json.dumps(story), flush=True)
            failed += bool(story["wrong"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
