"""What a user brings: each foreign thing is built, trained by the same Trainer on both backends, saved, loaded.

Nothing is patched: the networks, losses, optimizers and schedules below are of the kind that a user's script holds.
"""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from stand_in.strict_cupy import StrictBackend

from lenet_gpu import EarlyStopping, LeNet5, Network, Trainer, select_backend
from lenet_gpu.engine.cover import first_difference
from lenet_gpu.errors import InputError, LenetError, ModelFileError
from lenet_gpu.nn import (
    Convolution,
    Dense,
    Flatten,
    Layer,
    Loss,
    Nesterov,
    Optimizer,
    RadialBasis,
    ScaledTanh,
    Subsampling,
)
from lenet_gpu.nn.lenet5 import hidden_layers
from lenet_gpu.training.callbacks import RunFolder

BACKENDS = {"numpy": lambda: select_backend("cpu"), "strict stand-in": StrictBackend}

IMAGES, EPOCHS = 1600, 5


class ReLU(Layer):
    """A layer without parameters."""

    def forward(self, x):
        self._on = x > 0
        return x * self._on

    def backward(self, dy):
        return dy * self._on


class Scale(Layer):
    """A layer with parameters of its own: a factor for each unit."""

    def __init__(self, name, units):
        super().__init__(name)
        self.shapes = {"coefficient": (units,)}

    def forward(self, x):
        self._x = x
        return x * self.parameters["coefficient"]

    def backward(self, dy):
        self.gradients["coefficient"][...] = (dy * self._x).sum(axis=0)
        return dy * self.parameters["coefficient"]


class Dropout(Layer):
    """Units left out in training, at random."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training:
            self._kept = None
            return x
        self._kept = (self.uniform(x.shape) >= self.rate).astype(x.dtype) * (1.0 / (1.0 - self.rate))
        return x * self._kept

    def backward(self, dy):
        return dy if self._kept is None else dy * self._kept


def squared_error(xp, outputs, labels):
    """A loss of the user's: half the squared distance from the one-hot vector."""
    n, classes = outputs.shape
    away = outputs - (labels[:, None] == xp.arange(classes)).astype(outputs.dtype)
    return (away * away).sum() * (0.5 / n), away * (1.0 / n)


class Momentum(Optimizer):
    """An optimizer of the user's, with an array of its own."""

    def prepare(self, network):
        self.state = {"velocity": network.backend.xp.zeros_like(network.parameters)}

    def update(self, parameters, gradients, learning_rate):
        velocity = self.state["velocity"]
        velocity *= 0.9
        velocity -= gradients * learning_rate
        parameters += velocity


def falling(epoch, steps):
    """A schedule of the user's."""
    return np.linspace(0.05, 0.02, steps) / epoch


def small(*middle, classes=10):
    return [
        Convolution("c1", 1, 4), ReLU(), Subsampling("s2", 4), ReLU(), Flatten(), *middle,
        Dense("out", 4 * 14 * 14, classes),
    ]  # fmt: skip


def with_output(*output):
    return [*hidden_layers(), *output]


def lenet5(**arguments):
    return lambda backend: LeNet5(backend=backend, seed=1, **arguments)


def network(make_layers, **arguments):
    return lambda backend: Network(make_layers(), backend=backend, seed=1, initialisation="lecun", **arguments)


def frozen(backend):
    net = LeNet5(backend=backend, seed=1, initialisation="lecun")
    net.layers[0].frozen = True
    return net


def replaced(backend):
    """A layer put into the list of a finished LeNet-5."""
    net = LeNet5(backend=backend, seed=1, initialisation="lecun")
    net.layers[1] = ReLU()
    return net


