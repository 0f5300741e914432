"""The rung "one kernel a layer" of docs/explain/gpu_ladder.md: its kernels, taken from the page, and their step.

    python tests/benchmarks/gpu_ladder.py

times a step at batch 32 on this machine's GPU, captured in a CUDA graph. The same kernels are executed on the CPU by
tests/engine/cuda/test_ladder.py.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from lenet_gpu.paper import C3_TABLE

PAGE = ROOT / "docs" / "explain" / "gpu_ladder.md"
THREADS = 128
SHAPES = {
    "x": (1, 32, 32), "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5), "c5": (120,),
    "f6": (84,), "output": (10,),
}  # fmt: skip
"""Outputs of the layers for one image."""

TABLE = np.full((16, 6), -1, np.int32)
"""Numbers of C3's kernels by map and S2 map; -1: not connected (Table I)."""
PAIR_MAP = np.array([map_ for map_, inputs in enumerate(C3_TABLE) for _ in inputs], np.int32)
PAIR_INPUT = np.array([i for inputs in C3_TABLE for i in inputs], np.int32)
TABLE[PAIR_MAP, PAIR_INPUT] = np.arange(60)

FACTS = {
    "table": TABLE, "pair_map": PAIR_MAP, "pair_input": PAIR_INPUT, "c1_table": np.arange(6, dtype=np.int32),
    "c1_map": np.arange(6, dtype=np.int32), "c1_input": np.zeros(6, np.int32),
}  # fmt: skip


