"""What the parts of a step cost on a GPU: a launch, a node of a graph, a grid barrier, copies, each kernel alone.

    python tests/benchmarks/gpu_micro.py --out benchmark/micro.json

All times are medians by CUDA events, in microseconds; a text stands for what failed.
"""

# ruff: noqa: E402  the repository must be importable before anything of it is imported

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from gpu_timing import reason

from lenet_gpu import select_backend
from lenet_gpu.engine.cuda.buffers import EpochBuffers, Schedule, plain_rule
from lenet_gpu.engine.cuda.choice import Forms
from lenet_gpu.engine.cuda.forms import FORMS
from lenet_gpu.engine.cuda.steps import StepArguments
from lenet_gpu.errors import LenetError

REPEATS = 9

SOURCE = r"""
extern "C" __global__ void nothing() {}

// `rounds` barriers of the whole grid. All blocks must be resident at once: launch cooperatively.
extern "C" __global__ void barriers(unsigned* arrived, int rounds) {
    for (int round = 1; round <= rounds; ++round) {
        __syncthreads();
        if (threadIdx.x == 0) {
            __threadfence();
            atomicAdd(arrived, 1u);
            while (*reinterpret_cast<volatile unsigned*>(arrived) < round * gridDim.x) {}
            __threadfence();
        }
        __syncthreads();
    }
}
"""


def event_time(xp, stream, work):
    """Microseconds between two events around the work, median of `REPEATS`."""
    found = []
    for _ in range(REPEATS + 1):
        start, stop = xp.cuda.Event(), xp.cuda.Event()
        start.record(stream)
        work()
        stop.record(stream)
        stop.synchronize()
        found.append(xp.cuda.get_elapsed_time(start, stop) * 1e3)
    return statistics.median(found[1:])


def costs(xp):
    """All costs by name."""
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        return _costs(xp, stream)


def _costs(xp, stream):
    found, times = {}, 500
    module = xp.RawModule(code=SOURCE, options=("-std=c++17",), enable_cooperative_groups=True)
    nothing, barriers = module.get_function("nothing"), module.get_function("barriers")

    def launches():
        for _ in range(times):
            nothing((1,), (32,), ())

    found["launch"] = event_time(xp, stream, launches) / times
    stream.begin_capture()
    launches()
    graph = stream.end_capture()
    found["graph_node"] = event_time(xp, stream, graph.launch) / times
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())
    arrived = xp.zeros(1, dtype="uint32")

    def all_barriers():
        arrived.fill(0)
        barriers((properties["multiProcessorCount"],), (256,), (arrived, np.int32(times)))

    found["grid_barrier"] = event_time(xp, stream, all_barriers) / times
    order, parameters = xp.zeros(60_000, dtype="int32"), xp.zeros(60_850, dtype="float32")
    host = np.zeros(60_000, np.int32)
    found["upload_of_an_order"] = event_time(xp, stream, lambda: order.set(host))
    found["download_of_the_parameters"] = event_time(xp, stream, parameters.get)
    return found | kernel_times(xp, stream)


def kernel_times(xp, stream, batches=(1, 32, 128, 1024, 4096)):
    """Each kernel of a training step alone, and whole steps, in every form that runs here."""
    found, forms = {}, Forms(xp, "modern", 10)
    for kind in FORMS:
        try:
            form = forms.get(kind)
        except Exception as error:  # the other forms still have something to say
            found[f"{kind.name} form"] = reason(error)
            continue
        for batch_size in batches_of(form, batches):
            for measure in (launch_times, step_time):
                try:
                    found |= measure(xp, stream, form, batch_size)
                except Exception as error:
                    found[f"{form.name} {measure.__name__}, batch {batch_size}"] = reason(error)
    return found


def batches_of(form, batches):
    """Those of some batch sizes that a form is for and this device can run; none where it can't run the form."""
    if not form.at_once:
        return []
    most = form.largest_batch
    return [batch_size for batch_size in batches if batch_size <= most]


def step_arguments(xp, form, batch_size, steps):
    """What steps on blank images take."""
    buffers = EpochBuffers(xp, Schedule(batch_size * steps, batch_size), form.sizes, form.scratch())
    buffers.start(np.tile(np.arange(batch_size), steps), np.zeros(steps))
    parameters = xp.full(form.sizes.parameters, 0.01, dtype="float32")
    images, labels = xp.zeros((batch_size, 28, 28), dtype="uint8"), xp.zeros(batch_size, dtype="uint8")
    pixel = np.float32(-0.1), np.float32(0.005)
    rule = plain_rule(buffers)
    return StepArguments(parameters, images, labels, np.int32(0), pixel, buffers.dummy, rule, buffers)


def captured(stream, work):
    """Work as a CUDA graph."""
    stream.synchronize()
    stream.begin_capture()
    try:
        work()
    except BaseException:
        with contextlib.suppress(Exception):
            stream.end_capture()  # else the stream could never be used again
        raise
    return stream.end_capture()


def launch_times(xp, stream, form, batch_size, times=50):
    """Each kernel alone, again and again on the same step."""
    found, step = {}, step_arguments(xp, form, batch_size, 1)
    form.begin(step)
    for launch in form.launches(step):
        form.launch(launch)  # loads the kernel, which can't be done in a capture

        def again(launch=launch):
            for _ in range(times):
                form.launch(launch)

        graph = captured(stream, again)
        found[f"{form.name} {launch.kernel}, batch {batch_size}"] = event_time(xp, stream, graph.launch) / times
    return found


def step_time(xp, stream, form, batch_size):
    """A whole step, one of as many as the engine hands over at a time."""
    steps = form.chunk_steps
    step = step_arguments(xp, form, batch_size, steps)
    counter = step.buffers.counter
    first = counter.copy()

    form.begin(step)
    form.enqueue(step, steps)  # loads the kernels
    graph = captured(stream, lambda: form.enqueue(step, steps)) if form.captured else None

    def work():
        counter[...] = first  # else the epoch would be over
        if graph is None:
            form.enqueue(step, steps)
        else:
            graph.launch()

    return {f"{form.name} step, batch {batch_size}": event_time(xp, stream, work) / steps}


def main(argv=None):
    """Run; the exit status: 0, 2 if there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmark/micro.json"))
    options = parser.parse_args(argv)
    try:
        backend = select_backend("gpu")
    except LenetError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    found = costs(backend.xp)
    for name, value in found.items():
        print(f"{name:46} {value if isinstance(value, str) else f'{value:10.2f} us'}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"device": backend.device_name, "us": found}, indent=1) + "\n")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
