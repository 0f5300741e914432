"""Where the time of a block that works on images goes, phase by phase, in cycles of its multiprocessor. One command:

    python tests/benchmarks/gpu_profile.py --out benchmark/profile.json

The kernels of every form are compiled once more with PROFILE, which turns each MARK in their source into a reading of
the clock; see lenet5.cuh. A batch runs some times, then the marks are read: for each pair of successive marks the
median over the blocks (and the fastest and slowest block), from the first mark to the last. A mark in a line of the
source with a comment, `MARK(3);  // C3 and S4`, gives its phase that name: the phase that ends there.

Beside it: how many blocks, and how many clusters of each size, the card runs at once with a form's threads and
shared memory, as the driver says.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from gpu_micro import batches_of
from gpu_timing import reason

from lenet_gpu import select_backend
from lenet_gpu.engine.cuda.buffers import EpochBuffers, Schedule, plain_rule
from lenet_gpu.engine.cuda.device import Kernels
from lenet_gpu.engine.cuda.forms import FORMS
from lenet_gpu.engine.cuda.occupancy import clusters_that_fit
from lenet_gpu.engine.cuda.source import INFER, OPTIONS, kernel_source
from lenet_gpu.engine.cuda.steps import StepArguments
from lenet_gpu.errors import LenetError

RUNS = 5
"""Steps that run before the marks are read: those of the last one are."""

_MARK = re.compile(r"\bMARK\((\d+)\);?[ \t]*(?://[ \t]*(.*))?")
_ARRAY = re.compile(r"\bMARKS = (\d+), PROFILED_BLOCKS = (\d+)")

CLUSTER_SIZES = tuple(range(1, 9))


def profiled(source: str) -> str:
    """The source with its marks switched on."""
    return "#define PROFILE\n" + source


def names_of_marks(source: str) -> dict[int, str]:
    """What the source calls the phase that ends at a mark, where it says so."""
    return {int(number): name.strip() for number, name in _MARK.findall(source) if name}


def phases(marks: np.ndarray, names: dict[int, str]) -> list[dict]:
    """Cycles between successive marks.

    Args:
        marks: (blocks, marks) clock readings, 0 where a block did not come by.
        names: Of the phases, by the mark that ends them.
    """
    ran = marks[(marks != 0).any(axis=1)]
    if not len(ran):
        return []
    present = np.flatnonzero((ran != 0).all(axis=0))
    order = present[np.argsort(np.median(ran[:, present] - ran[:, present].min(axis=1, keepdims=True), axis=0))]
    found = []
    for before, after in itertools.pairwise(order):
        cycles = ran[:, after] - ran[:, before]
        found.append(
            {
                "from": int(before),
                "to": int(after),
                "name": names.get(int(after), f"mark {before} to {after}"),
                "median": float(np.median(cycles)),
                "fastest": int(cycles.min()),
                "slowest": int(cycles.max()),
            }
        )
    whole = ran[:, order[-1]] - ran[:, order[0]]
    total = {"median": float(np.median(whole)), "fastest": int(whole.min()), "slowest": int(whole.max())}
    found.append({"from": int(order[0]), "to": int(order[-1]), "name": "all", **total, "blocks": len(ran)})
    return found


class Profiler:
    """A form with its marks switched on.

    Args:
        xp: The module cupy.
        kind: A class of `FORMS`.
        variant: The network.

    Attributes:
        registers: What the driver says of the form's own kernels, without marks.
    """

    def __init__(self, xp, kind, variant="modern"):
        self.xp = xp
        kernels = Kernels(xp, variant, 10, kind.folder)
        facts = ("num_regs", "local_size_bytes", "shared_size_bytes")
        self.registers = {name: {key: getattr(kernels[name], key, None) for key in facts} for name in kernels}
        source = kernel_source(variant, 10, kind.folder)
        self.names = names_of_marks(source)
        self.shape = tuple(map(int, reversed(_ARRAY.search(source).groups())))  # (blocks, marks)
        self.module = xp.RawModule(code=profiled(source), options=OPTIONS)
        kernels._module = self.module
        kernels._functions = {name: self.module.get_function(name) for name in kernels}
        self.form = kind(xp, kernels)
        if not self.form.at_once:
            raise RuntimeError("this device can't run the form")

    def read(self) -> np.ndarray:
        """The marks, which are then cleared."""
        xp = self.xp
        memory = self.module.get_global("marks")
        view = xp.ndarray(self.shape, dtype="int64", memptr=memory)
        xp.cuda.runtime.deviceSynchronize()
        found = view.get()
        view.fill(0)
        xp.cuda.runtime.deviceSynchronize()
        return found

    def training(self, batch_size: int) -> dict:
        """Phases of the kernels of a training step that have marks, by the kernel's name."""
        xp, form = self.xp, self.form
        rng = np.random.default_rng(0)
        images = xp.asarray(rng.integers(0, 256, (batch_size, 28, 28)).astype("uint8"))
        labels = xp.asarray((np.arange(batch_size) % 10).astype("uint8"))
        parameters = xp.asarray(rng.uniform(-0.05, 0.05, form.sizes.parameters).astype("float32"))
        steps = RUNS + 1
        buffers = EpochBuffers(xp, Schedule(batch_size * steps, batch_size), form.sizes, form.scratch())
        buffers.start(np.tile(np.arange(batch_size), steps), np.zeros(steps))
        pixel = np.float32(-0.1), np.float32(0.005)
        step = StepArguments(
            parameters, images, labels, np.int32(0), pixel, buffers.dummy, plain_rule(buffers), buffers
        )
        form.begin(step)
        for _ in range(RUNS):
            form.enqueue(step, 1)
        self.read()
        found = {}
        for launch in form.launches(step):
            form.launch(launch)
            found[launch.kernel] = {"blocks": launch.blocks, "phases": phases(self.read(), self.names)}
        return {kernel: facts for kernel, facts in found.items() if facts["phases"]}

    def inference(self, count: int) -> dict:
        """Phases of the inference kernel."""
        xp, form = self.xp, self.form
        images = xp.zeros((count, 28, 28), dtype="uint8")
        parameters = xp.full(form.sizes.parameters, 0.01, dtype="float32")
        scores = xp.empty((count, 10), dtype="float32")
        for _ in range(2):
            form.infer(parameters, images, (np.float32(-0.1), np.float32(0.005)), scores)
        found = phases(self.read(), self.names)
        return {INFER: {"blocks": found[-1]["blocks"], "phases": found}} if found else {}


