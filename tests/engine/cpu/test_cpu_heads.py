"""The CPU plan's output layers against the readable layer and losses, from F6 to dE/dF6."""

import numpy as np
import pytest

from lenet_gpu.engine.cpu.heads import make_head
from lenet_gpu.engine.cpu.ops import Recorder, run
from lenet_gpu.engine.cpu.spec import NetworkSpec, PlanSpec
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.paper import CODES, NOT_A_DIGIT


def head_of(net, capacity):
    spec = PlanSpec(NetworkSpec.of(net), capacity, "uint8", training=True, wide=False)
    return make_head(spec, net.views)


def forward_and_back(head, n, f6, labels, gradients):
    """Outputs (n, classes), the summed loss and dE/dF6 (n, 84)."""
    columns, out = np.ascontiguousarray(f6.T), np.empty((84, n))
    do = Recorder()
    head.forward(do, n, columns)
    run(do.calls)
    outputs = head.outputs(n).T.copy()
    head.scale[...] = 1.0 / n
    do = Recorder()
    head.loss_backward(do, n, labels, columns, out, gradients)
    run(do.calls)
    return outputs, float(head.loss), out.T


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_the_papers_head_equals_layer_and_loss(loss, n, rng):
    """Close to a code for two images, so that no class is beyond floating point; one of them is not a digit."""
    net = LeNet5("paper", dtype="float64")
    net.loss = loss
    head, layer = head_of(net, 8), net.layers[-1]
    f6 = np.array(CODES, dtype=float)[[3, 8, 9, 0, 5]][:n] + 0.3 * rng.normal(size=(n, 84))
    labels = np.array([3, 1, 9, NOT_A_DIGIT, 5])[:n]
    y = layer.forward(f6)
    expected, dy = LOSSES[loss].value(np, y, labels)
    expected_back = layer.backward(dy)
    for _ in range(2):  # a second time over what the first has left
        outputs, found, back = forward_and_back(head, n, f6, labels, {})
        np.testing.assert_allclose(outputs, -y, rtol=1e-11, atol=1e-11)
        assert found / n == pytest.approx(float(expected), rel=1e-12)
        np.testing.assert_allclose(back, expected_back, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("classes", [2, 3, 10, 26, 64])
@pytest.mark.parametrize("n", [1, 7])
def test_softmax_of_any_number_of_classes_equals_layer_and_loss(classes, n, rng):
    net = LeNet5(dtype="float64", classes=classes)
    net.set_parameters(rng.normal(size=net.parameters.size))
    head, layer = head_of(net, 8), net.layers[-1]
    f6 = rng.uniform(-1.7, 1.7, (n, 84))
    labels = rng.integers(0, classes + 1, n)
    labels[0] = classes  # none of them
    y = layer.forward(f6)
    expected, dy = LOSSES["cross_entropy"].value(np, y, labels)
    expected_back = layer.backward(dy)
    for _ in range(2):
        gradients = net.views_of(np.full_like(net.parameters, np.nan))
        outputs, found, back = forward_and_back(head, n, f6, labels, gradients)
        np.testing.assert_allclose(outputs, y, rtol=1e-11, atol=1e-11)
        assert found / n == pytest.approx(float(expected), rel=1e-12)
        np.testing.assert_allclose(back, expected_back, rtol=1e-10, atol=1e-11)
        for name in ("output.weight", "output.bias"):
            np.testing.assert_allclose(gradients[name], net.gradient_views[name], rtol=1e-10, atol=1e-11)
