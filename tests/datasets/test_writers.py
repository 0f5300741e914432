"""The writers of MNIST's images: the file, and the split that no writer is on both sides of."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu.datasets import hold_out_mnist_writers, read_writers, with_writers
from lenet_gpu.datasets.writers import EMPLOYEES, FOLDS, PUPILS, SHA256
from lenet_gpu.errors import DataError

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "mnist"


def test_the_file_is_the_one_its_digest_and_the_readme_name():
    assert sha256((SHIPPED / "writers.npz").read_bytes()).hexdigest() == SHA256
    assert SHA256 in (SHIPPED.parent / "README.md").read_text()
    assert "Redistribution and use" in (SHIPPED / "LICENSE.QMNIST").read_text()


def test_every_image_has_a_writer_of_one_series_and_one_set():
    writers = read_writers()
    assert writers.train.shape == writers.train_series.shape == (60000,)
    assert writers.test.shape == writers.test_series.shape == (10000,)
    assert len(np.unique(writers.train)) == 539
    assert len(np.unique(writers.test)) == 297
    assert not set(writers.train.tolist()) & set(writers.test.tolist())
    assert set(writers.train_series.tolist()) == set(writers.test_series.tolist()) == {EMPLOYEES, PUPILS}
    pairs = set(zip(writers.train.tolist(), writers.train_series.tolist(), strict=True))
    assert len(pairs) == 539  # nobody is an employee and a pupil


def test_mnist_gets_its_writers(mnist):
    data = with_writers(mnist)
    writers = read_writers()
    np.testing.assert_array_equal(data.train.writers, writers.train)
    np.testing.assert_array_equal(data.test.writers, writers.test)
    assert data.train.images is mnist.train.images or (data.train.images == mnist.train.images).all()


def test_a_fold_is_a_sixth_of_the_writers_and_nobody_is_on_both_sides(mnist):
    seen = []
    for fold in range(FOLDS):
        data = hold_out_mnist_writers(mnist, fold)
        assert data.test is None
        inside, outside = set(data.train.writers.tolist()), set(data.validation.writers.tolist())
        assert not inside & outside
        assert len(inside | outside) == 539
        assert 9_000 < len(data.validation) < 11_000
        # Employees have the low numbers, pupils the high ones: both are held out alike.
        assert abs(sum(w < 2000 for w in outside) - 289 / FOLDS) < 1
        assert abs(sum(w > 2000 for w in outside) - 250 / FOLDS) < 1
        assert len(data.train) + len(data.validation) == 60_000
        seen += sorted(outside)
    assert len(seen) == len(set(seen)) == 539
    where = np.isin(read_writers().train, sorted(outside))
    np.testing.assert_array_equal(data.validation.images, mnist.train.images[where])
    np.testing.assert_array_equal(data.validation.labels, mnist.train.labels[where])


def test_only_mnist_has_these_writers(mnist):
    part = replace(mnist, train=mnist.train.take(np.arange(60000) < 100), digests={})
    with pytest.raises(DataError, match="MNIST's four files, whole"):
        with_writers(part)
    with pytest.raises(DataError, match="fold"):
        hold_out_mnist_writers(mnist, FOLDS)


def test_a_missing_or_altered_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_writers(tmp_path / "writers.npz")
    damaged = tmp_path / "writers.npz"
    damaged.write_bytes((SHIPPED / "writers.npz").read_bytes()[:-1])
    with pytest.raises(DataError, match="SHA-256"):
        read_writers(damaged)
