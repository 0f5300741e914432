"""The paper's output: codes, penalties and both losses, against definitions written out in loops."""

import math
from itertools import combinations

import numpy as np
import pytest
from stand_in.strict_cupy import StrictBackend

from lenet_gpu import LeNet5, paper, select_backend
from lenet_gpu.nn.layers import RadialBasis
from lenet_gpu.nn.losses import LOSSES, rubbish_softmax
from lenet_gpu.nn.metrics import evaluate_outputs

# A second transcription of figure 3: a row a byte, the leftmost of seven cells in the highest bit.
HEX = {
    0: "3e 00 1c 36 63 63 63 63 36 1c 00 00",
    1: "0c 1c 3c 0c 0c 0c 0c 0c 0c 3f 00 00",
    2: "3e 00 3e 63 43 06 1c 30 60 7f 00 00",
    3: "7f 03 06 0c 1e 03 03 03 63 3e 00 00",
    4: "3e 00 00 33 33 73 63 63 67 3f 03 03",
    5: "3e 00 7f 60 60 3c 1e 03 63 3e 00 00",
    6: "1e 30 60 60 7e 73 63 63 73 3e 00 00",
    7: "7f 03 03 06 0c 0c 18 18 18 18 00 00",
    8: "3e 63 63 63 3e 63 63 63 63 3e 00 00",
    9: "3e 67 63 63 67 3f 03 03 06 3c 00 00",
}
LABELS = np.array([3, 0, 9, 3, paper.NOT_A_DIGIT])
BACKENDS = {"numpy": lambda: select_backend("cpu"), "strict stand-in": StrictBackend}


@pytest.fixture(params=BACKENDS, name="backend")
def _backend(request):
    return BACKENDS[request.param]()


def bound(backend):
    layer = RadialBasis("output")
    layer.bind(backend.xp, {}, {})
    return layer


# ---- codes


@pytest.mark.parametrize("digit", range(10))
def test_codes_are_the_bitmaps_of_the_paper(digit):
    cells = [1 if int(row, 16) >> (6 - x) & 1 else -1 for row in HEX[digit].split() for x in range(7)]
    assert list(paper.CODES[digit]) == cells


