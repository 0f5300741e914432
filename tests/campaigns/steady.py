"""Train and evaluate in one process for a long time, and watch that nothing grows.

    python tests/campaigns/steady.py 20

Each round does what a user's program may do again and again: it trains with workers and without, on an own network
too, evaluates, saves and loads, reads pictures, strokes and a number, alone and in threads that end. After each round
memory, descriptors, threads, child processes and files in shared memory are counted. The first tenth of the time is
for warming up; from then on memory may grow by GROWTH, and nothing else at all.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lenet_gpu import LeNet5, Network, Recognizer, Trainer, load_dataset
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.nn import Convolution, Dense, Flatten, ScaledTanh, Subsampling
from lenet_gpu.seeds import generator

GROWTH = 8.0
"""MiB that the process may grow by between its warming up and the end."""

IMAGES = 3_000


def own_network():
    """A network that runs layer by layer."""
    return Network(
        [Convolution("c1", 1, 4), ScaledTanh(), Subsampling("s2", 4), Flatten(), Dense("out", 4 * 14 * 14, 10)]
    )


def one_round(data, folder):
    """Train, evaluate, keep, and read."""
    images, labels = data.train.images[:IMAGES], data.train.labels[:IMAGES]
    for threads in (1, 2):
        network = LeNet5(seed=threads)
        Trainer(network, "fast", epochs=1, threads=threads, progress=False).fit(images, labels)
        network.evaluate(data.test.images, data.test.labels)
    other = own_network()
    Trainer(other, "classic", epochs=1, progress=False).fit(images[:500], labels[:500])
    other.evaluate(data.test.images[:1000], data.test.labels[:1000])
    network.save(folder / "model.npz")
    LeNet5.load(folder / "model.npz").activations(images[:50])
    recognizer = Recognizer()
    drawings = list(draw_digits(generator(3, 1), [k % 10 for k in range(10)]))
    number = [np.add(stroke, [60.0 * place, 0.0]) for place in range(3) for stroke in drawings[place]]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(recognizer.predict_image, images[:100]))
        list(pool.map(recognizer.predict_strokes, drawings))
    recognizer.predict_number(number)


def counts():
    """What the process has: MiB, descriptors, threads, children, and files of ours in shared memory."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    children = sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))
    return {
        "MiB": int(status["VmRSS"].split()[0]) / 1024,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": int(status["Threads"]),
        "children": children,
        "shared files": sum("lenet" in name for name in os.listdir("/dev/shm")),
    }


def campaign(seconds):
    """Go round for so long; returns (seconds, counts) of each round from the end of warming up on."""
    data = load_dataset("mnist", download=False, progress=False)
    start, found = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        while (spent := time.monotonic() - start) < seconds or len(found) < 2:
            one_round(data, Path(folder))
            if spent >= seconds / 10:
                found.append((time.monotonic() - start, counts()))
    return found


def wrong(found):
    """What has grown, in words."""
    first, last = found[0][1], found[-1][1]
    grown = [name for name in first if last[name] - first[name] > (GROWTH if name == "MiB" else 0)]
    return [f"{name}: {first[name]:.1f} to {last[name]:.1f}" for name in grown]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float, nargs="?", default=20.0)
    found = campaign(60 * parser.parse_args().minutes)
    for when, (seconds, now) in zip(
        ("start", "middle", "end"), (found[0], found[len(found) // 2], found[-1]), strict=True
    ):
        print(f"{when:7s} {seconds:6.0f} s  " + ", ".join(f"{value:.4g} {name}" for name, value in now.items()))
    memory = [now["MiB"] for _, now in found]
    print(f"{len(found)} rounds after warming up, {min(memory):.1f} to {max(memory):.1f} MiB")
    for line in wrong(found):
        print(f"grown: {line}")
    return bool(wrong(found))


if __name__ == "__main__":
    sys.exit(main())
