"""The checks for a real GPU run, in small, on the stand-in for one: they are no dead code, and can fail."""

import gpu_checks
import numpy as np
import pytest
from stand_in import cuda_cupy

pytestmark = pytest.mark.usefixtures("device")


@pytest.fixture
def arguments(mnist):
    return cuda_cupy.CudaBackend(), mnist.train.images[:40], mnist.train.labels[:40]


def test_gradients(arguments):
    gpu_checks.check_gradients(*arguments, batch_size=5)
    with pytest.raises(AssertionError):
        gpu_checks.check_gradients(*arguments, batch_size=5, tolerance=1e-9)


def test_gradients_of_distorted_images(arguments):
    gpu_checks.check_gradients_of_distorted_images(*arguments, batch_size=5)
    with pytest.raises(AssertionError):
        gpu_checks.check_gradients_of_distorted_images(*arguments, batch_size=5, tolerance=1e-9)


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_gradients_of_the_paper(arguments, loss):
    gpu_checks.check_gradients_of_the_paper(*arguments, loss, batch_size=5)
    with pytest.raises(AssertionError):
        gpu_checks.check_gradients_of_the_paper(*arguments, loss, batch_size=5, tolerance=1e-9)


def test_classes(arguments):
    gpu_checks.check_classes(*arguments, 3, batch_size=5)
    with pytest.raises(AssertionError):
        gpu_checks.check_classes(*arguments, 3, batch_size=5, tolerance=1e-9)


def test_paper(arguments):
    gpu_checks.check_paper(*arguments, "map", losses=1e-5, distance=1e-5)
    with pytest.raises(AssertionError):
        gpu_checks.check_paper(*arguments, "map", losses=1e-5, distance=1e-12)


def test_everything(arguments):
    gpu_checks.check_everything(*arguments, 16, losses=1e-5, distance=1e-5)
    with pytest.raises(AssertionError):
        gpu_checks.check_everything(*arguments, 16, losses=1e-5, distance=1e-12)


def test_graph_equals_single_steps(arguments, monkeypatch):
    gpu_checks.check_graph_equals_single_steps(*arguments, 8, monkeypatch)


def test_epoch(arguments):
    gpu_checks.check_epoch(*arguments, first_steps=1e-5, all_steps=1e-5, distance=1e-6)
    with pytest.raises(AssertionError):
        gpu_checks.check_epoch(*arguments, first_steps=1e-5, all_steps=1e-5, distance=1e-12)


def test_repeatable(arguments):
    gpu_checks.check_repeatable(*arguments, 16)


def test_memory(arguments):
    gpu_checks.check_memory(*arguments, 16)


def test_outputs(arguments):
    gpu_checks.check_outputs(*arguments)


def test_evaluations(arguments):
    gpu_checks.check_evaluations(*arguments)


def test_kept_sets(arguments):
    gpu_checks.check_kept_sets(*arguments)


def test_staged_epochs(arguments):
    gpu_checks.check_staged_epochs(*arguments, 8)


def test_trained_parameters_are_no_initial_ones():
    assert np.abs(gpu_checks.trained_parameters()).max() > 0.1
