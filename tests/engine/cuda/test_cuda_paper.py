"""The paper's network and its second-order training on the CUDA engine: the kernels on the CPU, and the host code."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cuda_on_cpu import harness
from cuda_on_cpu.cases import (
    assert_close,
    digits,
    make_steps,
    oracle_of,
    permutation,
    relative_errors,
    trained_parameters,
    variant_of,
    with_no_digits,
)
from cuda_on_cpu.steps import KERNELS
from stand_in.cuda_cupy import CudaBackend, world

from lenet_gpu import Trainer
from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import PAPER
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.cuda.source import kernel_source, sizes
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import CODES, NOT_A_DIGIT, RUBBISH_PENALTY
from lenet_gpu.training import recipes

LOSSES = ("rbf", "map")


# ---- the kernels


def test_codes_and_sizes_are_the_papers():
    source = kernel_source("paper")
    rows = re.search(r"CODES\[10\]\[3\] = \{(.*?)\};", source, re.DOTALL)
    assert rows
    words = np.array([re.findall(r"0x[0-9a-f]{8}", row) for row in rows.group(1).strip().splitlines()])  # (10, 3)
    bits = [[int(word, 16) >> bit & 1 for word in row for bit in range(32)] for row in words]
    assert (2 * np.array(bits)[:, :84] - 1).tolist() == [list(code) for code in CODES]
    assert f"RUBBISH_PENALTY = {RUBBISH_PENALTY}f;" in source
    paper, modern = sizes("paper"), sizes()
    assert paper.parameters == LeNet5("paper").parameters.size
    assert paper[1:] == modern[1:]
    assert "CODES" not in kernel_source()


@pytest.mark.parametrize("batch_size", [1, 4, 33])
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_every_gradient_agree_with_the_layers(loss, batch_size):
    """Also with the largest errors that a GPU's approximate functions may have."""
    steps = make_steps(permutation(batch_size), batch_size, loss)
    steps.library = harness.build(kernel_source("paper"), KERNELS, worst_case=float(batch_size == 33))
    oracle = oracle_of(loss)
    images, labels = (array[steps.order] for array in digits())
    expected_loss, _ = oracle.loss_and_grads(images, labels)
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(expected_loss, rel=1e-6)
    assert steps.correct[0] == (oracle.readable_outputs(images).argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)


