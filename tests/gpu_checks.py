"""What must hold for the CUDA engine on any device: called on a real GPU, and in small on the stand-in for one."""

from __future__ import annotations

import threading

import numpy as np
from cuda_on_cpu.cases import assert_close, oracle_of, trained_parameters

from lenet_gpu import seeds
from lenet_gpu.augment import distort
from lenet_gpu.augment.augmentation import PAPER, STANDARD
from lenet_gpu.backend.backend import NumpyBackend
from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.metrics import evaluate_outputs
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.nn.sdlm import SDLM
from lenet_gpu.paper import NOT_A_DIGIT, SDLM_RATES


def make(backend, images, labels, seed=0):
    """A CUDA engine with a loaded training set."""
    engine = CudaEngine(LeNet5(backend=backend, seed=seed), SGD())
    engine.load(images, labels)
    return engine


def train(engine, n, batch_size, epochs=1):
    """The classic recipe's first epochs; the losses."""
    rates = np.full(-(-n // batch_size), 0.05)
    orders = [seeds.epoch_order(0, epoch + 1, n) for epoch in range(epochs)]
    return np.concatenate([engine.train(order, batch_size, rates) for order in orders])


def with_no_digits(labels):
    """The labels, every seventh of which now says that the image shows no digit."""
    labels = labels.copy()
    labels[::7] = NOT_A_DIGIT
    return labels


def gradients(engine, order, distortions=None):
    """Loss and flat gradient of one batch, from a step of plain descent at a rate that drowns the parameters."""
    before, rate = engine.network.host_parameters().astype(float), -1024.0
    loss = engine.train(order, len(order), np.array([rate]), distortions=distortions)
    after = engine.network.host_parameters().astype(float)
    engine.network.set_parameters(before)
    return float(loss[0]), (before - after) / rate


def check_gradients(backend, images, labels, batch_size, tolerance=5e-6):
    """Loss and every gradient agree with the readable layers in float64."""
    order = seeds.epoch_order(0, 1, len(images))[:batch_size]
    oracle = oracle_of("cross_entropy")
    loss = float(oracle.loss_backward(images[order], labels[order]))
    engine = make(backend, images, labels)
    engine.network.set_parameters(trained_parameters())
    found_loss, found = gradients(engine, order)
    assert abs(found_loss - loss) <= tolerance * loss
    assert_close(oracle, found, oracle.gradients, tolerance)


def check_gradients_of_the_paper(backend, images, labels, loss, batch_size, tolerance=5e-6):
    """Loss, every gradient and the outputs of the paper's network agree with the readable layers in float64."""
    order = seeds.epoch_order(0, 1, len(images))[:batch_size]
    oracle = oracle_of(loss)
    expected_loss = oracle.loss_backward(images[order], with_no_digits(labels)[order])
    network = LeNet5("paper", backend)
    network.loss = loss
    network.set_parameters(trained_parameters("paper"))
    engine = CudaEngine(network, SGD())
    engine.load(images, with_no_digits(labels))
    found_loss, found = gradients(engine, order)
    assert abs(found_loss - expected_loss) <= tolerance * expected_loss
    assert_close(oracle, found, oracle.gradients, tolerance)
    np.testing.assert_allclose(engine.outputs(images[order]), oracle.readable_outputs(images[order]), rtol=tolerance)


def check_classes(backend, images, labels, classes, batch_size, tolerance=5e-6):
    """Loss, every gradient and the outputs of a network of that many classes agree with the layers in float64.

    The label of an image is the digit, or "none of them" where there are not so many classes.
    """
    order, labels = seeds.epoch_order(0, 1, len(images))[:batch_size], np.minimum(labels, classes)
    oracle = oracle_of("cross_entropy", classes=classes)
    expected_loss = float(oracle.loss_backward(images[order], labels[order]))
    engine = CudaEngine(LeNet5(backend=backend, classes=classes), SGD())
    engine.network.set_parameters(trained_parameters(classes=classes))
    engine.load(images, labels)
    found_loss, found = gradients(engine, order)
    assert abs(found_loss - expected_loss) <= tolerance * expected_loss
    assert_close(oracle, found, oracle.gradients, tolerance)
    np.testing.assert_allclose(
        engine.outputs(images[order]), oracle.readable_outputs(images[order]), rtol=0, atol=1e-5
    )


def by_the_paper(engine_class, backend, images, labels, loss, epochs=2):
    """Epochs as the recipe `paper` runs them, one image a step, distorted as in 1998; the losses and the engine."""
    network = LeNet5("paper", backend, initialisation="sqrt")
    network.loss, optimizer = loss, SDLM()
    optimizer.prepare(network)
    engine, n, losses = engine_class(network, optimizer), len(images), []
    engine.load(images, with_no_digits(labels))
    for epoch in range(1, epochs + 1):
        optimizer.before_epoch(network, images, with_no_digits(labels), 0, epoch)
        order, distortions = seeds.epoch_order(0, epoch, n), PAPER.draw(0, epoch, n)
        losses.append(engine.train(order, 1, np.full(n, SDLM_RATES[0]), distortions=distortions))
    return np.concatenate(losses), engine


def check_paper(backend, images, labels, loss, losses, distance):
    """Epochs of the paper's training agree with the readable layers on the CPU, and can be repeated bit by bit."""
    found, engine = by_the_paper(CudaEngine, backend, images, labels, loss)
    expected, readable = by_the_paper(LayeredEngine, NumpyBackend(), images, labels, loss)
    np.testing.assert_allclose(found, expected, rtol=losses, atol=losses)
    a, b = engine.network.host_parameters(), readable.network.host_parameters()
    assert np.linalg.norm(a - b) <= distance * np.linalg.norm(b)
    again, other = by_the_paper(CudaEngine, backend, images, labels, loss)
    assert np.array_equal(again, found)
    assert np.array_equal(other.network.host_parameters(), a)


def check_gradients_of_distorted_images(backend, images, labels, batch_size, tolerance=1e-5):
    """Loss and every gradient of distorted images, some of which show no digit, agree with the readable layers."""
    order = seeds.epoch_order(0, 1, len(images))[:batch_size]
    distortions, labels = STANDARD.draw(0, 1, batch_size), with_no_digits(labels)
    oracle = oracle_of("cross_entropy")
    grids = distort.distort_reference(np, images[order], distortions, distort.elastic_fields())
    loss = oracle.input_loss_backward(oracle.grid_layer(grids.reshape(batch_size, -1)), labels[order])
    engine = make(backend, images, labels)
    engine.network.set_parameters(trained_parameters())
    found_loss, found = gradients(engine, order, distortions)
    assert abs(found_loss - loss) <= tolerance * loss
    assert_close(oracle, found, oracle.gradients, tolerance)


def with_everything(engine_class, backend, images, labels, batch_size, epochs=2):
    """Epochs of distorted images, some of which show no digit, by Nesterov's rule; the losses and the engine."""
    network = LeNet5(backend=backend, initialisation="lecun")
    optimizer = Nesterov(0.9, 5e-5, 0.99)
    optimizer.prepare(network)
    engine, n = engine_class(network, optimizer), len(images)
    engine.load(images, with_no_digits(labels))
    losses = []
    for epoch in range(1, epochs + 1):
        rates = np.full(-(-n // batch_size), 0.02)
        order, distortions = seeds.epoch_order(0, epoch, n), STANDARD.draw(0, epoch, n)
        losses.append(engine.train(order, batch_size, rates, distortions=distortions))
        optimizer.swap_average(network.parameters)
        optimizer.swap_average(network.parameters)
    return np.concatenate(losses), engine


def check_everything(backend, images, labels, batch_size, losses, distance):
    """Epochs with all there is agree with the readable layers on the CPU, in the losses and the average."""
    found, engine = with_everything(CudaEngine, backend, images, labels, batch_size)
    expected, readable = with_everything(LayeredEngine, NumpyBackend(), images, labels, batch_size)
    np.testing.assert_allclose(found, expected, rtol=losses)
    a, b = (np.asarray(each.network.backend.to_host(each.optimizer.state["average"])) for each in (engine, readable))
    assert np.linalg.norm(a - b) <= distance * np.linalg.norm(b)
    again, other = with_everything(CudaEngine, backend, images, labels, batch_size)
    assert np.array_equal(again, found)
    assert np.array_equal(other.network.host_parameters(), engine.network.host_parameters())


def check_graph_equals_single_steps(backend, images, labels, batch_size, monkeypatch):
    """Replayed graphs and single launches end in the same bits."""
    n = len(images)
    with_graph = make(backend, images, labels)
    losses = train(with_graph, n, batch_size)
    assert with_graph._graphs
    monkeypatch.setattr(CudaEngine, "captures", False)
    single = make(backend, images, labels)
    assert np.array_equal(train(single, n, batch_size), losses)
    assert not single._graphs
    assert np.array_equal(single.network.host_parameters(), with_graph.network.host_parameters())


def check_epoch(backend, images, labels, first_steps, all_steps, distance):
    """An epoch of the classic recipe agrees with the readable layers on the CPU.

    The same sums in another order differ in their last bits, and training amplifies differences: the losses of the
    first steps must agree closely, all of them loosely, and the parameters in the end to `distance` of their norm.
    (The readable layers in float32 and in float64 end an epoch 2e-6 of their norm apart, no loss by more than 2e-6.)
    """
    engine, readable = make(backend, images, labels), LayeredEngine(LeNet5(), SGD())
    readable.load(images, labels)
    found, expected = (train(one, len(images), 32) for one in (engine, readable))
    np.testing.assert_allclose(found[:100], expected[:100], rtol=first_steps)
    np.testing.assert_allclose(found, expected, rtol=0, atol=all_steps)
    a, b = engine.network.host_parameters(), readable.network.host_parameters()
    assert np.linalg.norm(a - b) <= distance * np.linalg.norm(b)


def check_repeatable(backend, images, labels, batch_size):
    """Two runs end in the same bits."""
    runs = [make(backend, images, labels) for _ in range(2)]
    first, second = (train(run, len(images), batch_size) for run in runs)
    assert np.array_equal(first, second)
    assert np.array_equal(runs[0].network.host_parameters(), runs[1].network.host_parameters())


def check_memory(backend, images, labels, batch_size):
    """Memory of the device is the same after every epoch, and is given back."""
    engine = make(backend, images, labels)
    used = []
    for _ in range(3):
        train(engine, len(images), batch_size)
        engine.outputs(images)
        used.append(backend.memory_used())
    assert used[0] == used[1] == used[2]
    engine.close()
    assert backend.memory_used() < used[0]


def check_outputs(backend, images, labels):
    """Outputs agree with the readable layers in float64."""
    oracle = oracle_of("cross_entropy")
    engine = make(backend, images, labels)
    engine.network.set_parameters(trained_parameters())
    expected = oracle.readable_outputs(images)
    np.testing.assert_allclose(engine.outputs(images), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(engine.outputs(images), engine.outputs(images.copy()))


def check_evaluations(backend, images, labels):
    """Loss and answers summed on the device are the host's, of a set that stays there and of one that is uploaded."""
    engine = make(backend, images, labels)
    engine.network.set_parameters(trained_parameters())
    copies = images.copy(), with_no_digits(labels)
    for each in ((images, labels), copies):
        expected = evaluate_outputs(engine.outputs(each[0]), each[1])
        found = [engine.evaluate(*each) for _ in range(2)]
        assert abs(found[0].loss - expected.loss) <= 1e-7 * expected.loss
        assert np.array_equal(found[0].predictions, expected.predictions)
        assert found[0].errors == expected.errors
        assert found[0].loss == found[1].loss
        assert np.array_equal(found[0].predictions, found[1].predictions)
    assert np.array_equal(engine.outputs(images), engine.outputs(copies[0]))


def check_kept_sets(backend, images, labels):
    """A set that is evaluated again is uploaded once, and given back in the end."""
    engine = CudaEngine(LeNet5(backend=backend))
    expected, used = engine.evaluate(images, labels), []
    engine.keep(images, labels)
    before = backend.memory_used()
    for _ in range(3):
        assert engine.evaluate(images, labels).loss == expected.loss
        used.append(backend.memory_used() - before)
    assert used[0] == used[1] == used[2] >= images.nbytes + len(labels)
    engine.close()
    assert backend.memory_used() < before + images.nbytes


def check_staged_epochs(backend, images, labels, batch_size):
    """Epochs that are uploaded beside the one before end in the same bytes."""
    n, runs = len(images), []
    rates = np.full(-(-n // batch_size), 0.02)
    for staged in (True, False):
        engine, losses = make(backend, images, labels), []
        drawn = [(seeds.epoch_order(0, epoch, n), STANDARD.draw(0, epoch, n)) for epoch in range(1, 4)]
        for k, (order, distortions) in enumerate(drawn):
            if staged and k + 1 < len(drawn):
                thread = threading.Thread(target=engine.stage, args=drawn[k + 1])
                thread.start()
            losses.append(engine.train(order, batch_size, rates, distortions=distortions))
            if staged and k + 1 < len(drawn):
                thread.join()
                assert engine._staged.find(*drawn[k + 1]) is not None
        runs.append((np.concatenate(losses), engine.network.host_parameters()))
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one, other)
