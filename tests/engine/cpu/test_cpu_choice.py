"""Which of the two CPU engines runs: with workers where they can do the work, else in the user's process."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.engine.cpu.spec import NetworkSpec
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.select import make_engine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov
from lenet_gpu.nn.sdlm import SDLM


class SignDescent(SGD):
    """An optimizer of one's own: steps of equal size, damped by a state of its own."""

    def prepare(self, network):
        self.state = {"memory": network.backend.xp.zeros_like(network.parameters)}

    def update(self, parameters, gradients, learning_rate):
        memory = self.state["memory"]
        memory *= 0.5
        memory += gradients
        parameters -= learning_rate * np.tanh(50.0 * memory)


class Renamed(Nesterov):
    """Inherits everything, and yet the workers' Nesterov is not it."""


@pytest.mark.parametrize("kind", [SGD, Nesterov, SDLM])
def test_the_packages_optimizers_run_in_workers(kind):
    assert type(make_engine(LeNet5(), kind())) is CpuEngine


@pytest.mark.parametrize("kind", [SignDescent, Renamed])
def test_ones_own_optimizer_runs_in_this_process(kind):
    assert type(make_engine(LeNet5(), kind())) is LocalEngine
    with pytest.raises(InputError, match=f"the optimizer is {kind.__name__}, .*take LocalEngine"):
        CpuEngine(LeNet5(), kind())


def test_where_no_workers_can_be_started_it_runs_in_this_process(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)  # as in a packaged app
    engine = make_engine(LeNet5(), SGD())
    assert type(engine) is LocalEngine
    assert engine.description == "cpu_plan (prepared NumPy calls, in this process)"
    assert (engine.name, engine.workers) == ("cpu_plan", 1)


@pytest.mark.parametrize("batch_size", [1, 32])
def test_an_optimizer_of_ones_own_trains_as_with_the_layers(mnist, rng, batch_size):
    order = rng.permutation(60000)[: 20 * batch_size]
    results = []
    for make in (make_engine, lambda net, optimizer: LayeredEngine(net, optimizer)):
        net, optimizer = LeNet5(seed=11, dtype="float64"), SignDescent()
        optimizer.prepare(net)
        with make(net, optimizer) as engine:
            engine.load(mnist.train.images, mnist.train.labels)
            losses = engine.train(order, batch_size, np.full(20, 0.002))
        results.append((net.parameters, optimizer.state["memory"], losses))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    assert np.abs(results[0][0] - LeNet5(seed=11, dtype="float64").parameters).max() > 1e-3


def test_an_optimizer_of_the_users_script_ends_no_worker(tmp_path):
    """In `__main__`, where no other process can find it; any worker would be named on standard error."""
    script = tmp_path / "mine.py"
    script.write_text(
        textwrap.dedent("""
            import numpy as np
            from lenet_gpu import LeNet5, load_dataset
            from lenet_gpu.engine.select import make_engine
            from lenet_gpu.nn.optim import SGD

            class Nesterov(SGD):  # a name that the package has, too
                def update(self, parameters, gradients, learning_rate):
                    parameters -= np.float32(learning_rate) * np.sign(gradients)

            digits = load_dataset("mnist", download=False, progress=False).train
            net = LeNet5(seed=1)
            before = net.host_parameters()
            with make_engine(net, Nesterov()) as engine:
                engine.load(digits.images, digits.labels)
                engine.train(np.arange(320), 32, np.full(10, 0.001))
            moved = np.abs(net.parameters - before)
            print(type(engine).__name__, 0.0009 < moved.max() < 0.0101)
        """)
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout == "LocalEngine True\n", ended.stderr
    assert "Error" not in ended.stderr


@pytest.mark.parametrize("home", ["lenet_gpu.nn", "lenet_gpu.nn.lenet5"])
def test_a_network_answers_by_its_engine_whatever_else_was_imported(home):
    program = f"from {home} import LeNet5; print(type(LeNet5().reader()).__name__)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout == "LocalEngine\n", ended.stderr


@pytest.mark.parametrize("make", [LocalEngine, lambda net: CpuEngine(net, threads=2)], ids=["local", "workers"])
def test_without_an_optimizer_there_is_inference_alone(mnist, make):
    net = LeNet5(seed=5)
    before = net.host_parameters()
    with make(net) as engine:
        images = mnist.test.images[:300]
        np.testing.assert_allclose(engine.outputs(images), net.readable_outputs(images), atol=1e-6)
        engine.load(mnist.train.images, mnist.train.labels)
        with pytest.raises(InputError, match="training: found an engine for inference alone"):
            engine.train(np.arange(64), 32, np.full(2, 0.1))
        np.testing.assert_allclose(engine.outputs(images), net.readable_outputs(images), atol=1e-6)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("make", [LocalEngine, lambda net: CpuEngine(net, threads=1)], ids=["local", "workers"])
def test_images_that_would_have_to_be_rounded_are_refused(mnist, make):
    with make(LeNet5()) as engine, pytest.raises(InputError, match="found dtype float64, expected uint8"):
        engine.load(mnist.train.images[:10] / 255.0, mnist.train.labels[:10])


@pytest.mark.parametrize("net", [LeNet5(classes=26, background=-0.3), LeNet5("paper", dtype="float64")])
def test_the_facts_about_a_network_survive_json(net):
    spec = NetworkSpec.of(net)
    assert NetworkSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.output == ("rbf" if net.variant == "paper" else "softmax")
