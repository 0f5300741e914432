"""What the app shows of the network's inside is what the network computes, and every explanation adds up."""

import numpy as np
import pytest

from app.explain import Explanation, activations, explain_unit, maps
from lenet_gpu import LeNet5
from lenet_gpu.errors import InputError
from lenet_gpu.paper import C3_TABLE, SQUASH_A, SQUASH_S
from lenet_gpu.recognition.recognizer import Recognizer

SHAPES = {"c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5), "c5": (120,), "f6": (84,)}
UNITS = [
    ("c1", (0, 0, 0)),
    ("c1", (5, 27, 13)),
    ("s2", (3, 13, 0)),
    ("c3", (0, 9, 4)),
    ("c3", (15, 2, 9)),
    ("s4", (15, 4, 2)),
    ("c5", 0),
    ("c5", (119,)),
    ("f6", 83),
    ("output", 4),
]
each_unit = pytest.mark.parametrize(("layer", "index"), UNITS)


@pytest.fixture(scope="module")
def network():
    return Recognizer("mnist").network


@pytest.fixture(scope="module")
def image(mnist):
    return mnist.train.images[7]


def squash(a):
    return SQUASH_A * np.tanh(SQUASH_S * a)


def test_maps_have_the_papers_shapes(network, image):
    found = maps(network, image)
    assert {name: value.shape for name, value in found.items()} == SHAPES
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}


def test_the_last_map_leads_to_the_networks_output(network, image):
    f6 = maps(network, image)["f6"]
    views = network.views
    np.testing.assert_allclose(
        views["output.weight"] @ f6 + views["output.bias"], network.outputs(image)[0], rtol=0, atol=1e-5
    )


def test_maps_leave_what_a_training_step_remembers_alone(mnist):
    network = LeNet5(seed=3)
    images, labels = mnist.train.images[:4], mnist.train.labels[:4].astype(np.int64)
    _, expected = network.loss_and_grads(images, labels)
    logits = network.forward_layers(network.input_layer(images))
    maps(network, mnist.train.images[9])  # between the forward and the backward pass
    explain_unit(network, mnist.train.images[9], "c3", (1, 2, 3))
    wanted = np.eye(10, dtype=np.float32)[labels]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    network.backward_layers((p / p.sum(axis=1, keepdims=True) - wanted) / 4)
    for name, gradient in expected.items():
        np.testing.assert_allclose(network.gradient_views[name], gradient, rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_activations_of_many_images_are_those_of_each(network, mnist):
    images = mnist.train.images[:7]
    found = activations(network, images)
    assert {name: values.shape[1:] for name, values in found.items()} == SHAPES | {"output": (10,)}
    for i, image in enumerate(images):
        for name, values in activations(network, image).items():
            np.testing.assert_allclose(found[name][i], values, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["output"], network.outputs(images), rtol=0, atol=1e-5)


def test_activations_at_hand_are_used(network, image):
    values = activations(network, image)
    for layer, index in UNITS:
        given, computed = (explain_unit(network, image, layer, index, v) for v in (values, None))
        assert (given.sum, given.value, given.rest) == (computed.sum, computed.value, computed.rest)
    values["c3"] = values["c3"] + 1.0
    assert (
        explain_unit(network, image, "s4", (0, 0, 0), values).sum != explain_unit(network, image, "s4", (0, 0, 0)).sum
    )


@each_unit
def test_an_explanation_adds_up_to_the_units_value(network, image, layer, index):
    found = explain_unit(network, image, layer, index)
    recomputed = sum(float((s.inputs.astype(np.float64) * s.weights).sum()) for s in found.sources)
    assert recomputed + found.rest + found.bias == pytest.approx(found.sum, abs=2e-5)
    assert [s.contribution for s in found.sources] == pytest.approx(
        [float((s.inputs.astype(np.float64) * s.weights).sum()) for s in found.sources]
    )
    if layer == "output":
        assert found.value == pytest.approx(found.sum, abs=1e-5)
        assert found.value == pytest.approx(float(network.outputs(image)[0, index]), abs=1e-5)
    else:
        assert found.value == pytest.approx(squash(found.sum), abs=1e-5)
        assert found.value == float(maps(network, image)[layer][index])


@pytest.mark.parametrize(("layer", "index"), [unit for unit in UNITS if unit[0] in ("c1", "s2", "c3", "s4")])
def test_maps_below_are_listed_completely_with_the_place_of_the_patch(network, image, layer, index):
    found = explain_unit(network, image, layer, index)
    assert found.rest == 0.0
    stride, size = (2, 2) if layer[0] == "s" else (1, 5)
    below = {"s2": "c1", "c3": "s2", "s4": "c3"}.get(layer)
    fed_by = {"c1": [0], "c3": list(C3_TABLE[index[0]])}.get(layer, [index[0]])
    assert [source.place for source in found.sources] == fed_by
    for source in found.sources:
        row, column = source.corner
        assert (row, column) == (stride * index[1], stride * index[2])
        assert source.layer == (below or "input")
        if below is not None:
            part = maps(network, image)[below][source.place, row : row + size, column : column + size]
            np.testing.assert_array_equal(source.inputs, part)
    if layer[0] == "s":
        coefficient = float(network.views[f"{layer}.coefficient"][index[0]])
        assert found.coefficient == coefficient
        assert (found.sources[0].weights == np.float32(coefficient)).all()


def test_the_kernels_shown_are_the_networks(network, image):
    pair = sum(len(row) for row in C3_TABLE[:7]) + 2  # third map that feeds map 7
    found = explain_unit(network, image, "c3", (7, 1, 1))
    np.testing.assert_array_equal(found.sources[2].weights, network.views["c3.weight"][pair])
    first = explain_unit(network, image, "c1", (4, 1, 1)).sources[0]
    np.testing.assert_array_equal(first.weights, network.views["c1.weight"][4, 0])


@pytest.mark.parametrize("layer", ["c5", "f6", "output"])
def test_of_many_inputs_the_strongest_come_first(network, image, layer):
    found = explain_unit(network, image, layer, 3)
    sizes = [abs(source.contribution) for source in found.sources]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)
    if layer == "output":
        every = np.abs(network.views["output.weight"][3] * maps(network, image)["f6"])
        assert sizes == pytest.approx(np.sort(every)[::-1][:10].tolist(), rel=1e-4)
        assert found.sources[0].place == int(every.argmax())


def test_the_papers_network_is_explained_up_to_f6(image):
    paper = LeNet5(variant="paper", seed=1)
    assert {name: value.shape for name, value in maps(paper, image).items()} == SHAPES
    assert isinstance(explain_unit(paper, image, "f6", 0), Explanation)
    with pytest.raises(InputError, match="layer"):
        explain_unit(paper, image, "output", 0)


@pytest.mark.parametrize(
    ("layer", "index"),
    [("c2", 0), ("c1", 0), ("c1", (6, 0, 0)), ("s4", (0, 5, 0)), ("f6", 84), ("f6", -1), ("c5", (0, 0, 0)), ("", 0)],
)
def test_a_unit_that_does_not_exist_is_refused(network, image, layer, index):
    with pytest.raises(InputError):
        explain_unit(network, image, layer, index)


def test_only_one_image_is_explained(network, mnist):
    with pytest.raises(InputError, match="2 images"):
        maps(network, mnist.train.images[:2])


def test_a_float_image_reads_like_its_bytes(network, image):
    for name, value in maps(network, image / np.float32(255)).items():
        np.testing.assert_allclose(value, maps(network, image)[name], rtol=0, atol=1e-5)
