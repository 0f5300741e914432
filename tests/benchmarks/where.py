"""Where the time of a training step goes on the CPU, and what the arithmetic alone would take.

    python tests/benchmarks/where.py --out where.json

Every prepared call of the plan is timed on its own, many times over, and booked on the layer whose array it
writes. The floor is the speed of one large matrix product, with one process a core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from pool import ROOT, THREAD_VARIABLES, UNWANTED_VARIABLES, child_environment, machine_facts

os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")
for _name in UNWANTED_VARIABLES:
    os.environ.pop(_name, None)
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from lenet_gpu import LeNet5, load_dataset  # noqa: E402
from lenet_gpu.engine.cpu.plan import CHUNK, CpuPlan  # noqa: E402

FORWARD_MACS = {"C1": 6 * 25 * 784, "C3": 60 * 25 * 100, "C5": 400 * 120, "F6": 120 * 84, "output": 84 * 10}
"""Multiplications and additions of an image, Table I exploited; subsampling is no product."""

ELEMENTWISE = {"exp": "squashing", "tanh": "squashing", "divide": "squashing", "copyto": "gather and copies",
               "take": "gather and copies", "matmul": "matrix products", "dot": "matrix products"}  # fmt: skip

SGEMM = """
import numpy as np, time
a = np.random.default_rng(0).random((768, 768), np.float32)
out = np.empty_like(a)
best = 0.0
end = time.monotonic() + 2.0
while time.monotonic() < end:
    start = time.perf_counter()
    for _ in range(4): np.matmul(a, a, out)
    best = max(best, 4 * 2 * 768**3 / (time.perf_counter() - start) / 1e9)
print(best)
"""


def sgemm(processes: int) -> float:
    """GFLOP/s of so many processes at once, each with one thread."""
    running = [
        subprocess.Popen([sys.executable, "-c", SGEMM], stdout=subprocess.PIPE, text=True, env=child_environment(1))
        for _ in range(processes)
    ]
    return sum(float(process.communicate()[0]) for process in running)


class Recorder:
    """Stands in for the plan's `run`: times the calls one by one."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[int, int], list[float]] = {}
        self.calls: dict[tuple[int, int], tuple] = {}

    def run(self, calls) -> None:
        clock = time.perf_counter
        for i, (function, arguments) in enumerate(calls):
            start = clock()
            function(*arguments)
            key = (id(calls), i)
            self.seconds.setdefault(key, []).append(clock() - start)
            self.calls[key] = (function, arguments)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def owners(plan: CpuPlan, model: LeNet5, gradients: np.ndarray) -> list[tuple[int, int, str]]:
    """(first byte, end, layer) of the arrays whose owner is known by name."""
    found = []
    for name, array in plan._programs.forward.arrays(CHUNK).items():
        start = address(array)
        found.append((start, start + array.nbytes, layer_of(name)))
    for name, view in model.views_of(gradients).items():
        found.append((address(view), address(view) + view.nbytes, layer_of(name)))
    return sorted(found, key=lambda f: f[1] - f[0])  # the narrowest first


def layer_of(name: str) -> str:
    for prefix, layer in (("c1", "C1"), ("s2", "S2"), ("c3", "C3"), ("fold", "C3"), ("s4", "S4"), ("c5", "C5"),
                          ("f6", "F6"), ("output", "output")):  # fmt: skip
        if name.startswith(prefix):
            return layer
    return "input"


def profile(steps: int) -> dict:
    """Time of every call of a one-worker step over one full chunk, by layer and by kind."""
    from lenet_gpu.engine.cpu import plan as steps_of
    from lenet_gpu.engine.cpu import programs as builds_of

    data = load_dataset("mnist", download=False, progress=False)
    images = np.ascontiguousarray(data.train.images.reshape(len(data.train.images), -1))
    labels = data.train.labels.astype(np.intp)
    model, recorder = LeNet5(seed=0), Recorder()
    gradients = model.gradients
    plan = CpuPlan.of(model, [gradients])
    order = np.random.default_rng(0).permutation(len(labels))[: CHUNK * steps].reshape(steps, CHUNK)
    usual = steps_of.run
    plan.gradients(images, labels, order[0])  # prepares everything
    whole = []
    for indices in order:
        start = time.perf_counter()
        plan.gradients(images, labels, indices)
        whole.append(time.perf_counter() - start)
    total = 1e6 * median(whole) / CHUNK
    steps_of.run = builds_of.run = recorder.run
    try:
        for indices in order:
            plan.gradients(images, labels, indices)
    finally:
        steps_of.run = builds_of.run = usual
    known = owners(plan, model, gradients)
    layers: dict[str, dict[str, float]] = {}
    kinds: dict[str, float] = {}
    executed, last = 0.0, "weights"
    for key, (function, arguments) in recorder.calls.items():
        if len(recorder.seconds[key]) < steps // 2:
            continue  # done once, when a chunk's size changes
        us = 1e6 * median(recorder.seconds[key]) / CHUNK
        out = next((a for a in reversed(arguments) if isinstance(a, np.ndarray)), None)
        if out is None:
            out = getattr(function, "__self__", None)
        place = address(out) if isinstance(out, np.ndarray) else -1
        layer = next((name for start, end, name in known if start <= place < end), last)
        last = layer  # scratch arrays belong to what was computed just before
        name = getattr(function, "__name__", "")
        flops = 0.0
        if name in ("matmul", "dot"):
            a, b = arguments[:2] if name == "matmul" else (function.__self__, arguments[0])
            columns = b.shape[-1] if b.ndim > 1 else 1
            flops = 2.0 * a.size * columns / CHUNK
        entry = layers.setdefault(layer, {"us": 0.0, "matmul_us": 0.0, "flops": 0.0})
        entry["us"] += us
        if flops:
            entry["matmul_us"] += us
            entry["flops"] += flops
        executed += flops
        kind = ELEMENTWISE.get(name, "other element-wise")
        kinds[kind] = kinds.get(kind, 0.0) + us
    rest = total - sum(entry["us"] for entry in layers.values())
    kinds["gather of the batch, chunking"] = max(0.0, rest)
    ranks = ["input", "C1", "S2", "C3", "S4", "C5", "F6", "output", "weights"]
    layers = {name: layers[name] for name in ranks if name in layers}
    return {"chunk": CHUNK, "layers": layers, "kinds": dict(sorted(kinds.items(), key=lambda k: -k[1])),
            "total_us": total, "mflop_executed": executed / 1e6}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400, metavar="N", help="steps timed (default: 400)")
    parser.add_argument("--out", type=Path, metavar="JSON", help="where the results go")
    options = parser.parse_args()
    facts = machine_facts()
    found = profile(options.steps)
    # Forward, the gradient of the weights, and (except in C1) the gradient of the inputs: a product each.
    needed = 2e-6 * (3 * sum(FORWARD_MACS.values()) - FORWARD_MACS["C1"])
    executed = found.pop("mflop_executed")
    one, all_cores = sgemm(1), sgemm(facts["cores"])
    floor = {
        "gflops_1": one, "gflops_all": all_cores, "cores": facts["cores"], "mflop_needed": needed,
        "mflop_executed": executed, "needed_1": 1e3 * one / needed, "needed_all": 1e3 * all_cores / needed,
        "executed_1": 1e3 * one / executed, "executed_all": 1e3 * all_cores / executed,
    }  # fmt: skip
    date = time.strftime("%Y-%m-%d", time.gmtime())
    versions = {"numpy": np.__version__}
    report = {"kind": "where", "date": date, "machine": facts, "versions": versions, **found, "floor": floor}
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
