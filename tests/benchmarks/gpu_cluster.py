"""The cluster form's kernels on a GPU since Hopper: right, the same bytes twice, and how fast. One command:

    python tests/benchmarks/gpu_cluster.py [--profile]

A gradient is compared with the readable layers' in float64, then steps are timed by CUDA events (median of 5, in
microseconds a step): `TRAIN_ALONE` at batch 1, `TRAIN_IMAGES` and `UPDATE` in graphs of 64 steps. With
--profile the kernels are compiled with their marks, and the cycles between them are printed for the last image.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import ctypes
import statistics
import sys
import time
from pathlib import Path

import cupy as cp
import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2])]

from lenet_gpu import load_dataset
from lenet_gpu.augment.augmentation import PAPER
from lenet_gpu.augment.distort import elastic_fields
from lenet_gpu.engine.cuda.buffers import LOSSES, NESTEROV, RATES, update_blocks
from lenet_gpu.engine.cuda.source import (
    ALONE_CLUSTER,
    ALONE_THREADS,
    CLUSTER,
    CLUSTER_THREADS,
    OPTIONS,
    PACK,
    TRAIN_ALONE,
    TRAIN_IMAGES,
    UPDATE,
    UPDATE_THREADS,
    cluster_sizes,
    kernel_source,
    sizes,
)
from lenet_gpu.nn.lenet5 import LeNet5

GRAPH_STEPS, REPEATS, ALONE_STEPS = 64, 5, 2048
MARKS = [
    "start",
    "mail expected",
    "C1 S2 sent",
    "S2 there",
    "C3 pairs",
    "S4",
    "C5 sent",
    "C5 there",
    "C5 squashed",
    "F6 sent",
    "F6 there",
    "dF6",
    "dC5 sent",
    "dC5 there",
    "back C5",
    "back S4",
    "C3 inputs sent",
    "C3 weights",
    "S2 back there",
    "S2",
    "C1 weights",
    "C1 sums sent",
    "C1 sums there",
    "end of step",
    "begin",
    "margins clear",
    "expected image",
    "step number",
    "kernels of C1 to S4",
    "end",
]


class LaunchAttribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_char * 4), ("value", ctypes.c_uint * 16)]


class LaunchConfig(ctypes.Structure):
    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("count", ctypes.c_uint),
    ]


def clusters_that_fit(kernel, cluster, threads, shared):
    """How many clusters run at once, by the driver's cuOccupancyMaxActiveClusters."""
    attribute = LaunchAttribute(4, b"", (ctypes.c_uint * 16)(cluster, 1, 1))  # 4: the cluster's dimension
    config = LaunchConfig((cluster, 1, 1), (threads, 1, 1), shared, None, ctypes.pointer(attribute), 1)
    found = ctypes.c_int(-1)
    driver = ctypes.CDLL("libcuda.so.1")
    status = driver.cuOccupancyMaxActiveClusters(
        ctypes.byref(found), ctypes.c_void_p(kernel.kernel.ptr), ctypes.byref(config)
    )
    return found.value if status == 0 else f"status {status}"


class Kernels:
    def __init__(self, variant, profile=False):
        self.variant, self.sizes, self.own = variant, sizes(variant), cluster_sizes(variant)
        options = (*OPTIONS, "-DPROFILE") if profile else OPTIONS
        self.modules = {
            form: cp.RawModule(code=kernel_source(variant, form=form), options=options)
            for form in ("alone", "cluster")
        }
        self.alone = self.modules["alone"].get_function(TRAIN_ALONE)
        self.images, self.update, self.pack = map(self.modules["cluster"].get_function, (TRAIN_IMAGES, UPDATE, PACK))
        self.alone.max_dynamic_shared_size_bytes = self.own.alone_shared_bytes
        self.images.max_dynamic_shared_size_bytes = self.own.shared_bytes
        self.images.preferred_shared_memory_carveout = 100


