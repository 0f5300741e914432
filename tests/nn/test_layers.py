"""Every layer's backward against finite differences, in float64, on NumPy and on the strict stand-in for CuPy.

A layer is exercised by E = sum(dy * forward(x)) for a fixed random dy, so that backward(dy) must return
dE/dx and leave dE/dparameter in the gradients. E is a polynomial or smooth in every variable, so the central
difference with step 1e-6 is good to about 1e-9.
"""

import math

import numpy as np
import pytest
from stand_in.strict_cupy import StrictBackend

from lenet_gpu import paper, select_backend
from lenet_gpu.nn.layers import Convolution, Dense, Flatten, ScaledTanh, Subsampling
from lenet_gpu.nn.losses import cross_entropy, log_softmax, softmax

STEP = 1e-6
TABLE = ((0, 2), (1,), (0, 1, 2), (2,))

LAYERS = {
    "convolution": (lambda: Convolution("c", 2, 3), (2, 2, 7, 6)),
    "convolution to one unit": (lambda: Convolution("c", 3, 4), (2, 3, 5, 5)),
    "convolution with a table": (lambda: Convolution("c", 3, 4, TABLE), (2, 3, 6, 7)),
    "C3": (lambda: Convolution("c3", 6, 16, paper.C3_TABLE), (1, 6, 6, 6)),
    "subsampling": (lambda: Subsampling("s", 3), (2, 3, 4, 6)),
    "scaled tanh": (ScaledTanh, (3, 7)),
    "flatten": (Flatten, (2, 3, 2, 1)),
    "dense": (lambda: Dense("f", 5, 4), (3, 5)),
}

BACKENDS = {"numpy": lambda: select_backend("cpu"), "strict stand-in": StrictBackend}


@pytest.fixture(params=BACKENDS, name="backend")
def _backend(request):
    return BACKENDS[request.param]()


def bound(layer, backend, values, dtype="float64"):
    """Give a layer its own buffers, with these parameter values."""
    parameters = {key: backend.asarray(values[key].astype(dtype)) for key in layer.shapes}
    gradients = {key: backend.xp.full(shape, math.nan, dtype=dtype) for key, shape in layer.shapes.items()}
    layer.bind(backend.xp, parameters, gradients)
    return layer


def numeric_gradient(function, x):
    """dE/dx of a function of one array, by central differences."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + STEP
        above = function()
        x[i] = old - STEP
        gradient[i] = (above - function()) / (2 * STEP)
        x[i] = old
    return gradient


@pytest.mark.parametrize("name", LAYERS)
def test_backward_is_the_derivative_of_forward(name, backend, rng):
    make, shape = LAYERS[name]
    layer = make()
    x = rng.normal(size=shape)
    values = {key: rng.normal(size=s) for key, s in layer.shapes.items()}
    bound(layer, backend, values)
    y = layer.forward(backend.asarray(x))
    dy = rng.normal(size=y.shape)
    dx = backend.to_host(layer.backward(backend.asarray(dy)))
    gradients = {key: backend.to_host(view) for key, view in layer.gradients.items()}

    # The oracle runs on NumPy, whatever the backend under test.
    oracle = bound(make(), select_backend("cpu"), values)

    def loss():
        return math.fsum((dy * oracle.forward(x)).ravel())  # exact: differences of it are divided by a small step

    np.testing.assert_allclose(dx, numeric_gradient(loss, x), rtol=1e-7, atol=1e-8)
    for key in layer.shapes:
        numeric = numeric_gradient(loss, oracle.parameters[key])
        np.testing.assert_allclose(gradients[key], numeric, rtol=1e-7, atol=1e-8, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_dtype_and_shape_are_kept(name, dtype, backend, rng):
    make, shape = LAYERS[name]
    layer = make()
    bound(layer, backend, {key: rng.normal(size=s) for key, s in layer.shapes.items()}, dtype)
    x = backend.asarray(rng.normal(size=shape).astype(dtype))
    y = layer.forward(x)
    dx = layer.backward(backend.xp.ones_like(y))
    assert y.dtype == dx.dtype == dtype
    assert dx.shape == shape


def test_convolution_sees_what_the_paper_says(backend):
    """One output unit by hand: weighted sum over the connected maps' 5x5 neighbourhoods, plus the bias."""
    layer = Convolution("c3", 6, 16, paper.C3_TABLE)
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(60, 5, 5)), rng.normal(size=16)
    bound(layer, backend, {"weight": weight, "bias": bias})
    x = rng.normal(size=(1, 6, 14, 14))
    y = backend.to_host(layer.forward(backend.asarray(x)))
    pair = 0
    for o, row in enumerate(paper.C3_TABLE):
        expected = bias[o]
        for i in row:
            expected += (weight[pair] * x[0, i, 3:8, 7:12]).sum()
            pair += 1
        assert y[0, o, 3, 7] == pytest.approx(expected)


def test_unconnected_maps_have_no_influence(backend, rng):
    layer = Convolution("c3", 6, 16, paper.C3_TABLE)
    bound(layer, backend, {"weight": rng.normal(size=(60, 5, 5)), "bias": np.zeros(16)})
    x = rng.normal(size=(1, 6, 14, 14))
    before = backend.to_host(layer.forward(backend.asarray(x))).copy()
    x[0, 3] += 1.0
    changed = (backend.to_host(layer.forward(backend.asarray(x))) != before).any(axis=(0, 2, 3))
    assert changed.tolist() == [3 in row for row in paper.C3_TABLE]


def test_subsampling_is_sum_times_coefficient_plus_bias(backend):
    layer = bound(Subsampling("s2", 2), backend, {"coefficient": np.array([2.0, -1.0]), "bias": np.array([0.5, 3.0])})
    x = np.arange(16.0).reshape(1, 2, 2, 4)
    y = backend.to_host(layer.forward(backend.asarray(x)))
    assert y.tolist() == [[[[2 * (0 + 1 + 4 + 5) + 0.5, 2 * (2 + 3 + 6 + 7) + 0.5]], [[-39.0, -47.0]]]]


def test_squashing_function_of_appendix_a(backend):
    """f(1) = 1 and f(-1) = -1 to the four digits of the printed constants, with an asymptote at 1.7159."""
    y = backend.to_host(bound(ScaledTanh(), backend, {}).forward(backend.asarray(np.array([1.0, -1.0, 50.0]))))
    np.testing.assert_allclose(y, [1.0, -1.0, 1.7159], atol=1e-4)


def test_cross_entropy_derivative(backend, rng):
    logits, labels = rng.normal(size=(4, 10)), np.array([3, 0, 9, 3])
    loss, dlogits = cross_entropy(backend.xp, backend.asarray(logits), backend.asarray(labels))

    def oracle():
        return float(-log_softmax(np, logits)[np.arange(4), labels].mean())

    assert float(backend.to_host(loss)) == pytest.approx(oracle())
    np.testing.assert_allclose(backend.to_host(dlogits), numeric_gradient(oracle, logits), atol=1e-9)


def test_softmax_of_huge_logits_is_finite(backend):
    logits = np.array([[1e4, -1e4, 0.0], [-1e30, -1e30, -1e30]])
    p = backend.to_host(softmax(backend.xp, backend.asarray(logits)))
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
