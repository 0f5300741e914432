"""Speed on the CPU, side by side with PyTorch, JAX, ONNX Runtime, OpenVINO and MNN.

Every contender is a process of its own that is made ready first and then runs bursts in turn while the others
sleep; see README.md beside this file. All compute the same: `modern`, real MNIST resident as uint8, the same
initial parameters, order and batches; gather, conversion, forward, backward and SGD update in every timed
step. That they agree is checked before anything is timed.

    python tests/benchmarks/cpu.py --peers-python PYTHON_WITH_TORCH_JAX_ONNXRUNTIME --out cpu.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from pool import ROOT, Child, Spec, Spinner, all_specs, machine_facts

sys.path.insert(0, str(ROOT))

import summary

BATCHES = (32, 256, 1024)
SIZES = (1, 1000, 10000)
CHECK_STEPS = 8
LOSS_TOLERANCE, PARAMETER_TOLERANCE = 3e-6, 3e-6
"""Largest difference from the layered engine: relative for losses, absolute for parameters."""
PROBABILITY_TOLERANCE, APPROXIMATE = 5e-6, {"mnn": 2e-4}
"""The same for probabilities: a trained network's outputs reach 20, where a rounding of float32 is 1e-6. MNN
approximates tanh."""

DROP_AFTER, DROP_BELOW = 2, 0.7
"""After two rounds a rival's configuration below 0.7 of that rival's best one is not measured further."""

TASKS = {"training": "train", "inference": "infer"}

BUSY = ("cpu_plan/1", "cpu_plan/2", "torch-compile/channels_last/1", "torch-compile/channels_last/2",
        "torch-eager/channels_last/2", "jax/NHWC/2")  # fmt: skip
BUSY_BATCHES = (32, 256)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="has the peers installed")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="interleaved rounds (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.1, metavar="S", help="length of a burst (default: 1.1)")
    parser.add_argument("--threads", default="1,2", metavar="N,N", help="numbers of threads (default: 1,2)")
    parser.add_argument(
        "--only", metavar="TEXT,TEXT",
        help="training or inference alone; only contenders whose name has one of the other words in it",
    )  # fmt: skip
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)), help="batch sizes of training")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of images of inference")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.3 s: does everything work?")
    parser.add_argument("--busy", action="store_true", help="training with and without one busy core instead")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps what torch.compile has compiled")
    parser.add_argument("--out", type=Path, metavar="JSON", help="where the results go")
    parser.add_argument(
        "--merge", action="store_true", help="keep what else is in the file of --out, with its commit and date"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 0.3
    if options.cache is None:
        options.cache = Path(tempfile.gettempdir()) / "lenet-gpu-benchmarks"
    options.cache.mkdir(parents=True, exist_ok=True)
    options.threads = tuple(map(int, options.threads.split(",")))
    options.batches = tuple(map(int, options.batches.split(",")))
    options.sizes = tuple(map(int, options.sizes.split(",")))
    words = options.only.split(",") if options.only else []
    options.tasks = [task for word, task in TASKS.items() if word in words] or list(TASKS.values())
    options.names = [word for word in words if word not in TASKS]
    if options.busy:
        options.tasks, options.batches = ["train"], BUSY_BATCHES
    if options.merge and not (options.out and options.out.is_file()):
        parser.error("--merge needs the file of --out")
    return options


def say(text: str, start: float = time.monotonic()) -> None:
    print(f"[{time.monotonic() - start:5.0f} s] {text}", file=sys.stderr, flush=True)


def chosen(options: argparse.Namespace) -> list[Spec]:
    specs = all_specs(options.threads)
    if options.busy:
        specs = [s for s in specs if s.name in BUSY]
    if options.names:
        specs = [s for s in specs if any(text in s.name for text in options.names)]
    trains, infers = "train" in options.tasks, "infer" in options.tasks
    specs = [s for s in specs if (s.trains and trains) or (s.infers and infers)]
    if not specs:
        raise SystemExit("no contender is left; see --only")
    return specs


def compile_all(children: list[Child], options: argparse.Namespace) -> dict:
    """Make every contender ready, two at a time: this is not timed. Returns their versions."""
    tasks = options.tasks

    def one(child: Child) -> dict:
        start = time.monotonic()
        versions = child.ask("versions")
        if child.spec.trains and "train" in tasks:
            for batch in options.batches:
                child.ask("compile_training", batch=batch)
        if child.spec.infers and "infer" in tasks:
            child.ask("compile_inference", sizes=list(options.sizes))
        say(f"{child.spec.name}: ready after {time.monotonic() - start:.0f} s")
        return versions

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(one, children))
    # NumPy and Python of our own processes are the ones that matter; the peers' come under their names.
    versions: dict[str, str] = {}
    for child, version in zip(children, found, strict=True):
        if child.spec.ours:
            versions |= version
        else:
            versions |= {k: v for k, v in version.items() if k not in ("numpy", "python")}
            versions["python of the peers"] = version["python"]
    return versions


def check(children: list[Child], options: argparse.Namespace, folder: Path) -> list[dict]:
    """That all compute the same, against the layered engine run here."""
    from network import start_parameters, trained_parameters

    from lenet_gpu import LeNet5, load_dataset
    from lenet_gpu.engine.layered import LayeredEngine
    from lenet_gpu.nn.optim import SGD
    from lenet_gpu.seeds import epoch_order

    data = load_dataset("mnist", download=False, progress=False)
    path, found = folder / "check.npz", []
    for batch in options.batches if "train" in options.tasks else ():
        model = LeNet5()
        model.set_parameters(start_parameters(model))
        engine = LayeredEngine(model, SGD())
        engine.load(data.train.images, data.train.labels)
        order = epoch_order(0, 1, len(data.train.labels))[: CHECK_STEPS * batch]
        losses = engine.train(order, batch, np.full(CHECK_STEPS, 0.05))
        for child in (c for c in children if c.spec.trains):
            child.ask("check_training", batch=batch, steps=CHECK_STEPS, path=str(path))
            with np.load(path) as file:
                loss = float(np.abs(file["losses"] / losses - 1).max())
                parameter = float(np.abs(file["parameters"] - model.host_parameters()).max())
            fact = {"name": child.spec.name, "task": "train", "size": batch, "steps": CHECK_STEPS}
            found.append({**fact, "loss_difference": loss, "parameter_difference": parameter})
            if not (loss <= LOSS_TOLERANCE and parameter <= PARAMETER_TOLERANCE):
                raise SystemExit(f"{child.spec.name} computes something else: {found[-1]}")
    if "infer" in options.tasks:
        n = 1000
        model = LeNet5()
        model.set_parameters(trained_parameters())
        wanted = model.forward(data.test.images[:n])
        for child in (c for c in children if c.spec.infers):
            for size in {1 if 1 in options.sizes else n, n if max(options.sizes) >= n else 1}:
                child.ask("warm_inference", n=size, seconds=0.0)
                child.ask("check_inference", n=size, path=str(path))
                with np.load(path) as file:
                    difference = float(np.abs(file["probabilities"] - wanted[:size]).max())
                fact = {"name": child.spec.name, "task": "infer", "size": size}
                found.append({**fact, "probability_difference": difference})
                if not difference <= APPROXIMATE.get(child.spec.implementation, PROBABILITY_TOLERANCE):
                    raise SystemExit(f"{child.spec.name} computes something else: {found[-1]}")
    return found


def burst(child: Child, task: str, size: int, seconds: float, chunk: int) -> dict:
    time.sleep(0.02)  # spinning threads of the one before have gone to sleep
    if task == "train":
        return child.measure("train", batch=size, seconds=seconds)
    return child.measure("infer", n=size, seconds=seconds, chunk=chunk)


def measure(children: list[Child], options: argparse.Namespace) -> list[dict]:
    """All rounds of all workloads; one result for each contender and workload."""
    plan = [("train", b) for b in options.batches if "train" in options.tasks]
    plan += [("infer", n) for n in options.sizes if "infer" in options.tasks]
    shuffle, spinner, results = random.Random(0), Spinner() if options.busy else None, []
    try:
        for task, size in plan:
            here = [c for c in children if (c.spec.trains if task == "train" else c.spec.infers)]
            if size == 1:  # a worker elsewhere is no help with a single image
                here = [c for c in here if c.spec.implementation != "cpu_plan" or c.spec.threads == 1]
            # Single images need fewer seconds for the same spread.
            seconds = options.seconds if task == "train" else options.seconds / 2
            entries = {}
            for child in here:
                spec = child.spec
                entry = {
                    "task": task, "size": size, "name": spec.name, "implementation": spec.implementation,
                    "layout": spec.layout, "threads": spec.threads, "chunk": 0, "rates": [], "others": [],
                }  # fmt: skip
                if options.busy:
                    entry["busy_rates"] = []
                if task == "train":
                    child.ask("warm_training", batch=size, seconds=min(0.5, seconds))
                else:
                    entry["chunk"] = child.ask("warm_inference", n=size, seconds=min(0.5, seconds))["chunk"]
                entries[spec.name] = entry
            for turn in range(options.rounds):
                if turn == DROP_AFTER and not options.busy:
                    for entry in summary.too_slow(list(entries.values()), DROP_BELOW):
                        entry["dropped"] = True
                    here = [c for c in here if not entries[c.spec.name].get("dropped")]
                for child in shuffle.sample(here, len(here)):
                    entry = entries[child.spec.name]
                    done = burst(child, task, size, seconds, entry["chunk"])
                    entry["rates"].append(done["images"] / done["seconds"])
                    entry["others"].append(done.get("others"))
                    if spinner is not None:
                        spinner.start()
                        done = burst(child, task, size, seconds, entry["chunk"])
                        spinner.stop()
                        entry["busy_rates"].append(done["images"] / done["seconds"])
            results += entries.values()
            fastest = max(entries.values(), key=lambda e: median(e["rates"]))
            say(f"{task} {size}: {len(entries)} contenders, {options.rounds} rounds; fastest {fastest['name']}")
    finally:
        if spinner is not None:
            spinner.close()
    return results


def table(report: dict) -> str:
    """The results as text."""
    lines = []
    for (task, size), group in itertools.groupby(report["results"], key=lambda r: (r["task"], r["size"])):
        entries = sorted(group, key=lambda r: -median(r["rates"]))
        lines.append(f"\n{'training, batch' if task == 'train' else 'inference, images'} {size}")
        for entry in entries:
            facts = summary.spread(entry["rates"])
            values = [summary.speed_text(task, size, facts[key]) for key in ("median", "min", "max")]
            line = f"  {entry['name']:32s} {values[0]:>10s}  ({values[1]} to {values[2]}, n {facts['n']})"
            if entry.get("busy_rates"):
                share = median(entry["busy_rates"]) / facts["median"]
                line += f"  beside a busy core {median(entry['busy_rates']):,.0f} = {share:.2f} of it"
            lines.append(line)
        for entry in entries:
            own = [r for r in report["ratios"] if (r["task"], r["size"], r["ours"]) == (task, size, entry["name"])]
            if own:
                texts = [f"{r['family']} {summary.ratio_text(r['of_medians'])}" for r in own]
                lines.append(f"  {entry['name']} against the best of: {', '.join(texts)}")
    noise = [x for r in report["results"] for x in r["others"] if x is not None]
    if noise:
        lines.append(
            f"\nother processes used {median(noise):.2f} cores (median of the bursts), {max(noise):.2f} at most"
        )
    return "\n".join(lines)


def main() -> None:
    options = parse()
    facts, start = machine_facts(), time.time()
    children: list[Child] = []
    try:
        children = [Child(spec, options.peers_python, options.cache) for spec in chosen(options)]
        versions = compile_all(children, options)
        with tempfile.TemporaryDirectory() as folder:
            checks = check(children, options, Path(folder))
        say(f"all {len(children)} contenders compute the same")
        results = measure(children, options)
        for child in children:
            peak = child.ask("memory")["peak_rss_mib"]
            say(f"{child.spec.name}: peak {peak:.0f} MiB") if options.quick else None
    finally:
        for child in children:
            child.close()
    report = {
        "kind": "busy" if options.busy else "cpu",
        "date": time.strftime("%Y-%m-%d", time.gmtime(start)),
        "duration_s": round(time.time() - start),
        "machine": facts,
        "versions": versions,
        "settings": {"rounds": options.rounds, "seconds": options.seconds, "quick": options.quick},
        "checks": checks,
        "results": [{**r, **{"summary": summary.spread(r["rates"])}} for r in results],
        "ratios": summary.ratios(results),
    }
    print(table(report))
    if options.out:
        if options.merge:
            report = summary.merged(json.loads(options.out.read_text(encoding="utf-8")), report)
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
