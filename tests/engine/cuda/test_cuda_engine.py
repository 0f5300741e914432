"""The CUDA engine's host code: buffers, launches, graphs, waiting, on a stand-in for a GPU that runs the kernels."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.cases import assert_close
from cuda_on_cpu.engines import N, make, nesterov, order_of, train
from stand_in import cuda_cupy
from stand_in.cuda_cupy import world

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cuda import engine as cuda
from lenet_gpu.engine.cuda import forms, inference
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD
from lenet_gpu.paper import NOT_A_DIGIT

pytestmark = pytest.mark.usefixtures("device")


def test_training_agrees_with_the_layered_engine(digits):
    """Two epochs of 17 steps: four graphs, then a single step with 3 images."""
    readable = LayeredEngine(LeNet5(seed=2, backend=NumpyBackend()), SGD())
    readable.load(*digits)
    engine = make(digits)
    for losses, expected in zip(train(engine, 2), train(readable, 2), strict=True):
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert_close(readable.network, engine.network.host_parameters(), readable.network.parameters, 1e-5)


def distorted(engine, epochs=(1, 2), n=19):
    """Epochs of distorted images, a graph and a step of three images each; the losses."""
    rates = np.linspace(0.02, 0.01, -(-n // 4))
    return np.concatenate(
        [engine.train(order_of(n, e), 4, rates, distortions=STANDARD.draw(0, e, n)) for e in epochs]
    )


def test_training_with_everything_agrees_with_the_layered_engine(digits):
    """Distorted images, Nesterov's rule, the weights exchanged with their average between epochs, and no digits."""
    images, labels = digits[0], digits[1].copy()
    labels[::6] = NOT_A_DIGIT
    network = LeNet5(seed=2, backend=NumpyBackend())
    readable, engine = LayeredEngine(network, nesterov(network)), make((images, labels), rule=nesterov)
    readable.load(images, labels)
    for epoch in (1, 2):
        np.testing.assert_allclose(distorted(engine, (epoch,), N), distorted(readable, (epoch,), N), rtol=1e-5)
        for each in (engine, readable):
            each.optimizer.swap_average(each.network.parameters)
    state = dict(readable.optimizer.state)
    assert engine.optimizer.state["steps"].get() == state.pop("steps")
    for name, array in (("parameters", network.parameters), *state.items()):
        found = engine.network.parameters if name == "parameters" else engine.optimizer.state[name]
        assert_close(network, engine.network.backend.to_host(found), array, 2e-5)


def test_the_average_takes_the_share_of_each_step_of_the_whole_run(digits):
    """Two epochs of a graph and a smaller last batch, and the same steps one by one."""
    engine, single = make(digits, rule=nesterov), make(digits, rule=nesterov)
    start = engine.optimizer.state["average"].get().astype(float)
    average, count = start.copy(), 0
    for epoch in (1, 2):
        order, rates = order_of(19, epoch), np.linspace(0.02, 0.01, 5)
        losses = engine.train(order, 4, rates)
        for step, rate in enumerate(rates):
            loss = single.train(order[4 * step : 4 * step + 4], 4, np.array([rate]))
            assert loss[0] == losses[step]
            count += 1
            average += (1 - 0.8) / (1 - 0.8**count) * (single.network.host_parameters() - average)
        for each in (engine, single):
            assert each.optimizer.state["steps"].get().tolist() == [count]
    for each in (engine, single):
        np.testing.assert_allclose(each.optimizer.state["average"].get(), average, rtol=0, atol=1e-6)
    assert world.counts["capture"] == 1


def test_an_interrupt_counts_the_steps_that_were_taken(digits, monkeypatch):
    monkeypatch.setattr(cuda, "PROGRESS_SECONDS", -1.0)

    def interrupt(step, _):
        raise KeyboardInterrupt

    engine = make(digits, rule=nesterov)
    with pytest.raises(KeyboardInterrupt):
        train(engine, progress=interrupt)
    done = world.counts["lenet5_update"] - 1
    assert 0 < done < 17
    assert engine.optimizer.state["steps"].get().tolist() == [done]


def test_epochs_with_and_without_distortions_take_turns(digits):
    engine, other = make(digits), make(digits)
    found = [distorted(engine, (1,)), *train(engine, n=19), distorted(engine, (2,))]
    expected = [distorted(other, (1,))]
    fresh = make(digits)
    fresh.network.set_parameters(other.network.host_parameters())
    expected += train(fresh, n=19)
    other.network.set_parameters(fresh.network.host_parameters())
    expected.append(distorted(other, (2,)))
    for losses, those in zip(found, expected, strict=True):
        assert np.array_equal(losses, those)
    assert not np.array_equal(found[0], make(digits).train(order_of(19, 1), 4, np.linspace(0.02, 0.01, 5)))


