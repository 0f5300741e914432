"""The CUDA kernels' cluster form, executed on the CPU, agrees with the readable layers."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.cases import assert_close, everything, oracle_of, permutation
from cuda_on_cpu.cluster_steps import ClusterSteps, make_steps

from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.engine.cuda.buffers import coming_shares
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.nn.sdlm import SDLM

NETWORKS = [
    ("cross_entropy", 10),
    ("rbf", 10),
    ("map", 10),
    ("cross_entropy", 2),
    ("cross_entropy", 26),
    ("cross_entropy", 64),
]


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(("loss", "classes"), NETWORKS)
def test_loss_and_every_gradient_agree_with_the_layers(loss: str, classes: int, batch_size: int) -> None:
    steps = make_steps(permutation(batch_size), batch_size, loss, classes, number=1)
    oracle = oracle_of(loss, classes=classes)
    images, labels = steps.images[steps.order], steps.labels[steps.order]
    expected = float(oracle.loss_backward(images, labels))
    found = steps.alone_gradient() if batch_size == 1 else steps.gradient()
    assert steps.losses[0] == pytest.approx(expected, rel=1e-6)
    assert steps.correct[0] == (oracle.readable_outputs(images).argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)


def trained(rule: str, loss: str, batch_size: int, n: int, number: int, parts: tuple[int, ...] = ()) -> None:
    """Steps on distorted digits, some of which are none, by the kernels and by the layered engine."""
    order = permutation(n)
    count = -(-n // batch_size)
    network = LeNet5("modern" if loss == "cross_entropy" else "paper", seed=4, initialisation="lecun")
    network.loss = loss
    rates = np.linspace(0.02, 0.01, count) * (1 if loss == "cross_entropy" else 0.02)
    steps = make_steps(order, batch_size, loss, number=number, distortions=STANDARD.draw(7, 1, n))
    steps.labels = steps.labels.copy()
    steps.labels[::5] = 10
    steps.learning_rates = rates.astype(np.float32)
    steps.parameters, steps.average = network.host_parameters(), network.host_parameters()
    optimizer = SGD()
    if rule == "nesterov":
        optimizer, steps.nesterov = Nesterov(0.9, 0.01, 0.8), (0.9, 0.01)
        optimizer.prepare(network)
        optimizer.state["steps"][...] = 7.0  # in the first step the average is the weights
        steps.shares = coming_shares(optimizer, count).astype(np.float32)
    elif rule == "rates":
        optimizer = SDLM()
        steps.rates = np.random.default_rng(1).uniform(0.2, 1.5, network.parameters.size).astype(np.float32)
        optimizer.state = {"rates": steps.rates.copy()}
    engine = LayeredEngine(network, optimizer)
    engine.load(steps.images, steps.labels)
    losses = engine.train(order, batch_size, rates, distortions=steps.distortions)
    for most in parts:
        steps.alone(most)
    if not parts:
        steps.run()
    assert steps.counter[0] == count
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5, atol=1e-7)
    assert_close(network, steps.parameters, network.parameters, 1e-5)
    if rule == "nesterov":
        assert_close(network, steps.velocity, optimizer.state["velocity"], 2e-5)
        assert_close(network, steps.average, optimizer.state["average"], 2e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "rbf", "map"])
@pytest.mark.parametrize("rule", ["plain", "nesterov", "rates"])
def test_twenty_steps_of_one_image_agree_with_the_layered_engine(rule: str, loss: str) -> None:
    """In two launches; the second one asks for more steps than the epoch has left."""
    trained(rule, loss, 1, 20, 1, (7, 100))


@pytest.mark.parametrize("loss", ["cross_entropy", "map"])
@pytest.mark.parametrize("rule", ["plain", "nesterov", "rates"])
def test_steps_of_a_batch_agree_with_the_layered_engine(rule: str, loss: str) -> None:
    trained(rule, loss, 4, 18, 1)


def outcome(steps: ClusterSteps) -> bytes:
    if steps.batch_size == 1:
        steps.alone()
    else:
        steps.run()
    return b"".join(
        array.tobytes() for array in (steps.parameters, steps.losses, steps.correct, steps.velocity, steps.average)
    )


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("loss", ["cross_entropy", "map"])
def test_order_of_warps_blocks_and_messages_changes_no_bit(loss: str, batch_size: int) -> None:
    order = permutation(3 if batch_size == 1 else 5)
    found = {outcome(make_steps(order, batch_size, loss, number=k, **everything(order))) for k in range(6)}
    assert len(found) == 1


@pytest.mark.parametrize("grids", [(1, 1), (2, 100), (7, 1000)])
def test_number_of_clusters_changes_no_bit(grids: tuple[int, int]) -> None:
    order = permutation(8)
    usual, other = (make_steps(order, 5, grids=g, **everything(order)) for g in ((None, None), grids))
    assert outcome(usual) == outcome(other)


def test_the_packed_copy_follows_the_parameters() -> None:
    steps = make_steps(permutation(4), 2)
    steps.run()
    followed = steps.packed.copy()
    steps.pack()
    assert not np.isnan(steps.packed).any()
    np.testing.assert_array_equal(followed, steps.packed)


def test_steps_beyond_the_epoch_do_nothing() -> None:
    for batch_size in (1, 2):
        steps = make_steps(permutation(2), batch_size)
        after = outcome(steps)
        assert outcome(steps) == after
