"""The CUDA engine's host code: buffers, launches, graphs and errors, against a stand-in that runs the kernels."""

from __future__ import annotations

import numpy as np
import pytest
from stand_in import cuda_cupy
from stand_in.cuda_cupy import CudaBackend, world

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cuda import engine as cuda
from lenet_gpu.engine.cuda.buffers import Schedule
from lenet_gpu.engine.cuda.device import covers
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import BackendError, InputError, TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.paper import NOT_A_DIGIT

N, STEPS = 67, 4


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """A healthy device, and graphs of few steps: what is tested does not depend on how many."""
    monkeypatch.setattr(CudaEngine, "graph_steps", STEPS)
    deactivate = cuda_cupy.activate()
    yield
    deactivate()


@pytest.fixture
def digits(mnist):
    return mnist.train.images[:N], mnist.train.labels[:N]


def order_of(n, epoch):
    return np.random.default_rng(epoch).permutation(n)


def nesterov(network):
    optimizer = Nesterov(0.9, 0.01, 0.8)
    optimizer.prepare(network)
    return optimizer


def make(digits=None, seed=2, rule=None):
    network = LeNet5(backend=CudaBackend(), seed=seed)
    engine = CudaEngine(network, SGD() if rule is None else rule(network))
    if digits is not None:
        engine.load(*digits)
    return engine


