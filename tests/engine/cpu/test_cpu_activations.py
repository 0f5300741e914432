"""Layers' outputs from the plan's pass, also from many threads at once, against the layers."""

import threading

import numpy as np
import oracle
import pytest

from lenet_gpu.engine.cpu import plan as cpu_plan
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.engine.cpu.plan import LAYERS, CpuPlan
from lenet_gpu.engine.cpu.threads import ThreadPlans
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.paper import SQUASH_A
from lenet_gpu.storage.shipped_models import model_path

TOUCH = LeNet5.load(model_path("touch"))


@pytest.fixture(autouse=True, params=[False, True], ids=["narrow", "wide"])
def wide(request, monkeypatch):
    """Every test runs in both ways of computing, whatever the processor."""
    monkeypatch.setattr(cpu_plan, "has_wide_vectors", lambda: request.param)
    return request.param


def network(variant, dtype, classes=10):
    net = LeNet5(variant, seed=7, dtype=dtype, initialisation="sqrt", classes=classes)
    rng = np.random.default_rng(3)
    net.set_parameters(net.host_parameters() + 0.05 * rng.standard_normal(net.parameters.size))
    return net


def by_layers(net, images):
    """Each layer's output after squashing, by name."""
    x, found, name = net.input_layer(images), {}, ""
    for layer in net.layers:
        x = layer.forward(x)
        name = getattr(layer, "name", "") or name
        found[name] = x
    return {name: x.reshape(len(images), -1) if name == "c5" else x for name, x in found.items() if name}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize(("variant", "classes"), [("modern", 10), ("modern", 26), ("paper", 10)])
@pytest.mark.parametrize("n", [0, 1, 5, 75])
def test_activations_equal_the_layers(mnist, variant, classes, dtype, tolerance, n):
    net = network(variant, dtype, classes)
    images = mnist.test.images[:n]
    found = CpuPlan.of(net).activations(images)
    shapes = [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (classes,)]
    assert [array.shape for array in found.values()] == [(n, *shape) for shape in shapes]
    assert tuple(found) == LAYERS
    if n:
        expected = by_layers(net, images)
        assert set(expected) == set(LAYERS)
        for name, array in found.items():
            size = max(1.0, np.abs(expected[name]).max())  # the paper's penalties reach some hundreds
            np.testing.assert_allclose(array, expected[name], atol=tolerance * size, err_msg=name)


def test_only_what_is_asked_for_is_given(mnist):
    found = CpuPlan.of(TOUCH).activations(mnist.test.images[:3], ["f6", "c1"])
    assert list(found) == ["f6", "c1"]
    with pytest.raises(InputError, match="'c2'"):
        CpuPlan.of(TOUCH).activations(mnist.test.images[:3], ["c1", "c2"])


def test_activations_stay_as_they_are_when_the_plan_goes_on(mnist):
    plan = CpuPlan.of(TOUCH)
    found = plan.activations(mnist.test.images[:2])
    before = {name: array.copy() for name, array in found.items()}
    plan.activations(mnist.test.images[2:4])
    for name, array in found.items():
        np.testing.assert_array_equal(array, before[name])


def loud():
    """A network whose logits are so large that one image must not take the short way."""
    net = network("modern", "float32")
    net.views["output.weight"][...] *= 50.0
    return net


@pytest.mark.parametrize("n", [1, 2, 40])
@pytest.mark.parametrize("refresh", [False, True])
@pytest.mark.parametrize("name", ["modern", "touch", "loud", "paper"])
def test_reading_gives_probabilities_and_f6(mnist, name, refresh, n):
    net = {"touch": lambda: TOUCH, "loud": loud}.get(name, lambda: network(name, "float32"))()
    plan = CpuPlan.of(net)
    plan.refresh()
    assert (plan._for_one() is not None) == (name in ("modern", "touch"))  # both ways of one image are tested here
    images = mnist.test.images[:n]
    probabilities, f6 = plan.read(images, refresh=refresh)
    np.testing.assert_allclose(f6, by_layers(net, images)["f6"] / SQUASH_A, atol=1e-5)
    np.testing.assert_allclose(
        probabilities, oracle.probabilities(net, images), atol=1e-4 if name in ("paper", "loud") else 1e-5
    )
    kept = f6.copy()
    plan.read(mnist.test.images[50 : 50 + n], refresh=refresh)
    np.testing.assert_array_equal(f6, kept)


