"""Second derivatives of appendix C: against the paper's recursion connection by connection, and against numbers.

Two oracles, since no single one can do it all. (1) The recursion of equations 21 to 26 written out over an
explicit list of connections, for a small network with every kind of layer: it defines what is wanted. (2) The
Gauss-Newton diagonal, sum over the outputs of 2 (doutput/dweight)^2, from numeric derivatives of the network's
function: it knows nothing of layers. The recursion neglects what couples two units of one layer, so the two
agree where a weight acts through a single unit and what follows it is one layer more: in F6 and C5, exactly.
"""

import math

import numpy as np
import pytest
from stand_in.strict_cupy import StrictBackend

from lenet_gpu import LeNet5, paper
from lenet_gpu.nn.layers import Convolution, Dense, Flatten, RadialBasis, ScaledTanh, Subsampling
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.nn.sdlm import SDLM, curvature

TABLE = ((0,), (0, 1), (1,))
A, S = 1.7159, 2 / 3


def small_network(rng):
    """14x14 pixels, through a layer of every kind, to the codes; parameters at random."""
    layers = [
        Convolution("a", 1, 2), ScaledTanh(), Subsampling("b", 2), ScaledTanh(),
        Convolution("c", 2, 3, TABLE), ScaledTanh(), Flatten(), Dense("d", 3, 84), ScaledTanh(), RadialBasis("e"),
    ]  # fmt: skip
    for layer in layers:
        values = {key: 0.5 * rng.normal(size=shape) for key, shape in layer.shapes.items()}
        layer.bind(np, values, {key: np.full(shape, math.nan) for key, shape in layer.shapes.items()})
    return layers


def curvatures(layers, x, labels, loss="rbf"):
    """What the layers say, by parameter."""
    for layer in layers:
        x = layer.forward(x)
    _, dy = LOSSES[loss].value(np, x, labels)
    d2 = LOSSES[loss].curvature(np, x, labels)
    layers[-1].backward(dy)
    layers[0].needs_input_gradient = False
    for layer in reversed(layers):
        d2 = layer.curvature(d2)
    return {f"{layer.name}.{key}": layer.gradients[key].copy() for layer in layers for key in layer.shapes}


class Unit:
    """A unit of the explicit network: connections are (source unit or None for a bias, weight's name and index)."""

    def __init__(self, connections, squashed):
        self.connections, self.squashed = connections, squashed
        self.curvature = 0.0  # d2E/d(output)2, collected from the units above


def explicit_network():
    """The small network's units, layer by layer, with one entry for each connection."""
    pixels = [[Unit([], False) for _ in range(14)] for _ in range(14)]
    a = [
        [[Unit([(pixels[r + u][s + v], "a.weight", (o, 0, u, v)) for u in range(5) for v in range(5)]
               + [(None, "a.bias", (o,))], True) for s in range(10)] for r in range(10)]
        for o in range(2)
    ]  # fmt: skip
    b = [
        [[Unit([(a[o][2 * r + i][2 * s + j], "b.coefficient", (o,)) for i in range(2) for j in range(2)]
               + [(None, "b.bias", (o,))], True) for s in range(5)] for r in range(5)]
        for o in range(2)
    ]  # fmt: skip
    pairs = [(o, i) for o, row in enumerate(TABLE) for i in row]
    c = [
        Unit([(b[i][u][v], "c.weight", (p, u, v)) for p, (to, i) in enumerate(pairs) if to == o
              for u in range(5) for v in range(5)] + [(None, "c.bias", (o,))], True)
        for o in range(3)
    ]  # fmt: skip
    d = [Unit([(c[j], "d.weight", (i, j)) for j in range(3)] + [(None, "d.bias", (i,))], True) for i in range(84)]
    rows = [[unit for grid in maps for row in grid for unit in row] for maps in ([pixels], a, b)]
    return [*rows, c, d]


def recursion(values, image):
    """Equations 21 to 26 for one image, one connection after the other."""
    network = explicit_network()
    for unit, pixel in zip(network[0], image.ravel(), strict=True):
        unit.x = float(pixel)
    for layer in network[1:]:
        for unit in layer:
            unit.a = sum(values[name][k] * (1.0 if j is None else j.x) for j, name, k in unit.connections)
            unit.x = A * math.tanh(S * unit.a)
    for unit in network[-1]:
        unit.curvature = 2.0  # E = sum of (x - code)^2
    h = {name: np.zeros(value.shape) for name, value in values.items()}
    for layer in reversed(network[1:]):
        for unit in layer:
            slope = A * S * (1 - math.tanh(S * unit.a) ** 2)
            d2a = slope**2 * unit.curvature
            for j, name, k in unit.connections:
                h[name][k] += d2a * (1.0 if j is None else j.x) ** 2
                if j is not None:
                    j.curvature += values[name][k] ** 2 * d2a
    return h


