"""Which way of squashing the weights allow for: no sum may lie beyond it, whatever the image."""

import numpy as np
import pytest

from lenet_gpu.engine.cpu import plan as cpu_plan
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.reach import LARGEST, Reach
from lenet_gpu.engine.cpu.spec import NetworkSpec, PlanSpec
from lenet_gpu.nn.lenet5 import LeNet5

LAYERS = {"c1", "s2", "c3", "s4"}


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """As on a processor without AVX-512: AVX2, or ARM."""
    monkeypatch.setattr(cpu_plan, "has_wide_vectors", lambda: False)


def steep(net, layers):
    """Multiply the weights of these layers, so that sums far from 0 can come."""
    for name, value in net.views_of(net.parameters).items():
        if name.split(".")[0] in layers:
            value *= {"c1": 40.0, "s2": 7.0, "c3": 20.0, "s4": 7.0}[name.split(".")[0]]
    return net


def reach_of(net, images="uint8"):
    return Reach(PlanSpec(NetworkSpec.of(net), 32, images, training=False, wide=False), net.parameters)


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_steep_layer_is_not_near_and_the_others_stay(layer):
    net = LeNet5(seed=0)
    assert reach_of(net).near() == LAYERS
    steep(net, {layer})
    assert reach_of(net).near() == LAYERS - {layer}
    net.views_of(net.parameters)["s4.bias"][3] = np.nan
    assert reach_of(net).near() == LAYERS - {layer, "s4"}


def test_no_image_brings_a_sum_beyond_the_bound():
    """The image that follows a kernel's signs brings C1's sum to the bound exactly."""
    net = LeNet5(seed=1)
    p = net.views_of(net.parameters)
    weight, bias = p["c1.weight"][2].copy(), float(p["c1.bias"][2])
    largest = float((weight * np.where(weight > 0, net.ink, net.background)).sum()) + bias
    lowest = float((weight * np.where(weight > 0, net.background, net.ink)).sum()) + bias
    for factor, near in ((0.98, True), (1.02, False)):
        p["c1.weight"][...] = 0.0
        p["c1.weight"][2] = weight * (factor * LARGEST / max(largest, -lowest))
        p["c1.bias"][2] = bias * (factor * LARGEST / max(largest, -lowest))
        assert ("c1" in reach_of(net).near()) is near


def test_floats_may_be_anything():
    assert reach_of(LeNet5(seed=0), "float").near() == LAYERS - {"c1"}


def test_comparisons_in_float64_get_all_their_digits():
    assert reach_of(LeNet5(seed=0, dtype="float64")).near() == set()


@pytest.mark.parametrize("layers", [set(), {"c1"}, {"s2"}, {"c3"}, {"s4"}, LAYERS])
def test_every_mixture_of_ways_computes_what_the_layers_do(mnist, rng, layers):
    net = steep(LeNet5(seed=0), layers)
    images, labels = mnist.train.images.reshape(-1, 784), mnist.train.labels.astype(np.intp)
    chosen = rng.permutation(len(labels))[:48]
    gradients = np.full_like(net.parameters, np.nan)
    plan = CpuPlan.of(net, [gradients])
    loss = plan.gradients(images, labels, chosen, 1.0 / 48) / 48
    expected, wanted = net.loss_and_grads(mnist.train.images[chosen], labels[chosen])
    assert loss == pytest.approx(expected, rel=2e-5)
    for name, found in net.views_of(gradients).items():
        np.testing.assert_allclose(found, wanted[name], atol=2e-4 * np.abs(wanted[name]).max(), err_msg=name)


def test_the_way_changes_with_the_parameters(mnist):
    net = LeNet5(seed=0)
    plan = CpuPlan.of(net)
    images = mnist.test.images[:40]
    before = plan.outputs(images)
    steep(net, {"c1"})
    np.testing.assert_allclose(plan.outputs(images), net.readable_outputs(images), atol=1e-4)
    net.set_parameters(LeNet5(seed=0).host_parameters())
    np.testing.assert_array_equal(plan.outputs(images), before)
