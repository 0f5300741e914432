"""Train with one seed again and again while the machine is kept busy, and compare every byte.

    python tests/campaigns/same_seed.py 5

For 1, 2 and 3 workers: one training without load, then COUNT while twice as many processes as there are cores
compute and workers are stopped at random moments. All must give the same parameters, to the byte, whatever the number
of workers.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lenet_gpu import LeNet5, Trainer, load_dataset

WORKERS = (1, 2, 3)
BUSY = "while True: sum(range(10_000))"


def workers():
    """Ids of the processes that this one has started, save those that keep the machine busy."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        for number in map(int, path.read_text().split()):
            if BUSY.encode() not in Path(f"/proc/{number}/cmdline").read_bytes():
                found.append(number)
    return found


@contextmanager
def load(seed):
    """Keep all cores busy, and stop a worker now and then."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2 * os.cpu_count())]
    rng, ended = random.Random(seed), threading.Event()

    def hinder():
        while not ended.wait(rng.uniform(0.0, 0.3)):
            for number in rng.sample(found := workers(), min(1, len(found))):
                try:
                    os.kill(number, signal.SIGSTOP)
                    ended.wait(rng.uniform(0.0, 0.1))
                    os.kill(number, signal.SIGCONT)
                except ProcessLookupError:
                    pass  # it has ended

    thread = threading.Thread(target=hinder)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for process in busy:
            process.kill()
            process.wait()


def trained(recipe, threads, split):
    """Train for an epoch; returns the parameters."""
    network = LeNet5("paper" if recipe == "paper" else "modern", seed=4)
    images, labels = split.train.images[:2_000], split.train.labels[:2_000]
    if recipe == "paper":
        images, labels = images[:500], labels[:500]
    Trainer(network, recipe, epochs=1, threads=threads, progress=False).fit(images, labels)
    return network.host_parameters()


def campaign(count, recipe="fast"):
    """Go through all numbers of workers; returns lines that say what was found, and what is wrong."""
    data, lines, wrong = load_dataset("mnist", download=False, progress=False), [], []
    first = None
    for threads in WORKERS:
        parameters = trained(recipe, threads, data)
        digest = hashlib.sha256(parameters.tobytes()).hexdigest()
        others = 0
        for number in range(count):
            with load(f"{recipe} {threads} {number}"):
                others += trained(recipe, threads, data).tobytes() != parameters.tobytes()
            print(f"{recipe}, {threads} workers: {number + 1} of {count}, {others} other bytes", file=sys.stderr)
        first = parameters if first is None else first
        difference = float(np.abs(parameters - first).max())
        lines.append(
            f"{recipe}, {threads} workers: {digest[:16]}, {count} times under load, {others} of them other bytes; "
            f"to 1 worker: parameters within {difference:.2g}"
        )
        if others or parameters.tobytes() != first.tobytes():
            wrong.append(lines[-1])
    return lines, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "count", type=int, nargs="?", default=5, help="trainings under load of each kind (default: 5)"
    )
    count, wrong = parser.parse_args().count, []
    for recipe in ("fast", "paper"):
        lines, more = campaign(count, recipe)
        print("\n".join(lines), flush=True)
        wrong += more
    print(f"{len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
