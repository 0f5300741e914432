"""On a real GPU: every form of the kernels that this one runs computes what the readable layers do.

pytest -m gpu tests/gpu/test_forms.py
"""

import gpu_checks
import numpy as np
import pytest

from lenet_gpu.engine.cuda.choice import Forms
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.cuda.forms import FORMS, Alone, Portable, Throughput

pytestmark = pytest.mark.gpu


@pytest.fixture(params=FORMS, ids=lambda kind: kind.name)
def form(request, gpu, monkeypatch):
    """A form that all engines train with, whatever the batch size."""
    if not Forms(gpu.xp, "modern", 10).get(request.param).at_once:
        pytest.skip(f"this GPU does not run the {request.param.name} form")
    monkeypatch.setattr(CudaEngine, "form", request.param)
    return request.param


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.train.images[:1200], mnist.train.labels[:1200]


def sizes_of(form):
    """Batch sizes: one image, and several."""
    return [1] if form is Alone else [1, 2, 33]


def test_gradients_agree_with_the_layers(gpu, form, digits):
    for batch_size in sizes_of(form):
        gpu_checks.check_gradients(gpu, *digits, batch_size, tolerance=1e-5)


def test_gradients_of_distorted_images_agree_with_the_layers(gpu, form, digits):
    for batch_size in sizes_of(form):
        gpu_checks.check_gradients_of_distorted_images(gpu, *digits, batch_size, tolerance=2e-5)


@pytest.mark.parametrize("classes", [2, 26, 64])
def test_other_numbers_of_classes_agree_with_the_layers(gpu, form, digits, classes):
    gpu_checks.check_classes(gpu, *digits, classes, sizes_of(form)[-1], tolerance=1e-5)


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_gradients_of_the_papers_network_agree_with_the_layers(gpu, form, digits, loss):
    for batch_size in sizes_of(form):
        gpu_checks.check_gradients_of_the_paper(gpu, *digits, loss, batch_size, tolerance=1e-5)


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_the_papers_training_agrees_with_the_cpu(gpu, form, digits, loss):
    images, labels = (array[:400] for array in digits)
    gpu_checks.check_paper(gpu, images, labels, loss, losses=1e-3, distance=1e-4)


def test_distorted_epochs_by_nesterovs_rule_agree_with_the_cpu(gpu, form, digits):
    batch_size = sizes_of(form)[-1]
    # One image a step with momentum is a wild ride: rounding differences grow fast.
    images, labels = (array[: 15 if batch_size == 1 else 1200] for array in digits)
    gpu_checks.check_everything(gpu, images, labels, batch_size, losses=1e-3, distance=1e-3)


def test_chunks_of_steps_equal_single_steps_bit_by_bit(gpu, form, digits, monkeypatch):
    gpu_checks.check_repeatable(gpu, *digits, sizes_of(form)[-1])
    ends = []
    for steps in (7, 1):
        monkeypatch.setattr(CudaEngine, "chunk_steps", steps)
        engine = gpu_checks.make(gpu, *digits)
        gpu_checks.train(engine, len(digits[0]), sizes_of(form)[-1])
        ends.append(engine.network.host_parameters())
    assert np.array_equal(*ends)


@pytest.mark.parametrize("kind", [Portable, Throughput], ids=lambda kind: kind.name)
def test_scores_agree_with_the_layers(gpu, digits, kind):
    engine = gpu_checks.make(gpu, *digits)
    engine.network.set_parameters(gpu_checks.trained_parameters())
    form = engine._forms.get(kind)
    if not form.at_once:
        pytest.skip(f"this GPU does not run the {kind.name} form")
    expected = gpu_checks.oracle_of("cross_entropy").readable_outputs(digits[0])
    for count in (1, 5, 1003):
        scores = gpu.xp.zeros((count, 10), dtype="float32")
        form.infer(engine.network.parameters, gpu.asarray(digits[0][:count]), engine._inference.pixel, scores)
        np.testing.assert_allclose(gpu.to_host(scores), expected[:count], rtol=0, atol=1e-5)