def source():
    """The page's CUDA C++."""
    return re.search(r"```cuda\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)


def names():
    """Names of the page's kernels."""
    return re.findall(r"__global__ void (\w+)\(", source())


def arrays(xp, batch):
    """Everything that lies in memory besides the parameters: outputs, derivatives, facts."""
    found = {name: xp.zeros((batch, *shape), dtype="float32") for name, shape in SHAPES.items()}
    found |= {
        f"d_{name}": xp.zeros((batch, *shape), dtype="float32") for name, shape in SHAPES.items() if name != "x"
    }
    return found | {name: xp.asarray(value) for name, value in FACTS.items()} | {"loss": xp.zeros(batch, "float32")}


def launches(a, p, images, labels, order, rate):
    """The launches of one step as (kernel, threads, arguments): `a` arrays, `p` parameters by name."""
    n, i, rate = len(order), np.int32, np.float32(rate)
    batch = i(n)
    forward = [
        ("input", n * 1024, (images, order, batch, a["x"])),
        (
            "convolve",
            n * 4704,
            (a["x"], p["c1.weight"], p["c1.bias"], a["c1_table"], batch, i(1), i(6), i(28), a["c1"]),
        ),
        ("subsample", n * 1176, (a["c1"], p["s2.coefficient"], p["s2.bias"], batch, i(6), i(14), a["s2"])),
        (
            "convolve",
            n * 1600,
            (a["s2"], p["c3.weight"], p["c3.bias"], a["table"], batch, i(6), i(16), i(10), a["c3"]),
        ),
        ("subsample", n * 400, (a["c3"], p["s4.coefficient"], p["s4.bias"], batch, i(16), i(5), a["s4"])),
        ("dense", n * 120, (a["s4"], p["c5.weight"], p["c5.bias"], batch, i(400), i(120), i(1), a["c5"])),
        ("dense", n * 84, (a["c5"], p["f6.weight"], p["f6.bias"], batch, i(120), i(84), i(1), a["f6"])),
        ("dense", n * 10, (a["f6"], p["output.weight"], p["output.bias"], batch, i(84), i(10), i(0), a["output"])),
        ("softmax", n, (a["output"], labels, order, batch, a["d_output"], a["loss"])),
    ]
    backward = [
        ("dense_back", n * 84, (a["d_output"], p["output.weight"], a["f6"], batch, i(84), i(10), a["d_f6"])),
        ("dense_back", n * 120, (a["d_f6"], p["f6.weight"], a["c5"], batch, i(120), i(84), a["d_c5"])),
        ("dense_back", n * 400, (a["d_c5"], p["c5.weight"], a["s4"], batch, i(400), i(120), a["d_s4"])),
        ("subsample_back", n * 1600, (a["d_s4"], p["s4.coefficient"], a["c3"], batch, i(16), i(5), a["d_c3"])),
        (
            "convolve_back",
            n * 1176,
            (a["d_c3"], p["c3.weight"], a["table"], a["s2"], batch, i(6), i(16), i(10), a["d_s2"]),
        ),
        ("subsample_back", n * 4704, (a["d_s2"], p["s2.coefficient"], a["c1"], batch, i(6), i(14), a["d_c1"])),
    ]
    update = [
        (
            "dense_update",
            850,
            (a["d_output"], a["f6"], batch, i(84), i(10), rate, p["output.weight"], p["output.bias"]),
        ),
        ("dense_update", 10164, (a["d_f6"], a["c5"], batch, i(120), i(84), rate, p["f6.weight"], p["f6.bias"])),
        ("dense_update", 48120, (a["d_c5"], a["s4"], batch, i(400), i(120), rate, p["c5.weight"], p["c5.bias"])),
        (
            "subsample_update",
            32 * THREADS,
            (a["d_s4"], a["c3"], batch, i(16), i(5), rate, p["s4.coefficient"], p["s4.bias"]),
        ),
        (
            "convolve_update",
            1516 * THREADS,
            (
                a["d_c3"],
                a["s2"],
                a["pair_map"],
                a["pair_input"],
                batch,
                i(6),
                i(16),
                i(10),
                i(60),
                rate,
                p["c3.weight"],
                p["c3.bias"],
            ),
        ),
        (
            "subsample_update",
            12 * THREADS,
            (a["d_s2"], a["c1"], batch, i(6), i(14), rate, p["s2.coefficient"], p["s2.bias"]),
        ),
        (
            "convolve_update",
            156 * THREADS,
            (
                a["d_c1"],
                a["x"],
                a["c1_map"],
                a["c1_input"],
                batch,
                i(1),
                i(6),
                i(28),
                i(6),
                rate,
                p["c1.weight"],
                p["c1.bias"],
            ),
        ),
    ]
    return [*forward, *backward, *update]


def main(batch=32, steps=20, repeats=9):
    """Time a step; microseconds: median, smallest, largest."""
    import cupy

    from lenet_gpu import LeNet5

    network = LeNet5(backend="gpu")
    rng = np.random.default_rng(0)
    images = cupy.asarray(rng.integers(0, 256, (batch, 28, 28), dtype=np.uint8))
    labels = cupy.asarray(rng.integers(0, 10, batch, dtype=np.uint8))
    order = cupy.arange(batch, dtype="int32")
    module = cupy.RawModule(code=source(), options=("-std=c++17",))
    kernels = {name: module.get_function(name) for name in names()}
    a = arrays(cupy, batch)
    work = launches(a, network.views, images, labels, order, 0.01)
    stream = cupy.cuda.Stream(non_blocking=True)
    network.backend.synchronize()
    with stream:

        def step():
            for name, count, arguments in work:
                kernels[name]((-(-count // THREADS),), (THREADS,), arguments)

        step()
        stream.synchronize()
        stream.begin_capture()
        for _ in range(steps):
            step()
        graph, found = stream.end_capture(), []
        for _ in range(repeats + 1):
            start, stop = cupy.cuda.Event(), cupy.cuda.Event()
            start.record(stream)
            graph.launch()
            stop.record(stream)
            stop.synchronize()
            found.append(cupy.cuda.get_elapsed_time(start, stop) * 1e3 / steps)
    median, low, high = statistics.median(found[1:]), min(found[1:]), max(found[1:])
    print(f"one kernel a layer, batch {batch}: {median:.1f} us a step ({low:.1f} ... {high:.1f}, n {repeats})")
    return {"batch_size": batch, "median_us": median, "min_us": low, "max_us": high, "n": repeats}


if __name__ == "__main__":
    main()
