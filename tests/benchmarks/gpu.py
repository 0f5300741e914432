"""How fast training and inference are on this machine's GPU, beside other frameworks at their best. One command:

    python tests/benchmarks/gpu.py --out benchmark

All contestants are first compared over some steps that begin at trained weights; who computes other losses is left
out. Then they are timed in turns (a slow moment hits all), by the host's clock around bursts that end when the device
has finished. At batch 32 and 1024 every variant of a framework runs, at the other batch sizes those that came near
its fastest; the fastest stands for the framework. torch.compile runs last, in a process of its own with a time limit.
Whoever fails is left out with the reason, and benchmark/gpu.json is written after each batch size. Frameworks that
are not installed are left out and named.

With --dry-run everything runs in small on the CPU, to try the program itself: its numbers mean nothing.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import gpu_micro
import gpu_peers
from gpu_compile import CHECKED_STEPS, LEARNING_RATE, order_of
from gpu_timing import burst_of, in_turns, ratio, reason, summary, timed, unit_of

from lenet_gpu import __version__, load_dataset, select_backend
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import LenetError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD
from lenet_gpu.training.recipes import get_recipe

OURS, READABLE, COMPILED = "lenet-gpu", "readable layers", "torch-compile"
VARIANTS = {
    "torch": lambda device: gpu_peers.TorchPeer(device, "eager"),
    "torch-graph": lambda device: gpu_peers.TorchPeer(device),
    "torch-channels-last": lambda device: gpu_peers.TorchPeer(device, convolution="channels_last"),
    "torch-unfold": lambda device: gpu_peers.TorchPeer(device, convolution="unfold"),
    "jax": lambda device: gpu_peers.JaxPeer("jit"),
    "jax-scan": lambda device: gpu_peers.JaxPeer(),
    "jax-unroll": lambda device: gpu_peers.JaxPeer(unroll=10),
    "jax-patches": lambda device: gpu_peers.JaxPeer(convolution="patches"),
}
"""The peers, by the name for --only."""

NAMES = ("lenet-gpu", "readable", *VARIANTS, COMPILED)
TRIED_BY_ALL = (32, 1024)
"""Batch sizes at which every variant runs."""

NEAR = 1.3
"""A variant that took so many times as long as its framework's fastest is tried at the other batch sizes, too."""

WRONG = 3e-4
"""Difference of losses, relative to their mean, from which somebody computes something else."""

RESERVED = 60.0
"""Seconds that are kept for torch.compile at least."""

TRAINED_IMAGES, TRAINED_BATCH = 20_000, 32
"""What our engine trains with before the losses are compared."""


class Ours:
    """An engine of this project as a contestant. A call is what a user gets: uploads and results are part of it."""

    framework = OURS

    def __init__(self, backend, engine_name, name):
        self.backend, self.engine_name, self.name = backend, engine_name, name
        self.whole_epochs = engine_name == "auto"  # the readable layers would take seconds
        self.engine = None

    def prepare(self, images, labels, views, order, learning_rate):
        """Everything onto the device."""
        self.close()
        network = LeNet5(backend=self.backend)
        for key, view in network.views.items():
            view[...] = self.backend.asarray(np.asarray(views[key], dtype=np.float32).reshape(view.shape))
        self.engine = make_engine(network, SGD(), self.engine_name)
        self.images, self.order, self.learning_rate = images, order, learning_rate
        self.engine.load(images, labels)

    def losses(self, steps):
        """Train the first steps of the order; the loss of each."""
        rates = np.full(steps, self.learning_rate)
        return self.engine.train(self.order[:steps].ravel(), self.order.shape[1], rates)

    train = losses

    def prepare_inference(self, chunk):
        """Hand the images over by themselves: an engine chooses its pieces."""
        self.resident = self.pieces = None
        if self.engine.name == "cuda":
            from lenet_gpu.engine.cuda.choice import Forms

            xp, network = self.backend.xp, self.engine.network
            self.form = Forms(xp, "modern", network.classes).of_inference()
            self.resident = xp.asarray(self.images)
            self.scores = xp.empty((len(self.images), network.classes), dtype="float32")
            scale = (network.ink - network.background) / 255.0
            self.pixel = np.float32(network.background), np.float32(scale)
            self.synchronize()

    def infer(self, count):
        """Inference of the first images of the resident set; on a GPU the scores stay there."""
        if self.resident is None:
            self.engine.outputs(self.images[:count])
            return
        self.form.infer(self.engine.network.parameters, self.resident[:count], self.pixel, self.scores[:count])

    def infer_host(self, images):
        """Scores on the host of uint8 images on the host."""
        return self.engine.outputs(images)

    def synchronize(self):
        self.backend.synchronize()

    def close(self):
        """Give back the engine."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None


def contestants(names, backend):
    """Those that can run here, and why the others can't."""
    device = "cuda" if backend.name == "gpu" else "cpu"
    makers = {
        "lenet-gpu": lambda: Ours(backend, "auto", OURS),
        "readable": lambda: Ours(backend, "layered", READABLE),
        **{name: lambda maker=maker: maker(device) for name, maker in VARIANTS.items()},
    }
    found, left_out = [], {}
    for name in names:
        if name == COMPILED:
            continue
        try:
            found.append(makers[name]())
        except Exception as error:  # a framework that does not fit the driver fails in its own ways
            left_out[name] = str(error) if isinstance(error, ImportError) else reason(error)
    return found, left_out


