"""Kill small trainings at random moments, resume them, and count what was lost.

    python tests/campaigns/kills.py 200
    python tests/campaigns/kills.py 12 --mnist

Each trial begins a training and kills it at one of twelve kinds of moments by one of four signals; the next start
(what the program itself proposes: `--resume`, or the same command again) is killed as well in every second trial.
Then the run is finished and compared with the run that nobody disturbed. With `--mnist` the trainings are full ones,
of all 60,000 digits and with two worker processes, one at a time, each killed once.
"""

import argparse
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

CHILD = Path(__file__).with_name("moments.py")
ROOT = CHILD.parents[2]
SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")
FILES = ["checkpoint.npz", "command.txt", "curves.png", "log.jsonl", "model.npz"]
EPOCHS = 3
SETTINGS = ("--backend", "cpu", "--recipe", "classic", "--epochs", str(EPOCHS), "--seed", "5")
SMALL, FULL = ("--threads", "1"), ("--dataset", "mnist", "--no-download", "--threads", "2")
LATER = (0, 1, 3, 10, 30, 100, 300)
"""Calls and returns between the moment and the signal."""

ONCE = (
    *("making the folder", "starting the engine", "after the last epoch", "writing the last model"),
    "drawing the curves",
)
"""Moments that come once in a run."""

NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


@dataclass
class Outcome:
    """What came of a campaign: how often each moment was hit by each signal, and everything that was wrong."""

    hit: Counter = field(default_factory=Counter)
    trials: int = 0
    wrong: list = field(default_factory=list)


def write_small_mnist(folder, count=600):
    """Write some real digits in MNIST's own format."""
    from lenet_gpu.datasets import load_dataset

    mnist = load_dataset("mnist", download=False, progress=False)
    folder.mkdir()
    for (split, what), name in NAMES.items():
        array = getattr(getattr(mnist, split), what)[:count]
        head = (
            struct.pack(">4I", 2051, len(array), 28, 28) if what == "images" else struct.pack(">2I", 2049, len(array))
        )
        (folder / name).write_bytes(head + array.tobytes())
    return folder


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900, check=False)


def train(arguments, cwd):
    return run([sys.executable, "-m", "lenet_gpu", "train", *arguments], cwd)


def killed(arguments, cwd, moment, name, nth, later):
    child = [sys.executable, str(CHILD), moment, name, str(nth), str(later), "train", *arguments]
    return run(child, cwd)


def epochs_shown(output):
    """The last epoch that the program said was done."""
    return max((int(n) for n in re.findall(r"^epoch +(\d+)/", output, re.MULTILINE)), default=0)


def epochs_kept(folder):
    if not (folder / "checkpoint.npz").exists():
        return 0
    from lenet_gpu.training.checkpoint import Checkpoint

    return len(Checkpoint.load(folder).history)


def next_start(folder, first):
    """The command that goes on with a run, as the program proposes it."""
    if (folder / "checkpoint.npz").exists():
        return ("--backend", "cpu", "--resume", str(folder))
    return first


def trial(rng, moments, settings, folder, whole, outcome):
    """Kill a training once or twice, finish it, and note what is wrong."""
    first = (*settings, "--out", str(folder))
    work, story = folder.parent, []
    for moment, name in moments:
        nth, later = 1 if moment in ONCE else rng.randint(1, EPOCHS), rng.choice(LATER)
        ended = killed(next_start(folder, first), work, moment, name, nth, later)
        story.append(f"{name} {moment} ({nth}, {later}): {ended.returncode}")
        if "Traceback" in ended.stderr:
            outcome.wrong.append(("traceback", story, ended.stderr))
        if ended.returncode == 0:
            continue  # the moment never came: the run had not that many of it left
        outcome.hit[moment, name] += 1
        if name == "SIGKILL":
            expected = -signal.SIGKILL
        else:
            expected = 1
            if "interrupted" not in ended.stderr:
                outcome.wrong.append(("not interrupted", story, ended.stderr))
        if ended.returncode != expected:
            outcome.wrong.append((f"exit status {ended.returncode}", story, ended.stderr))
        if epochs_shown(ended.stdout) > epochs_kept(folder):
            outcome.wrong.append(("lost epoch", story, ended.stdout))
    last = train(next_start(folder, first), work)
    if last.returncode:
        outcome.wrong.append(("dead end", story, last.stderr))
        return
    if sorted(path.name for path in folder.iterdir()) != FILES:
        outcome.wrong.append(("leftover files", story, str(list(folder.iterdir()))))
    if (folder / "model.npz").read_bytes() != (whole / "model.npz").read_bytes():
        outcome.wrong.append(("other model.npz", story, ""))
    if len((folder / "log.jsonl").read_text().splitlines()) != EPOCHS:
        outcome.wrong.append(("other log.jsonl", story, ""))


def campaign(count, seed, work, twice=True, mnist=False, first=0):
    """Kill `count` trainings, every kind of moment in turn, from trial number `first` on."""
    sys.path.insert(0, str(CHILD.parent))
    from moments import MOMENTS

    assert set(ONCE) < set(MOMENTS)
    outcome, kinds = Outcome(), list(MOMENTS)
    settings = (
        (*SETTINGS, *FULL) if mnist else (*SETTINGS, *SMALL, "--dataset", str(write_small_mnist(work / "digits")))
    )
    whole = work / "whole"
    undisturbed = train((*settings, "--out", str(whole)), work)
    assert undisturbed.returncode == 0, undisturbed.stderr

    def one(number):
        rng = random.Random(f"{seed} {number}")
        # Each kind of moment meets each signal in turn.
        moments = [(kinds[number % len(kinds)], SIGNALS[(number + number // len(kinds)) % len(SIGNALS)])]
        if twice and number % 2:
            moments.append((rng.choice(kinds), rng.choice(SIGNALS)))
        try:
            trial(rng, moments, settings, work / f"run{number}", whole, outcome)
        except subprocess.TimeoutExpired as error:
            outcome.wrong.append(("no end", [f"trial {number}", *map(str, error.cmd)], str(error.stderr)))
        outcome.trials += 1
        if mnist or not outcome.trials % 10:
            print(f"{outcome.trials} of {count}, {len(outcome.wrong)} wrong", file=sys.stderr)

    with ThreadPoolExecutor(1 if mnist else os.cpu_count()) as pool:
        list(pool.map(one, range(first, first + count)))
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=200, help="trainings (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial, to go on with a campaign")
    parser.add_argument("--mnist", action="store_true", help="train on all of MNIST, with two workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        outcome = campaign(options.count, options.seed, Path(work), not options.mnist, options.mnist, options.first)
    for what, story, details in outcome.wrong:
        print(json.dumps({"wrong": what, "story": story, "details": details[-2000:]}))
    kills = Counter(moment for moment, _ in outcome.hit.elements())
    for moment, number in sorted(kills.items()):
        print(f"{number:4d} kills {moment}")
    print(f"{outcome.trials} trials, {sum(kills.values())} kills, {len(outcome.wrong)} wrong")
    return bool(outcome.wrong)


if __name__ == "__main__":
    sys.exit(main())
