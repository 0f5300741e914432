"""Networks that users change: nothing is silently taken for something else."""

import numpy as np
import pytest

import lenet_gpu.nn as nn
from lenet_gpu import LeNet5, Network, Trainer
from lenet_gpu.engine.cover import first_difference
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import InputError, LenetError, ModelFileError
from lenet_gpu.nn.lenet5 import hidden_layers
from lenet_gpu.paper import C3_TABLE


def cross_entropy(xp, outputs, labels):
    """A loss of the user's by the name of one of ours: always 0."""
    return outputs.sum() * 0.0, outputs * 0.0


class Mirrored(LeNet5):
    """Reads images from right to left."""

    def input_layer(self, images):
        return super().input_layer(images)[..., ::-1]


class Stubborn(Network):
    """Answers 3, whatever it is shown."""

    def forward_layers(self, x, training=False):
        y = super().forward_layers(x, training) * 0.0
        y[:, 3] = 1.0
        return y


class Convolution(nn.Convolution):
    """Another layer by the name of one of ours."""

    def forward(self, x):
        return -super().forward(x)


def images_of(mnist, n=40):
    return mnist.test.images[:n]


@pytest.mark.parametrize("setting", ["loss", "ink", "background"])
def test_what_is_set_after_construction_stays(setting):
    net = LeNet5()
    value = cross_entropy if setting == "loss" else 0.25
    setattr(net, setting, value)
    Trainer(net, "fast", progress=False)
    assert getattr(net, setting) == ("cross_entropy of one's own" if setting == "loss" else 0.25)
    assert setting != "loss" or "the loss is cross_entropy of one's own" in first_difference(net)


def test_methods_of_ones_own_answer(mnist):
    images = images_of(mnist)
    net = Stubborn([*hidden_layers(), nn.Dense("output", 84, 10)])
    assert "Stubborn has another forward_layers" in first_difference(net)
    assert (net.predict(images) == 3).all()
    assert (LayeredEngine(net).outputs(images).argmax(axis=1) == 3).all()
    mirrored, plain = Mirrored(seed=1), LeNet5(seed=1)
    np.testing.assert_allclose(mirrored.outputs(images), plain.outputs(images[..., ::-1]), atol=1e-5)


def test_a_subclass_comes_back_as_itself_or_not_at_all(mnist, tmp_path):
    Mirrored(seed=1).save(tmp_path / "m.npz")
    for other in (Network, LeNet5):
        with pytest.raises(ModelFileError, match=r"class Mirrored.*Mirrored\.load"):
            other.load(tmp_path / "m.npz")
    again = Mirrored.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.predict(images_of(mnist)), Mirrored(seed=1).predict(images_of(mnist)))


def test_a_layer_by_the_name_of_ours_is_not_taken_for_it(mnist, tmp_path):
    net = Network([Convolution("c1", 1, 6), *hidden_layers()[1:], nn.Dense("output", 84, 10)], seed=1)
    net.save(tmp_path / "n.npz")
    with pytest.raises(ModelFileError, match="the layer Convolution"):
        Network.load(tmp_path / "n.npz")
    again = Network.load(tmp_path / "n.npz", layers=[Convolution])
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in net.layers]
    np.testing.assert_allclose(again.outputs(images_of(mnist)), net.outputs(images_of(mnist)), atol=1e-6)


def test_a_table_is_the_layers_own():
    table = [list(row) for row in C3_TABLE]
    layer = nn.Convolution("c3", 6, 16, table)
    table[0][0] = 5
    assert layer.table == C3_TABLE
    with pytest.raises(AttributeError):
        layer.table = table


def test_replaced_methods_are_seen(mnist, monkeypatch):
    images = images_of(mnist)
    expected = LeNet5(seed=1).predict(images)
    monkeypatch.setattr(nn.ScaledTanh, "forward", lambda self, x: x * 0.0)
    net = LeNet5(seed=1)
    assert "ScaledTanh.forward was replaced" in first_difference(net)
    assert len(set(net.predict(images))) == 1 < len(set(expected))
    monkeypatch.undo()
    net.layers[4].dense_weight = lambda: None
    assert "Convolution with another dense_weight" in net.layers[4].signature["kind"]
    del net.layers[4].dense_weight
    net.layers[-1].sign = -1.0
    assert "sign" in first_difference(net)
    np.testing.assert_allclose(net.outputs(images), -LeNet5(seed=1).outputs(images), atol=1e-5)


