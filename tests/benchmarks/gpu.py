"""How fast training and inference are on this machine's GPU, beside other frameworks. One command:

    python tests/benchmarks/gpu.py --out benchmark

It first checks that all contestants compute the same losses, then times them in turns (a slow minute hits all), by
the host's clock around bursts that end when the device has finished. benchmark/gpu.json and benchmark/gpu.png get
the medians and spreads of each contestant at each batch size, the time of a step of the recipe `paper`, and, by CUDA
events, what a launch, a graph node, a grid barrier, a copy and each kernel cost here. Frameworks that are not
installed are left out and named.

With --dry-run everything runs in small on the CPU, to try the program itself: its numbers mean nothing.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import gpu_micro
import gpu_peers

from lenet_gpu import __version__, load_dataset, select_backend
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import LenetError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD
from lenet_gpu.training.recipes import get_recipe

LEARNING_RATE = 0.05
NAMES = ("lenet-gpu", "readable", "torch", "torch-graph", "torch-compile", "jax", "jax-scan")


class Ours:
    """An engine of this project as a contestant."""

    def __init__(self, backend, engine_name, name):
        self.backend, self.engine_name, self.name = backend, engine_name, name

    def prepare(self, images, labels, views, batch_size, learning_rate):
        network = LeNet5(backend=self.backend)
        for key, view in network.views.items():
            view[...] = self.backend.asarray(np.asarray(views[key], dtype=np.float32))
        self.engine = make_engine(network, SGD(), self.engine_name)
        self.name = self.name or self.engine.name
        self.images, self.learning_rate = images, learning_rate
        self.engine.load(images, labels)

    def train(self, order):
        return self.losses(order)

    def losses(self, order):
        return self.engine.train(order.ravel(), order.shape[1], np.full(len(order), self.learning_rate))

    def infer(self, count, batch_size):
        # All images, in batches that the engine chooses; reading the outputs back is part of it, as it is not for the
        # peers.
        self.engine.outputs(self.images)

    def synchronize(self):
        self.backend.synchronize()


def contestants(names, backend):
    """Those that can run here, and why the others can't."""
    device = "cuda" if backend.name == "gpu" else "cpu"
    makers = {
        "lenet-gpu": lambda: Ours(backend, "auto", "lenet-gpu"),
        "readable": lambda: Ours(backend, "layered", f"readable layers, {backend.xp.__name__}"),
        "torch": lambda: gpu_peers.TorchPeer("eager", device),
        "torch-graph": lambda: gpu_peers.TorchPeer("graph", device),
        "torch-compile": lambda: gpu_peers.TorchPeer("compile", device),
        "jax": lambda: gpu_peers.JaxPeer("jit"),
        "jax-scan": lambda: gpu_peers.JaxPeer("scan"),
    }
    found, left_out = [], {}
    for name in names:
        if device == "cpu" and name in ("torch-graph", "torch-compile"):
            left_out[name] = "needs a GPU"
            continue
        try:
            found.append(makers[name]())
        except ImportError as error:
            left_out[name] = str(error)
    return found, left_out


def check_losses(found, images, labels, batch_size):
    """Everybody's losses of three steps against the readable layers in float64: largest relative errors by name."""
    order = np.arange(3 * batch_size).reshape(3, batch_size) % len(images)  # (steps, batch)
    oracle = LeNet5(dtype="float64")
    engine = LayeredEngine(oracle, SGD())
    views = oracle.views_of(oracle.host_parameters().copy())
    engine.load(images, labels)
    expected = np.concatenate([engine.train(row, batch_size, np.array([LEARNING_RATE])) for row in order])
    errors = {}
    for one in found:
        one.prepare(images, labels, views, batch_size, LEARNING_RATE)
        errors[one.name] = float(np.max(np.abs(one.losses(order) - expected) / expected))
    return errors


def timed(one, work):
    """Seconds from an idle device to an idle device."""
    one.synchronize()
    start = time.perf_counter()
    work()
    one.synchronize()
    return time.perf_counter() - start


def in_turns(found, work_of, repeats, seconds, deadline):
    """Time everybody in turns; {name: seconds of each repeat for one unit of work}."""
    sizes, results = {}, {}
    for one in found:
        timed(one, work_of(one, 1))  # compiles, loads, allocates
        once = timed(one, work_of(one, 1))
        sizes[one.name] = max(1, int(seconds / max(once, 1e-6)))
        results[one.name] = []
    for _ in range(repeats):
        for one in found:
            if time.monotonic() > deadline and results[one.name]:
                continue
            work = work_of(one, sizes[one.name])
            results[one.name].append(timed(one, work) / sizes[one.name])
    return results


def summary(values, per):
    """Median and spread of seconds, each divided by `per` units."""
    low, middle, high = (f(values) / per for f in (min, statistics.median, max))
    return {"median_us": middle * 1e6, "min_us": low * 1e6, "max_us": high * 1e6, "n": len(values)}


