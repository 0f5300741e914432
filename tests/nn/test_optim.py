"""Optimisers and schedules: their formulas, an independent witness, and the fast engine beside the layers."""

import numpy as np
import pytest

from lenet_gpu.backend.backend import select_backend
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import BLOCK, Nesterov
from lenet_gpu.nn.schedules import step_decay, warm_up_cosine
from lenet_gpu.paper import NOT_A_DIGIT


class Parameters:
    """As much of a network as an optimiser looks at."""

    def __init__(self, values):
        self.backend = select_backend("cpu")
        self.parameters = values


def test_nesterov_by_its_formula(rng):
    """Several blocks and a rest, three steps of different rates."""
    start = rng.standard_normal(2 * BLOCK + 17)
    gradients = rng.standard_normal((3, start.size))
    optimizer = Nesterov(momentum=0.8, weight_decay=0.03, average_decay=0.6)
    parameters = start.copy()
    optimizer.prepare(Parameters(parameters))
    w, v, trained = start.copy(), np.zeros_like(start), []
    shares = optimizer.shares(3)
    average = start.copy()
    for t, (g, r) in enumerate(zip(gradients, (0.1, 0.2, 0.05), strict=True)):
        optimizer.update(parameters, g.copy(), r)
        v = 0.8 * v - r * g
        w = (1 - r * 0.03) * w + 0.8 * v - r * g
        trained.append(w)
        average += shares[t] * (w - average)
        np.testing.assert_allclose(parameters, w, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(optimizer.state["average"], average, rtol=1e-12, atol=1e-13)
    # The mean of the trained weights alone, with weights that are forgotten exponentially: no trace of the start.
    forgotten = 0.6 ** np.arange(2, -1, -1)
    np.testing.assert_allclose(average, forgotten @ np.array(trained) / forgotten.sum(), rtol=1e-12, atol=1e-13)
    optimizer.swap_average(parameters)
    np.testing.assert_allclose(parameters, average, rtol=1e-12, atol=1e-13)
    optimizer.swap_average(parameters)
    np.testing.assert_allclose(parameters, w, rtol=1e-12, atol=1e-13)


@pytest.mark.torch
def test_nesterov_equals_pytorch_at_a_constant_rate(torch, rng):
    start = rng.standard_normal(50)
    theirs = torch.tensor(start, requires_grad=True)
    witness = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, nesterov=True)
    ours = start.copy()
    optimizer = Nesterov(momentum=0.9)
    optimizer.prepare(Parameters(ours))
    for _ in range(20):
        gradient = np.sin(3 * ours) + ours
        theirs.grad = torch.sin(3 * theirs.detach()) + theirs.detach()
        optimizer.update(ours, gradient, 0.1)
        witness.step()
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)


def test_without_averaging_the_average_is_the_weights(rng):
    w = rng.standard_normal(9)
    optimizer = Nesterov()
    optimizer.prepare(Parameters(w))
    optimizer.update(w, rng.standard_normal(9), 0.1)
    np.testing.assert_allclose(optimizer.state["average"], w, rtol=1e-12)


def test_step_decay_waits_and_compounds():
    rates = [step_decay(0.8, 0.5, 3, epoch, 2).tolist() for epoch in range(1, 8)]
    assert rates == [[0.8] * 2] * 3 + [[0.4] * 2] * 3 + [[0.2] * 2]


def test_warm_up_rises_to_the_peak_and_the_cosine_ends_at_nothing():
    rates = np.concatenate([warm_up_cosine(0.02, 0.2, 5, epoch, 100) for epoch in range(1, 6)])
    assert rates.argmax() in (99, 100)
    assert 0.0199 < rates.max() <= 0.02
    assert (np.diff(rates[:100]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()
    np.testing.assert_allclose(rates[299:301].mean(), 0.01, rtol=1e-3)  # half way down
    assert rates[-1] < 1e-6
    assert rates[0] == pytest.approx(0.02 * 0.5 / 100)


def test_without_a_warm_up_the_first_step_is_at_the_peak():
    assert warm_up_cosine(0.02, 0.0, 2, 1, 1000)[0] == pytest.approx(0.02, rel=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_fast_engine_trains_like_the_layers(mnist, rng, threads):
    """Momentum, decay, averaging, and images that are no digits, over two epochs of one engine."""
    order = rng.permutation(60000)[: 32 * 12 + 5]
    labels = mnist.train.labels.copy()
    labels[order[::7]] = NOT_A_DIGIT
    rates = np.linspace(0.02, 0.005, 13)
    results = []
    for engine_class, arguments in ((LayeredEngine, {}), (CpuEngine, {"threads": threads})):
        net = LeNet5(seed=4, initialisation="lecun", background=-0.42, ink=2.8)
        optimizer = Nesterov(0.9, 5e-3, 0.9)
        optimizer.prepare(net)
        with engine_class(net, optimizer, **arguments) as engine:
            engine.load(mnist.train.images, labels)
            losses = [engine.train(order, 32, rates) for _ in range(2)]
        results.append((net.parameters, optimizer.state["velocity"], optimizer.state["average"], losses))
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, atol=3e-5)
    assert np.abs(results[0][0] - results[0][2]).max() > 1e-3  # the average lags behind
