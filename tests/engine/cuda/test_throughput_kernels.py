"""The kernels of the throughput form, executed on the CPU, agree with the readable layers."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu import harness
from cuda_on_cpu.cases import (
    assert_close,
    digits,
    everything,
    labels_of,
    make_steps,
    oracle_of,
    permutation,
    relative_errors,
    variant_of,
    with_no_digits,
)
from cuda_on_cpu.steps import KERNELS, Steps

from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import STANDARD
from lenet_gpu.engine.cuda.buffers import coming_shares
from lenet_gpu.engine.cuda.source import SPLIT_IMAGES, kernel_source, sizes, update_jobs
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import CLASSES, NOT_A_DIGIT

FORM = "throughput"
MOST_SHARED = 113 * 1024
"""Bytes of a block where a multiprocessor has 228 KiB, two blocks, and each of them takes one for the system."""


def throughput(order: np.ndarray, batch_size: int, *arguments: object, **options: object) -> Steps:
    return make_steps(order, batch_size, *arguments, form=FORM, **options)


def outcome(steps: Steps) -> tuple[bytes, ...]:
    """All that steps leave behind."""
    steps.run()
    return tuple(a.tobytes() for a in (steps.parameters, steps.velocity, steps.average, steps.losses, steps.correct))


def test_two_blocks_fit_into_a_multiprocessor() -> None:
    for variant, most in (("modern", 64), ("paper", CLASSES)):
        for classes in range(2 if variant == "modern" else CLASSES, most + 1):
            found = sizes(variant, classes, FORM)
            assert max(found.shared_bytes, found.inference_bytes) <= MOST_SHARED
            assert found.shared_bytes % 16 == found.inference_bytes % 16 == 0, "whole float4"


def test_a_large_batch_has_two_jobs_for_each_multiprocessor() -> None:
    assert update_jobs(sizes(form=FORM), 1024) == 264


def test_sizes_are_the_hosts() -> None:
    """The compiler asserts them; the first number of classes whose output weights stay outside shared memory."""
    harness.build(kernel_source("modern", 27, FORM), KERNELS)


@pytest.mark.parametrize(("batch_size", "worst_case"), [(1, 0.0), (2, 0.0), (5, 1.0), (33, 0.0), (130, 0.0)])
def test_loss_and_every_gradient_agree_with_the_layers(batch_size: int, worst_case: float) -> None:
    """Also with the largest errors that a GPU's approximate functions may have, and with a batch that is split."""
    steps = throughput(permutation(batch_size), batch_size)
    steps.library = harness.build(kernel_source(form=FORM), KERNELS, worst_case=worst_case)
    oracle = oracle_of("cross_entropy")
    images, labels = (array[steps.order] for array in digits())
    loss = float(oracle.loss_backward(images, labels))
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(loss, rel=1e-6)
    assert steps.correct[0] == (oracle.readable_outputs(images).argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)


@pytest.mark.parametrize(("batch_size", "farther"), [(1, 0.0), (5, 12.0)])
def test_loss_and_gradients_of_distorted_images_and_of_no_digits(batch_size: int, farther: float) -> None:
    """`farther`: images shifted so that parts of them leave the grid, and pixels far beyond the image are read."""
    order = permutation(batch_size)
    distortions = STANDARD.draw(7, 1, batch_size)
    distortions[:, 2:6:3] += np.random.default_rng(8).normal(0, farther, (batch_size, 2))
    steps = throughput(order, batch_size, distortions=distortions)
    steps.labels = steps.labels.copy()
    steps.labels[order[::3]] = NOT_A_DIGIT
    oracle = oracle_of("cross_entropy")
    grids = distort.distort_reference(np, steps.images[order], distortions, distort.elastic_fields())
    x = oracle.grid_layer(grids.reshape(batch_size, -1))
    loss = oracle.input_loss_backward(x, steps.labels[order])
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(loss, rel=1e-6)
    assert steps.correct[0] == (oracle.forward_layers(x).argmax(axis=1) == steps.labels[order]).sum()
    assert_close(oracle, found, oracle.gradients, 1e-5)


@pytest.mark.parametrize("classes", [2, 27, 64])
def test_other_numbers_of_classes(classes: int) -> None:
    """Every fifth image shows none of the classes."""
    steps = throughput(permutation(9), 9, classes=classes)
    oracle = oracle_of("cross_entropy", classes=classes)
    images, labels = steps.images[steps.order], steps.labels[steps.order]
    assert (labels == classes).any()
    loss = oracle.loss_backward(images, labels)
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(float(loss), rel=1e-6)
    expected = oracle.readable_outputs(images)
    assert steps.correct[0] == (expected.argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)
    np.testing.assert_allclose(steps.infer(images, 2), expected, rtol=0, atol=1e-5)
    assert (labels_of(classes)[steps.order] == labels).all()