def train(engine, epochs=1, batch_size=4, n=N, **options):
    steps = -(-n // batch_size)
    rates = np.linspace(0.1, 0.05, steps)
    return [engine.train(order_of(n, epoch), batch_size, rates, **options) for epoch in range(epochs)]


def test_training_agrees_with_the_layered_engine(digits):
    """Two epochs of 17 steps: four graphs, then a single step with 3 images."""
    readable = LayeredEngine(LeNet5(seed=2, backend=NumpyBackend()), SGD())
    readable.load(*digits)
    engine = make(digits)
    for losses, expected in zip(train(engine, 2), train(readable, 2), strict=True):
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
    network = readable.network
    found = network.views_of(engine.network.host_parameters())
    for name, expected in network.views.items():
        assert np.abs(found[name] - expected).max() <= 1e-5 * np.abs(expected).max(), name


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
    for name, array in (("parameters", network.parameters), *readable.optimizer.state.items()):
        found = engine.network.parameters if name == "parameters" else engine.optimizer.state[name]
        views = network.views_of(engine.network.backend.to_host(found))
        for part, expected in network.views_of(array).items():
            assert np.abs(views[part] - expected).max() <= 2e-5 * np.abs(expected).max(), (name, part)


def corrected(network):
    """Nesterov's rule with an average that is corrected for its start, and counts the steps of the run."""
    optimizer = nesterov(network)
    optimizer.state["steps"] = network.backend.asarray(np.zeros(1))

    def shares(steps):
        decay = optimizer.average_decay
        done = float(network.backend.to_host(optimizer.state["steps"])[0])
        return (1 - decay) / (1 - decay ** (done + 1 + np.arange(steps)))

    optimizer.shares = shares
    return optimizer


def test_the_average_takes_the_share_of_each_step_of_the_whole_run(digits):
    """Two epochs of graphs and a smaller last batch, and the same steps one by one."""
    engine, single = make(digits, rule=corrected), make(digits, rule=corrected)
    start = engine.optimizer.state["average"].get().astype(float)
    average, count = start.copy(), 0
    for epoch in (1, 2):
        order, rates = order_of(N, epoch), np.linspace(0.02, 0.01, 17)
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

    engine = make(digits, rule=corrected)
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


def test_an_epoch_is_launched_as_planned(digits):
    engine = make(digits)
    losses = train(engine, 3)
    assert [loss.shape for loss in losses] == [(17,)] * 3
    # One more launch of each kernel: the empty step that loads them.
    assert world.counts["lenet5_train_images"] == world.counts["lenet5_update"] == 3 * 17 + 1
    assert world.counts["graph"] == 3 * 4
    assert world.counts["capture"] == 1


@pytest.mark.parametrize("batch_size", [1, 3, N, 200])
def test_graph_equals_single_steps_bit_by_bit(digits, monkeypatch, batch_size):
    n = min(N, 20 * batch_size)
    one = make(digits)
    losses = train(one, batch_size=batch_size, n=n)
    monkeypatch.setattr(CudaEngine, "graph_steps", 10**6)
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
    launches_a_chunk = 2 * STEPS + 1  # and an event
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
    assert len(engine._buffers.partials) == N


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
    monkeypatch.setattr(cuda, "INFERENCE_IMAGES", 30)
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


# ---- what is covered


def test_covers_tells_what_the_device_can_not_do():
    backend = CudaBackend()
    network, paper = LeNet5(backend=backend), LeNet5("paper", backend)
    assert covers(network, backend) is covers(paper, backend) is None
    assert "'cpu'" in covers(LeNet5(), NumpyBackend())
    for variant in ("modern", "paper"):
        assert "float64" in covers(LeNet5(variant, backend, dtype="float64"), backend)
    world.shared_limit = 54720
    assert covers(network, backend) is covers(paper, backend) is None
    more = LeNet5(backend=backend, classes=11)
    assert covers(more, backend) == "the GPU gives a block 54720 bytes of shared memory, the kernels need 54736"


def test_a_network_or_an_optimiser_that_the_kernels_do_not_know_is_refused():
    """What differs is found by the comparison that all fast engines share."""

    class Momentum(SGD):
        """Another rule."""

    backend = CudaBackend()
    network = LeNet5(backend=backend)
    with pytest.raises(InputError, match=r"engine 'cuda': found .*Momentum.*'layered'"):
        CudaEngine(network, Momentum())
    network.loss = "map"
    with pytest.raises(InputError, match=r"engine 'cuda': found .*the loss.*'layered'"):
        CudaEngine(network, SGD())
    with pytest.raises(InputError, match=r"engine 'cuda': found .*'cpu'.*'layered'"):
        CudaEngine(LeNet5(), SGD())
    with pytest.raises(InputError, match=r"engine 'cuda': found .*float64.*'layered'"):
        CudaEngine(LeNet5(backend=backend, dtype="float64"), SGD())


# ---- errors


def test_no_memory_is_one_line_with_a_remedy(digits):
    engine = make(digits)
    before = engine.network.host_parameters()
    world.fail["allocate"] = cuda_cupy.OutOfMemoryError("Out of memory allocating 325,632,000 bytes")
    with pytest.raises(TrainingError, match=r"memory of the GPU.*325,632,000 bytes.*smaller batch size") as caught:
        train(engine)
    assert "\n" not in str(caught.value)
    world.fail.clear()
    assert np.array_equal(engine.network.host_parameters(), before)
    assert np.isfinite(train(engine)[0]).all()


def test_a_device_that_fails_is_one_line_with_a_remedy(digits):
    engine = make(digits)
    world.fail["synchronize"] = cuda_cupy.CUDARuntimeError("cudaErrorLaunchFailure: unspecified launch failure")
    with pytest.raises(TrainingError, match=r"GPU failed while training.*unspecified launch failure.*nvidia-smi"):
        train(engine)


def test_a_busy_device_is_one_line_with_a_remedy(digits):
    engine = make()
    world.fail["allocate"] = cuda_cupy.CUDARuntimeError("cudaErrorDevicesUnavailable: devices busy or unavailable")
    with pytest.raises(TrainingError, match=r"busy or unavailable.*nvidia-smi lists who holds the GPU"):
        engine.load(*digits)


@pytest.mark.parametrize(
    "error", [cuda_cupy.CompileException("no such architecture\nline 2"), RuntimeError("failed to load libnvrtc")]
)
def test_kernels_that_do_not_compile_are_one_line_with_a_remedy(error):
    world.fail["compile"] = error
    with pytest.raises(
        BackendError, match=r"CUDA kernels: found .*(architecture|libnvrtc).*engine 'layered'"
    ) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_failure_while_a_graph_is_captured_leaves_the_stream_usable(digits, monkeypatch):
    engine, calls = make(digits), []
    launch = cuda_cupy.RawKernel.__call__

    def seventh_fails(self, *args, **options):
        calls.append(self)
        if len(calls) == 7:
            raise KeyboardInterrupt
        launch(self, *args, **options)

    monkeypatch.setattr(cuda_cupy.RawKernel, "__call__", seventh_fails)
    with pytest.raises(KeyboardInterrupt):
        train(engine)
    monkeypatch.undo()
    assert not cuda_cupy.capturing()
    assert np.isfinite(train(engine)[0]).all()


def test_indices_beyond_the_training_set_are_refused(digits):
    engine = make(digits)
    for wrong in ([0, N], [-1, 3]):
        with pytest.raises(InputError, match=r"order: found .* expected 0 to 66"):
            engine.train(np.array(wrong), 2, np.array([0.1]))
    with pytest.raises(InputError, match="learning rates: found 2, expected 1"):
        engine.train(np.array([0, 1]), 2, np.array([0.1, 0.1]))
    with pytest.raises(InputError, match="call load first"):
        make().train(np.array([0]), 1, np.array([0.1]))
    assert engine.train(np.zeros(0, int), 2, np.zeros(0)).shape == (0,)


def test_distortions_that_the_kernels_could_not_follow_are_refused(digits):
    engine, rows = make(digits), STANDARD.draw(0, 1, 2)
    for wrong in (rows[:1], rows[:, :7]):
        with pytest.raises(InputError, match=r"distortions: found shape .* expected \(2, 8\)"):
            engine.train(np.array([0, 1]), 2, np.array([0.1]), distortions=wrong)
    for number in (-1, distort.FIELDS, np.nan):
        rows[1, 6] = number
        with pytest.raises(InputError, match=r"elastic fields: found .* expected 0 to 1023"):
            engine.train(np.array([0, 1]), 2, np.array([0.1]), distortions=rows)


def test_a_training_set_of_another_form_is_refused(digits):
    images, labels = digits
    with pytest.raises(InputError, match="uint8"):
        make((images / 255.0, labels))
    with pytest.raises(InputError, match="labels"):
        make((images, labels + 11))
    with pytest.raises(InputError, match="labels"):
        make((images, labels[1:]))


# ---- the stand-in itself would notice


def test_stand_in_refuses_what_a_capture_refuses():
    xp, stream = cuda_cupy.xp, cuda_cupy.Stream(non_blocking=True)
    array = xp.zeros(3)
    with stream:
        stream.begin_capture()
        for forbidden in (lambda: xp.zeros(3), lambda: array.get(), lambda: array + 1, stream.synchronize):
            with pytest.raises(cuda_cupy.CUDARuntimeError, match="while a graph is captured"):
                forbidden()
        array.shape  # noqa: B018  known without the device
        stream.end_capture()


def test_stand_in_shows_old_values_to_who_does_not_wait(digits):
    engine = make(digits)
    before = engine.network.host_parameters()
    with engine._stream:
        buffers = engine._prepared(Schedule(8, 8))
        buffers.start(np.arange(8), np.array([0.1]))
        engine._enqueue_steps(buffers, 1)
    assert np.array_equal(engine.network.host_parameters(), before)
    engine._stream.synchronize()
    assert not np.array_equal(engine.network.host_parameters(), before)


def test_stand_in_notices_memory_that_was_given_back(digits):
    engine = make(digits)
    train(engine)
    graph, engine._buffers = engine._graph, None
    with engine._stream:
        graph.launch()
    with pytest.raises(cuda_cupy.CUDARuntimeError, match="given back"):
        engine._stream.synchronize()
    engine._stream.queue.clear()
