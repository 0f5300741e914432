"""The CUDA kernels of the network `modern`, executed on the CPU, agree with the readable layers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cuda_on_cpu import harness
from cuda_on_cpu.cases import assert_close, digits, everything, make_steps, oracle_of, permutation
from cuda_on_cpu.steps import KERNELS

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.engine.cuda.buffers import coming_shares
from lenet_gpu.engine.cuda.source import kernel_source, sizes
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.paper import C3_TABLE, NOT_A_DIGIT


def test_facts_are_the_papers() -> None:
    rows = re.search(r"C3_TABLE\[C3_MAPS\]\[S2_MAPS\] = \{(.*?)\};", kernel_source(), re.DOTALL)
    assert rows
    table = [re.findall(r"\d", row) for row in re.findall(r"\{(.*?)\}", rows.group(1))]
    assert tuple(tuple(map(int, row)) for row in table) == C3_TABLE


def test_sizes_are_the_networks() -> None:
    assert sizes().parameters == LeNet5().parameters.size


@pytest.mark.parametrize(
    ("batch_size", "worst_case"), [(1, 0.0), (2, 0.0), (31, 0.0), (32, 0.0), (33, 0.0), (32, 1.0)]
)
def test_loss_and_every_gradient_agree_with_the_layers(batch_size: int, worst_case: float) -> None:
    """Also with the largest errors that a GPU's approximate exponential and division may have."""
    steps = make_steps(permutation(batch_size), batch_size)
    steps.library = harness.build(kernel_source(), KERNELS, worst_case=worst_case)
    oracle = oracle_of("cross_entropy")
    images, labels = (array[steps.order] for array in digits())
    loss = float(oracle.loss_backward(images, labels))
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(loss, rel=1e-6)
    assert steps.correct[0] == (oracle.readable_outputs(images).argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)


def test_constants_of_distortions_are_the_hosts() -> None:
    found = re.search(r"constexpr int DISTORTION = (\d+);", kernel_source())
    assert found
    assert int(found.group(1)) == distort.PARAMETERS
    assert distort.elastic_fields().shape == (distort.FIELDS, 2, 32, 32)


@pytest.mark.parametrize(("batch_size", "farther"), [(1, 0.0), (32, 0.0), (32, 12.0)])
def test_loss_and_gradients_of_distorted_images_and_of_no_digits(batch_size: int, farther: float) -> None:
    """`farther`: images shifted so that parts of them leave the grid, and pixels far beyond the image are read."""
    order = permutation(batch_size)
    distortions = STANDARD.draw(7, 1, batch_size)
    distortions[:, 2:6:3] += np.random.default_rng(8).normal(0, farther, (batch_size, 2))
    steps = make_steps(order, batch_size, distortions=distortions)
    steps.labels = steps.labels.copy()
    steps.labels[order[::3]] = NOT_A_DIGIT
    oracle = oracle_of("cross_entropy")
    grids = distort.distort_reference(np, steps.images[order], distortions, distort.elastic_fields())
    x = oracle.grid_layer(grids.reshape(batch_size, -1))
    loss = oracle.input_loss_backward(x, steps.labels[order])
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(loss, rel=1e-6)
    answers = oracle.forward_layers(x).argmax(axis=1)
    assert steps.correct[0] == (answers == steps.labels[order]).sum()
    assert_close(oracle, found, oracle.gradients, 1e-5)


def test_a_step_moves_the_parameters_against_the_gradient() -> None:
    steps = make_steps(permutation(8), 8)
    gradient = make_steps(permutation(8), 8).gradient()
    before, rate = steps.parameters.copy(), steps.learning_rates[0]
    np.testing.assert_allclose(steps.run(1), before - rate * gradient, rtol=0, atol=1e-7)
    assert steps.counter.tolist() == [1, 0, 8, 8]


def test_twenty_steps_on_real_digits_agree_with_the_layered_engine() -> None:
    order, rates = permutation(626), np.linspace(0.08, 0.04, 20)  # the last batch has 18 images
    images, labels = digits()
    network = LeNet5(seed=4)
    steps = make_steps(order, 32)
    steps.parameters = network.host_parameters()
    engine = LayeredEngine(network, SGD())
    engine.load(images, labels)
    losses = engine.train(order, 32, rates)
    steps.run()
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5)
    assert_close(network, steps.parameters, network.parameters, 1e-5)


