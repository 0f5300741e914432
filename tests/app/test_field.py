"""A unit's field of view: exactly the part of each layer that changes its value."""

import numpy as np
import pytest

from app.field import field_of_view
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.recognition.recognizer import Recognizer

UNITS = [
    ("c1", (2, 5, 9)), ("s2", (4, 0, 13)), ("c3", (5, 9, 0)), ("c3", (15, 3, 4)), ("s4", (0, 2, 1)),
    ("c5", 17), ("f6", 83), ("output", 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return LeNet5(seed=2, dtype="float64")


@pytest.mark.parametrize(("layer", "unit"), UNITS)
def test_it_is_the_part_of_the_picture_that_can_change_the_unit(network, layer, unit):
    seen = field_of_view(network, layer, unit)["input"]
    chance = np.random.default_rng(1)
    image = chance.random((28, 28))
    before = network.activations(image)[layer][unit]
    changed = np.zeros((32, 32), dtype=bool)
    for row in range(28):
        for column in range(28):
            other = image.copy()
            other[row, column] = 1.0 - other[row, column]
            changed[row + 2, column + 2] = network.activations(other)[layer][unit] != before
    inside = np.zeros((32, 32), dtype=bool)
    inside[seen.top : seen.top + seen.height, seen.left : seen.left + seen.width] = True
    inside[:2] = inside[-2:] = inside[:, :2] = inside[:, -2:] = False  # the margin holds no picture
    np.testing.assert_array_equal(changed, inside)


def test_table_one_names_the_maps_and_the_sizes_grow_downwards():
    fields = field_of_view(Recognizer("mnist").network, "c3", (5, 9, 0))
    assert list(fields) == ["c3", "s2", "c1", "input"]
    assert fields["s2"].maps == fields["c1"].maps == (0, 1, 5)
    assert [(one.top, one.left, one.height) for one in fields.values()] == [
        (9, 0, 1), (9, 0, 5), (18, 0, 10), (18, 0, 14),
    ]  # fmt: skip


def test_a_digit_sees_everything():
    fields = field_of_view(Recognizer("mnist").network, "output", 3)
    assert list(fields) == ["output", "f6", "c5", "s4", "c3", "s2", "c1", "input"]
    assert [len(one.maps) for one in fields.values()] == [1, 84, 120, 16, 16, 6, 6, 1]
    assert (fields["input"].height, fields["input"].width) == (32, 32)