@pytest.mark.parametrize("loss", ["rbf", "map"])
def test_both_losses_of_the_paper(loss: str) -> None:
    steps = throughput(permutation(11), 11, loss)
    steps.labels = with_no_digits(steps.labels)
    oracle = oracle_of(loss)
    images, labels = steps.images[steps.order], steps.labels[steps.order]
    assert (labels == NOT_A_DIGIT).any()
    expected_loss = float(oracle.loss_backward(images, labels))
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(expected_loss, rel=2e-6)
    expected = oracle.readable_outputs(images)
    assert steps.correct[0] == (expected.argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 1e-5)
    np.testing.assert_allclose(steps.infer(images, 2), expected, rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "rule"),
    [("cross_entropy", "plain"), ("cross_entropy", "nesterov"), ("map", "rates"), ("rbf", "nesterov")],
)
def test_steps_agree_with_the_layered_engine(loss: str, rule: str) -> None:
    """Distorted images, and labels that are no digit; the last batch is smaller, and odd; batches are split."""
    batch_size, count = SPLIT_IMAGES + 2, 2 * SPLIT_IMAGES + 7
    order = permutation(count)
    steps = throughput(order, batch_size, loss, distortions=STANDARD.draw(7, 1, count))
    steps.labels = with_no_digits(steps.labels)
    network = oracle_of(loss, "float32")
    if rule == "nesterov":
        optimizer = Nesterov(0.9, 0.01, 0.8)
        optimizer.prepare(network)
        optimizer.state["steps"][...] = 7.0  # in the first step the average is the weights
        steps.nesterov, steps.shares = (0.9, 0.01), coming_shares(optimizer, 3).astype(np.float32)
    elif rule == "rates":
        optimizer = SDLM()
        optimizer.prepare(network)
        steps.rates = np.random.default_rng(2).uniform(0.1, 1.0, steps.parameters.shape).astype(np.float32)
        optimizer.state["rates"][...] = steps.rates
    else:
        optimizer = SGD()
    steps.learning_rates *= np.float32(0.1 if loss == "cross_entropy" else 0.01)
    assert len(steps.learning_rates) == 3
    engine = LayeredEngine(network, optimizer)
    engine.load(steps.images, steps.labels)
    losses = engine.train(order, batch_size, steps.learning_rates, distortions=steps.distortions)
    start = steps.parameters.copy()
    steps.run()
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5)
    assert_close(network, steps.parameters, network.parameters, 2e-5)
    if rule == "nesterov":
        assert_close(network, steps.velocity, optimizer.state["velocity"], 2e-5)
        assert_close(network, steps.average, optimizer.state["average"], 2e-5)
    assert min(relative_errors(network, start, network.parameters).values()) > 1e-4
    assert not steps.tickets.any()


@pytest.mark.parametrize(("loss", "classes"), [("cross_entropy", CLASSES), ("cross_entropy", 64), ("map", CLASSES)])
def test_order_of_threads_and_number_of_blocks_change_no_bit(loss: str, classes: int) -> None:
    order, outcomes = permutation(2 * SPLIT_IMAGES + 9), set()
    for variation in ({}, {"backwards": True}, {"grids": (1, 1)}, {"grids": (7, 1000), "backwards": True}):
        steps = throughput(order, SPLIT_IMAGES + 5, loss, classes, **everything(order), **variation)
        outcomes.add(outcome(steps))
        assert steps.counter.tolist()[0] == 2
    assert len(outcomes) == 1
    assert variant_of(loss) in ("modern", "paper")


def test_last_batch_may_be_smaller_and_steps_beyond_the_epoch_do_nothing() -> None:
    steps = throughput(permutation(8), 5)
    after = steps.run(2).copy()
    alone = throughput(permutation(8)[5:], 3)
    alone.parameters = throughput(permutation(8), 5).run(1)
    alone.learning_rates = steps.learning_rates[1:]
    np.testing.assert_allclose(alone.run(1), after, rtol=0, atol=2e-8)
    losses = steps.losses.copy()
    assert steps.run(1).tobytes() == after.tobytes()
    assert steps.losses.tobytes() == losses.tobytes()


@pytest.mark.parametrize("grid", [1, 2, 20])
def test_inference_agrees_with_the_layers(grid: int) -> None:
    images = digits()[0][:9]
    expected = oracle_of("cross_entropy").readable_outputs(images)
    found = {}
    for backwards in (False, True):
        steps = throughput(permutation(1), 1, backwards=backwards)
        for count in range(1, 10):
            scores = steps.infer(np.ascontiguousarray(images[:count]), grid)
            np.testing.assert_allclose(scores, expected[:count], rtol=0, atol=3e-6)
            found.setdefault(count, scores.tobytes())
            assert scores.tobytes() == found[count]