def test_an_optimisers_new_state_is_the_one_trained(digits):
    """A graph holds the addresses of the arrays it was captured with."""
    engine, fresh = make(digits, rule=nesterov), make(digits, rule=nesterov)
    distorted(engine)
    engine.network.set_parameters(fresh.network.host_parameters())
    engine.optimizer.prepare(engine.network)
    assert np.array_equal(distorted(engine), distorted(fresh))
    assert engine.optimizer.state["velocity"].get().any()


def test_elastic_fields_are_uploaded_once_and_only_if_needed(digits):
    engine = make(digits)
    used = engine.network.backend.memory_used()
    train(engine, n=19)
    assert engine.network.backend.memory_used() - used < distort.elastic_fields().nbytes
    distorted(engine)
    with engine.network.backend.counting() as counters:
        distorted(engine, (3,))
    assert counters.transfers == 4  # order, distortions, learning rates, counter
    assert engine.network.backend.memory_used() - used < 1.5 * distort.elastic_fields().nbytes


def test_elastic_fields_are_not_uploaded_for_other_distortions(digits):
    engine = make(digits)
    used = engine.network.backend.memory_used()
    distortions = STANDARD.draw(0, 1, 19)
    distortions[:, distort.AMPLITUDE] = 0
    engine.train(order_of(19, 1), 4, np.full(5, 0.02), distortions=distortions)
    assert engine.network.backend.memory_used() - used < distort.elastic_fields().nbytes


def test_an_epoch_is_launched_as_planned(digits):
    engine = make(digits)
    losses = train(engine, 3)
    assert [loss.shape for loss in losses] == [(17,)] * 3
    # One more launch of each kernel: the empty step that loads them.
    assert world.counts["lenet5_train_images"] == world.counts["lenet5_update"] == 3 * 17 + 1
    assert world.counts["graph"] == 3 * 4  # of four steps each; the last step is launched by itself
    assert world.counts["capture"] == 1


def test_a_driver_that_cannot_capture_overlapping_kernels_gets_others(digits, monkeypatch):
    def launch(kernel, blocks, threads, arguments, shared_bytes, stream):
        if stream.is_capturing():
            raise cuda_cupy.CUDADriverError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: operation not permitted")
        kernel((blocks,), (threads,), arguments, shared_mem=shared_bytes)
        return True

    monkeypatch.setattr(forms, "launch_dependent", launch)
    engine, other = make(digits), make(digits)
    engine._forms.of_training(4).overlaps = True
    assert np.array_equal(train(engine), train(other))
    assert engine._graphs
    assert not engine._forms.of_training(4).overlaps


def test_what_is_left_over_of_an_epoch_is_a_graph_too(digits):
    one, other = make(digits), make(digits)
    losses = train(one, n=58)  # 15 steps: three times four, and three, the last one with fewer images
    assert (world.counts["graph"], world.counts["capture"]) == (4, 2)
    other.captures = False
    assert np.array_equal(train(other, n=58), losses)
    assert one.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()


@pytest.mark.parametrize("batch_size", [1, 3, N, 200])
def test_graph_equals_single_steps_bit_by_bit(digits, monkeypatch, batch_size):
    n = min(N, 20 * batch_size)
    one = make(digits)
    losses = train(one, batch_size=batch_size, n=n)
    monkeypatch.setattr(CudaEngine, "captures", False)
    world.counts.clear()
    other = make(digits)
    assert np.array_equal(train(other, batch_size=batch_size, n=n), losses)
    assert world.counts["graph"] == 0
    assert one.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()


def test_a_run_can_be_repeated_bit_by_bit_whatever_the_order_of_threads(digits):
    one = make(digits)
    train(one)
    world.backwards = True
    other = make(digits)
    train(other)
    assert one.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()


def test_another_batch_size_or_training_set_gets_its_own_graph(digits):
    engine, fresh = make(digits), make(digits)
    start = engine.network.host_parameters()
    train(engine, batch_size=2)
    engine.network.set_parameters(start)
    train(engine, batch_size=4)
    train(fresh, batch_size=4)
    assert engine.network.host_parameters().tobytes() == fresh.network.host_parameters().tobytes()
    engine.load(digits[0][::-1], digits[1][::-1])
    fresh.load(digits[0][::-1], digits[1][::-1])
    train(engine)
    train(fresh)
    assert engine.network.host_parameters().tobytes() == fresh.network.host_parameters().tobytes()