@pytest.mark.parametrize("batch_size", [1, 33])
@pytest.mark.parametrize("loss", LOSSES)
def test_distorted_images_whose_labels_are_all_likely(loss, batch_size):
    """The images look like a 6, an 8 or nothing at the parameters in use, and are labelled so."""
    order = permutation(batch_size)
    distortions = PAPER.draw(7, 1, batch_size)
    steps = make_steps(order, batch_size, loss, distortions=distortions)
    steps.labels = np.array([NOT_A_DIGIT, 6, 8], np.uint8)[np.arange(len(steps.images)) % 3]
    steps.labels[order[0]] = NOT_A_DIGIT
    oracle = oracle_of(loss)
    grids = distort.distort_reference(np, steps.images[order], distortions, distort.elastic_fields())
    x = oracle.grid_layer(grids.reshape(batch_size, -1))
    expected = oracle.input_loss_backward(x, steps.labels[order])
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(expected, rel=1e-5)
    answers = oracle.forward_layers(x).argmin(axis=1)
    assert steps.correct[0] == (answers == steps.labels[order]).sum()
    if loss == "rbf" and batch_size == 1:
        assert expected == 0.0
        assert not found.any()
        return
    assert_close(oracle, found, oracle.gradients, 2e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", *LOSSES])
def test_rates_of_each_parameter_are_those_of_sdlm(loss):
    """A step of the kernel, and the same step by sdlm.py from the kernel's gradient."""
    variant = variant_of(loss)
    rates = np.random.default_rng(9).uniform(0.1, 40, trained_parameters(variant).size).astype(np.float32)
    steps, optimizer = make_steps(permutation(3), 3, loss, rates=rates), SDLM()
    gradient, parameters = make_steps(permutation(3), 3, loss).gradient(), steps.parameters.copy()
    optimizer.state = {"rates": rates}
    optimizer.update(parameters, gradient, float(steps.learning_rates[0]))
    moved = np.abs(parameters - trained_parameters(variant)).max()
    np.testing.assert_allclose(steps.run(1), parameters, rtol=1e-6, atol=1e-7 * moved)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_forty_images_by_sdlm_agree_with_the_layered_engine(loss, batch_size):
    """From the start of the recipe; distorted, and some of them no digits."""
    order = permutation(40)
    steps = make_steps(order, batch_size, loss, distortions=PAPER.draw(7, 1, len(order)))
    steps.labels = with_no_digits(steps.labels)
    network = LeNet5("paper", seed=4, initialisation="sqrt")
    network.loss = loss
    optimizer = SDLM(samples=50)
    optimizer.prepare(network)
    optimizer.before_epoch(network, steps.images, steps.labels, 0, 1)
    steps.learning_rates = np.linspace(2e-3, 1e-3, -(-len(order) // batch_size)).astype(np.float32)
    steps.parameters, steps.rates = network.host_parameters(), optimizer.state["rates"]
    engine = LayeredEngine(network, optimizer)
    engine.load(steps.images, steps.labels)
    losses = engine.train(order, batch_size, steps.learning_rates, distortions=steps.distortions)
    start = network.initial_parameters(4)
    steps.run()
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5, atol=1e-5)
    assert_close(network, steps.parameters, network.parameters, 2e-5)
    assert min(relative_errors(network, start, network.parameters).values()) > 1e-3


def test_order_of_threads_and_number_of_blocks_change_no_bit():
    order = permutation(5)
    options = {"distortions": PAPER.draw(7, 1, len(order)), "rates": np.full(60_000, 0.01, np.float32)}
    variations = ({}, {"backwards": True}, {"grids": (1, 3)}, {"grids": (7, 1000)})
    outcomes = set()
    for variation in variations:
        steps = make_steps(order, 3, "map", **options, **variation)
        outcomes.add((steps.run().tobytes(), steps.losses.tobytes(), steps.correct.tobytes()))
    assert len(outcomes) == 1


def test_inference_agrees_with_the_layers():
    """Penalties with their sign turned."""
    oracle, images = oracle_of("rbf"), digits()[0][:7]
    expected = oracle.readable_outputs(images)
    assert (expected < 0).all()
    for grid in (1, 20):
        found = make_steps(permutation(1), 1, "rbf").infer(images, grid)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


# ---- the engine, on the stand-in


RULES = {
    "sdlm": (lambda: SDLM(samples=20), 1e-3),
    "plain": (SGD, 1e-3),
    "nesterov": (lambda: Nesterov(0.9, 0.01, 0.8), 1e-4),
}
"""Optimisers, and learning rates at which they do not diverge."""


def trained(engine_class, backend, loss, rule, batch_size, distorted=False, n=27):
    """Two epochs as the trainer runs them; the engine and the losses."""
    images, labels = digits()[0][:100], with_no_digits(digits()[1][:100])
    make_optimizer, rate = RULES[rule]
    network = LeNet5(variant_of(loss), backend, seed=2, initialisation="sqrt")
    network.loss = loss
    optimizer = make_optimizer()
    optimizer.prepare(network)
    engine, losses = engine_class(network, optimizer), []
    engine.load(images, labels)
    for epoch in (1, 2):
        optimizer.before_epoch(network, images, labels, 0, epoch)
        rates = np.linspace(rate, rate / 2, -(-n // batch_size))
        distortions = PAPER.draw(0, epoch, n) if distorted else None
        order = np.random.default_rng(epoch).permutation(len(images))[:n]
        losses.append(engine.train(order, batch_size, rates, distortions=distortions))
    return engine, np.concatenate(losses)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("loss", "rule", "batch_size", "distorted"),
    [
        ("rbf", "sdlm", 1, True),
        ("map", "sdlm", 1, False),
        ("map", "sdlm", 4, True),
        ("cross_entropy", "sdlm", 1, False),
        ("rbf", "plain", 4, False),
        ("map", "nesterov", 1, False),
    ],
)
def test_training_agrees_with_the_layered_engine(loss, rule, batch_size, distorted):
    """The curvatures, too, are computed on the device, and a graph sees those of the second epoch."""
    arguments = loss, rule, batch_size, distorted
    engine, losses = trained(CudaEngine, CudaBackend(), *arguments)
    assert world.counts["graph"] > 0
    assert world.counts["capture"] in (1, 2)  # a whole chunk, and what may be left over
    readable, expected = trained(LayeredEngine, NumpyBackend(), *arguments)
    np.testing.assert_allclose(losses, expected, rtol=2e-5, atol=1e-5)
    assert_close(readable.network, engine.network.host_parameters(), readable.network.parameters, 5e-5)


@pytest.mark.usefixtures("device")
def test_outputs_are_those_of_the_network():
    images = digits()[0][:9]
    network, readable = LeNet5("paper", CudaBackend(), seed=2), LeNet5("paper", seed=2)
    with CudaEngine(network, SGD()) as engine:
        np.testing.assert_allclose(engine.outputs(images), readable.outputs(images), rtol=1e-6)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("loss", ["map", "cross_entropy"])
def test_the_recipe_trains_on_the_fast_engine(loss, capsys):
    images, labels = digits()
    data = Dataset("few", Split(images[:30], labels[:30]), Split(images[30:40], labels[30:40]), {})
    recipe = recipes.with_loss(recipes.get_recipe("paper"), loss).with_changes(epochs=2, samples=20)
    runs = []
    for backend, engine in ((CudaBackend(), "auto"), (NumpyBackend(), "layered")):
        model = LeNet5(recipe.variant, backend)
        runs.append(Trainer(model, recipe, engine=engine).fit(data))
    assert [record["engine"] for record in runs[0].history] == ["cuda", "cuda"]
    assert "readable layers" not in capsys.readouterr().err
    for found, expected in zip(*(run.history for run in runs), strict=True):
        for key in ("loss", "train_loss", "test_loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-4), key
        assert found["test_error"] == expected["test_error"]


@pytest.mark.usefixtures("device")
def test_the_fast_engine_is_the_one_a_gpu_gets():
    network = LeNet5("paper", CudaBackend())
    for loss in LOSSES:
        network.loss = loss
        with make_engine(network, SDLM(), "cuda") as engine:
            assert engine.name == "cuda"