def test_layers_follow_the_papers_recursion_connection_by_connection(rng):
    layers = small_network(rng)
    values = {f"{layer.name}.{key}": view for layer in layers for key, view in layer.parameters.items()}
    images = rng.normal(size=(3, 1, 14, 14))
    found = curvatures(layers, images, np.array([2, 0, 7]))
    single = [recursion(values, image) for image in images]
    assert set(found) == set(single[0]) == {"a.weight", "a.bias", "b.coefficient", "b.bias", "c.weight", "c.bias",
                                            "d.weight", "d.bias"}  # fmt: skip
    for name, h in found.items():
        expected = sum(one[name] for one in single) / 3
        assert (expected > 0).all()
        np.testing.assert_allclose(h, expected, rtol=1e-11, err_msg=name)


# ---- exact cases


def second_differences(layers, parameters, x, labels):
    """d2E/dw2 from the loss itself; exact but for rounding where E is quadratic in w."""
    result = np.empty(parameters.shape)
    for i in np.ndindex(parameters.shape):
        old, losses = parameters[i], []
        for step in (-0.1, 0.0, 0.1):
            parameters[i] = old + step
            y = x
            for layer in layers:
                y = layer.forward(y)
            losses.append(float(LOSSES["rbf"].value(np, y, labels)[0]))
        parameters[i] = old
        result[i] = (losses[2] - 2 * losses[1] + losses[0]) / 0.01
    return result