def test_parameters_set_from_outside_are_the_ones_trained(digits):
    engine, other = make(digits), make(digits, seed=9)
    other.network.set_parameters(engine.network.host_parameters())
    assert np.array_equal(train(engine), train(other))


def test_progress_is_told_in_order_and_with_the_losses_so_far(digits, monkeypatch):
    monkeypatch.setattr(cuda, "PROGRESS_SECONDS", -1.0)
    told = []
    losses = train(make(digits), progress=lambda step, seen: told.append((step, seen)))[0]
    assert [step for step, _ in told] == [4, 8, 12, 17]
    for step, seen in told:
        assert np.array_equal(seen, losses[:step])


def test_the_host_does_not_run_far_ahead(digits):
    train(make(digits), batch_size=1)
    launches_a_chunk = 2 * CudaEngine.chunk_steps + 1  # and an event
    assert world.counts["queued"] <= (cuda.CHUNKS_AHEAD + 1) * launches_a_chunk


def test_an_interrupt_leaves_whole_steps_and_a_usable_engine(digits, monkeypatch):
    monkeypatch.setattr(cuda, "PROGRESS_SECONDS", -1.0)

    def interrupt(step, _):
        raise KeyboardInterrupt

    engine, other = make(digits), make(digits)
    with pytest.raises(KeyboardInterrupt):
        train(engine, progress=interrupt)
    done = world.counts["lenet5_update"] - 1
    assert 0 < done < 17
    other.train(order_of(N, 0)[: 4 * done], 4, np.linspace(0.1, 0.05, 17)[:done])
    assert engine.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()
    train(engine)
    train(other)
    assert engine.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()


def test_an_interrupt_while_waiting_leaves_nothing_running(digits, monkeypatch):
    engine = make(digits)

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(cuda_cupy.Event, "synchronize", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(engine)
    assert not engine._stream.queue


def test_what_other_streams_have_not_finished_is_waited_for(digits):
    """Parameters may be on their way on the default stream, which a non-blocking stream doesn't wait for."""
    engine, other = make(digits), make(digits, seed=9)
    expected = other.network.host_parameters()

    def late():
        engine.network.parameters._host[...] = expected

    cuda_cupy.Stream.null.queue.append(late)
    assert np.array_equal(train(engine), train(other))
    cuda_cupy.Stream.null.queue.append(late)
    assert np.array_equal(engine.outputs(digits[0][:3]), make(seed=9).outputs(digits[0][:3]))


def test_a_batch_larger_than_the_training_set_takes_no_more_memory(digits):
    engine = make(digits)
    train(engine, batch_size=10**6)
    assert len(engine._buffers.records) == N


def test_memory_is_constant_from_epoch_to_epoch(digits):
    engine = make(digits)
    train(engine)
    used = engine.network.backend.memory_used()
    train(engine, 2)
    assert engine.network.backend.memory_used() == used
    engine.close()
    assert engine.network.backend.memory_used() < used


def test_an_epoch_uploads_little_and_waits_seldom(digits):
    engine = make(digits)
    train(engine)
    with engine.network.backend.counting() as counters:
        world.counts.clear()
        train(engine)
    assert counters.transfers == 3  # order, learning rates, counter
    assert counters.syncs == 1  # the losses
    assert counters.calls == 0
    assert world.counts["synchronize"] <= 4  # now and then for a chunk, once in the end


def test_outputs_agree_with_the_layers(digits, monkeypatch):
    monkeypatch.setattr(inference, "PART", 30)
    engine = make()
    told = []
    outputs = engine.outputs(digits[0], lambda done, _: told.append(done))
    expected = LeNet5(seed=2, backend=NumpyBackend()).outputs(digits[0])
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6 * np.abs(expected).max() + 1e-7)
    assert told == [30, 60, N]
    assert engine.outputs(digits[0][:0]).shape == (0, 10)


def test_outputs_of_floats_are_computed_too(digits):
    floats = (digits[0][:5] / 255).astype(np.float32)
    np.testing.assert_allclose(make().outputs(floats), make().outputs(digits[0][:5]), rtol=0, atol=1e-5)


def test_the_training_set_is_not_uploaded_again_for_its_evaluation(digits):
    engine = make(digits)
    with engine.network.backend.counting() as counters:
        resident = engine.outputs(digits[0])
    assert counters.transfers == 0
    assert np.array_equal(engine.outputs(digits[0].copy()), resident)
