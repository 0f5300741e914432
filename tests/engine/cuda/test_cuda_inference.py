"""The CUDA engine's inference: uploads in parts, evaluations on the device, sets that stay there."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from cuda_on_cpu.engines import N, make
from stand_in import cuda_cupy
from stand_in.cuda_cupy import world

from lenet_gpu.engine.cuda import inference, staging
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.errors import InputError, TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.metrics import evaluate_outputs
from lenet_gpu.paper import NOT_A_DIGIT

pytestmark = pytest.mark.usefixtures("device")


@pytest.fixture
def several_parts(monkeypatch):
    monkeypatch.setattr(inference, "PART", 8)


def assert_same(found, expected):
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    assert np.array_equal(found.predictions, expected.predictions)
    assert np.array_equal(found.labels, expected.labels)
    assert (found.errors, found.accuracy) == (expected.errors, expected.accuracy)
    assert np.array_equal(found.confusion, expected.confusion)


def test_outputs_in_many_parts_are_those_of_one(digits, several_parts, monkeypatch):
    engine, told = make(), []
    found = engine.outputs(digits[0], lambda done, _: told.append(done))
    assert told == [*range(8, N, 8), N]
    monkeypatch.setattr(inference, "PART", 10**6)
    assert np.array_equal(engine.outputs(digits[0]), found)


def test_a_view_of_other_images_is_read_as_it_is(digits, several_parts):
    engine = make()
    found = engine.outputs(digits[0][::-2, ::-1])
    assert np.array_equal(found, engine.outputs(np.ascontiguousarray(digits[0][::-2, ::-1])))


def test_without_threads_the_caller_copies(digits, several_parts, monkeypatch):
    expected = make().outputs(digits[0])

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert np.array_equal(make().outputs(digits[0]), expected)


def test_helpers_end_with_the_call(digits, several_parts):
    make().outputs(digits[0])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lenet-gpu-copy")]


@pytest.mark.parametrize("forgotten", ["wait_event", "event"])
def test_a_missing_wait_is_noticed(digits, several_parts, monkeypatch, forgotten):
    """The stand-in copies late: who doesn't wait computes with what was there before."""
    engine = make()
    expected = engine.outputs(digits[0])
    if forgotten == "wait_event":
        monkeypatch.setattr(cuda_cupy.Stream, "wait_event", lambda self, event: None)
    else:
        monkeypatch.setattr(cuda_cupy.Event, "synchronize", lambda self: None)
    assert not np.array_equal(engine.outputs(digits[0]), expected)