def test_a_list_with_other_parameters_is_refused(tmp_path, mnist):
    for change in (lambda layers: layers.pop(2), lambda layers: layers.insert(0, layers.pop(4))):
        net = LeNet5(seed=1)
        change(net.layers)
        for use in (lambda: net.save(tmp_path / "n.npz"), lambda: net.readable_outputs(images_of(mnist))):  # noqa: B023
            with pytest.raises(InputError, match="make a new Network of the list"):
                use()


def test_layers_of_another_network_bring_their_values_and_leave_it_alone(mnist):
    images = images_of(mnist)
    base = LeNet5.load("touch")
    before, answers = base.host_parameters(), base.outputs(images)
    net = Network([*base.layers[:-1], nn.Dense("head", 84, 3)], background=base.background, ink=base.ink, seed=1)
    np.testing.assert_array_equal(net.views["c5.weight"], base.views["c5.weight"])
    f6 = {name: network.readable_activations(images, ("f6",))["f6"] for name, network in (("a", base), ("b", net))}
    np.testing.assert_array_equal(f6["a"], f6["b"])
    Trainer(net, "classic", epochs=1, progress=False).fit(mnist.train.images[:64], mnist.train.labels[:64] % 3)
    assert (net.views["c5.weight"] != base.views["c5.weight"]).any()
    np.testing.assert_array_equal(base.host_parameters(), before)
    np.testing.assert_array_equal(base.outputs(images), answers)


def test_an_optimizers_attributes_count_as_they_are_now(mnist):
    found = []
    for momentum in (0.9, 0.0):
        net, optimizer = LeNet5(seed=1, initialisation="lecun"), nn.Nesterov(0.9)
        optimizer.momentum = momentum
        optimizer.prepare(net)
        with CpuEngine(net, optimizer, threads=2) as engine:
            engine.load(mnist.train.images[:320], mnist.train.labels[:320])
            engine.train(np.arange(320), 32, np.full(10, 0.05))
        found.append(net.host_parameters())
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_one_line_says_when_answers_come_from_the_readable_layers(mnist, caplog):
    net = Network([nn.Flatten(), nn.Dense("out", 1024, 10)])
    for _ in range(3):
        net.predict(images_of(mnist))
        net.activations(images_of(mnist))
    assert len(caplog.records) == 1
    assert "layer 1 is Flatten(), not Convolution" in caplog.text


class Wrong(nn.Layer):
    """A layer that goes wrong in one of several ways."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        return None if self.way == "nothing forward" else x

    def backward(self, dy):
        return None if self.way == "nothing back" else dy[:, :1]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Network([nn.Flatten(), Wrong("nothing forward"), nn.Dense("o", 1024, 10)]), "NoneType from forward"),
        (lambda: Network([nn.Flatten(), nn.Dense("o", 1024, 10)], classes=5), "classes: found 5, expected 10"),
        (lambda: Network(nn.Flatten()), r"layers: found Flatten\(\), expected a list"),
        (lambda: Network([nn.Flatten(), nn.Dense("rejection", 1024, 10)]), "none of outputs, calibration, rejection"),
        (lambda: LeNet5(ink=float("nan")), "ink: found nan"),
        (lambda: nn.Convolution("c3", 6, 16, [0]), "table of c3"),
    ],
)
def test_what_can_not_be_a_network_is_one_line(make, line):
    with pytest.raises(LenetError, match=line):
        make()


@pytest.mark.parametrize("way", ["nothing back", "another shape back"])
def test_a_wrong_backward_names_the_layer(way, mnist):
    net = Network([nn.Flatten(), nn.Dense("a", 1024, 20), Wrong(way), nn.Dense("o", 20, 10)])
    with pytest.raises(InputError, match=r"layer (Wrong|Dense)"):
        net.loss_and_grads(mnist.train.images[:4], mnist.train.labels[:4])


@pytest.mark.parametrize("found", [None, 1.0, (1.0,), (1.0, np.zeros(3))])
def test_a_loss_of_another_form_is_one_line(found, mnist):
    net = LeNet5()
    net.loss = lambda xp, outputs, labels: found
    with pytest.raises(InputError, match="expected the mean loss and its derivative"):
        net.loss_and_grads(mnist.train.images[:4], mnist.train.labels[:4])
