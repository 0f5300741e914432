"""Epochs that are drawn and uploaded beside the running one: nothing changes but the time."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from cuda_on_cpu.engines import make, order_of
from stand_in import cuda_cupy
from stand_in.cuda_cupy import world

from lenet_gpu import Trainer
from lenet_gpu.augment.augmentation import STANDARD, Augmentation
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.training.callbacks import Callback
from lenet_gpu.training.recipes import RECIPES

pytestmark = pytest.mark.usefixtures("device")

N = 19


def epoch_of(number, distorted=True):
    return order_of(N, number), STANDARD.draw(0, number, N) if distorted else None


def train(engine, drawn):
    order, distortions = drawn
    return engine.train(order, 4, np.linspace(0.02, 0.01, 5), distortions=distortions)


@pytest.mark.parametrize("distorted", [True, False])
def test_staged_epochs_are_trained_as_others(digits, distorted):
    engine, other = make(digits), make(digits)
    for number in (1, 2, 3):
        drawn = epoch_of(number, distorted)
        engine.stage(*drawn)
        with engine.network.backend.counting() as counters:
            found = train(engine, drawn)
        assert counters.names["transfers:set"] == 2  # learning rates and counter
        assert np.array_equal(found, train(other, drawn))
    assert engine.network.host_parameters().tobytes() == other.network.host_parameters().tobytes()


def test_an_epoch_is_known_by_its_very_arrays(digits):
    engine, other = make(digits), make(digits)
    engine.stage(*epoch_of(2))
    for drawn in (epoch_of(1), epoch_of(2)):  # neither is what was staged
        assert np.array_equal(train(engine, drawn), train(other, drawn))
    order, distortions = epoch_of(3)
    engine.stage(order, distortions)
    assert np.array_equal(train(engine, (order, None)), train(other, (order, None)))
    assert np.array_equal(train(engine, (order, distortions)), train(other, (order, distortions)))


def test_the_last_two_that_are_staged_count(digits):
    engine, other = make(digits), make(digits)
    epochs = [epoch_of(1), epoch_of(2, distorted=False), epoch_of(3)]
    for drawn in epochs:
        engine.stage(*drawn)
    assert [engine._staged.find(*drawn) is not None for drawn in epochs] == [False, True, True]
    for drawn in epochs:
        assert np.array_equal(train(engine, drawn), train(other, drawn))
    assert np.array_equal(train(engine, epochs[2]), train(other, epochs[2]))  # uploaded anew


def test_staged_while_an_epoch_runs(digits):
    """The next epoch is uploaded before the copies of this one are done, and does not overtake them."""
    engine, other = make(digits), make(digits)
    first, second = epoch_of(1), epoch_of(2)
    engine.stage(*first)
    found = engine.train(first[0], 4, np.linspace(0.02, 0.01, 5), lambda *_: engine.stage(*second), first[1])
    assert np.array_equal(found, train(other, first))
    assert np.array_equal(train(engine, second), train(other, second))


def test_a_missing_wait_is_noticed(digits, monkeypatch):
    """Without it an earlier epoch is copied once more."""
    engine, other = make(digits), make(digits)
    for number in (1, 2):
        drawn = epoch_of(number)
        engine.stage(*drawn)
        train(engine, drawn)
    other.network.set_parameters(engine.network.host_parameters())
    drawn = epoch_of(3)
    engine.stage(*drawn)
    monkeypatch.setattr(cuda_cupy.Stream, "wait_event", lambda self, event: None)
    monkeypatch.setattr(cuda_cupy.CudaBackend, "synchronize", lambda self: None)
    assert not np.array_equal(train(engine, drawn), train(other, drawn))


def test_what_train_would_refuse_is_not_staged(digits):
    engine = make(digits)
    with pytest.raises(InputError, match="order"):
        engine.stage(np.array([0, 10**6]))
    with pytest.raises(InputError, match="distortions"):
        engine.stage(np.arange(4), np.zeros((3, 8), np.float32))


def test_another_training_set_forgets_what_was_staged(digits):
    engine = make(digits)
    drawn = epoch_of(1)
    engine.stage(*drawn)
    engine.load(digits[0][:5], digits[1][:5])
    with pytest.raises(InputError, match="order"):
        train(engine, drawn)


def test_staging_gives_its_memory_back(digits):
    engine = make(digits)
    used = engine.network.backend.memory_used()
    engine.stage(*epoch_of(1))
    assert engine.network.backend.memory_used() > used
    engine.close()
    assert engine.network.backend.memory_used() < used


# ---- whole runs


@pytest.fixture
def data(mnist):
    images, labels = mnist.train.images[:40], mnist.train.labels[:40]
    test = Split(mnist.test.images[:10], mnist.test.labels[:10])
    return Dataset(name="digits", train=Split(images, labels), test=test, digests={"all": "0" * 64})


RECIPE = RECIPES["fast"].with_changes(epochs=3, batch_size=8)


def fit(data, callbacks=(), recipe=RECIPE):
    model = LeNet5(backend=cuda_cupy.CudaBackend(), seed=1)
    trainer = Trainer(model, recipe, callbacks=callbacks, progress=False)
    trainer.fit(data)
    return trainer


def told(trainer):
    changing = ("seconds", "evaluation_seconds", "images_per_second")
    return [{key: value for key, value in log.items() if key not in changing} for log in trainer.history]


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lenet-gpu")]


def test_a_run_is_the_same_with_and_without(data, monkeypatch):
    trainer = fit(data)
    monkeypatch.setattr(CudaEngine, "stages", False)
    other = fit(data)
    assert trainer.model.host_parameters().tobytes() == other.model.host_parameters().tobytes()
    assert told(trainer) == told(other)
    assert "lenet-gpu-epochs_0" not in threads()


def test_every_epoch_but_the_first_is_staged(data, monkeypatch):
    known = []
    train_one = CudaEngine.train

    def train(self, order, *arguments):
        known.append(self._staged.find(order, arguments[-1]) is not None)
        return train_one(self, order, *arguments)

    monkeypatch.setattr(CudaEngine, "train", train)
    fit(data)
    assert known == [False, True, True]


class Interrupt(Callback):
    def on_epoch(self, trainer, log):
        raise KeyboardInterrupt


class Stop(Callback):
    def on_epoch(self, trainer, log):
        trainer.stop()


def test_the_thread_ends_with_the_run(data):
    with pytest.raises(KeyboardInterrupt):
        fit(data, [Interrupt()])
    assert "lenet-gpu-epochs_0" not in threads()
    assert fit(data, [Stop()]).epochs_done == 1
    assert "lenet-gpu-epochs_0" not in threads()
    assert not any(stream.queue for stream in world.streams)


def test_an_error_of_the_thread_is_told_when_its_epoch_comes(data, monkeypatch):
    draw = Augmentation.draw

    def fail(self, seed, epoch, n):
        if epoch == 2:
            raise MemoryError("no room for an epoch")
        return draw(self, seed, epoch, n)

    monkeypatch.setattr(Augmentation, "draw", fail)
    logs = []
    with pytest.raises(MemoryError, match="no room for an epoch"):
        fit(data, [logs.append])
    assert [log["epoch"] for log in logs] == [1]
    assert "lenet-gpu-epochs_0" not in threads()


def test_without_pinned_memory_an_epoch_is_uploaded_by_training(data, monkeypatch):
    expected = fit(data).model.host_parameters().tobytes()

    def refuse(self, *_):
        raise cuda_cupy.CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr("lenet_gpu.engine.cuda.ahead.StagedEpochs.fill", refuse)
    assert fit(data).model.host_parameters().tobytes() == expected


def test_without_a_thread_every_epoch_is_drawn_in_its_turn(data, monkeypatch):
    expected = fit(data).model.host_parameters().tobytes()

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert fit(data).model.host_parameters().tobytes() == expected