def test_codes_are_far_apart():
    distances = sorted(
        (sum(a != b for a, b in zip(paper.CODES[i], paper.CODES[j], strict=True)), i, j)
        for i, j in combinations(range(10), 2)
    )
    assert distances[0] == (12, 6, 8)
    assert distances[len(distances) // 2][0] == 30
    # A drawing half-way between the closest two has this penalty from both.
    middle = (np.array(paper.CODES[6]) + np.array(paper.CODES[8])) / 2
    assert ((middle - np.array(paper.CODES[6])) ** 2).sum() == paper.RUBBISH_PENALTY


# ---- layer


def test_penalties_are_squared_distances(backend, rng):
    x = rng.normal(size=(3, 84))
    y = backend.to_host(bound(backend).forward(backend.asarray(x)))
    for n in range(3):
        for i in range(10):
            expected = sum((x[n, j] - paper.CODES[i][j]) ** 2 for j in range(84))
            assert y[n, i] == pytest.approx(expected, rel=1e-13)


def test_gradient_and_curvature_of_the_layer(backend, rng):
    """E = sum of c y + d y^2 / 2 is a polynomial of degree 4; differences of its parts are exact but for rounding."""
    x, c, d = rng.normal(size=(2, 84)), rng.normal(size=(2, 10)), rng.uniform(size=(2, 10))
    layer = bound(backend)
    y = backend.to_host(layer.forward(backend.asarray(x)))
    dx = backend.to_host(layer.backward(backend.asarray(c + d * y)))
    d2x = backend.to_host(layer.curvature(backend.asarray(d)))
    codes = np.array(paper.CODES, dtype=float)
    for n, j in ((0, 0), (1, 5), (1, 83)):
        slopes = 2 * (x[n, j] - codes[:, j])
        assert dx[n, j] == pytest.approx(((c + d * y)[n] * slopes).sum())
        assert d2x[n, j] == pytest.approx((d[n] * slopes**2).sum() + 2 * (c + d * y)[n].sum())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_shape_are_kept(dtype, backend, rng):
    layer = bound(backend)
    y = layer.forward(backend.asarray(rng.normal(size=(3, 84)).astype(dtype)))
    dx = layer.backward(backend.xp.ones_like(y))
    d2x = layer.curvature(backend.xp.ones_like(y))
    assert y.dtype == dx.dtype == d2x.dtype == dtype
    assert (y.shape, dx.shape, d2x.shape) == ((3, 10), (3, 84), (3, 84))


# ---- losses


def loss_by_hand(name, penalties, labels):
    total = 0.0
    for y, label in zip(penalties, labels, strict=True):
        if name == "rbf":
            total += y[label] if label < 10 else 0.0
        else:
            right = y[label] if label < 10 else paper.RUBBISH_PENALTY
            total += right + math.log(math.exp(-paper.RUBBISH_PENALTY) + sum(math.exp(-v) for v in y))
    return total / len(labels)


@pytest.mark.parametrize("name", ["rbf", "map"])
def test_losses_are_equations_8_and_9(name, backend, rng):
    penalties = rng.uniform(0, 20, size=(5, 10))
    penalties[0, 3] = 0.1
    loss, dy = LOSSES[name].value(backend.xp, backend.asarray(penalties), backend.asarray(LABELS))
    d2y = LOSSES[name].curvature(backend.xp, backend.asarray(penalties), backend.asarray(LABELS))
    assert float(backend.to_host(loss)) == pytest.approx(loss_by_hand(name, penalties, LABELS), rel=1e-12)
    for place in np.ndindex(penalties.shape):
        values = []
        for step in (-1e-4, 0.0, 1e-4):
            moved = penalties.copy()
            moved[place] += step
            values.append(loss_by_hand(name, moved, LABELS))
        assert backend.to_host(dy)[place] == pytest.approx((values[2] - values[0]) / 2e-4, abs=1e-8)
        second = (values[2] - 2 * values[1] + values[0]) / 1e-8
        assert backend.to_host(d2y)[place] == pytest.approx(second, abs=3e-6)


def test_huge_penalties_are_finite(backend):
    penalties = backend.asarray(np.array([[1e4] * 10, [0.0] + [1e4] * 9]))
    p, log_total = (backend.to_host(a) for a in rubbish_softmax(backend.xp, penalties))
    np.testing.assert_allclose(p, [[0.0] * 10, [1 / (1 + math.exp(-12.0))] + [0.0] * 9], rtol=1e-12)
    np.testing.assert_allclose(log_total[:, 0], [-12.0, math.log1p(math.exp(-12.0))], rtol=1e-9)


def test_cross_entropy_has_the_curvature_of_softmax(backend, rng):
    logits = rng.normal(size=(5, 10))
    value, curvature, _ = LOSSES["cross_entropy"]
    d2 = backend.to_host(curvature(backend.xp, backend.asarray(logits), backend.asarray(LABELS)))
    for place in ((0, 3), (2, 1), (4, 4)):
        slopes = []
        for step in (1e-6, -1e-6):
            moved = logits.copy()
            moved[place] += step
            slopes.append(value(np, moved, LABELS)[1][place])
        assert d2[place] == pytest.approx((slopes[0] - slopes[1]) / 2e-6, abs=1e-9)


# ---- network


def test_smallest_penalty_wins_and_probabilities_sum_to_1(mnist):
    model = LeNet5("paper", initialisation="sqrt")
    images = mnist.test.images[:20]
    penalties = model.forward_layers(model.input_layer(images))
    assert (penalties >= 0).all()
    np.testing.assert_array_equal(model.predict(images), penalties.argmin(axis=1))
    p = model.forward(images)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    weights = np.exp((penalties[0].min() - penalties[0]).astype(float))  # e^-y itself is beyond floating point
    np.testing.assert_allclose(p[0], weights / weights.sum(), rtol=1e-4, atol=1e-30)
    evaluation = evaluate_outputs(model.outputs(images), mnist.test.labels[:20])
    assert evaluation.errors == (penalties.argmin(axis=1) != mnist.test.labels[:20]).sum()


@pytest.mark.parametrize("loss", ["rbf", "map"])
@pytest.mark.parametrize("make_backend", [lambda: None, StrictBackend], ids=["numpy", "strict stand-in"])
def test_gradient_of_the_whole_network(make_backend, loss, mnist):
    model = LeNet5("paper", make_backend(), seed=1, dtype="float64", initialisation="sqrt")
    model.loss = loss
    images, labels = mnist.train.images[:4], mnist.train.labels[:4]
    _, gradients = model.loss_and_grads(images, labels)
    flat = np.concatenate([g.ravel() for g in gradients.values()])
    rng = np.random.default_rng(0)
    oracle = LeNet5("paper", dtype="float64")
    oracle.loss = loss
    offset = 0
    for name, gradient in gradients.items():
        for i in offset + rng.choice(gradient.size, min(3, gradient.size), replace=False):
            losses = []
            for step in (1e-6, -1e-6):
                moved = model.host_parameters()
                moved[i] += step
                oracle.set_parameters(moved)
                losses.append(oracle.loss_and_grads(images, labels)[0])
            assert flat[i] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5, abs=1e-6), name
        offset += gradient.size


def test_a_file_keeps_the_network(tmp_path, mnist):
    model = LeNet5("paper", seed=4, initialisation="sqrt")
    model.save(tmp_path / "m.npz")
    read = LeNet5.load(tmp_path / "m.npz")
    assert read.variant == "paper"
    np.testing.assert_array_equal(read.outputs(mnist.test.images[:3]), model.outputs(mnist.test.images[:3]))
