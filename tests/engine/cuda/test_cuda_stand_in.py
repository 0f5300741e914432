"""The stand-in for CuPy with kernels notices what a real device would refuse, or compute otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.engines import make, train
from stand_in import cuda_cupy

from lenet_gpu.engine.cuda.buffers import Schedule

pytestmark = pytest.mark.usefixtures("device")


def test_it_refuses_what_a_capture_refuses():
    xp, stream = cuda_cupy.xp, cuda_cupy.Stream(non_blocking=True)
    array = xp.zeros(3)
    with stream:
        stream.begin_capture()
        for forbidden in (lambda: xp.zeros(3), lambda: array.get(), lambda: array + 1, stream.synchronize):
            with pytest.raises(cuda_cupy.CUDARuntimeError, match="while a graph is captured"):
                forbidden()
        array.shape  # noqa: B018  known without the device
        stream.end_capture()


def test_it_shows_old_values_to_who_does_not_wait(digits):
    engine = make(digits)
    before = engine.network.host_parameters()
    with engine._stream:
        form = engine._forms.of_training(8)
        buffers = engine._prepared(Schedule(8, 8), form)
        buffers.start(np.arange(8), np.array([0.1]))
        form.enqueue(engine.arguments(buffers), 1)
    assert np.array_equal(engine.network.host_parameters(), before)
    engine._stream.synchronize()
    assert not np.array_equal(engine.network.host_parameters(), before)


def test_it_notices_memory_that_was_given_back(digits):
    engine = make(digits)
    train(engine)
    graph, engine._buffers = engine._graphs[engine.chunk_steps], None
    with engine._stream:
        graph.launch()
    with pytest.raises(cuda_cupy.CUDARuntimeError, match="given back"):
        engine._stream.synchronize()
    engine._stream.queue.clear()