def test_an_interrupt_leaves_nothing_running(digits, several_parts):
    engine = make()

    def interrupt(done, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.outputs(digits[0], interrupt)
    assert not any(stream.queue for stream in world.streams)
    assert np.isfinite(engine.outputs(digits[0])).all()


@pytest.mark.parametrize("resident", [True, False])
def test_evaluations_agree_with_the_host(digits, resident):
    engine = make(digits if resident else None)
    expected = evaluate_outputs(engine.outputs(digits[0]), digits[1])
    told = []
    assert_same(engine.evaluate(*digits, lambda done, _: told.append(done)), expected)
    assert told == [N]
    assert_same(super(CudaEngine, engine).evaluate(*digits), expected)


def test_images_of_no_class_and_penalties(digits):
    images, labels = digits[0][:20], digits[1][:20].copy()
    labels[::3] = NOT_A_DIGIT
    network = LeNet5("paper", cuda_cupy.CudaBackend(), seed=1)
    engine = CudaEngine(network)
    expected = evaluate_outputs(engine.outputs(images), labels)
    found = engine.evaluate(images, labels)
    assert_same(found, expected)
    assert found.errors >= 7
    assert found.confusion.sum() == 13


def test_evaluations_in_parts(digits, monkeypatch):
    """Whole groups of 256 images a part."""
    images, labels = np.tile(digits[0], (9, 1, 1))[:600], np.tile(digits[1], 9)[:600]
    engine, told = make(), []
    engine.network.set_parameters(make(seed=5).network.host_parameters())
    expected = engine.evaluate(images, labels)
    monkeypatch.setattr(inference, "PART", 256)
    monkeypatch.setattr(inference, "RESIDENT_PART", 256)
    assert_same(engine.evaluate(images, labels, lambda done, _: told.append(done)), expected)
    engine.keep(images, labels)
    again = engine.evaluate(images, labels, lambda done, _: told.append(done))
    assert told == [256, 512, 600] * 2
    assert again.loss == expected.loss
    assert np.array_equal(again.predictions, expected.predictions)


def test_a_set_that_is_kept_is_uploaded_once(digits):
    engine = make()
    engine.keep(*digits)
    backend = engine.network.backend
    used = backend.memory_used()
    expected = engine.evaluate(*digits)
    assert backend.memory_used() - used >= digits[0].nbytes
    with backend.counting() as counters:
        assert_same(engine.evaluate(*digits), expected)
        outputs = engine.outputs(digits[0])
    assert counters.transfers == 0
    assert np.array_equal(outputs, engine.outputs(digits[0].copy()))
    engine.close()
    assert backend.memory_used() <= used


def test_the_training_set_is_uploaded_once(digits):
    engine = make(digits)
    engine.keep(*digits)
    with engine.network.backend.counting() as counters:
        engine.evaluate(*digits)
    assert counters.transfers == 0


def test_other_labels_for_the_training_set_are_not_taken_for_its_own(digits):
    engine = make(digits)
    others = (digits[1] + 1) % 10
    assert_same(engine.evaluate(digits[0], others), evaluate_outputs(engine.outputs(digits[0]), others))


def test_what_is_not_announced_may_be_changed(digits):
    engine, images = make(), digits[0].copy()
    engine.evaluate(images, digits[1])
    images[...] = images[::-1].copy()
    assert_same(engine.evaluate(images, digits[1]), evaluate_outputs(engine.outputs(images.copy()), digits[1]))


def test_few_sets_are_kept(digits):
    engine, sets = make(), [(digits[0][k:], digits[1][k:]) for k in range(5)]
    for each in sets:
        engine.keep(*each)
        engine.evaluate(*each)
    assert [each.host[0] is images for each, (images, _) in zip(engine._inference._sets, sets[2:], strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("full", ["little free", "allocation fails"])
def test_a_set_without_room_is_evaluated_in_parts(digits, full, monkeypatch):
    engine = make()
    expected = engine.evaluate(*digits)
    engine.keep(*digits)
    if full == "little free":
        world.free = 1000
    else:

        def refuse(*_):
            raise cuda_cupy.OutOfMemoryError("no room")

        monkeypatch.setattr(inference, "upload", refuse)
    used = engine.network.backend.memory_used()
    assert_same(engine.evaluate(*digits), expected)
    assert engine.network.backend.memory_used() <= used
    assert_same(engine.evaluate(*digits), expected)


def test_what_can_not_be_evaluated_is_refused(digits):
    engine = make()
    with pytest.raises(InputError, match="labels"):
        engine.evaluate(digits[0], np.full(N, 11))
    with pytest.raises(InputError, match="labels"):
        engine.evaluate(digits[0], digits[1][1:])
    world.fail["pinned"] = cuda_cupy.CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
    with pytest.raises(TrainingError, match="the GPU failed while evaluating"):
        engine.evaluate(*digits)


def test_floats_are_evaluated_too(digits):
    engine = make()
    found = engine.evaluate((digits[0][:5] / 255).astype(np.float32), digits[1][:5])
    assert found.loss == pytest.approx(engine.evaluate(digits[0][:5], digits[1][:5]).loss, rel=1e-5)


def test_a_long_way_through_few_slots(digits, monkeypatch):
    """More parts than slots: every slot is used again, and no sooner than its copy is done."""
    monkeypatch.setattr(inference, "PART", 2)
    engine = make(digits)
    expected = engine.outputs(digits[0])
    assert N / 2 > 3 * staging.SLOTS
    assert np.array_equal(engine.outputs(digits[0].copy()), expected)