def test_the_local_engine_takes_bytes_and_fractions(mnist):
    images = mnist.test.images[:40]
    with LocalEngine(TOUCH) as engine:
        for given in (images, images / 255.0, images.astype(np.float32) / np.float32(255)):
            expected = by_layers(TOUCH, given)
            np.testing.assert_allclose(engine.outputs(given), expected["output"], atol=1e-4)
            found = engine.activations(given, ["s2", "c3"])
            for name in ("s2", "c3"):
                np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_progress_of_outputs_ends_with_the_last_image(mnist):
    seen = []
    with LocalEngine(TOUCH) as engine:
        engine.outputs(mnist.test.images[:2500], lambda done, _: seen.append(done))
    assert seen == sorted(set(seen))
    assert len(seen) > 1
    assert seen[-1] == 2500


# ---- threads


def in_threads(work, count=8):
    """Run `work(number)` in threads that start together; results by number."""
    results, errors, barrier = [None] * count, [], threading.Barrier(count)

    def run(number):
        try:
            barrier.wait()
            results[number] = work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return results


@pytest.mark.parametrize("net", [TOUCH, loud()], ids=["short way", "long way"])
def test_eight_threads_get_the_answers_of_one(mnist, net):
    """Thousands of calls of all kinds; another image for each, so that a shared buffer would show."""
    images = mnist.test.images[:4000]
    engine = LocalEngine(net)
    single = CpuPlan.of(net)
    single.refresh()
    assert (single._for_one() is not None) == (net is TOUCH)
    expected = np.concatenate([single.probabilities(image, refresh=False) for image in images[:, None]])
    batches = [engine.outputs(images[k : k + 10]) for k in range(0, 4000, 10)]
    maps = [engine.activations(images[k : k + 10], ["c3"])["c3"] for k in range(0, 4000, 100)]
    plans = ThreadPlans(lambda: CpuPlan.of(net))

    def work(number):
        for k in range(number, 4000, 8):
            found = plans.get().probabilities(images[k : k + 1], refresh=False)
            np.testing.assert_array_equal(found[0], expected[k])
            if k % 10 == 0:
                np.testing.assert_array_equal(engine.outputs(images[k : k + 10]), batches[k // 10])
            if k % 100 == 0:
                found = engine.activations(images[k : k + 10], ["c3"])["c3"]
                np.testing.assert_array_equal(found, maps[k // 100])
        return plans.get()

    used = in_threads(work)
    assert len({id(plan) for plan in used}) == 8


def test_every_threads_plan_follows_a_refresh(mnist):
    net = LeNet5(seed=3)
    plans, image = ThreadPlans(lambda: CpuPlan.of(net)), mnist.test.images[:1]
    changed, ready = threading.Event(), threading.Barrier(5)

    def work(number):
        before = plans.get().probabilities(image, refresh=False)
        ready.wait()
        changed.wait(30)
        return before, plans.get().probabilities(image, refresh=False)

    def change():
        ready.wait()
        net.set_parameters(TOUCH.parameters)
        plans.refresh()
        changed.set()

    changer = threading.Thread(target=change)
    changer.start()
    results = in_threads(work, 4)
    changer.join()
    for before, after in results:
        np.testing.assert_allclose(before, oracle.probabilities(LeNet5(seed=3), image), atol=1e-6)
        np.testing.assert_allclose(after, oracle.probabilities(net, image), atol=1e-6)
        assert np.abs(before - after).max() > 1e-3
