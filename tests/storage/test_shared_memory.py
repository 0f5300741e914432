"""A data set is in memory once: its file is found, handed to the workers, and vanishes with the last array."""

import errno
import gc
import os
import tempfile

import numpy as np
import pytest

from lenet_gpu import LeNet5, load_dataset
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.optim import SGD
from lenet_gpu.storage import shared_memory

N = 3000


def size(fd):
    return os.fstat(fd).st_size


def test_the_file_of_an_array_is_found_where_it_begins():
    bytes_ = shared_memory.empty(6 * 784)
    fd = shared_memory.file_behind(bytes_)
    images = bytes_.reshape(6, 28, 28)
    assert shared_memory.file_behind(images) == shared_memory.file_behind(images[:4]) == fd
    bytes_[:] = np.arange(len(bytes_)) % 251
    assert os.pread(fd, len(bytes_), 0) == bytes_.tobytes()
    for other in (images[1:], images[:, :14], images.transpose(0, 2, 1), images.copy(), np.zeros(4)):
        assert shared_memory.file_behind(other) is None


def test_the_file_vanishes_with_the_last_array():
    images = shared_memory.empty(100_000).reshape(-1, 100)
    fd = shared_memory.file_behind(images)
    rest = images[3:]
    del images
    gc.collect()
    assert size(fd) >= 100_000  # `rest` needs it
    del rest
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_too_little_memory_is_a_memory_error(monkeypatch):
    def full(fd, size):
        raise OSError(28, "No space left on device")

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(shared_memory, "grow", full)
    with pytest.raises(MemoryError):
        shared_memory.empty(1000)
    assert set(os.listdir("/proc/self/fd")) == before


def test_where_a_sandbox_refuses_files_in_memory_they_are_temporary_ones(monkeypatch, mnist, tmp_path):
    def refused(*arguments):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refused)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    images = mnist.test.images[:200]
    with CpuEngine(LeNet5(seed=3), threads=2) as engine:
        np.testing.assert_allclose(engine.outputs(images), LayeredEngine(LeNet5(seed=3)).outputs(images), atol=1e-6)
    assert not list(tmp_path.iterdir())


def test_where_files_are_limited_it_is_ordinary_memory(monkeypatch):
    def too_large(fd, size):
        raise OSError(27, "File too large")

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(shared_memory, "grow", too_large)
    array = shared_memory.empty(1000)
    assert (array.shape, array.dtype) == ((1000,), np.uint8)
    assert shared_memory.file_behind(array) is None
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_anonymous_files_it_is_ordinary_memory(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    array = shared_memory.empty(1000)
    assert (array.shape, array.dtype) == ((1000,), np.uint8)
    assert shared_memory.file_behind(array) is None


def outputs_after_an_epoch(engine, images, labels, evaluated):
    engine.load(images, labels)
    order = np.random.default_rng(5).permutation(len(images))
    engine.train(order, 50, np.full(-(-len(images) // 50), 0.05))
    return engine.outputs(evaluated)


def test_workers_share_the_data_sets_own_pages():
    """Nothing of the images is copied, neither for training nor for the evaluation of the training set."""
    data = load_dataset("mnist").train
    images, labels = data.images[:N], data.labels[:N]
    assert shared_memory.file_behind(images) is not None
    with CpuEngine(LeNet5(seed=1), SGD(), 2) as engine:
        shared = outputs_after_an_epoch(engine, images, labels, images)
        files = {name: size(file.fd) for name, file in engine._pool.files.items() if name != "images"}
        # The workers see the coordinator's pages: what is written there changes what they compute.
        kept = images[7].copy()
        images[7] = 255 - images[7]
        changed = engine.outputs(images)
        images[7] = kept
    assert files["data"] + files["evaluation"] < images.nbytes / 4
    assert np.flatnonzero((changed != shared).any(axis=1)).tolist() == [7]
    with CpuEngine(LeNet5(seed=1), SGD(), 2) as engine:
        copied = outputs_after_an_epoch(engine, images.copy(), labels, images)
        assert size(engine._pool.files["data"].fd) > images.nbytes
    np.testing.assert_array_equal(shared, copied)
    readable = LayeredEngine(LeNet5(seed=1), SGD())
    np.testing.assert_allclose(outputs_after_an_epoch(readable, images, labels, images), shared, atol=2e-4)


def test_a_second_training_set_leaves_the_first_ones_file_alone():
    first, second = load_dataset("mnist"), load_dataset("mnist").test
    images, labels = first.train.images[:500], first.train.labels[:500]
    digest = images.tobytes()
    with CpuEngine(LeNet5(seed=1), SGD(), 2) as engine:
        engine.load(images, labels)
        again = outputs_after_an_epoch(engine, second.images[:500], second.labels[:500], images)
    with CpuEngine(LeNet5(seed=1), SGD(), 2) as engine:
        alone = outputs_after_an_epoch(engine, second.images[:500].copy(), second.labels[:500], images)
    np.testing.assert_array_equal(again, alone)
    assert images.tobytes() == digest