class Epoch:
    """An epoch's buffers."""

    def __init__(self, kernels, data, order, batch, rates, loss="cross_entropy", rule=0, distortions=None):
        self.k, self.batch, self.loss, self.rule = kernels, batch, loss, rule
        self.images, self.labels, self.fields = data
        self.start = LeNet5(kernels.variant, seed=3).host_parameters()
        self.parameters = cp.asarray(self.start)
        self.packed = cp.zeros(CLUSTER * kernels.own.part, "float32")
        self.order = cp.asarray(np.asarray(order, np.int32))
        self.rates = cp.asarray(np.asarray(rates, np.float32))
        self.steps = len(rates)
        self.dummy = cp.zeros(1, "float32")
        self.state = [cp.zeros_like(self.parameters), self.parameters.copy(), cp.ones_like(self.parameters)]
        self.shares, self.losses = cp.zeros_like(self.rates), cp.zeros_like(self.rates)
        self.correct, self.counter = cp.zeros(self.steps, "int32"), cp.zeros(4, "int32")
        self.groups = cp.zeros((batch, kernels.sizes.group), "float32")
        self.records = cp.zeros((batch, kernels.sizes.record), "float32")
        self.distortions = None if distortions is None else cp.asarray(distortions)
        self.reset()

    def reset(self):
        self.parameters.set(self.start)
        self.counter.set(np.array([0, 0, len(self.order), self.batch], np.int32))
        self.k.pack((64,), (CLUSTER_THREADS,), (self.parameters, self.packed))

    def of_images(self):
        distorted = self.distortions is not None
        return (
            self.images, self.labels, self.order, np.int32(LOSSES[self.loss]), np.float32(-0.1),
            np.float32(1.275 / 255), np.int32(distorted), self.distortions if distorted else self.dummy,
            self.fields if distorted else self.dummy,
        )  # fmt: skip

    def of_rule(self):
        velocity, average, rates = self.state
        return (np.int32(self.rule), velocity, average, np.float32(0.9), np.float32(1e-4), rates)

    def alone(self, steps):
        arguments = (
            self.parameters, *self.of_images(), *self.of_rule(), self.rates, self.shares, self.counter, self.losses,
            self.correct, np.int32(steps),
        )  # fmt: skip
        self.k.alone((ALONE_CLUSTER,), (ALONE_THREADS,), arguments, shared_mem=self.k.own.alone_shared_bytes)

    def step(self):
        arguments = (self.parameters, self.packed, *self.of_images(), self.counter, self.groups, self.records)
        grid = (CLUSTER * self.batch,)
        self.k.images(grid, (CLUSTER_THREADS,), arguments, shared_mem=self.k.own.shared_bytes)
        arguments = (
            self.parameters, *self.of_rule(), self.groups, self.records, self.rates, self.shares, self.counter,
            self.losses, self.correct, self.packed,
        )  # fmt: skip
        self.k.update((update_blocks(self.parameters.size),), (UPDATE_THREADS,), arguments)


def timed(stream, work, before):
    found = []
    for _ in range(REPEATS + 1):
        before()
        first, last = cp.cuda.Event(), cp.cuda.Event()
        first.record(stream)
        work()
        last.record(stream)
        last.synchronize()
        found.append(cp.cuda.get_elapsed_time(first, last) * 1e3)
    return statistics.median(found[1:]), min(found[1:]), max(found[1:])


def check(stream, kernels, data, host, batch, loss):
    order = np.arange(batch)
    rate = 4096.0  # so that what the weights were before makes no difference
    epoch = Epoch(kernels, data, order, batch, [rate], loss)
    outcomes = []
    for _ in range(2):
        epoch.reset()
        epoch.alone(1) if batch == 1 else epoch.step()
        stream.synchronize()
        outcomes.append(epoch.parameters.get())
    oracle = LeNet5(kernels.variant, dtype="float64")
    oracle.set_parameters(epoch.start)
    oracle.loss = loss
    expected = float(oracle.loss_backward(host[0][:batch], host[1][:batch]))
    found = oracle.views_of((epoch.start.astype(float) - outcomes[0]) / rate)
    errors = {n: np.abs(found[n] - g).max() / np.abs(g).max() for n, g in oracle.views_of(oracle.gradients).items()}
    worst = max(errors, key=errors.get)
    print(
        f"gradient {loss}, batch {batch}: error {errors[worst]:.1e} ({worst}), loss "
        f"{float(epoch.losses.get()[0]) / expected - 1:.1e}, same bytes {np.array_equal(*outcomes)}",
        flush=True,
    )


