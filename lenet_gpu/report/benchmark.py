"""Benchmark of the engines on this machine: training and inference with each that is available.

Engines take turns in several rounds, so that whatever else the machine does meanwhile meets all of them. Every
timed step is a whole one: gather, conversion, forward, backward, update.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.backend.backend import Backend, select_backend
from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.cpu.squash import has_wide_vectors
from lenet_gpu.engine.cpu.workers.cores import available_cores, cpu_quota, portions
from lenet_gpu.engine.names import FAST_ENGINE
from lenet_gpu.engine.select import make_engine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD
from lenet_gpu.recognition.recognizer import Recognizer

if TYPE_CHECKING:
    from lenet_gpu.datasets import Dataset

BATCHES = (32, 256, 1024)
"""Batch sizes of training."""

MANY = 2000
"""Images of an inference call that asks for many (as many as there are, if fewer)."""

ROUNDS = 3
"""Turns of each measurement; the median counts."""

LEARNING_RATE = 0.05

GOOD_GAIN = 0.8
"""Gain for each worker from which on workers are said not to wait much."""


@dataclass(frozen=True)
class Contender:
    """One way to run the network here.

    Attributes:
        backend: Where.
        engine: Name of the engine.
        workers: Processes or threads that compute.
    """

    backend: Backend
    engine: str
    workers: int

    @property
    def name(self) -> str:
        """For people to read."""
        if self.engine == "layered":
            return f"{self.backend.name}: layered"
        workers = f", {self.workers} worker{'s' if self.workers > 1 else ''}" if self.backend.name == "cpu" else ""
        return f"{self.backend.name}: {self.engine}{workers}"


@dataclass
class Measurement:
    """The result of one contender at one task.

    Attributes:
        contender: Who.
        task: "train", "infer one" or "infer many".
        size: Batch size, or images a call.
        burst: Works for about so many seconds; returns images and seconds.
        rates: Images a second, one for each round.
    """

    contender: Contender
    task: str
    size: int
    burst: Callable[[float], tuple[int, float]]
    rates: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Give the figures, for JSON."""
        rate = median(self.rates)
        return {
            "backend": self.contender.backend.name,
            "engine": self.contender.engine,
            "workers": self.contender.workers,
            "task": self.task,
            "size": self.size,
            "images_per_second": rate,
            "microseconds_per_image": 1e6 / rate,
            "lowest": min(self.rates),
            "highest": max(self.rates),
            "rounds": len(self.rates),
        }


def worker_counts(most: int) -> list[int]:
    """1, 2, 4, ... and `most`."""
    counts = [1]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    return [*counts, most] if most > 1 else counts