def measure(found, images, labels, options, deadline):
    """Training and inference at every batch size."""
    results = []
    start = LeNet5(seed=0)
    views = start.views_of(start.host_parameters())
    for batch_size in options.batches:
        if time.monotonic() > deadline:
            results.append({"batch_size": batch_size, "left_out": "out of time"})
            continue
        steps = max(1, min(options.images, len(images)) // batch_size)
        order = np.random.default_rng(0).permutation(len(images))[: steps * batch_size].reshape(steps, batch_size)
        count = max(batch_size, options.images // batch_size * batch_size)
        for one in found:
            one.prepare(images, labels, views, batch_size, LEARNING_RATE)

        def training(one, times, order=order):
            return lambda: [one.train(order) for _ in range(times)]

        def inference(one, times, count=count, batch_size=batch_size):
            return lambda: [one.infer(count, batch_size) for _ in range(times)]

        for kind, work_of, units in (("training", training, steps), ("inference", inference, count // batch_size)):
            for name, values in in_turns(found, work_of, options.repeats, options.seconds, deadline).items():
                row = {"kind": kind, "batch_size": batch_size, "name": name, **summary(values, units)}
                row["images_per_second"] = batch_size / row["median_us"] * 1e6
                results.append(row)
                print(f"{kind:9} batch {batch_size:5}  {name:28} {row['median_us']:10.1f} us", flush=True)
    return results


def paper_step(backend, images, labels, repeats):
    """A step of the recipe `paper`, one image: its time over a pass of at most 10,000 images."""
    recipe = get_recipe("paper")
    network = LeNet5(recipe.variant, backend, initialisation=recipe.initialisation)
    network.loss, optimizer = recipe.loss, recipe.make_optimizer()
    optimizer.prepare(network)
    optimizer.before_epoch(network, images, labels, 0, 1)
    order = np.arange(min(len(images), 10_000))
    rates = recipe.learning_rates(1, len(order))
    with make_engine(network, optimizer) as engine:
        engine.load(images, labels)

        def work():
            engine.train(order, 1, rates)

        timed(backend, work)  # compiles, loads, captures
        row = {"engine": engine.name, **summary([timed(backend, work) for _ in range(repeats)], len(order))}
    print(f"recipe paper, batch 1  {row['median_us']:.1f} us a step ({row['engine']})", flush=True)
    return row


def draw(report, path):
    """Bars: time of a training step and images a second of inference, by batch size."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in report["results"] if "name" in row]
    names, batches = (list(dict.fromkeys(row[key] for row in rows)) for key in ("name", "batch_size"))
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    panels = (("training", "median_us", "time of a step (us)"), ("inference", "images_per_second", "images a second"))
    for axis, (kind, key, label) in zip(axes, panels, strict=True):
        for k, name in enumerate(names):
            values = {row["batch_size"]: row[key] for row in rows if row["name"] == name and row["kind"] == kind}
            places = [batches.index(b) + (k - len(names) / 2 + 0.5) * 0.8 / len(names) for b in values]
            axis.bar(places, list(values.values()), 0.8 / len(names), label=name)
        axis.set(yscale="log", title=kind, xlabel="batch size", ylabel=label)
        axis.set_xticks(range(len(batches)), [str(b) for b in batches])
    axes[0].legend(fontsize=8)
    figure.suptitle(f"{report['device']}{' (dry run: numbers mean nothing)' if report['dry_run'] else ''}")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def versions():
    """What was measured: versions of what is loaded, and the commit."""
    found = {"lenet-gpu": __version__, "python": platform.python_version(), "numpy": np.__version__}
    for name in ("cupy", "torch", "jax"):
        if name in sys.modules:
            found[name] = sys.modules[name].__version__
    folder = Path(__file__).parent
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
    found["commit"] = done.stdout.strip() if done.returncode == 0 else "unknown"
    return found


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark"), help="folder for gpu.json and gpu.png")
    parser.add_argument("--batches", type=lambda s: [int(b) for b in s.split(",")], default=[32, 128, 1024, 4096])
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a timed burst")
    parser.add_argument("--images", type=int, default=60_000, help="images of an epoch")
    parser.add_argument("--minutes", type=float, default=9.0, help="start nothing new after that")
    parser.add_argument("--dry-run", action="store_true", help="in small, on the CPU")
    options = parser.parse_args(argv)
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"unknown contestants: {', '.join(sorted(unknown))}")
    if options.dry_run:
        options.batches, options.repeats, options.seconds, options.images = [4, 8], 2, 0.0, 16
    return options


def main(argv=None):
    """Run; the exit status: 0, 1 if somebody computes something else, 2 if there is no GPU."""
    options = arguments(argv)
    deadline = time.monotonic() + options.minutes * 60
    try:
        backend = select_backend("cpu" if options.dry_run else "gpu")
    except LenetError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    data = load_dataset("mnist", download=False, progress=False).train
    images, labels = data.images[: options.images], data.labels[: options.images]
    found, left_out = contestants(options.only, backend)
    errors = check_losses(found, images, labels, min(options.batches))
    wrong = {name: error for name, error in errors.items() if not error < 1e-4}
    for name, error in errors.items():
        print(f"{name:30} loss differs by {error:.1e}{'  WRONG: left out' if name in wrong else ''}")
    found = [one for one in found if one.name not in wrong]
    report = {
        "device": backend.device_name,
        "dry_run": options.dry_run,
        "versions": versions(),
        "loss_errors": errors,
        "left_out": left_out | dict.fromkeys(wrong, "computes another loss"),
        "results": measure(found, images, labels, options, deadline),
        "paper_step": paper_step(backend, images, labels, options.repeats),
        "micro_costs_us": {} if options.dry_run else gpu_micro.costs(backend.xp),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(report, options.out / "gpu.png")
    print(f"wrote {options.out / 'gpu.json'} and {options.out / 'gpu.png'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