NETWORKS = {
    # what it is: (how it is made, the line that names it, an accuracy that it reaches)
    "an own layer": (network(small), "layer 1 is Convolution('c1', in_maps=1, out_maps=4), not out_maps 6", 0.8),
    "a layer put into LeNet5": (replaced, "layer 2 is ReLU(), not ScaledTanh", 0.8),
    "own parameters": (network(lambda: small(Scale("scale", 784))), "out_maps=4), not out_maps 6", 0.78),
    "dropout": (
        network(lambda: with_output(Dropout(0.2), Dense("output", 84, 10))), "layer 14 is Dropout(rate=0.2)", 0.8
    ),
    "an own table": (
        network(lambda: [*hidden_layers()[:4], Convolution("c3", 6, 16, [range(6)] * 16), *hidden_layers()[5:],
                         Dense("output", 84, 10)]),
        "not table Table I", 0.8,
    ),
    "an own kernel size": (
        network(lambda: [Convolution("c1", 1, 4, kernel_size=9), ScaledTanh(), Flatten(), Dense("out", 4 * 576, 10)]),
        "layer 1 is Convolution('c1', in_maps=1, out_maps=4, kernel_size=9), not out_maps 6", 0.8,
    ),
    "another squashing function": (
        network(lambda: [ScaledTanh(1.0, 1.0) if isinstance(layer, ScaledTanh) else layer
                         for layer in with_output(Dense("output", 84, 10))]),
        "layer 2 is ScaledTanh(amplitude=1.0, slope=1.0), not amplitude 1.7159", 0.8,
    ),
    "an own loss": (lenet5(loss=None, initialisation="lecun"), "the loss is squared_error, not cross_entropy", 0.75),
    "a frozen layer": (frozen, "c1 is frozen", 0.8),
    "100 classes": (network(lambda: with_output(Dense("output", 84, 100))), "100 classes, not 2 to 64", 0.8),
}  # fmt: skip


def built(name, backend):
    net = NETWORKS[name][0](backend)
    if name == "an own loss":
        net.loss = squared_error
    return net


@pytest.fixture(scope="module")
def digits(mnist):
    return (
        mnist.train.images[:IMAGES], mnist.train.labels[:IMAGES], mnist.test.images[:1000], mnist.test.labels[:1000]
    )  # fmt: skip