ONE_LAYER = {
    "dense": (lambda: [Dense("w", 4, 84)], (3, 4)),
    # Weights shared by 84 and by 12 units, each of which has its own place in the code.
    "convolution to one map": (lambda: [Convolution("w", 1, 1), Flatten()], (3, 1, 10, 18)),
    "convolution with a table": (lambda: [Convolution("w", 2, 7, [[0], [0, 1], [1]] * 2 + [[0]]), Flatten()],
                                 (2, 2, 7, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_LAYER)
def test_one_linear_layer_has_exactly_these_second_derivatives(name, rng):
    make, shape = ONE_LAYER[name]
    layers = [*make(), RadialBasis("e")]
    for layer in layers:
        values = {key: rng.normal(size=s) for key, s in layer.shapes.items()}
        layer.bind(np, values, {key: np.zeros(s) for key, s in layer.shapes.items()})
    x, labels = rng.normal(size=shape), np.arange(shape[0])
    found = curvatures(layers, x, labels)
    for key, parameters in layers[0].parameters.items():
        expected = second_differences(layers, parameters, x, labels)
        np.testing.assert_allclose(found[f"w.{key}"], expected, rtol=1e-7, err_msg=key)


def test_shared_coefficient_counts_its_four_connections_apart(rng):
    """x1^2 + ... + x4^2 as the paper's rule has it, where the coefficient's own curvature is (x1 + ... + x4)^2."""
    layer = Subsampling("b", 1)
    layer.bind(np, {"coefficient": np.array([3.0]), "bias": np.array([0.0])},
               {"coefficient": np.zeros(1), "bias": np.zeros(1)})  # fmt: skip
    layer.forward(np.array([[[[1.0, -2.0], [3.0, 4.0]]]]))
    d2x = layer.curvature(np.array([[[[10.0]]]]))
    assert layer.gradients["coefficient"][0] == 10 * (1 + 4 + 9 + 16)
    assert layer.gradients["bias"][0] == 10
    assert (d2x == 90).all()


@pytest.mark.parametrize("name", ["f6.weight", "f6.bias", "c5.weight", "c5.bias"])
def test_last_layers_of_the_real_network_have_the_exact_gauss_newton_diagonal(name, mnist):
    """Numeric derivatives of F6's 84 outputs by sampled weights, on real digits."""
    net = LeNet5("paper", seed=2, dtype="float64", initialisation="sqrt")
    images, labels = mnist.train.images[:6], mnist.train.labels[:6]
    h = net.views_of(curvature(net, images, labels))[name].ravel()
    weights = net.views[name].reshape(-1)

    def f6():
        x = net.input_layer(images)
        for layer in net.layers[:-1]:
            x = layer.forward(x)
        return x

    for i in np.random.default_rng(0).choice(h.size, 12, replace=False):
        old = weights[i]
        weights[i] = old + 1e-5
        above = f6()
        weights[i] = old - 1e-5
        slopes = (above - f6()) / 2e-5  # (6, 84)
        weights[i] = old
        assert h[i] == pytest.approx(2 * (slopes**2).sum() / 6, rel=1e-6)


def test_softmax_network_has_the_exact_diagonal_in_its_output_layer(mnist):
    net = LeNet5("modern", seed=2, dtype="float64", initialisation="sqrt")
    images, labels = mnist.train.images[:4], mnist.train.labels[:4]
    h = net.views_of(curvature(net, images, labels))["output.weight"]
    weights = net.views["output.weight"]
    for place in ((0, 0), (7, 40), (9, 83)):
        losses = []
        for step in (-1e-3, 0.0, 1e-3):
            old = weights[place]
            weights[place] = old + step
            losses.append(net.loss_and_grads(images, labels)[0])
            weights[place] = old
        assert h[place] == pytest.approx((losses[2] - 2 * losses[1] + losses[0]) / 1e-6, rel=1e-4)


# ---- the estimate and the optimiser


def test_curvature_is_a_mean_over_images_whatever_the_chunks(mnist):
    net = LeNet5("paper", seed=2, dtype="float64", initialisation="sqrt")
    images, labels = mnist.train.images[:60], mnist.train.labels[:60]
    whole = curvature(net, images, labels)
    single = sum(curvature(net, images[i : i + 1], labels[i : i + 1]) for i in range(60)) / 60
    np.testing.assert_allclose(whole, single, rtol=1e-10)
    assert whole.min() > 0


def test_stand_in_and_numpy_agree(mnist):
    images, labels = mnist.train.images[:4], mnist.train.labels[:4]
    found = []
    for backend in (None, StrictBackend()):
        net = LeNet5("paper", backend, seed=2, initialisation="sqrt")
        h = curvature(net, images, labels)
        assert h.dtype == "float32"
        found.append(net.backend.to_host(h))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_rates_are_eta_over_mu_plus_curvature(mnist):
    net = LeNet5("paper", seed=1, initialisation="sqrt")
    optimizer = SDLM(mu=0.5, samples=30)
    optimizer.prepare(net)
    images, labels = mnist.train.images[:200], mnist.train.labels[:200]
    optimizer.before_epoch(net, images, labels, seed=1, epoch=1)
    rates = optimizer.state["rates"].copy()
    assert 0 < rates.min() < rates.max() <= 2.0
    before, gradients = net.parameters.copy(), np.linspace(-1, 1, net.parameters.size, dtype=np.float32)
    optimizer.update(net.parameters, gradients.copy(), 0.01)
    np.testing.assert_allclose(net.parameters, before - 0.01 * rates * gradients, rtol=1e-5, atol=1e-8)
    # All images at once have no choice: the mean over all of them.
    net.parameters[...] = before
    everything = SDLM(mu=0.5, samples=200)
    everything.prepare(net)
    everything.before_epoch(net, images, labels, seed=1, epoch=1)
    expected = 1 / (0.5 + curvature(net, images, labels))
    np.testing.assert_allclose(everything.state["rates"], expected, rtol=1e-4)


def test_every_pass_has_its_own_images_and_every_run_the_same(mnist):
    net = LeNet5("paper", seed=1, initialisation="sqrt")
    images, labels = mnist.train.images[:300], mnist.train.labels[:300]
    rates = []
    for seed, epoch in ((1, 1), (1, 2), (2, 1), (1, 1)):
        optimizer = SDLM(samples=20)
        optimizer.prepare(net)
        optimizer.before_epoch(net, images, labels, seed, epoch)
        rates.append(optimizer.state["rates"])
    assert (rates[0] == rates[3]).all()
    assert (rates[0] != rates[1]).mean() > 0.99
    assert (rates[0] != rates[2]).mean() > 0.99


def test_schedule_of_the_paper():
    assert len(paper.SDLM_RATES) == 20
    assert [paper.SDLM_RATES.index(eta) for eta in (5e-4, 2e-4, 1e-4, 5e-5, 1e-5)] == [0, 2, 5, 8, 12]
    assert (paper.SDLM_MU, paper.SDLM_SAMPLES) == (0.02, 500)
