"""The networks have the numbers of the paper, layer by layer."""

import pytest

from lenet_gpu import LeNet5, paper

NAMED = [facts.name.lower() for facts in paper.HIDDEN_LAYERS]


def test_table_1_as_printed():
    """Six triples, six quadruples in a row, three pairs of neighbours, one full row; each S2 map ten times."""
    assert [len(row) for row in paper.C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert all(list(row) == sorted(set(row)) for row in paper.C3_TABLE)
    uses = [sum(i in row for row in paper.C3_TABLE) for i in range(6)]
    assert uses == [10] * 6
    assert sum(map(len, paper.C3_TABLE)) == 60


def test_facts_add_up():
    hidden = paper.HIDDEN_LAYERS
    assert sum(f.trainable for f in hidden) + paper.RBF_OUTPUT.trainable == paper.PAPER_PARAMETERS
    assert sum(f.connections for f in hidden) + paper.RBF_OUTPUT.connections == paper.PAPER_CONNECTIONS
    assert sum(f.trainable for f in hidden) + paper.SOFTMAX_OUTPUT.trainable == paper.MODERN_PARAMETERS


OUTPUTS = {"modern": paper.SOFTMAX_OUTPUT, "paper": paper.RBF_OUTPUT}


def layers_of(variant):
    return {layer.name: layer for layer in LeNet5(variant).layers if layer.name}


@pytest.mark.parametrize("variant", OUTPUTS)
@pytest.mark.parametrize("facts", [*paper.HIDDEN_LAYERS, None], ids=[*NAMED, "output"])
def test_each_layer_has_the_papers_counts(variant, facts):
    facts = facts or OUTPUTS[variant]
    layer = layers_of(variant)[facts.name.lower()]
    assert layer.trainable == facts.trainable
    assert layer.connections(facts.size, facts.size) == facts.connections


def test_the_papers_network_has_its_60000_parameters_and_340908_connections():
    layers = layers_of("paper")
    sizes = {facts.name.lower(): facts.size for facts in (*paper.HIDDEN_LAYERS, paper.RBF_OUTPUT)}
    assert sum(layer.trainable for layer in layers.values()) == 60_000
    assert sum(layer.connections(sizes[name], sizes[name]) for name, layer in layers.items()) == 340_908


@pytest.mark.parametrize(("variant", "count"), [("modern", paper.MODERN_PARAMETERS), ("paper", 60_000)])
def test_network_has_the_papers_layers_and_sizes(variant, count):
    model = LeNet5(variant)
    assert model.parameters.size == count
    x = model.input_layer(model.backend.xp.zeros((2, 28, 28), dtype="uint8"))
    assert x.shape == (2, 1, paper.INPUT_SIZE, paper.INPUT_SIZE)
    sizes = {}
    for layer in model.layers:
        x = layer.forward(x)
        if layer.name:
            sizes[layer.name] = x.shape[1:]
    assert list(sizes) == [*NAMED, "output"]
    for facts in paper.HIDDEN_LAYERS[:5]:
        assert sizes[facts.name.lower()] == (facts.maps, facts.size, facts.size)
    assert sizes["f6"] == (84,)
    assert sizes["output"] == (10,)


def test_input_values_of_background_and_ink():
    """Section II.B: white is -0.1 and black 1.175, in the margin too."""
    model = LeNet5(dtype="float64")
    images = model.backend.xp.zeros((1, 28, 28), dtype="uint8")
    images[0, 0, 0], images[0, 27, 27] = 255, 51
    x = model.input_layer(images)[0, 0]
    assert x[2, 2] == pytest.approx(1.175)
    assert x[29, 29] == pytest.approx(-0.1 + 0.2 * 1.275)
    x[2, 2] = x[29, 29] = -0.1
    assert x == pytest.approx(-0.1)