def profile(stream, kernels, data, batch, rng):
    order = rng.permutation(60000)[: batch * 40]
    epoch = Epoch(kernels, data, order, batch, np.full(40, 0.01))
    if batch == 1:
        epoch.alone(40)
    else:
        for _ in range(40):
            epoch.step()
    stream.synchronize()
    alone = batch == 1
    module, blocks = kernels.modules["alone" if alone else "cluster"], ALONE_CLUSTER if alone else CLUSTER * batch
    marks = cp.ndarray((512, 32), "int64", module.get_global("marks")).get()[:blocks]
    order_of_marks = [*range(24)] if alone else [*range(24, 29), *range(23), 29]
    found = marks[:, order_of_marks]
    between = np.diff(found, axis=1)
    print(f"batch {batch}, cycles between marks, median (most); all {np.median(found[:, -1] - found[:, 0]):.0f}")
    for k, mark in enumerate(order_of_marks[1:]):
        print(f"  {MARKS[mark]:18} {np.median(between[:, k]):7.0f} ({between[:, k].max():.0f})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    began = time.time()
    train = load_dataset("mnist", data_dir=Path(__file__).parents[2] / "data" / "mnist", download=False).train
    host = np.ascontiguousarray(train.images), train.labels.astype(np.uint8)
    stream = cp.cuda.Stream(non_blocking=True)
    rng = np.random.default_rng(0)
    with stream:
        data = cp.asarray(host[0]), cp.asarray(host[1]), cp.asarray(np.ascontiguousarray(elastic_fields()))
        kernels = {name: Kernels(name) for name in ("modern", "paper")}
        for name, k in kernels.items():
            for which, kernel, cluster, threads, shared in (
                (TRAIN_ALONE, k.alone, ALONE_CLUSTER, ALONE_THREADS, k.own.alone_shared_bytes),
                (TRAIN_IMAGES, k.images, CLUSTER, CLUSTER_THREADS, k.own.shared_bytes),
            ):
                print(
                    f"{name} {which}: registers {kernel.num_regs}, local {kernel.local_size_bytes}, shared {shared}, "
                    f"clusters that fit {clusters_that_fit(kernel, cluster, threads, shared)}",
                    flush=True,
                )
        for batch in (1, 2, 32, 64):
            check(stream, kernels["modern"], data, host, batch, "cross_entropy")
            check(stream, kernels["paper"], data, host, batch, "rbf")
            check(stream, kernels["paper"], data, host, batch, "map")
        warm = cp.ones((4096, 4096), "float32")
        until = time.time() + 0.3
        while time.time() < until:
            warm = warm * 1.0001
            stream.synchronize()
        order = rng.permutation(60000)[:ALONE_STEPS]
        distortions = PAPER.draw(7, 1, ALONE_STEPS)
        for name, loss, rule, distorted in (
            ("modern", "cross_entropy", 0, False),
            ("modern", "cross_entropy", RATES, False),
            ("modern", "cross_entropy", NESTEROV, False),
            ("modern", "cross_entropy", 0, True),
            ("paper", "rbf", 0, False),
            ("paper", "map", RATES, False),
            ("paper", "map", RATES, True),
        ):
            rates = np.full(ALONE_STEPS, 0.01 if name == "modern" else 1e-4)
            epoch = Epoch(kernels[name], data, order, 1, rates, loss, rule, distortions if distorted else None)
            for steps in (64, ALONE_STEPS):
                found = [x / steps for x in timed(stream, lambda s=steps, e=epoch: e.alone(s), epoch.reset)]
                print(
                    f"batch 1, {steps} steps a launch, {loss}, rule {rule}{', distorted' if distorted else ''}: "
                    f"{found[0]:.2f} us ({found[1]:.2f} ... {found[2]:.2f})",
                    flush=True,
                )
        for batch in (1, 2, 8, 16, 32, 39, 48, 64):
            order = rng.permutation(60000)[: batch * GRAPH_STEPS * 8]
            epoch = Epoch(kernels["modern"], data, order, batch, np.full(len(order) // batch, 0.01))
            epoch.step()
            stream.begin_capture()
            for _ in range(GRAPH_STEPS):
                epoch.step()
            graph = stream.end_capture()
            steps, outcomes = GRAPH_STEPS * 7, []

            def work(graph=graph):
                for _ in range(7):
                    graph.launch()

            found = [x / steps for x in timed(stream, work, epoch.reset)]
            for _ in range(2):
                epoch.reset()
                work()
                stream.synchronize()
                outcomes.append(epoch.parameters.get())
            print(
                f"batch {batch}: {found[0]:.2f} us ({found[1]:.2f} ... {found[2]:.2f}), same bytes "
                f"{np.array_equal(*outcomes)}, loss {float(epoch.losses.get()[steps - 1]):.4f}",
                flush=True,
            )
        if asked.profile:
            marked = Kernels("modern", profile=True)
            for batch in (1, 2, 32):
                profile(stream, marked, data, batch, rng)
    print(f"{time.time() - began:.1f} s")


if __name__ == "__main__":
    main()