def fitted(net, digits, epochs=EPOCHS, recipe="classic", **arguments):
    images, labels, *_ = digits
    return Trainer(net, recipe, epochs=epochs, batch_size=16, progress=False, **arguments).fit(images, labels)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_foreign_network_trains_on_both_backends_alike(name, digits, caplog, tmp_path):
    """On the readable layers, with one line that names the first difference."""
    _, line, floor = NETWORKS[name]
    parameters, few = {}, (digits[0][:160], digits[1][:160])
    for backend, make in BACKENDS.items():
        net = built(name, make())
        assert line in first_difference(net)
        caplog.clear()
        run = fitted(net, *((digits, EPOCHS) if backend == "numpy" else (few, 1)), learning_rate=0.03)
        said = [record.getMessage() for record in caplog.records if record.name == "lenet_gpu"]
        # The stand-in's card has no room for the kernels: where only training differs, answers say that.
        said = [each for each in said if "the GPU gives a block 0 bytes" not in each]
        assert len(said) == 1
        assert line in said[0]
        assert run.history[-1]["engine"] == "layered"
        if backend == "numpy":
            assert net.evaluate(digits[2], digits[3]).accuracy >= floor
            net = built(name, make())
            fitted(net, few, epochs=1, learning_rate=0.03)
        parameters[backend] = net.host_parameters()
    np.testing.assert_allclose(parameters["numpy"], parameters["strict stand-in"], atol=2e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_foreign_network_is_saved_loaded_copied_and_sent(name, digits, tmp_path):
    net = built(name, None)
    net.set_parameters(net.initial_parameters(5))
    path = tmp_path / "n.npz"
    net.save(path)
    loss = squared_error if name == "an own loss" else None
    again = Network.load(path, layers=[ReLU, Scale, Dropout], loss=loss)
    expected = net.predict(digits[2][:50])
    for other in (again, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.host_parameters(), net.host_parameters())
        np.testing.assert_array_equal(other.predict(digits[2][:50]), expected)
        assert [layer.signature for layer in other.layers] == [layer.signature for layer in net.layers]
        assert (other.loss, other.frozen, other.classes) == (net.loss, net.frozen, net.classes)


def test_a_file_with_a_foreign_layer_names_it_and_the_argument(tmp_path):
    Network(small(), seed=1).save(tmp_path / "n.npz")
    with pytest.raises(ModelFileError, match=r"the layer ReLU.*Network\.load\(path, layers=\[ReLU\]\)"):
        Network.load(tmp_path / "n.npz")


def test_a_foreign_loss_that_is_missing_lets_read_but_not_train(digits, tmp_path):
    net = LeNet5(seed=1)
    net.loss = Loss(squared_error, name="distance")
    net.save(tmp_path / "n.npz")
    again = Network.load(tmp_path / "n.npz")
    assert again.predict(digits[2][:3]).shape == (3,)
    with pytest.raises(InputError, match=r"distance.*loss=\.\.\."):
        again.loss_and_grads(digits[0][:4], digits[1][:4])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_frozen_layer_stays_as_it_was_and_the_others_move(backend, digits):
    """Also under weight decay, momentum and averaging, which move weights without a gradient."""
    net = frozen(BACKENDS[backend]())
    trainer = Trainer(
        net, "fast", epochs=1, batch_size=16, progress=False, optimizer=Nesterov(0.9, 0.5, 0.9), engine="layered"
    )
    before = {name: np.array(net.backend.to_host(view)) for name, view in net.views.items()}
    trainer.fit(digits[0][:160], digits[1][:160])
    for name, view in net.views.items():
        unchanged = (np.array(net.backend.to_host(view)) == before[name]).all()
        assert unchanged == name.startswith("c1."), name


def test_dropout_draws_in_training_alone_and_repeatably(digits):
    net = built("dropout", None)
    quiet = net.predict(digits[2][:100])
    np.testing.assert_array_equal(net.predict(digits[2][:100]), quiet)
    runs = []
    for seed in (1, 1, 2):
        net = built("dropout", None)
        fitted(net, (digits[0][:64], digits[1][:64]), epochs=1, seed=seed)
        runs.append(net.host_parameters())
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_own_optimizer_and_an_own_schedule(backend, digits):
    """LeNet-5 itself stays on the plan on the CPU, in the user's process; on a GPU the readable layers take over."""
    net = LeNet5(backend=BACKENDS[backend](), seed=1, initialisation="lecun")
    epochs = 2 if backend == "numpy" else 1
    run = fitted(net, digits, epochs=epochs, optimizer=Momentum(), schedule=falling)
    assert [log["learning_rate"] for log in run.history] == [0.05 / epoch for epoch in range(1, epochs + 1)]
    assert run.history[-1]["engine"] == {"numpy": "cpu_plan", "strict stand-in": "layered"}[backend]
    assert run.history[-1]["train_accuracy"] >= 0.8
    few = digits[0][:160], digits[1][:160]
    parameters = {}
    for engine in ("auto", "layered"):
        net = LeNet5(backend=BACKENDS[backend](), seed=1, initialisation="lecun")
        fitted(net, few, epochs=1, optimizer=Momentum(), schedule=falling, engine=engine)
        parameters[engine] = net.host_parameters()
    np.testing.assert_allclose(parameters["auto"], parameters["layered"], atol=2e-5)


def test_an_optimizer_of_a_script_trains_in_the_scripts_process(tmp_path, digits):
    """A class of `__main__` is nothing that another process could import."""
    np.savez(tmp_path / "digits.npz", images=digits[0][:200], labels=digits[1][:200])
    script = tmp_path / "mine.py"
    script.write_text(
        "import numpy as np\n"
        "from lenet_gpu import LeNet5, Trainer\n"
        "from lenet_gpu.nn import SGD\n"
        "class Mine(SGD):\n"
        "    def update(self, parameters, gradients, learning_rate):\n"
        "        parameters -= learning_rate * gradients\n"
        "data = np.load('digits.npz')\n"
        "run = Trainer(LeNet5(), 'classic', epochs=1, optimizer=Mine()).fit(data['images'], data['labels'])\n"
        "print(run.history[-1]['engine'], run.history[-1]['workers'])\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "cpu_plan 1"
    assert "the optimizer is Mine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_resumed_run_asks_for_what_was_the_users(digits, tmp_path):
    whole = fitted(LeNet5(seed=1), digits, epochs=2, optimizer=Momentum(), schedule=falling).model
    fitted(LeNet5(seed=1), digits, epochs=1, optimizer=Momentum(), schedule=falling, callbacks=[RunFolder(tmp_path)])
    with pytest.raises(ModelFileError, match=r"Momentum.*optimizer=\.\.\."):
        Trainer.resume(tmp_path, schedule=falling)
    with pytest.raises(ModelFileError, match=r"falling.*schedule=\.\.\."):
        Trainer.resume(tmp_path, optimizer=Momentum())
    trainer = Trainer.resume(tmp_path, optimizer=Momentum(), schedule=falling, epochs=2, progress=False)
    trainer.fit(digits[0], digits[1])
    np.testing.assert_array_equal(trainer.model.host_parameters(), whole.host_parameters())


LABELS = {
    "texts": lambda labels: np.array(["even", "odd"])[labels % 2],
    "negative numbers": lambda labels: np.where(labels % 2, -1, 1),
    "from 1": lambda labels: labels % 2 + 1,
    "a list": lambda labels: (labels % 2).tolist(),
}


@pytest.mark.parametrize("kind", LABELS)
def test_any_labels_come_back_as_they_were_given(kind, digits, tmp_path):
    labels = LABELS[kind](digits[1].astype(int))
    net = LeNet5(classes=2, seed=1, initialisation="lecun")
    run = Trainer(net, "classic", epochs=3, batch_size=16, progress=False).fit(
        digits[0].tolist(), labels, validation=0.1
    )
    assert run.history[-1]["engine"] == "cpu_plan"
    assert run.history[-1]["validation_accuracy"] > 0.8
    truth = np.asarray(LABELS[kind](digits[3].astype(int)))
    net.save(tmp_path / "n.npz")
    again = LeNet5.load(tmp_path / "n.npz")
    assert set(again.predict(digits[2]).tolist()) <= set(truth.tolist())
    assert again.evaluate(digits[2], truth).accuracy == net.evaluate(digits[2], truth).accuracy > 0.8
    with pytest.raises(InputError, match="labels: found"):
        again.evaluate(digits[2][:1], ["no such"] if kind != "a list" else [7.5])


@pytest.mark.parametrize("classes", [2, 26, 64])
def test_the_fast_engine_trains_other_numbers_of_classes(classes, digits):
    """The shifted digits of `classes` made-up classes; the plan's steps equal the layers'."""
    labels = (digits[1].astype(int) * 7 + np.arange(len(digits[1])) % 3) % classes
    nets = {}
    for engine in ("cpu_plan", "layered"):
        nets[engine] = LeNet5(classes=classes, seed=1, initialisation="lecun")
        run = Trainer(nets[engine], "classic", epochs=1, batch_size=16, progress=False, engine=engine).fit(
            digits[0][:400], labels[:400]
        )
        assert run.history[-1]["engine"] == engine
    expected = nets["layered"].host_parameters()
    np.testing.assert_allclose(nets["cpu_plan"].host_parameters(), expected, atol=1e-4)


# ---- callbacks


def test_early_stopping_keeps_the_best_epoch(digits):
    """On 300 digits a large rate soon overfits; the model ends as it was in its best epoch."""
    seen = []
    stopping = EarlyStopping(patience=2)
    net = LeNet5(seed=1, initialisation="lecun")

    def keep(log):
        seen.append((log["validation_loss"], net.host_parameters()))

    run = Trainer(
        net, "classic", epochs=40, batch_size=8, learning_rate=0.1, callbacks=[stopping, keep], progress=False
    ).fit(digits[0][:300], digits[1][:300], validation=0.3)
    losses = [loss for loss, _ in seen]
    best = int(np.argmin(losses))
    assert len(run.history) == best + 3 < 40
    assert stopping.best_epoch == best + 1
    np.testing.assert_array_equal(net.host_parameters(), seen[best][1])
    assert net.record["best_epoch"] == best + 1


def test_a_callback_ends_the_run_after_its_epoch(digits):
    trainer = Trainer(LeNet5(), "classic", epochs=9, progress=False, callbacks=[lambda log: trainer.stop()])
    assert len(trainer.fit(digits[0][:64], digits[1][:64]).history) == 1


def test_what_the_constructor_was_told_stays(digits):
    net = LeNet5(seed=1, background=0.0, ink=1.0, initialisation="sqrt")
    Trainer(net, "fast", progress=False)
    assert (net.background, net.ink, net.initialisation) == (0.0, 1.0, "sqrt")
    other = LeNet5(seed=1)
    Trainer(other, "fast", progress=False)
    assert other.initialisation == "lecun"
    assert other.background < -0.4


# ---- what is no network, no data

WRONG = {
    "no layers": (lambda: Network([]), "layers: found none"),
    "a class": (lambda: Network([ReLU]), r"write \(\) behind it"),
    "no name": (lambda: Network([Dense("", 1024, 10)]), "parameters but no name"),
    "one name twice": (lambda: Network([*small(), Dense("out", 10, 10)]), "a name of its own"),
    "sizes that do not meet": (lambda: Network([Flatten(), Dense("out", 999, 10)]), r"Dense\('out'.*\(1, 1024\)"),
    "maps at the end": (lambda: Network([Convolution("c1", 1, 4)]), r"end the list with a Dense layer"),
    "a table for other maps": (lambda: Convolution("c3", 6, 2, [[0], [6]]), r"table of c3: found \[6\] in row 1"),
    "a loss by a wrong name": (lambda: LeNet5(loss="mse"), "loss: found 'mse', expected 'cross_entropy'"),
    "a float for a seed": (lambda: LeNet5(seed=1.5), r"seed: found 1\.5"),
    "threads below 1": (lambda: Trainer(LeNet5(), threads=-3), "threads: found -3"),
    "a seed below 0": (lambda: Trainer(LeNet5(), seed=-1), "seed: found -1"),
    "an optimizer's class": (lambda: Trainer(LeNet5(), optimizer=Momentum), "optimizer: found <class"),
    "a callback's class": (lambda: Trainer(LeNet5(), callbacks=[EarlyStopping]), "callbacks: found <class"),
    "the paper's recipe for logits": (lambda: Trainer(LeNet5(), "paper"), "which returns logits"),
    "SDLM without curvature": (
        lambda: Trainer(Network([*hidden_layers(), ReLU(), RadialBasis("output")]), "paper"),
        r"layer ReLU\(\): found no curvature",
    ),
    "labels missing": (lambda: Trainer(LeNet5(), progress=False).fit(np.zeros((9, 28, 28))), "labels: found none"),
    "more classes than outputs": (
        lambda: Trainer(LeNet5(classes=2), progress=False).fit(np.zeros((9, 28, 28)), np.arange(9)),
        "classes",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_makes_no_sense_is_refused_in_one_line(what):
    make, line = WRONG[what]
    with pytest.raises(LenetError, match=line) as caught:
        make()
    assert "\n" not in str(caught.value)
