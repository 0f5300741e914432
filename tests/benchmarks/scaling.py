"""What several ranks gain: a step's parts measured, and steps of up to 1,000 ranks simulated from them.

python tests/benchmarks/scaling.py --out results/scaling.json      measures (2 minutes), simulates, and prints both
python tests/benchmarks/scaling.py --from results/scaling.json     simulates again

Measured: the processor's time for the gradient of a portion, by its number of images, and for an update; the exchange
of `MpiRanks.add_up` between two ranks, by the number of portions; and whole epochs, two ranks against two workers of
one process, in turn. Simulated: each step of each rank draws its portions' times at random from those measured, so
that a step waits for the slowest rank; the exchange is counted in messages and bytes (two phases: N - 1 messages,
with S/N rows each cut into N parts, then the same with one part of the sum), with a network's latency and bandwidth.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command has it; before NumPy is loaded
import numpy as np

PYTHON = Path(sys.executable)
MPIEXEC = PYTHON.with_name("mpiexec")
BATCHES = (32, 256, 1024)
PORTIONS = (4, 8, 16, 32, 64, 128)
"""Images of a portion."""

NETWORKS = {
    # name: seconds of a message, bytes a second
    "one machine (shared memory)": (2e-6, 5e9),
    "10 Gbit/s Ethernet, TCP": (30e-6, 1.25e9),
    "100 Gbit/s in a cloud, 15 us": (15e-6, 12.5e9),
    "200 Gbit/s InfiniBand HDR, 1 us": (1e-6, 25e9),
}
"""Line rates are those of the standards; latencies are round figures of their kind, assumed and not measured."""

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


def network_and_optimizer():
    from lenet_gpu import LeNet5
    from lenet_gpu.nn.optim import Nesterov

    network = LeNet5(seed=1, initialisation="lecun")
    optimizer = Nesterov(momentum=0.9)
    optimizer.prepare(network)
    return network, optimizer


def measure_parts(repeats=80):
    """Seconds of the processor in each call, which other processes change little: portions by images, an update."""
    from lenet_gpu import load_dataset
    from lenet_gpu.engine.cpu.ops import BUFFER
    from lenet_gpu.engine.cpu.plan import CpuPlan

    np.setbufsize(BUFFER)
    network, optimizer = network_and_optimizer()
    mnist = load_dataset("mnist")
    images, labels = mnist.train.images.reshape(-1, 784), mnist.train.labels.astype(np.intp)
    gradient = np.zeros_like(network.parameters)
    plan = CpuPlan.of(network, [gradient])
    times = {str(n): [] for n in PORTIONS}
    updates = []
    for repeat in range(repeats):
        for n in PORTIONS:
            indices = np.arange(repeat * n, (repeat + 1) * n) % len(labels)
            started = time.thread_time()
            plan.gradients(images, labels, indices, 1.0 / n)
            times[str(n)].append(time.thread_time() - started)
        started = time.thread_time()
        optimizer.update(network.parameters, 0.01 * gradient, 0.01)
        updates.append(time.thread_time() - started)
    return {"portion": {n: values[5:] for n, values in times.items()}, "update": updates[5:]}


def exchange(repeats=200):
    """Run by each rank: seconds of `add_up`, by the number of portions."""
    from lenet_gpu.engine.ranks import portions
    from lenet_gpu.training.distributed import find_ranks

    ranks = find_ranks()
    found = {}
    for count in (2, 4, 8, 16):
        rows = np.zeros((count, 60_850), np.float32)
        times = []
        for _ in range(repeats):
            ranks.from_first(0)
            started = time.perf_counter()
            ranks.add_up(rows, portions(count, ranks.size))
            times.append(time.perf_counter() - started)
        found[str(count)] = times[5:]
    if ranks.rank == 0:
        print(json.dumps(found))


def whole_epochs(rounds=5):
    """Images a second of two ranks and of two workers, in turn, by batch size."""
    from lenet_gpu import load_dataset

    mnist = load_dataset("mnist")
    found = {str(batch): {"ranks": [], "workers": []} for batch in BATCHES}
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "digits.npz"
        n = 3_072
        np.savez(data, x_train=mnist.train.images[:n], y_train=mnist.train.labels[:n],
                 x_test=mnist.test.images[:100], y_test=mnist.test.labels[:100])  # fmt: skip
        given = [
            "train",
            "--backend",
            "cpu",
            "--recipe",
            "classic",
            "--epochs",
            "2",
            "--threads",
            "2",
            "--dataset",
            data,
        ]
        programs = {
            "ranks": [MPIEXEC, "-n", "2", PYTHON, "-m", "mpi4py", "-m", "lenet_gpu"],
            "workers": [PYTHON, "-m", "lenet_gpu"],
        }
        for number in range(rounds):
            for batch in BATCHES:
                for kind, program in programs.items():
                    out = Path(place) / f"{kind}-{batch}-{number}"
                    subprocess.run([*program, *given, "--batch-size", str(batch), "--out", out],
                                   check=True, capture_output=True)  # fmt: skip
                    last = (out / "log.jsonl").read_text().splitlines()[-1]
                    found[str(batch)][kind].append(json.loads(last)["images_per_second"])
    return found


def measure(rounds):
    """Measure everything."""
    program = [MPIEXEC, "-n", "2", PYTHON, "-m", "mpi4py", __file__, "--exchange"]
    exchanged = subprocess.run(program, check=True, capture_output=True, text=True)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg(),
        **measure_parts(),
        "exchange": json.loads(exchanged.stdout),
        "epochs": whole_epochs(rounds),
    }


def step_seconds(measured, batch, ranks, network, rng, steps=200):
    """Simulate steps; returns the mean seconds of one.

    A batch has as many portions as ranks, of four images at least, as `--threads` makes them; ranks without one wait.
    """
    count = max(1, min(ranks, batch // 4))
    images = batch / count
    sizes = np.array(PORTIONS)
    calls = 1 if images <= sizes[-1] else images / sizes[-1]  # larger portions are several of the largest
    nearest = sizes[np.searchsorted(sizes, min(images, sizes[-1]))]
    times = np.array(measured["portion"][str(nearest)])
    scale = calls * min(images, sizes[-1]) / nearest
    drawn = rng.choice(times, (steps, count, int(np.ceil(calls)))).mean(axis=2)
    slowest = drawn.max(axis=1) * scale
    latency, bandwidth = network
    row = 4 * 60_850
    exchanged = 0.0
    if ranks > 1:
        both = row * (count * (ranks - 1) / ranks**2 + (ranks - 1) / ranks)
        exchanged = 2 * (ranks - 1) * latency + both / bandwidth
    added = count / ranks * np.median(measured["update"]) / 3  # an addition touches a third of an update's memory
    return float(slowest.mean() + exchanged + added + np.median(measured["update"]))


def simulate(measured, seed=1):
    """Speed over one rank by network, batch and number of ranks."""
    found = {}
    for name, network in NETWORKS.items():
        for batch in (32, 256, 1024, 16_384):
            rng = np.random.default_rng(seed)
            seconds = [step_seconds(measured, batch, ranks, network, rng) for ranks in RANKS]
            found[f"{name} | {batch}"] = [round(seconds[0] / value, 2) for value in seconds]
    return found


def show(measured, simulated):
    """Print tables in Markdown."""
    print(f"{measured['machine']}, load {measured['load'][0]:.1f} when the measurement began\n")
    print("| images of a portion | median ms | 10 % .. 90 % |\n|---|---|---|")
    for n, times in measured["portion"].items():
        low, middle, high = 1e3 * np.quantile(times, (0.1, 0.5, 0.9))
        print(f"| {n} | {middle:.2f} | {low:.2f} .. {high:.2f} |")
    print("\n| exchange of two ranks, portions | median ms | 10 % .. 90 % |\n|---|---|---|")
    for n, times in measured["exchange"].items():
        low, middle, high = 1e3 * np.quantile(times, (0.1, 0.5, 0.9))
        print(f"| {n} | {middle:.2f} | {low:.2f} .. {high:.2f} |")
    print("\n| batch | two ranks, images/s | two workers, images/s | ratio of the medians | ratios |")
    print("|---|---|---|---|---|")
    for batch, found in measured["epochs"].items():
        ranks, workers = np.array(found["ranks"]), np.array(found["workers"])
        low, high = (ranks / workers).min(), (ranks / workers).max()
        medians = np.median(ranks), np.median(workers)
        figures = f"{medians[0]:,.0f} | {medians[1]:,.0f} | {medians[0] / medians[1]:.2f} | {low:.2f} .. {high:.2f}"
        print(f"| {batch} | {figures} |")
    print(f"\n| network, batch | {' | '.join(map(str, RANKS))} |\n|---|{'---|' * len(RANKS)}")
    for name, speeds in simulated.items():
        print(f"| {name.replace(' | ', ', batch ')} | {' | '.join(f'{speed:g}' for speed in speeds)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", action="store_true", help="with --from: measure portions and updates anew")
    parser.add_argument("--exchange", action="store_true", help="be one of the ranks that are measured")
    options = parser.parse_args()
    if options.exchange:
        exchange()
        return
    measured = json.loads(options.source.read_text()) if options.source else measure(options.rounds)
    if options.parts:
        measured |= measure_parts()
    if options.out:
        options.out.write_text(json.dumps(measured))
    show(measured, simulate(measured))


if __name__ == "__main__":
    main()