def measure(
    data: Dataset,
    *,
    backend: str = "auto",
    device: int | None = None,
    threads: int | None = None,
    seconds: float = 20.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure training and inference.

    Args:
        data: Real images; random ones would do as well for the clock, but not for the reader.
        backend: "cpu", "gpu" (and the CPU is left out), or "auto": the CPU, and the GPU if there is one.
        device: Number of the GPU; the first one if None.
        threads: Most workers of the CPU engine; one a core if None.
        seconds: About how long all bursts together shall take; starting and warming up come on top.
        progress: Called with what is measured, bursts done, bursts in all.

    Returns:
        A dict with `devices` and `results`, as `lenet-gpu bench --json` prints it.

    Raises:
        BackendError: "gpu" was asked for and can't be used.
    """
    chosen = select_backend(backend, device=device)
    backends = [chosen] if backend != "auto" or chosen.name == "cpu" else [select_backend("cpu"), chosen]
    with contextlib.ExitStack() as stack:
        measurements: list[Measurement] = []
        for where in backends:
            measurements += _measurements_on(where, data, threads, stack)
        total = ROUNDS * len(measurements)
        length = seconds / total
        for turn in range(ROUNDS + 1):  # the first turn warms up and does not count
            for i, measurement in enumerate(measurements):
                contender = measurement.contender
                images, taken = measurement.burst(length if turn else 0.0)
                if turn:
                    measurement.rates.append(images / taken)
                    if progress is not None:
                        progress(contender.name, (turn - 1) * len(measurements) + i + 1, total)
    return {
        "devices": {where.name: where.device_name for where in backends},
        "seconds": seconds,
        "cpu": _cpu_facts(),
        "results": [measurement.as_dict() for measurement in measurements],
    }


def _cpu_facts() -> dict[str, Any]:
    """Tell what bounds the CPU engine here: cores, a container's quota, and the width of NumPy's vectors."""
    return {"cores": available_cores(), "quota": cpu_quota(), "wide_vectors": has_wide_vectors()}


def limits(report: dict[str, Any]) -> list[str]:
    """Say which engine trains, with how many workers, and what keeps it from being faster.

    Args:
        report: What `measure` returned.

    Returns:
        Lines.
    """
    facts = report["cpu"]
    trained = {
        (r["workers"], r["size"]): r["images_per_second"]
        for r in report["results"]
        if (r["engine"], r["task"]) == (FAST_ENGINE["cpu"], "train")
    }
    if not trained:
        return []
    workers = max(count for count, _ in trained)
    quota = "" if facts["quota"] is None else f", of which a quota leaves {facts['quota']:g}"
    lines = [f"cpu: engine {FAST_ENGINE['cpu']}, {workers} workers at most, cores {facts['cores']}{quota}"]
    for batch in BATCHES:
        part = min(workers, portions(batch))
        gain = trained[workers, batch] / trained[1, batch]
        if part == 1:
            by = "one worker computes all: more cores or workers would help"
        elif gain >= GOOD_GAIN * part:
            by = "the workers' computing: faster cores would help"
        else:
            by = "waiting for one another, or for what else this machine does"
        few = f" ({part} take part: a batch has {portions(batch)} portions)" if part < workers else ""
        lines.append(f"  batch {batch}: {gain:.2f} times one worker{few}; limited by {by}")
    if not facts["wide_vectors"]:
        lines.append("  NumPy has no vectors of 16 numbers here (AVX-512): squashing takes about a third of reading")
    return lines


def _measurements_on(
    backend: Backend, data: Dataset, threads: int | None, stack: contextlib.ExitStack
) -> list[Measurement]:
    """All measurements of one backend; its engines are opened on the stack."""
    found: list[Measurement] = []

    def opened(name: str, workers: int | None = None) -> Engine:
        return stack.enter_context(make_engine(LeNet5(backend=backend), SGD(), name, workers))

    fast = FAST_ENGINE[backend.name]
    engines = [opened("auto", threads)]
    if backend.name == "cpu" and engines[0].name == fast:
        engines = [opened(fast, count) for count in worker_counts(engines[0].workers)[:-1]] + engines
    if engines[0].name != "layered":
        engines.append(opened("layered"))
    assert data.test is not None  # MNIST has one
    many = data.test.images[:MANY]
    for engine in engines:
        engine.load(data.train.images, data.train.labels)
        contender = Contender(backend, engine.name, engine.workers)
        order = seeds.epoch_order(0, 1, len(data.train.labels))
        for batch in BATCHES:
            found.append(Measurement(contender, "train", batch, _Training(engine, order, batch), []))
        found.append(Measurement(contender, "infer many", len(many), _calls(engine.outputs, [many]), []))
    if backend.name == "cpu":
        # One picture, brought into MNIST's form and read: what `Recognizer` does, in this process.
        one = [image[None] for image in data.test.images[:256]]
        recognizer = Recognizer()
        contender = Contender(backend, "recognizer", 1)
        read_one = _calls(lambda images: recognizer.predict_image(images[0]), one)
        found.append(Measurement(contender, "infer one", 1, read_one, []))
    return found


class _Training:
    """Bursts of training steps, as long as asked for; the speed of the burst before sets the number of steps."""

    def __init__(self, engine: Engine, order: np.ndarray, batch: int) -> None:
        self._engine, self._order, self._batch = engine, order, min(batch, len(order))
        self._start = engine.network.initial_parameters(0)
        self._step_seconds = 0.0

    def __call__(self, seconds: float) -> tuple[int, float]:
        steps = max(1, round(seconds / self._step_seconds)) if self._step_seconds else 1
        images = steps * self._batch
        order = np.resize(self._order, images)
        self._engine.network.set_parameters(self._start)
        start = time.perf_counter()
        self._engine.train(order, self._batch, np.full(steps, LEARNING_RATE))
        taken = time.perf_counter() - start
        self._step_seconds = taken / steps
        return images, taken


def _calls(function: Callable[[np.ndarray], object], inputs: Sequence[np.ndarray]) -> Callable:
    """Bursts of calls, each on the next of the inputs."""

    def burst(seconds: float) -> tuple[int, float]:
        images, start = 0, time.perf_counter()
        while True:
            for part in inputs:
                function(part)
                images += len(part)
                taken = time.perf_counter() - start
                if taken >= seconds:
                    return images, taken

    return burst


def table(report: dict[str, Any]) -> str:
    """Write the report as text.

    Args:
        report: What `measure` returned.

    Returns:
        Lines without a newline at the end.
    """
    lines = [f"{name:9s} {device}" for name, device in report["devices"].items()]
    rows: dict[tuple[str, str, int], dict[str, str]] = {}
    for result in report["results"]:
        key = (result["backend"], result["engine"], result["workers"])
        column = f"batch {result['size']}" if result["task"] == "train" else result["task"].split()[-1]
        value = (
            f"{result['microseconds_per_image']:,.0f} us"
            if result["task"] == "infer one"
            else f"{float(format(result['images_per_second'], '.3g')):,.0f}"
        )
        rows.setdefault(key, {})[column] = value
    columns = [f"batch {batch}" for batch in BATCHES] + ["many", "one"]
    headings = [f"batch {batch}" for batch in BATCHES] + ["inference", "one image"]
    lines += ["", f"{'images/s':28s}" + "".join(f"{heading:>12s}" for heading in headings)]
    for (backend, engine, workers), values in rows.items():
        who = engine if engine in ("layered", "recognizer") or backend == "gpu" else f"{engine}, {workers} worker"
        who = f"{backend}: {who}{'s' if workers > 1 else ''}"
        lines.append(f"{who:28s}" + "".join(f"{values.get(column, '-'):>12s}" for column in columns))
    lines += [
        "",
        *limits(report),
        "",
        "training: whole steps at three batch sizes; inference: many images in one call;",
        "one image: from picture to answer",
    ]
    return "\n".join(lines)