EMPTY = 'extern "C" __global__ void nothing() {}\n'


def occupancy(xp, threads: int, shared: int) -> dict:
    """Clusters that fit at once, of an empty kernel with so many threads and so much shared memory, by size."""
    function = xp.RawModule(code=EMPTY, options=OPTIONS).get_function("nothing")
    function.max_dynamic_shared_size_bytes = shared
    return {str(size): clusters_that_fit(function, size, threads, shared) for size in CLUSTER_SIZES}


def profile(xp, kind, batches, count) -> dict:
    """All of a form; what fails is noted."""
    report: dict = {}
    profiler = Profiler(xp, kind)
    report["kernels"] = profiler.registers
    report["training"], report["inference"], report["failed"] = {}, {}, {}
    for batch_size in batches_of(profiler.form, batches):
        try:
            report["training"][str(batch_size)] = profiler.training(batch_size)
        except Exception as error:
            report["failed"][f"training, batch {batch_size}"] = reason(error)
    try:
        report["inference"][str(count)] = profiler.inference(count)
    except Exception as error:
        report["failed"]["inference"] = reason(error)
    try:
        buffers = EpochBuffers(xp, Schedule(32, 32), profiler.form.sizes, profiler.form.scratch())
        empty = xp.zeros(1, dtype="float32")
        step = StepArguments(
            empty, empty, empty, np.int32(0), (np.float32(0), np.float32(1)), empty, plain_rule(buffers), buffers
        )
        launch = profiler.form.launches(step)[0]
        sizes = {"kernel": launch.kernel, "threads": launch.threads, "shared_bytes": launch.shared_bytes}
        report["clusters_at_once"] = sizes | occupancy(xp, launch.threads, launch.shared_bytes)
    except Exception as error:
        report["failed"]["occupancy"] = reason(error)
    return report


def show(form: str, report: dict) -> None:
    """Tables."""
    for kind in ("training", "inference"):
        for images, kernels in report[kind].items():
            for kernel, facts in kernels.items():
                print(f"\n{form} form, {kernel}, {images} images, {facts['blocks']} blocks: cycles")
                for phase in facts["phases"]:
                    print(f"  {phase['name']:36} {phase['median']:9.0f} ({phase['fastest']} ... {phase['slowest']})")
    print(f"\n{form} form: clusters at once {report.get('clusters_at_once')}")
    for name, facts in report["kernels"].items():
        print(f"  {name}: {facts['num_regs']} registers, {facts['local_size_bytes']} bytes spilled or local")
    for what, why in report["failed"].items():
        print(f"  {what}: {why}")


def main(argv=None):
    """Run; the exit status: 0, 1 if a form failed, 2 if there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark/profile.json"))
    parser.add_argument("--batches", type=lambda s: [int(b) for b in s.split(",")], default=[1, 32, 128, 1024])
    parser.add_argument("--images", type=int, default=8192, help="images of the inference")
    parser.add_argument("--forms", type=lambda s: s.split(","), help="by name (default: all)")
    options = parser.parse_args(argv)
    try:
        backend = select_backend("gpu")
    except LenetError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    report: dict = {"device": backend.device_name, "forms": {}, "failed": {}}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for kind in FORMS:
        if options.forms and kind.name not in options.forms:
            continue
        try:
            report["forms"][kind.name] = profile(backend.xp, kind, options.batches, options.images)
            show(kind.name, report["forms"][kind.name])
        except Exception as error:
            report["failed"][kind.name] = reason(error)
            print(f"{kind.name} form: {report['failed'][kind.name]}", flush=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out}")
    return int(bool(report["failed"]))


if __name__ == "__main__":
    sys.exit(main())
