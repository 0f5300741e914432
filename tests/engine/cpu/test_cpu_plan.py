"""The prepared NumPy plan against the readable layers, in both precisions and at every batch size."""

import tracemalloc
import warnings
from itertools import pairwise

import numpy as np
import oracle
import pytest

from lenet_gpu.engine.cpu import layout
from lenet_gpu.engine.cpu import plan as cpu_plan
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.weights import c3_index_maps
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.losses import cross_entropy
from lenet_gpu.nn.optim import SGD

BATCHES = (1, 2, 31, 32, 33, 256, 1000)
TOLERANCE = {"float32": 1e-4, "float64": 2e-12}


@pytest.fixture(autouse=True, params=[False, True], ids=["narrow", "wide"])
def wide(request, monkeypatch):
    """Every test runs in both ways of computing, whatever the processor."""
    monkeypatch.setattr(cpu_plan, "has_wide_vectors", lambda: request.param)
    return request.param


def network(dtype, **arguments):
    """A network in mid-training: every parameter matters, no unit is saturated or asleep."""
    net = LeNet5(seed=7, dtype=dtype, **arguments)
    rng = np.random.default_rng(3)
    net.set_parameters(net.host_parameters() + 0.05 * rng.standard_normal(net.parameters.size))
    return net


def plan_of(net, capacity=64, **arguments):
    gradients = np.full_like(net.parameters, np.nan)
    return CpuPlan.of(net, [gradients], capacity=capacity, **arguments), gradients


def pixels(mnist):
    return mnist.train.images.reshape(-1, layout.PIXELS), mnist.train.labels.astype(np.intp)


def memory_of(work, warm_up, rounds=5):
    """Return how many bytes 20 calls of work keep, and how many more they hold at their most.

    Memory is traced for the whole process, where threads of earlier tests may still be ending: what work itself
    takes, it takes in each round, so that the least of the rounds counts.
    """
    kept, held = [], []
    tracemalloc.start()
    try:
        for _ in range(warm_up):
            work()
        for _ in range(rounds):
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(20):
                work()
            after, peak = tracemalloc.get_traced_memory()
            kept.append(after - before)
            held.append(peak - before)
    finally:
        tracemalloc.stop()
    return min(kept), min(held)


def assert_same(found, expected, tolerance):
    """Each parameter's gradient, compared to that parameter's largest."""
    for name, want in expected.items():
        error = np.abs(found[name] - want).max() / np.abs(want).max()
        assert error < tolerance, f"{name}: {error:.2g}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", BATCHES)
