"""Other numbers of classes than ten: the kernels compiled for them, on the CPU, and the engine on the stand-in."""

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
)
from cuda_on_cpu.steps import KERNELS
from stand_in.cuda_cupy import CudaBackend, world

from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cover import MOST_CLASSES
from lenet_gpu.engine.cuda.buffers import coming_shares
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.cuda.source import kernel_source, sizes
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov

CLASSES = (2, 3, 26, 64)


# ---- the kernels


def test_sizes_are_the_networks() -> None:
    for classes in range(2, MOST_CLASSES + 1):
        found = sizes("modern", classes)
        assert found.parameters == LeNet5(classes=classes).parameters.size
        assert found.record % 4 == found.shared_bytes % 16 == 0, "whole float4"


def test_kernels_do_not_compile_with_other_sizes_than_the_hosts() -> None:
    source, found = kernel_source("modern", 3), sizes("modern", 3)
    right = {
        "PARAMETERS": found.parameters,
        "GROUP": found.group,
        "RECORD": found.record,
        "sizeof(Memory)": found.shared_bytes,
    }
    for name, size in right.items():
        assert f"static_assert({name} == {size}," in source
        source = source.replace(f"({name} == {size},", f"({name} == {size + 4},")
    with pytest.raises(RuntimeError) as caught:
        harness.build(source, KERNELS)
    assert str(caught.value).count("the host says otherwise") >= len(right)


@pytest.mark.parametrize("classes", CLASSES)
def test_loss_every_gradient_and_outputs_agree_with_the_layers(classes: int) -> None:
    """Every fifth image shows none of the classes."""
    steps = make_steps(permutation(9), 9, classes=classes)
    oracle = oracle_of("cross_entropy", classes=classes)
    images, labels = steps.images[steps.order], steps.labels[steps.order]
    assert (labels == classes).any()
    loss = oracle.loss_backward(images, labels)
    found = steps.gradient()
    assert steps.losses[0] == pytest.approx(float(loss), rel=1e-6)
    assert steps.correct[0] == (oracle.readable_outputs(images).argmax(axis=1) == labels).sum()
    assert_close(oracle, found, oracle.gradients, 5e-6)
    expected = oracle.readable_outputs(images)
    assert expected.shape == (9, classes)
    np.testing.assert_allclose(steps.infer(images, 3), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("classes", CLASSES)
def test_steps_with_everything_agree_with_the_layered_engine(classes: int) -> None:
    """Distorted images, some of which show none of the classes, Nesterov's momentum, weight decay and average."""
    order = permutation(33)
    steps = make_steps(order, 7, classes=classes, **everything(order))
    network, optimizer = LeNet5(classes=classes), Nesterov(0.9, 0.01, 0.8)
    network.set_parameters(steps.parameters)
    optimizer.prepare(network)
    steps.shares = coming_shares(optimizer, 5).astype(np.float32)
    engine = LayeredEngine(network, optimizer)
    engine.load(steps.images, steps.labels)
    steps.learning_rates *= np.float32(0.1)
    losses = engine.train(order, 7, steps.learning_rates, distortions=steps.distortions)
    start = steps.parameters.copy()
    steps.run()
    np.testing.assert_allclose(steps.losses, losses, rtol=1e-5)
    for found, expected in ((steps.parameters, network.parameters), (steps.average, optimizer.state["average"])):
        assert_close(network, found, expected, 2e-5)
    assert min(relative_errors(network, start, network.parameters).values()) > 1e-4


@pytest.mark.parametrize("classes", [3, 64])
def test_order_of_threads_and_number_of_blocks_change_no_bit(classes: int) -> None:
    order, outcomes = permutation(5), set()
    for variation in ({}, {"backwards": True}, {"grids": (1, 3)}, {"grids": (7, 1000)}):
        steps = make_steps(order, 3, classes=classes, **everything(order), **variation)
        outcomes.add((steps.run().tobytes(), steps.losses.tobytes(), steps.correct.tobytes()))
    assert len(outcomes) == 1


# ---- the engine, on the stand-in


@pytest.mark.usefixtures("device")
def test_training_and_outputs_of_letters_agree_with_the_layered_engine() -> None:
    """Two epochs: graphs, and a smaller last batch; every fifth image shows none of the 26 classes."""
    images, labels = digits()[0][:60], labels_of(26)[:60]
    networks = [LeNet5(backend=backend, seed=2, classes=26) for backend in (CudaBackend(), NumpyBackend())]
    engines = [make_engine(networks[0], SGD()), LayeredEngine(networks[1], SGD())]
    assert engines[0].name == "cuda"
    for engine in engines:
        engine.load(images, labels)
    for epoch in (1, 2):
        order = np.random.default_rng(epoch).permutation(60)[:27]
        found, expected = (engine.train(order, 4, np.linspace(0.1, 0.05, 7)) for engine in engines)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert world.counts["graph"] == 4  # of four steps, and of three
    assert_close(networks[1], networks[0].host_parameters(), networks[1].parameters, 2e-5)
    expected = networks[1].readable_outputs(images)
    assert expected.shape == (60, 26)
    np.testing.assert_allclose(engines[0].outputs(images), expected, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("device")
def test_labels_go_up_to_none_of_the_classes() -> None:
    engine = CudaEngine(LeNet5(backend=CudaBackend(), classes=26), SGD())
    engine.load(digits()[0][:3], np.array([0, 25, 26]))
    for wrong in (27, -1):
        with pytest.raises(InputError, match=r"labels: found label (27|-1) at position 2, expected labels 0\.\.26"):
            engine.load(digits()[0][:3], np.array([0, 25, wrong]))


@pytest.mark.usefixtures("device")
def test_more_classes_than_the_kernels_know_are_refused() -> None:
    most, more = (LeNet5(backend=CudaBackend(), classes=MOST_CLASSES + k) for k in (0, 1))
    assert CudaEngine(most, SGD()).outputs(digits()[0][:2]).shape == (2, 64)
    with pytest.raises(InputError, match=r"found 65 classes, .* take the engine 'layered'"):
        CudaEngine(more, SGD())
