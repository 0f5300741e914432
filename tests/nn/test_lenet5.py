"""The whole network: gradients, the interface to callers, and that a step never waits for the device."""

import numpy as np
import pytest
from stand_in.strict_cupy import StrictBackend

from lenet_gpu import LeNet5
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.optim import SGD
from lenet_gpu.paper import MODERN_PARAMETERS
from lenet_gpu.seeds import epoch_order

SHAPES = {
    "c1.weight": (6, 1, 5, 5), "c1.bias": (6,), "s2.coefficient": (6,), "s2.bias": (6,),
    "c3.weight": (60, 5, 5), "c3.bias": (16,), "s4.coefficient": (16,), "s4.bias": (16,),
    "c5.weight": (120, 16, 5, 5), "c5.bias": (120,), "f6.weight": (84, 120), "f6.bias": (84,),
    "output.weight": (10, 84), "output.bias": (10,),
}  # fmt: skip


def test_parameters_are_views_of_one_buffer():
    model = LeNet5()
    assert {name: view.shape for name, view in model.views.items()} == SHAPES
    model.parameters[:] = np.arange(MODERN_PARAMETERS)
    flat = np.concatenate([view.ravel() for view in model.views.values()])
    assert (flat == np.arange(MODERN_PARAMETERS)).all()
    assert model.parameters.dtype == np.float32


def test_initial_weights_are_within_the_papers_bounds():
    """+-2.4 / fan-in, and close to the bounds; C3's maps have 75, 100 or 150 inputs."""
    views = LeNet5(dtype="float64").views
    bounds = {"c1": 2.4 / 25, "c5": 2.4 / 400, "f6": 2.4 / 120, "output": 2.4 / 84}
    for name, bound in bounds.items():
        largest = abs(views[f"{name}.weight"]).max()
        assert 0.97 * bound < largest <= bound
    by_pair = abs(views["c3.weight"]).max(axis=(1, 2))
    assert by_pair[:18].max() == pytest.approx(2.4 / 75, rel=0.02)
    assert by_pair[18:54].max() == pytest.approx(2.4 / 100, rel=0.02)
    assert by_pair[54:].max() == pytest.approx(2.4 / 150, rel=0.05)
    assert all((views[f"{name}.bias"] == 0).all() for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output"))


def test_seed_decides_the_weights():
    assert (LeNet5(seed=3).parameters == LeNet5(seed=3).parameters).all()
    assert (LeNet5(seed=3).parameters != LeNet5(seed=4).parameters).mean() > 0.99


def test_random_numbers_are_the_same_on_every_machine():
    """Philox by key: these values hold on every platform, so a run can move between machines."""
    assert LeNet5(seed=5, dtype="float64").views["f6.weight"][0, :3].tolist() == pytest.approx(
        [-0.017256502441435343, -0.014225451379718663, 0.008901898241647204], rel=1e-12
    )
    assert epoch_order(5, 2, 60000)[:4].tolist() == [17391, 36580, 14559, 8771]
    assert sorted(epoch_order(5, 2, 1000)) == list(range(1000))


@pytest.mark.parametrize("make_backend", [lambda: None, StrictBackend], ids=["numpy", "strict stand-in"])
def test_gradient_of_the_whole_network(make_backend, mnist):
    """Finite differences in float64 at parameters of every layer, on real digits."""
    model = LeNet5(backend=make_backend(), seed=1, dtype="float64")
    # Away from the faint start, so that every gradient is well above the rounding.
    start = model.host_parameters() * 3
    model.set_parameters(start)
    images, labels = mnist.train.images[:5], mnist.train.labels[:5]
    _, gradients = model.loss_and_grads(images, labels)
    flat = np.concatenate([g.ravel() for g in gradients.values()])
    assert {name: g.shape for name, g in gradients.items()} == SHAPES
    rng = np.random.default_rng(0)
    oracle = LeNet5(dtype="float64")
    offset = 0
    for name, gradient in gradients.items():
        for i in offset + rng.choice(gradient.size, min(6, gradient.size), replace=False):
            losses = []
            for step in (1e-5, -1e-5):
                moved = start.copy()
                moved[i] += step
                oracle.set_parameters(moved)
                losses.append(oracle.loss_and_grads(images, labels)[0])
            numeric = (losses[0] - losses[1]) / 2e-5
            assert flat[i] == pytest.approx(numeric, rel=1e-5, abs=1e-9), name
        offset += gradient.size


def test_stand_in_and_numpy_agree_in_float32(mnist):
    images, labels = mnist.train.images[:32], mnist.train.labels[:32]
    loss, gradients = LeNet5(seed=2).loss_and_grads(images, labels)
    strict_loss, strict_gradients = LeNet5(seed=2, backend=StrictBackend()).loss_and_grads(images, labels)
    assert strict_loss == pytest.approx(loss, rel=1e-6)
    for name in gradients:
        assert strict_gradients[name].dtype == np.float32
        # Device arrays are laid out and summed in another order: equal up to rounding.
        np.testing.assert_allclose(strict_gradients[name], gradients[name], rtol=1e-3, atol=1e-7)


def test_a_training_step_never_waits_for_the_device(mnist):
    backend = StrictBackend()
    engine = LayeredEngine(LeNet5(backend=backend), SGD())
    engine.load(mnist.train.images[:64], mnist.train.labels[:64])
    indices = backend.asarray(np.arange(32))
    with backend.counting() as counts:
        engine.step(indices, 0.05)
    assert counts.syncs == 0
    assert counts.transfers == 0
    assert counts.calls < 250


def test_probabilities_and_predictions(mnist):
    model = LeNet5()
    p = model.forward(mnist.test.images[:7])
    assert p.shape == (7, 10)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert (model.predict(mnist.test.images[:7]) == p.argmax(axis=1)).all()
    assert model.forward(mnist.test.images[0]).shape == (1, 10)
    assert model.forward(mnist.test.images[:0]).shape == (0, 10)


def test_float_images_read_as_the_same_bytes(mnist):
    model = LeNet5()
    images = mnist.test.images[:3]
    np.testing.assert_allclose(model.outputs(images), model.outputs(images / 255.0), atol=1e-7)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 27, 28), np.uint8), "(2, 27, 28)"),
        (np.zeros((2, 28, 28), np.int64), "int64"),
        (np.full((2, 28, 28), 255.0), "255"),
        (np.full((2, 28, 28), np.nan), "nan"),
    ],
)
def test_unusable_images_are_named(images, words):
    with pytest.raises(InputError) as caught:
        LeNet5().forward(images)
    assert words in str(caught.value)


@pytest.mark.parametrize("labels", [[1, 2, 3], [1, 10], [-1, 1], [0.5, 1]])
def test_unusable_labels_are_refused(labels, mnist):
    with pytest.raises(InputError, match="labels"):
        LeNet5().loss_and_grads(mnist.test.images[:2], labels)


@pytest.mark.parametrize("arguments", [{"variant": "vgg"}, {"seed": -1}, {"dtype": "float16"}])
def test_unusable_networks_are_refused(arguments):
    with pytest.raises(InputError):
        LeNet5(**arguments)