def test_loss_and_every_gradient_equal_the_layers(mnist, rng, dtype, n):
    net = network(dtype)
    plan, gradients = plan_of(net)
    images, labels = pixels(mnist)
    chosen = rng.permutation(len(labels))[:n]
    loss, expected = net.loss_and_grads(mnist.train.images[chosen], labels[chosen])
    found = plan.gradients(images, labels, chosen, 1.0 / n) / n
    assert found == pytest.approx(loss, rel=TOLERANCE[dtype])
    assert_same(net.views_of(gradients), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", BATCHES)
def test_outputs_equal_the_layers(mnist, dtype, n):
    """In a plan that does nothing else: it gathers by lines, and the dense layers take several chunks at once."""
    net = network(dtype)
    plan = CpuPlan.of(net, capacity=16)
    assert plan.spec.together == 64
    images = mnist.test.images[:n]
    expected = net.readable_outputs(images)
    np.testing.assert_allclose(plan.outputs(images), expected, atol=np.abs(expected).max() * TOLERANCE[dtype])


def test_one_plan_serves_changing_numbers_of_images(mnist, rng):
    """Rows of ones, margins and borders must be right again after every change of the batch's size."""
    net = network("float64")
    plan, gradients = plan_of(net, capacity=8)
    reader = CpuPlan.of(net, capacity=8)
    images, labels = pixels(mnist)
    for n in (8, 3, 8, 8, 1, 20, 8, 13, 3, 20, 40, 7):
        chosen = rng.permutation(1000)[:n]
        _, expected = net.loss_and_grads(mnist.train.images[chosen], labels[chosen])
        plan.gradients(images, labels, chosen, 1.0 / n)
        assert_same(net.views_of(gradients), expected, 1e-12)
        expected = net.readable_outputs(mnist.test.images[:n])
        for each in (plan, reader):
            np.testing.assert_allclose(each.outputs(mnist.test.images[:n]), expected, rtol=1e-10)


def test_fifty_steps_of_gradient_descent_equal_the_layers(mnist, rng):
    net, other = network("float64"), network("float64")
    plan, gradients = plan_of(net)
    images, labels = pixels(mnist)
    for _ in range(50):
        chosen = rng.permutation(len(labels))[:32]
        plan.gradients(images, labels, chosen, 1.0 / 32)
        SGD().update(net.parameters, gradients, 0.05)
        other.loss_backward(mnist.train.images[chosen], labels[chosen])
        SGD().update(other.parameters, other.gradients, 0.05)
    np.testing.assert_allclose(net.parameters, other.parameters, atol=1e-12)
    assert np.abs(net.parameters - network("float64").parameters).max() > 1e-2


def test_scale_of_the_input_is_the_networks(mnist):
    net = network("float64", background=-0.4242, ink=2.8215)
    plan, gradients = plan_of(net)
    images, labels = pixels(mnist)
    _, expected = net.loss_and_grads(mnist.train.images[:9], labels[:9])
    plan.gradients(images, labels, np.arange(9), 1.0 / 9)
    assert_same(net.views_of(gradients), expected, 1e-12)


def test_images_may_be_floats_from_0_to_1(mnist):
    net = network("float32")
    plan, _ = plan_of(net, images="float")
    images = mnist.test.images[:5].astype(np.float32) / 255
    np.testing.assert_allclose(plan.outputs(images), net.readable_outputs(images), atol=1e-5)


def grids_of(net, rng, n):
    """n whole input layers of 32x32, ink in the margin as well: as pixels and as the layers take them."""
    grids = rng.integers(0, 256, (n, 32, 32)).astype(np.float32)
    return grids, net.background + grids[:, None].astype(np.float64) * (net.ink - net.background) / 255


@pytest.mark.parametrize("n", [1, 8, 21])
def test_whole_grids_are_computed_where_a_function_writes_them(rng, n):
    """What augmentation makes goes into the plan chunk by chunk, and the margin counts."""
    net = network("float64")
    plan, gradients = plan_of(net, capacity=8, images="grid")
    reader = CpuPlan.of(net, capacity=8, images="grid")
    grids, x = grids_of(net, rng, n)
    labels = rng.integers(0, 11, n)
    for turn in (0, 1):  # the second finds what the first has left behind
        loss, dlogits = cross_entropy(np, net.forward_layers(x), labels)
        net.backward_layers(dlogits)
        expected = {name: view.copy() for name, view in net.gradient_views.items()}
        seen = []

        def write(chunk, out, source=grids, seen=seen):
            seen.append((chunk.start, chunk.stop))
            out[...] = source[chunk]

        found = plan.gradients(write, labels, np.arange(n), 1.0 / n) / n
        assert found == pytest.approx(float(loss), rel=1e-12)
        assert_same(net.views_of(gradients), expected, 1e-12)
        assert seen[0][0] == 0
        assert seen[-1][1] == n
        assert all(stop == start for (_, stop), (start, _) in pairwise(seen))
        for each in (plan, reader):
            np.testing.assert_allclose(each.outputs(grids), net.forward_layers(x), rtol=1e-9)
        if not turn:
            grids, x = grids_of(net, rng, n)


def test_grids_may_be_gathered_from_an_array_too(rng):
    net = network("float64")
    plan, _ = plan_of(net, capacity=8, images="grid")
    grids, x = grids_of(net, rng, 30)
    chosen = rng.permutation(30)[:13]
    loss, _ = cross_entropy(np, net.forward_layers(x[chosen]), np.zeros(13, np.intp))
    found = plan.gradients(grids.reshape(30, -1), np.zeros(30, np.intp), chosen) / 13
    assert found == pytest.approx(float(loss), rel=1e-12)


def test_the_target_of_what_is_not_a_digit_is_the_same_for_every_class(mnist):
    net = network("float64")
    plan, gradients = plan_of(net)
    images, labels = mnist.train.images[:12], np.array([10, 3, 10, 0, 9, 10, 10, 1, 2, 10, 10, 10])
    loss = net.loss_backward(images, labels)
    found = plan.gradients(images.reshape(12, -1), labels, np.arange(12), 1.0 / 12) / 12
    assert found == pytest.approx(float(loss), rel=1e-12)
    assert_same(net.views_of(gradients), net.gradient_views, 1e-12)
    log_p = np.log(oracle.probabilities(net, images[:1])[0])
    assert plan.gradients(images.reshape(12, -1), labels, np.arange(1)) == pytest.approx(-log_p.mean())


def test_gradients_go_to_the_target_asked_for_and_nowhere_else(mnist):
    net = network("float32")
    targets = [np.full_like(net.parameters, 5.0) for _ in range(3)]
    plan = CpuPlan.of(net, targets, capacity=16)
    images, labels = pixels(mnist)
    plan.gradients(images, labels, np.arange(40), target=1)
    assert (targets[0] == 5.0).all()
    assert (targets[2] == 5.0).all()
    plan.gradients(images, labels, np.arange(40), target=2)
    assert targets[1].tobytes() == targets[2].tobytes()


def test_an_empty_share_has_no_gradient(mnist):
    net = network("float32")
    plan, gradients = plan_of(net)
    assert plan.gradients(*pixels(mnist), np.arange(0)) == 0.0
    assert (gradients == 0.0).all()


def test_outputs_follow_the_parameters_unless_told_not_to(mnist):
    net = network("float32")
    plan, _ = plan_of(net)
    images = mnist.test.images[:4]
    before = plan.outputs(images)
    net.views["c1.weight"][...] *= 2.0
    kept = plan.outputs(images, refresh=False)
    np.testing.assert_array_equal(before, kept)
    assert np.abs(plan.outputs(images) - before).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pixel_values", [{}, {"background": -0.4242, "ink": 2.8215}])
def test_the_way_of_one_image_equals_the_layers(mnist, rng, dtype, pixel_values):
    net = network(dtype, **pixel_values)
    plan, _ = plan_of(net)
    images = np.concatenate([mnist.test.images[:40], rng.integers(0, 256, (5, 28, 28), np.uint8)])
    plan.outputs(images)
    found = np.concatenate([plan.outputs(image[None], refresh=False) for image in images])
    assert plan._for_one() is not None  # the way that is tested here was open
    expected = net.readable_outputs(images)
    np.testing.assert_allclose(found, expected, atol=np.abs(expected).max() * TOLERANCE[dtype])
    found = np.concatenate([plan.probabilities(image[None], refresh=False) for image in images])
    np.testing.assert_allclose(found, oracle.probabilities(net, images), atol=TOLERANCE[dtype])
    np.testing.assert_allclose(plan.probabilities(images), oracle.probabilities(net, images), atol=TOLERANCE[dtype])


def test_the_way_of_one_image_follows_the_parameters(mnist):
    net = network("float64")
    plan, _ = plan_of(net)
    images = mnist.test.images[:1]
    for factor in (1.0, 1.5, 0.5):
        net.parameters *= factor
        plan.outputs(images)
        np.testing.assert_allclose(
            plan.probabilities(images, refresh=False), oracle.probabilities(net, images), atol=1e-12
        )
    net.parameters *= 2.0
    plan.gradients(*pixels(mnist), np.arange(3))
    np.testing.assert_allclose(
        plan.probabilities(images, refresh=False), oracle.probabilities(net, images), atol=1e-12
    )


@pytest.mark.parametrize("part", ["c1.weight", "c1.bias", "s2.coefficient", "s2.bias", "c3.weight", "c3.bias",
                                  "s4.coefficient", "s4.bias", "output.weight", "output.bias",
                                  "contrast"])  # fmt: skip
def test_parameters_that_could_overflow_are_read_right_and_in_silence(mnist, wide, part):
    """One image takes no short way where softmax could overflow and, without wide vectors, where a folded bias
    is too large; squashing may overflow, and is at its limit then."""
    net = network("float64")
    plan, _ = plan_of(net)
    if part == "contrast":  # no bias grows with these
        part = "c1.weight"
        net.views[part][...] -= net.views[part].mean(axis=(1, 2, 3), keepdims=True)
        wide = True
    net.views[part][...] *= 1e5
    plan.outputs(mnist.test.images[:1])
    single = plan._for_one()
    assert single is None if not wide or part.startswith("output") else not single.quiet
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = plan.probabilities(mnist.test.images[:1], refresh=False)
    np.testing.assert_allclose(found, oracle.probabilities(net, mnist.test.images[:1]), atol=1e-6)


def test_one_image_allocates_only_its_result(mnist):
    net = network("float32")
    plan, _ = plan_of(net)
    image = mnist.test.images[:1]
    plan.outputs(image)
    plan.probabilities(image, refresh=False)
    kept, held = memory_of(lambda: plan.probabilities(image, refresh=False), warm_up=1)
    assert kept < 1_000
    assert held < 40_000


def test_a_diverged_network_gives_nan_without_a_warning(mnist):
    net = network("float32")
    plan, gradients = plan_of(net)
    for factor in (1e30, 1e9):  # 1e39: infinite
        with np.errstate(over="ignore"):
            net.parameters *= np.float32(factor)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loss = plan.gradients(*pixels(mnist), np.arange(8))
    assert np.isnan(loss)
    assert np.isnan(gradients).any()


@pytest.mark.parametrize("n", [1, 32, 200])
def test_a_step_and_a_prediction_allocate_nothing(mnist, n):
    net = network("float32")
    plan, _ = plan_of(net)
    images, labels = pixels(mnist)
    chosen, out = np.arange(n), np.empty((n, 10), np.float32)

    def work():
        plan.gradients(images, labels, chosen, 1.0 / n)
        plan.outputs(mnist.test.images[:n], out)

    kept, held = memory_of(work, warm_up=60)  # NumPy keeps some dozen error-state objects for itself
    # NumPy's own buffers for arrays that are not one long run take 32 KiB for the length of a call; C1's input
    # alone takes 12 KiB an image.
    assert kept < 1_000
    assert held < 40_000


def test_parameters_stand_where_the_layers_convolve():
    """C3's matrix, multiplied out by hand for one tile, against the definition of a convolution."""
    rng = np.random.default_rng(0)
    parameters, positions = c3_index_maps()
    values = np.append(rng.standard_normal(layout.C3_PARAMETERS), 0.0)
    matrix = values[parameters]
    window = rng.standard_normal((6, 6, 6))  # y, x, map
    found = matrix @ np.concatenate([[1.0], window.ravel(), [1.0]])
    kernels = values[: layout.C3_KERNELS * 25].reshape(-1, 5, 5)
    pair = 0
    for o, row in enumerate(layout.C3_TABLE):
        for line in range(2):
            for x in range(2):
                seen = window[line : line + 5, x : x + 5]
                expected = values[layout.C3_KERNELS * 25 + o] + sum(
                    (kernels[pair + k] * seen[:, :, i]).sum() for k, i in enumerate(row)
                )
                assert found[(line * 2 + x) * 16 + o] == pytest.approx(expected)
        pair += len(row)
    # The two halves, each with the part of the window that its output line sees.
    assert not matrix[:32, layout.C3_HALF :].any()
    assert not matrix[32:, : -layout.C3_HALF].any()
    halves = np.stack([matrix[:32, : layout.C3_HALF].T, matrix[32:, -layout.C3_HALF :].T])
    np.testing.assert_array_equal(halves.ravel()[positions], np.tile(values[:-1], (4, 1)))
