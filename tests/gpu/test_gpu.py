"""On a real GPU: everything that the other tests prove without one, once more.

    pytest -m gpu

The checks themselves are in tests/gpu_checks.py; tests/engine/cuda/test_gpu_checks.py tries them on the stand-in.
"""

import os
import subprocess
import sys

import gpu_checks
import numpy as np
import pytest

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cuda.device import Kernels, device_errors
from lenet_gpu.engine.cuda.source import OUTPUTS
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import TrainingError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.train.images, mnist.train.labels


def test_the_cuda_engine_is_what_a_gpu_gets(gpu):
    with make_engine(LeNet5(backend=gpu), SGD()) as engine:
        assert engine.name == "cuda"


def test_readable_layers_agree_with_numpy(gpu, digits):
    images, labels = digits[0][:64], digits[1][:64]
    found, expected = (LeNet5(backend=backend, seed=1) for backend in (gpu, NumpyBackend()))
    for network in (found, expected):
        network.set_parameters(gpu_checks.trained_parameters())
    loss, gradients = found.loss_and_grads(images, labels)
    expected_loss, expected_gradients = expected.loss_and_grads(images, labels)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, gradient in expected_gradients.items():
        assert np.abs(gradients[name] - gradient).max() <= 2e-5 * np.abs(gradient).max(), name


@pytest.mark.parametrize("batch_size", [1, 2, 31, 32, 33, 1024, 4096])
def test_loss_and_every_gradient_agree_with_the_layers(gpu, digits, batch_size):
    gpu_checks.check_gradients(gpu, *digits, batch_size, tolerance=1e-5)


@pytest.mark.parametrize("batch_size", [1, 33, 1024])
def test_gradients_of_distorted_images_agree_with_the_layers(gpu, digits, batch_size):
    gpu_checks.check_gradients_of_distorted_images(gpu, *digits, batch_size, tolerance=2e-5)


def test_distorted_epochs_by_nesterovs_rule_agree_with_the_cpu(gpu, digits):
    """Few images: rounding differences grow from step to step, and faster with momentum."""
    images, labels = (array[:3000] for array in digits)
    gpu_checks.check_everything(gpu, images, labels, 64, losses=1e-3, distance=1e-3)


@pytest.mark.parametrize("classes", [2, 3, 26, 64])
def test_other_numbers_of_classes_agree_with_the_layers(gpu, digits, classes):
    gpu_checks.check_classes(gpu, *digits, classes, batch_size=33, tolerance=1e-5)


@pytest.mark.parametrize("batch_size", [1, 33])
@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_loss_and_every_gradient_of_the_papers_network(gpu, digits, loss, batch_size):
    gpu_checks.check_gradients_of_the_paper(gpu, *digits, loss, batch_size, tolerance=1e-5)


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_the_papers_training_agrees_with_the_cpu(gpu, digits, loss):
    """Few images: the readable layers in float32 and in float64 end 1e-6 of their norm apart."""
    images, labels = (array[:1000] for array in digits)
    gpu_checks.check_paper(gpu, images, labels, loss, losses=1e-3, distance=1e-4)


def test_readable_layers_distort_as_numpy_does(gpu, digits):
    images, parameters = digits[0][:500], STANDARD.draw(0, 1, 500)
    expected = distort.distort_reference(np, images, parameters, distort.elastic_fields())
    on_device = map(gpu.asarray, (images, parameters, distort.elastic_fields()))
    found = gpu.to_host(distort.distort_reference(gpu.xp, *on_device))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01)


@pytest.mark.parametrize("batch_size", [32, 100, 128])
def test_graph_equals_single_steps_bit_by_bit(gpu, digits, batch_size, monkeypatch):
    gpu_checks.check_graph_equals_single_steps(gpu, *digits, batch_size, monkeypatch)


def test_first_epoch_of_the_classic_recipe_agrees_with_the_cpu(gpu, digits):
    gpu_checks.check_epoch(gpu, *digits, first_steps=1e-5, all_steps=1e-4, distance=1e-4)


@pytest.mark.parametrize("batch_size", [32, 1024])
def test_a_run_can_be_repeated_bit_by_bit(gpu, digits, batch_size):
    gpu_checks.check_repeatable(gpu, *digits, batch_size)


def test_memory_is_constant_over_three_epochs(gpu, digits):
    gpu_checks.check_memory(gpu, *digits, 32)


def test_outputs_agree_with_the_layers(gpu, digits):
    gpu_checks.check_outputs(gpu, *digits)


def test_evaluations_on_the_device_are_those_of_the_host(gpu, digits):
    gpu_checks.check_evaluations(gpu, *digits)


def test_a_set_that_is_kept_is_uploaded_once(gpu, digits):
    gpu_checks.check_kept_sets(gpu, *digits)


def test_staged_epochs_end_in_the_same_bytes(gpu, digits):
    gpu_checks.check_staged_epochs(gpu, *digits, 64)


def test_no_memory_is_one_line_with_a_remedy(gpu, digits):
    engine = gpu_checks.make(gpu, *digits)
    pool = gpu.xp.get_default_memory_pool()
    before, limit = engine.network.host_parameters(), pool.get_limit()
    pool.set_limit(size=pool.used_bytes() + (1 << 20))
    try:
        with pytest.raises(TrainingError, match=r"memory of the GPU while training: .*smaller batch size"):
            gpu_checks.train(engine, len(digits[0]), 20_000)
    finally:
        pool.set_limit(size=limit)
    assert np.array_equal(engine.network.host_parameters(), before)
    assert np.isfinite(gpu_checks.train(engine, 6400, 32)).all()


def test_a_busy_device_is_one_line_with_a_remedy(gpu):
    """CUDA's own error of a device that somebody holds alone; holding it would take an administrator."""
    devices_unavailable = 46
    with (
        pytest.raises(TrainingError, match=r"(?i)the GPU failed while training.*unavailable.*nvidia-smi lists"),
        device_errors(gpu.xp, "training"),
    ):
        raise gpu.xp.cuda.runtime.CUDARuntimeError(devices_unavailable)


def test_hidden_devices_end_the_command_with_status_2(gpu):
    done = subprocess.run(
        [sys.executable, "-m", "lenet_gpu", "train", "--backend", "gpu", "--epochs", "1"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "backend 'gpu'" in done.stderr
    assert "Traceback" not in done.stderr


def test_compiled_kernels_stay_below_their_ceilings(gpu):
    """What the driver says of the kernels that it has loaded."""
    networks = [
        *(Kernels(gpu.xp, variant) for variant in OUTPUTS),
        *(Kernels(gpu.xp, "modern", n) for n in (2, 26, 64)),
    ]
    for kernel in (kernels[name] for kernels in networks for name in kernels):
        assert kernel.local_size_bytes == 0, "registers were spilled"
        assert kernel.num_regs <= 128