def test_twenty_steps_with_everything_agree_with_the_layered_engine() -> None:
    """Distorted digits, some of which are none, and Nesterov's rule with all its terms.

    And with the largest errors that a GPU's approximate exponential and division may have.
    """
    order, rates = permutation(626), np.linspace(0.02, 0.01, 20)
    network = LeNet5(seed=4, initialisation="lecun")
    steps = make_steps(order, 32, **everything(order))
    steps.library = harness.build(kernel_source(), KERNELS, worst_case=1.0)
    steps.labels = steps.labels.copy()
    steps.labels[::5] = NOT_A_DIGIT
    steps.learning_rates = rates.astype(np.float32)
    steps.parameters = network.host_parameters()
    steps.average = network.host_parameters()
    optimizer = Nesterov(0.9, 0.01, 0.8)
    optimizer.prepare(network)
    optimizer.state["steps"][...] = 7.0  # in the first step the average is the weights
    steps.shares = coming_shares(optimizer, 20).astype(np.float32)
    engine = LayeredEngine(network, optimizer)
    engine.load(steps.images, steps.labels)
    losses = engine.train(order, 32, rates, distortions=steps.distortions)
    assert losses[-1] < losses[0]
    steps.run()
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5)
    for found, expected in (
        (steps.parameters, network.parameters),
        (steps.velocity, optimizer.state["velocity"]),
        (steps.average, optimizer.state["average"]),
    ):
        assert_close(network, found, expected, 2e-5)


def test_nesterovs_rule_is_the_optimisers() -> None:
    """A step of the kernel from a state in full swing, and the same step by optim.py from the kernel's gradient."""
    order, rng = permutation(8), np.random.default_rng(9)
    steps = make_steps(order, 8, nesterov=(0.9, 0.3))
    network = LeNet5()
    network.set_parameters(steps.parameters)
    optimizer = Nesterov(0.9, 0.3, 0.8)
    optimizer.prepare(network)
    optimizer.state["steps"][...] = 7.0  # in the first step the average is the weights
    steps.shares = coming_shares(optimizer, 1).astype(np.float32)
    steps.velocity = rng.normal(0, 0.01, steps.velocity.shape).astype(np.float32)
    steps.average = rng.normal(0, 0.1, steps.average.shape).astype(np.float32)
    optimizer.state["velocity"][...], optimizer.state["average"][...] = steps.velocity, steps.average
    gradient = make_steps(order, 8).gradient()
    optimizer.update(network.parameters, gradient, float(steps.learning_rates[0]))
    steps.run(1)
    np.testing.assert_allclose(steps.parameters, network.parameters, rtol=0, atol=3e-7)  # values up to 1.2
    np.testing.assert_allclose(steps.velocity, optimizer.state["velocity"], rtol=0, atol=1e-8)  # up to 0.05
    np.testing.assert_allclose(steps.average, optimizer.state["average"], rtol=0, atol=3e-7)


def test_each_step_averages_with_its_own_share() -> None:
    """The last step has fewer images, and the average begins elsewhere than the parameters."""
    shares = np.array([1.0, 0.5, 0.05, 0.7], np.float32)
    steps = make_steps(permutation(11), 3, nesterov=(0.9, 0.01), shares=shares)
    steps.average = np.random.default_rng(9).normal(0, 0.1, steps.average.shape).astype(np.float32)
    average = steps.average.astype(float)
    for share in shares:
        average += share * (steps.run(1) - average)
    np.testing.assert_allclose(steps.average, average, rtol=0, atol=3e-7)


@pytest.mark.parametrize("with_everything", [False, True])
def test_order_of_threads_and_blocks_changes_no_bit(with_everything: bool) -> None:
    order = permutation(7)
    options = everything(order) if with_everything else {}
    forwards, backwards = (make_steps(order, 4, backwards=way, **options) for way in (False, True))
    assert forwards.run().tobytes() == backwards.run().tobytes()
    assert forwards.losses.tobytes() == backwards.losses.tobytes()
    assert forwards.average.tobytes() == backwards.average.tobytes()
    images = digits()[0][:5]
    assert forwards.infer(images, 2).tobytes() == backwards.infer(images, 2).tobytes()


@pytest.mark.parametrize("grids", [(1, 1), (3, 100), (5, 477), (8, 1000)])
def test_number_of_blocks_changes_no_bit(grids: tuple[int, int]) -> None:
    order = permutation(8)
    usual, other = (make_steps(order, 5, grids=g, **everything(order)) for g in ((None, None), grids))
    assert usual.run().tobytes() == other.run().tobytes()
    assert usual.losses.tobytes() == other.losses.tobytes()
    assert usual.correct.tobytes() == other.correct.tobytes()


def test_last_batch_may_be_smaller_and_steps_beyond_the_epoch_do_nothing() -> None:
    steps = make_steps(permutation(7), 5)
    after = steps.run(2).copy()
    alone = make_steps(permutation(7)[5:], 2)
    alone.parameters = make_steps(permutation(7), 5).run(1)
    alone.learning_rates = steps.learning_rates[1:]
    np.testing.assert_allclose(alone.run(1), after, rtol=0, atol=2e-8)
    assert steps.run(1).tobytes() == after.tobytes()


@pytest.mark.parametrize("grid", [1, 3, 20])
def test_inference_agrees_with_the_layers(grid: int) -> None:
    oracle = oracle_of("cross_entropy")
    images = digits()[0][:7]
    expected = oracle.readable_outputs(images)
    np.testing.assert_allclose(make_steps(permutation(1), 1).infer(images, grid), expected, rtol=0, atol=3e-6)
