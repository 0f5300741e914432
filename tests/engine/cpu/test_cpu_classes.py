"""Other numbers of classes than ten: plan, single image and engines against the layers."""

import numpy as np
import oracle
import pytest

from lenet_gpu.engine.cpu import plan as cpu_plan
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD

CLASSES = (2, 3, 26, 64)


def network(classes, dtype="float64"):
    net = LeNet5(seed=7, dtype=dtype, classes=classes)
    rng = np.random.default_rng(3)
    net.set_parameters(net.host_parameters() + 0.05 * rng.standard_normal(net.parameters.size))
    return net


def labels_for(mnist, classes):
    """Labels that real images really have something to do with, and some "none of them"."""
    labels = (mnist.train.labels.astype(np.intp) * 7 + np.arange(60000) % 5) % classes
    labels[::9] = classes
    return labels


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("n", [1, 32, 75])
@pytest.mark.parametrize("classes", CLASSES)
def test_loss_and_every_gradient_equal_the_layers(mnist, classes, n, wide, monkeypatch):
    monkeypatch.setattr(cpu_plan, "has_wide_vectors", lambda: wide)
    net = network(classes)
    gradients = np.full_like(net.parameters, np.nan)
    plan = CpuPlan.of(net, [gradients])
    labels = labels_for(mnist, classes)
    assert (labels[:n] == classes).any()
    expected = float(net.loss_backward(mnist.train.images[:n], labels[:n]))
    found = plan.gradients(mnist.train.images.reshape(-1, 784), labels, np.arange(n), 1.0 / n) / n
    assert found == pytest.approx(expected, rel=1e-12)
    views = net.views_of(gradients)
    for name, want in net.gradient_views.items():
        assert np.abs(views[name] - want).max() < 2e-12 * np.abs(want).max(), name


@pytest.mark.parametrize("classes", CLASSES)
def test_one_image_equals_the_layers(mnist, classes):
    net = network(classes)
    plan = CpuPlan.of(net)
    plan.refresh()
    for image in mnist.test.images[:20, None]:
        assert plan._for_one() is not None  # the way that is tested here was open
        outputs = plan.outputs(image, refresh=False)
        assert outputs.shape == (1, classes)
        np.testing.assert_allclose(outputs, net.readable_outputs(image), atol=1e-11)
        np.testing.assert_allclose(
            plan.probabilities(image, refresh=False), oracle.probabilities(net, image), atol=1e-12
        )


@pytest.mark.parametrize("batch_size", [1, 33, 300])
@pytest.mark.parametrize("classes", CLASSES)
def test_steps_of_the_engines_equal_the_layers(mnist, rng, classes, batch_size):
    order = rng.permutation(3000)[: batch_size * 5 - batch_size // 2]
    rates = np.linspace(0.05, 0.01, 5)
    labels = labels_for(mnist, classes)
    results = []
    for kind, arguments in ((LayeredEngine, {}), (CpuEngine, {"threads": 2}), (LocalEngine, {})):
        net = network(classes)
        with kind(net, SGD(), **arguments) as engine:
            engine.load(mnist.train.images[:3000], labels[:3000])
            losses = engine.train(order, batch_size, rates)
            outputs = engine.outputs(mnist.test.images[:130])
        assert outputs.shape == (130, classes)
        results.append((net.parameters, losses, outputs))
    for found in results[1:]:
        for ours, expected in zip(found, results[0], strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-11)
    assert np.abs(results[0][0] - network(classes).parameters).max() > 1e-3


def test_more_classes_than_tested_are_refused():
    CpuEngine(LeNet5(classes=64)).close()
    with pytest.raises(InputError, match="65 classes, not 2 to 64"):
        CpuEngine(LeNet5(classes=65))
