"""The plan for steps of one image against the readable layers, and the index map of its parameters."""

import numpy as np
import pytest

from lenet_gpu.augment.augmentation import PAPER
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.engine.cpu.online.layout import OWN_SIZE, index_map
from lenet_gpu.engine.cpu.online.plan import OnlinePlan
from lenet_gpu.engine.cpu.spec import NetworkSpec
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import NOT_A_DIGIT

TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


def network(dtype, **arguments):
    """A network in mid-training: every parameter matters, no unit is saturated or asleep."""
    net = LeNet5("paper", seed=7, dtype=dtype, initialisation="sqrt", **arguments)
    rng = np.random.default_rng(3)
    net.set_parameters(net.host_parameters() + 0.05 * rng.standard_normal(net.parameters.size))
    return net


def plan_of(net):
    plan = OnlinePlan(NetworkSpec.of(net))
    plan.read(net.parameters)
    return plan


def rates(net, seed=0):
    """Learning rates that differ by a factor of a thousand, as those of SDLM do."""
    return 10.0 ** np.random.default_rng(seed).uniform(-6, -3, net.parameters.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("image", [0, 1, 7, 123])
@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_a_step_is_each_parameters_rate_times_its_gradient(dtype, loss, image, mnist):
    net = network(dtype)
    net.loss = loss
    before = net.parameters.astype(np.float64)
    plan = plan_of(net)
    plan.set_rates(1.0)
    losses = np.zeros(1, dtype)
    plan.train(mnist.train.images, mnist.train.labels, np.array([image]), losses)
    after = np.empty_like(net.parameters)
    plan.write(after)
    step = net.views_of(before - after)
    value, gradients = net.loss_and_grads(
        mnist.train.images[image : image + 1], mnist.train.labels[image : image + 1]
    )
    assert losses[0] == pytest.approx(value, rel=TOLERANCE[dtype])
    for name, gradient in gradients.items():
        error = np.abs(step[name] - gradient).max() / np.abs(gradient).max()
        assert error < TOLERANCE[dtype], f"{name}: {error:.2g}"


@pytest.mark.parametrize(("dtype", "count", "tolerance"), [("float32", 60, 2e-4), ("float64", 25, 1e-11)])
def test_many_steps_equal_the_layers_with_sdlm(dtype, count, tolerance, mnist):
    """A rate of its own for each parameter; real digits in a random order; the first steps move a lot."""
    net = network(dtype)
    plan = plan_of(net)
    start = net.host_parameters()
    optimizer = SDLM()
    optimizer.prepare(net)
    optimizer.state["rates"][...] = rates(net)
    plan.set_rates(0.3 * rates(net))
    order = np.random.default_rng(5).permutation(60000)[:count]
    losses = np.zeros(count, dtype)
    plan.train(mnist.train.images, mnist.train.labels, order[:9], losses[:9])
    plan.train(mnist.train.images, mnist.train.labels, order[9:], losses[9:])
    found = np.empty_like(net.parameters)
    plan.write(found)
    engine = LayeredEngine(net, optimizer)
    engine.load(mnist.train.images, mnist.train.labels)
    expected = engine.train(order, 1, np.full(count, 0.3))
    np.testing.assert_allclose(losses, expected, rtol=max(tolerance, 1e-6))
    moved = np.abs(net.parameters - start).max()
    assert moved > 1e-3
    assert np.abs(found - net.parameters).max() < tolerance * moved


def test_every_parameter_has_its_own_position():
    positions, factors = index_map(LeNet5("paper").shapes, 0.005)
    assert len(positions) == len(factors) == 60000
    assert len(set(positions.tolist())) == 60000
    assert positions.min() >= 0
    assert positions.max() < OWN_SIZE


def test_parameters_come_back_as_they_went_in():
    net = network("float64")
    out = np.empty_like(net.parameters)
    plan_of(net).write(out)
    np.testing.assert_allclose(out, net.parameters, rtol=1e-15)


def test_what_table_1_leaves_out_stays_zero(mnist):
    net = network("float32")
    plan = plan_of(net)
    plan.set_rates(1e-4)
    plan.train(mnist.train.images, mnist.train.labels, np.arange(20), np.zeros(20, np.float32))
    used = np.zeros(OWN_SIZE, bool)
    used[index_map(net.shapes, 1.0)[0]] = True
    assert (plan._own[~used] == 0).all()
    assert (plan._own[used] != 0).all()


def test_the_whole_grid_may_be_given(mnist):
    """Distorted images reach into the margin; undistorted ones are the same as without it."""
    images, labels = mnist.train.images[:12], mnist.train.labels[:12]
    grids = np.zeros((12, 32, 32), np.float32)
    grids[:, 2:30, 2:30] = images
    outcomes = []
    for given in (images, grids, grids + np.float32(3.0)):
        net = network("float64")
        plan = plan_of(net)
        plan.set_rates(1e-3)
        plan.train(given, labels, np.arange(12), np.zeros(12))
        plan.write(net.parameters)
        outcomes.append(net.parameters)
    np.testing.assert_allclose(outcomes[0], outcomes[1], rtol=1e-10, atol=1e-13)
    assert np.abs(outcomes[0] - outcomes[2]).max() > 1e-6


def test_margin_is_background_again_after_whole_grids(mnist):
    net = network("float64")
    plan, fresh = plan_of(net), plan_of(net)
    labels, order = mnist.train.labels, np.arange(3)
    plan.set_rates(0.0)
    fresh.set_rates(0.0)
    plan.train(np.full((3, 32, 32), 99.0), labels, order, np.zeros(3))
    losses = np.zeros((2, 3))
    plan.train(mnist.train.images, labels, order, losses[0])
    fresh.train(mnist.train.images, labels, order, losses[1])
    np.testing.assert_array_equal(losses[0], losses[1])


def test_scale_of_the_input_is_the_networks(mnist):
    net = network("float64", background=-0.4242, ink=2.8215)
    plan = plan_of(net)
    plan.set_rates(1.0)
    losses, after = np.zeros(1), np.empty_like(net.parameters)
    plan.train(mnist.train.images, mnist.train.labels, np.array([5]), losses)
    plan.write(after)
    loss, gradients = net.loss_and_grads(mnist.train.images[5:6], mnist.train.labels[5:6])
    assert losses[0] == pytest.approx(loss, rel=1e-12)
    step = net.views_of(net.parameters - after)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(step[name], gradient, atol=1e-12 * np.abs(gradient).max() + 1e-13, err_msg=name)


# ---- whole epochs, by the engine


def trained(engine_kind, loss, batch_size, optimizer, data, distortions=None, labels=None, **arguments):
    net = LeNet5("paper", seed=7, dtype="float64", initialisation="sqrt")
    net.loss = loss
    optimizer.prepare(net)
    images = data.train.images[:300]
    labels = data.train.labels[:300] if labels is None else labels
    if "rates" in optimizer.state:
        optimizer.before_epoch(net, images, labels, seed=7, epoch=1)
    seen = []
    with engine_kind(net, optimizer, **arguments) as engine:
        engine.load(images, labels)
        order = np.random.default_rng(2).permutation(300)[:200]
        steps = -(-len(order) // batch_size)
        learning_rates = np.where(np.arange(steps) < steps // 3, 1e-4, 5e-5)
        losses = engine.train(
            order, batch_size, learning_rates, lambda done, _: seen.append(done), distortions=distortions
        )
        outputs = engine.outputs(images)
    np.testing.assert_allclose(outputs, net.readable_outputs(images), rtol=1e-9)
    assert seen[-1] == steps
    return net.parameters, losses


def rubbish(data):
    labels = data.train.labels[:300].copy()
    labels[::7] = NOT_A_DIGIT
    return labels


@pytest.mark.parametrize(
    "name", ["rbf, one a step", "rbf, one a step, rubbish", "rbf, batches", "map, one a step", "map, batches"]
)
def test_the_engine_trains_as_the_layers_do(name, mnist):
    loss, batch_size = name[:3], 1 if "one" in name else 20
    labels = rubbish(mnist) if "rubbish" in name or loss == "map" else None
    outcomes = [
        trained(kind, loss, batch_size, SDLM(samples=50), mnist, labels=labels, **arguments)
        for kind, arguments in ((CpuEngine, {"threads": 2}), (LayeredEngine, {}))
    ]
    (found, losses), (expected, expected_losses) = outcomes
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_plain_gradient_descent_one_image_a_step(mnist):
    found, expected = (trained(kind, "rbf", 1, SGD(), mnist)[0] for kind in (CpuEngine, LayeredEngine))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_distorted_images_one_a_step(mnist):
    distortions = PAPER.draw(seed=1, epoch=1, n=200)
    found, expected, plain = (
        trained(kind, "rbf", 1, SDLM(samples=50), mnist, given)[0]
        for kind, given in ((CpuEngine, distortions), (LayeredEngine, distortions), (CpuEngine, None))
    )
    # Both resample in float32, in their own ways.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - plain).max() > 1e-3


def test_an_interrupted_epoch_leaves_whole_steps(mnist):
    class Stop(Exception):
        pass

    def progress(done, losses):
        raise Stop

    net = network("float32")
    before = net.host_parameters()
    optimizer = SDLM()
    optimizer.prepare(net)
    with CpuEngine(net, optimizer, threads=1) as engine:
        engine.load(mnist.train.images, mnist.train.labels)
        with pytest.raises(Stop):
            engine.train(np.arange(60000), 1, np.full(60000, 1e-5), progress)
    assert np.isfinite(net.parameters).all()
    assert (net.parameters != before).any()


@pytest.mark.parametrize("distorted", [False, True])
def test_without_worker_processes_the_bytes_are_the_same(mnist, distorted):
    distortions = PAPER.draw(seed=1, epoch=1, n=200) if distorted else None
    expected = trained(CpuEngine, "rbf", 1, SDLM(samples=50), mnist, distortions)
    found = trained(LocalEngine, "rbf", 1, SDLM(samples=50), mnist, distortions)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_a_loss_that_does_not_fit_the_network_is_refused():
    net = LeNet5("paper")
    net.loss = "cross_entropy"
    with pytest.raises(InputError, match="the loss is cross_entropy, not rbf or map"):
        CpuEngine(net, SDLM())
