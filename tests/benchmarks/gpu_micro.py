"""What the parts of a step cost on a GPU: a launch, a node of a graph, a grid barrier, copies, each kernel alone.

All times are medians by CUDA events, in microseconds.
"""

from __future__ import annotations

import statistics

import numpy as np

from lenet_gpu.engine.cuda.buffers import EpochBuffers, Schedule, plain_rule
from lenet_gpu.engine.cuda.forms import FORMS, Forms, StepArguments

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
    """Each kernel of a training step alone, again and again on the same step, in every form that runs here."""
    found, times = {}, 50
    forms = Forms(xp, "modern", 10)
    for form in map(forms.get, FORMS):
        if not form.at_once:
            continue
        parameters = xp.full(form.sizes.parameters, 0.01, dtype="float32")
        for batch_size in batches:
            buffers = EpochBuffers(xp, Schedule(batch_size, batch_size), form.sizes, form.scratch())
            buffers.start(np.arange(batch_size), np.zeros(1))
            images, labels = xp.zeros((batch_size, 28, 28), dtype="uint8"), xp.zeros(batch_size, dtype="uint8")
            pixel = np.float32(-0.1), np.float32(0.005)
            step = StepArguments(
                parameters, images, labels, np.int32(0), pixel, buffers.dummy, plain_rule(buffers), buffers
            )
            for launch in form.launches(step):
                form.launch(launch)  # loads the kernel, which can't be done in a capture
                stream.synchronize()
                stream.begin_capture()
                for _ in range(times):
                    form.launch(launch)
                graph = stream.end_capture()
                key = f"{form.name} {launch.kernel}, batch {batch_size}"
                found[key] = event_time(xp, stream, graph.launch) / times
    return found