def trained_views(backend, images, labels):
    """Weights after a part of an epoch: there a mistake in a peer shows in its losses, which at first are all 2.3."""
    network = LeNet5(backend=backend)
    count = min(TRAINED_IMAGES, len(images))
    order = np.random.default_rng(1).permutation(len(images))[:count]
    with make_engine(network, SGD()) as engine:
        engine.load(images, labels)
        engine.train(order, TRAINED_BATCH, np.full(-(-count // TRAINED_BATCH), LEARNING_RATE))
    return network.views_of(network.host_parameters().copy())


def expected_losses(images, labels, views, batch_size):
    """Losses of the first steps by the readable layers in float64."""
    order = order_of(len(images), batch_size)[:CHECKED_STEPS]
    oracle = LeNet5(dtype="float64")
    for key, view in oracle.views.items():
        view[...] = views[key]
    engine = LayeredEngine(oracle, SGD())
    engine.load(images, labels)
    return engine.train(order.ravel(), batch_size, np.full(len(order), LEARNING_RATE))


def difference(losses, expected):
    """Largest difference of two runs' losses, relative to their mean."""
    return float(np.max(np.abs(np.asarray(losses) - expected)) / np.mean(expected))


class Benchmark:
    """A run of the benchmark: what it compares, and what it has found so far.

    Args:
        options: The command line's.
        backend: Where ours runs.
    """

    def __init__(self, options, backend):
        self.options, self.backend = options, backend
        self.begin = time.monotonic()
        self.deadline = self.begin + options.minutes * 60
        data = load_dataset("mnist", download=False, progress=False)
        self.images, self.labels = data.train.images[: options.images], data.train.labels[: options.images]
        self.found, left_out = contestants(options.only, backend)
        self.report = {
            "device": backend.device_name,
            "dry_run": options.dry_run,
            "versions": versions(),
            "learning_rate": LEARNING_RATE,
            "checked_steps": CHECKED_STEPS,
            "loss_errors": {},
            "left_out": left_out,
            "results": [],
            "ratios": [],
        }
        self.wrong: set[str] = set()
        self.views = None

    def write(self):
        """The results so far."""
        options = self.options
        options.out.mkdir(parents=True, exist_ok=True)
        self.report["seconds"] = round(time.monotonic() - self.begin, 1)
        self.report["versions"] = versions()
        (options.out / "gpu.json").write_text(json.dumps(self.report, indent=1) + "\n")

    def part(self, name, work):
        """Do a part of the run; a failure is noted, and the others still run."""
        try:
            return work()
        except Exception as error:
            self.report["left_out"][name] = reason(error)
            print(f"{name}: {self.report['left_out'][name]}", flush=True)
            return None

    def run(self):
        """Everything, in the order of its weight."""
        report, options = self.report, self.options
        self.views = trained_views(self.backend, self.images, self.labels)
        reserved = min(options.compile_seconds, RESERVED) if COMPILED in options.only else 0.0
        for batch_size in options.batches:
            if time.monotonic() > self.deadline - reserved:
                report["left_out"][f"batch {batch_size}"] = "out of time"
                continue
            self.part(f"batch {batch_size}", lambda b=batch_size: self.train(b))
            self.write()
            if batch_size == options.batches[0]:  # the time limit must not cost these
                self.part("inference", self.infer)
                report["paper_step"] = self.part("recipe paper", self.paper_step)
                self.write()
        if not options.dry_run:
            report["micro_costs_us"] = self.part("micro costs", lambda: gpu_micro.costs(self.backend.xp))
            self.write()
        if COMPILED in options.only:
            self.part(COMPILED, self.compiled)
        self.compare()
        self.write()

    def tried(self, batch_size):
        """Who runs at a batch size."""
        best, seen = {}, {}
        for row in self.report["results"]:
            name, framework = row["name"], row["framework"]
            rate = row["median_us"]
            best[framework, row["batch_size"]] = min(rate, best.get((framework, row["batch_size"]), rate))
            seen.setdefault(name, []).append(row)
        chosen = []
        for one in self.found:
            rows = seen.get(one.name, ())
            near = any(r["median_us"] <= NEAR * best[r["framework"], r["batch_size"]] for r in rows)
            if one.framework == OURS:
                wanted = one.name == OURS or batch_size == self.options.batches[0]
            else:
                wanted = batch_size in TRIED_BY_ALL or not rows or near
            if wanted and one.name not in self.wrong:
                chosen.append(one)
        return chosen

    def prepare(self, one, order):
        one.prepare(self.images, self.labels, self.views, order, LEARNING_RATE)

    def train(self, batch_size):
        """Training at one batch size."""
        options, report = self.options, self.report
        order = order_of(len(self.images), batch_size)
        expected = None
        if batch_size == options.batches[0]:
            expected = expected_losses(self.images, self.labels, self.views, batch_size)
        works, rows, failed = {}, {}, {}
        for one in self.tried(batch_size):
            try:
                self.prepare(one, order)
                losses = np.asarray(one.losses(min(CHECKED_STEPS, len(order))))
                expected = losses if expected is None else expected
                error = difference(losses, expected[: len(losses)])
                report["loss_errors"].setdefault(one.name, {})[str(batch_size)] = error
                if not error < WRONG:
                    print(f"{one.name:38} loss differs by {error:.1e}  WRONG: left out", flush=True)
                    self.wrong.add(one.name)
                    report["left_out"][one.name] = "computes another loss"
                    continue
                steps, calls = burst_of(one, len(order), unit_of(len(self.images), batch_size), options.seconds)
            except Exception as error:
                failed[one.name] = reason(error)
                continue

            def burst(one=one, steps=steps, calls=calls):
                for _ in range(calls):
                    one.train(steps)

            works[one.name] = one, burst, steps * calls
            rows[one.name] = {"steps": steps, "calls": calls, "loss_error": error}
            if isinstance(one, Ours):
                rows[one.name]["form"] = one.engine.described(batch_size)
        for name, values in in_turns(works, options.repeats, self.deadline, failed).items():
            row = {
                "kind": "training",
                "batch_size": batch_size,
                "name": name,
                "framework": works[name][0].framework,
                **summary(values),
                **rows[name],
            }
            self.add(row)
        for name, why in failed.items():
            report["left_out"][f"{name}, batch {batch_size}"] = why
            print(f"training batch {batch_size:5}  {name}: {why}", flush=True)
        for one in self.found:
            if isinstance(one, Ours):
                one.close()

    def add(self, row):
        """Keep a row of a training step, and show it."""
        row["images_per_second"] = row["batch_size"] / row["median_us"] * 1e6
        self.report["results"].append(row)
        print(
            f"training batch {row['batch_size']:5}  {row['name']:38} {row['median_us']:10.2f} us "
            f"({row['min_us']:.2f} ... {row['max_us']:.2f}, n {row['n']})  {row.get('form', '')}",
            flush=True,
        )

    def infer(self):
        """Inference of the training set: resident on the device, and from and to the host."""
        options, rows, fastest = self.options, [], {}
        for row in self.report["results"]:
            if row["framework"] not in fastest or row["median_us"] < fastest[row["framework"]]["median_us"]:
                fastest[row["framework"]] = row
        names = {row["name"] for row in fastest.values()}
        for chunk in options.chunks:
            works, failed = {"resident": {}, "host": {}}, {}
            for one in (one for one in self.found if one.name in names):
                if one.framework == OURS and chunk != options.chunks[-1]:
                    continue  # chooses its pieces itself
                try:
                    self.prepare(one, order_of(len(self.images), options.batches[0]))
                    one.prepare_inference(chunk)
                    count = len(self.images) // chunk * chunk
                    works["resident"][one.name] = one, lambda one=one, n=count: one.infer(n), count
                    images = self.images[:count].copy()  # an array that is not resident
                    works["host"][one.name] = one, lambda one=one, images=images: one.infer_host(images), count
                    for kind in works:
                        timed(one, works[kind][one.name][1])  # compiles, loads, allocates
                except Exception as error:
                    failed[one.name] = reason(error)
            for kind, mine in works.items():
                mine = {name: work for name, work in mine.items() if name not in failed}
                for name, values in in_turns(mine, options.repeats, self.deadline, failed).items():
                    low, high = 1 / max(values), 1 / min(values)
                    middle = summary(values)["median_us"]
                    row = {"kind": kind, "name": name, "framework": mine[name][0].framework, "chunk": chunk}
                    if mine[name][0].framework == OURS:
                        row["chunk"] = None
                    row |= {"images_per_second": 1e6 / middle, "min": low, "max": high, "n": len(values)}
                    rows.append(row)
                    print(
                        f"inference, {kind:8}  {name:38} {row['images_per_second'] / 1e6:8.2f} million images/s "
                        f"({low / 1e6:.2f} ... {high / 1e6:.2f}, n {len(values)}, "
                        f"{'pieces of ' + str(row['chunk']) if row['chunk'] else 'own pieces'})",
                        flush=True,
                    )
            for name, why in failed.items():
                self.report["left_out"][f"{name}, inference, pieces of {chunk}"] = why
            self.report["inference"] = rows
        for one in self.found:
            if isinstance(one, Ours):
                one.close()

    def paper_step(self):
        """A step of the recipe `paper`, one image: its time over a pass of at most 10,000 images."""
        recipe = get_recipe("paper")
        network = LeNet5(recipe.variant, self.backend, initialisation=recipe.initialisation)
        network.loss, optimizer = recipe.loss, recipe.make_optimizer()
        optimizer.prepare(network)
        optimizer.before_epoch(network, self.images, self.labels, 0, 1)
        order = np.arange(min(len(self.images), 10_000))
        rates = recipe.learning_rates(1, len(order))
        with make_engine(network, optimizer) as engine:
            engine.load(self.images, self.labels)

            def work():
                engine.train(order, 1, rates)

            timed(self.backend, work)  # compiles, loads, captures
            values = [timed(self.backend, work) / len(order) for _ in range(self.options.repeats)]
            row = {"engine": engine.name, "form": engine.described(1), **summary(values)}
        print(f"recipe paper, batch 1  {row['median_us']:.2f} us a step ({row['form']})", flush=True)
        return row

    def compiled(self):
        """torch.compile, in a process that is ended when its time is up."""
        options, report = self.options, self.report
        limit = min(options.compile_seconds, self.deadline - time.monotonic())
        if limit < 1:
            raise TimeoutError("no time left")
        device = "cpu" if options.dry_run else "cuda"
        with tempfile.TemporaryDirectory() as folder:
            start = Path(folder) / "start.npz"
            np.savez(start, images=self.images, labels=self.labels, **self.views)
            program = Path(__file__).with_name("gpu_compile.py")
            command = [sys.executable, program, start, device, options.seconds, options.repeats, *options.batches]
            process = subprocess.Popen(
                list(map(str, command)), stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            try:
                out, _ = process.communicate(timeout=limit)
                late = False
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its compilers, too
                out, _ = process.communicate()
                late = True
        done = set()
        for line in out.splitlines():
            with contextlib.suppress(ValueError):  # a line that was cut off
                self.add_compiled(json.loads(line), done)
        missing = [str(b) for b in options.batches if b not in done]
        if missing:
            why = f"not finished in {limit:.0f} s" if late else f"ended with status {process.returncode}"
            report["left_out"].setdefault(f"{COMPILED}, batch {', '.join(missing)}", why)
            print(f"torch.compile, batch {', '.join(missing)}: {why}", flush=True)

    def add_compiled(self, answer, done):
        """Take over what the process says of a batch size."""
        batch_size, name = answer["batch_size"], answer["name"]
        done.add(batch_size)
        if "failed" in answer:
            self.report["left_out"][f"{name}, batch {batch_size}"] = answer["failed"]
            print(f"training batch {batch_size:5}  {name}: {answer['failed']}", flush=True)
            return
        expected = expected_losses(self.images, self.labels, self.views, batch_size) if batch_size <= 128 else None
        if expected is not None:
            error = difference(answer["losses"], expected[: len(answer["losses"])])
            self.report["loss_errors"].setdefault(name, {})[str(batch_size)] = error
            if not error < WRONG:
                self.report["left_out"][name] = "computes another loss"
                return
        row = {"kind": "training", "batch_size": batch_size, "name": name, "framework": "PyTorch"}
        self.add(row | summary(answer["values"]) | {"in_turns": False, "after_seconds": answer["after"]})

    def compare(self):
        """Ours beside the fastest variant of each framework, at every batch size."""
        report = self.report
        for batch_size in self.options.batches:
            rows = [row for row in report["results"] if row["batch_size"] == batch_size]
            ours = next((row for row in rows if row["name"] == OURS), None)
            for framework in ("PyTorch", "JAX"):
                theirs = [row for row in rows if row["framework"] == framework]
                if ours is None or not theirs:
                    continue
                best = min(theirs, key=lambda row: row["median_us"])
                facts = {"batch_size": batch_size, "framework": framework, "best": best["name"], **ratio(best, ours)}
                report["ratios"].append(facts)
                print(
                    f"batch {batch_size:5}: {facts['times_faster']:6.1f} times {best['name']} "
                    f"({facts['at_least']:.1f} ... {facts['at_most']:.1f}; n {facts['n'][0]} and {facts['n'][1]})",
                    flush=True,
                )


def draw(report, path):
    """Bars: time of a training step of ours and of each framework's fastest, and images a second of inference."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    best: dict[str, dict[int, float]] = {}
    for row in report["results"]:
        if row["name"] != READABLE:
            mine = best.setdefault(row["framework"], {})
            mine[row["batch_size"]] = min(row["median_us"], mine.get(row["batch_size"], float("inf")))
    batches = sorted({row["batch_size"] for row in report["results"]})
    for k, (framework, mine) in enumerate(best.items()):
        places = [batches.index(b) + (k - len(best) / 2 + 0.5) * 0.8 / len(best) for b in mine]
        axes[0].bar(places, list(mine.values()), 0.8 / len(best), label=framework)
    axes[0].set(yscale="log", title="training", xlabel="batch size", ylabel="time of a step (us)")
    axes[0].set_xticks(range(len(batches)), [str(b) for b in batches])
    axes[0].legend(fontsize=8)
    reading: dict[str, dict[str, float]] = {}
    for row in report.get("inference", ()):
        mine = reading.setdefault(row["framework"], {})
        mine[row["kind"]] = max(row["images_per_second"], mine.get(row["kind"], 0.0))
    kinds = ("resident", "host")
    for k, (framework, mine) in enumerate(reading.items()):
        places = [kinds.index(kind) + (k - len(reading) / 2 + 0.5) * 0.8 / len(reading) for kind in mine]
        axes[1].bar(places, list(mine.values()), 0.8 / len(reading), label=framework)
    axes[1].set(yscale="log", title="inference", ylabel="images a second")
    axes[1].set_xticks(range(2), ["on the device", "from and to the host"])
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
    with contextlib.suppress(OSError):  # no git here
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
        found["commit"] = done.stdout.strip() if done.returncode == 0 else "unknown"
    return found


def arguments(argv=None):
    """The command line."""

    def numbers(text):
        return [int(b) for b in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark"), help="folder for gpu.json and gpu.png")
    parser.add_argument("--batches", type=numbers, default=[32, 1024, 1, 128, 8192], help="in order of their weight")
    parser.add_argument("--chunks", type=numbers, default=[1024, 8192], help="images that a peer reads at a time")
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.06, help="length of a timed burst")
    parser.add_argument("--images", type=int, default=60_000, help="images of an epoch")
    parser.add_argument("--minutes", type=float, default=4.0, help="start nothing new after that")
    parser.add_argument("--compile-seconds", type=float, default=120.0, help="time limit of torch.compile")
    parser.add_argument("--dry-run", action="store_true", help="in small, on the CPU")
    options = parser.parse_args(argv)
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"unknown contestants: {', '.join(sorted(unknown))}")
    if options.dry_run:
        options.batches, options.repeats, options.seconds, options.images = [4, 8], 2, 0.0, 100
        options.chunks = [20, 50]
    return options


def main(argv=None):
    """Run; the exit status: 0, 1 if somebody computes something else, 2 if there is no GPU."""
    options = arguments(argv)
    try:
        backend = select_backend("cpu" if options.dry_run else "gpu")
    except LenetError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    benchmark = Benchmark(options, backend)
    try:
        benchmark.run()
    finally:
        benchmark.write()
    print(f"wrote {options.out / 'gpu.json'} after {benchmark.report['seconds']:.0f} s")
    try:
        draw(benchmark.report, options.out / "gpu.png")
        print(f"wrote {options.out / 'gpu.png'}")
    except ImportError as error:
        print(f"no picture: {error}")
    return 1 if benchmark.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
