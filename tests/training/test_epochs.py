"""What an epoch shows: every image once, in which order, varied how."""

import numpy as np
import pytest

from lenet_gpu.augment.augmentation import PAPER, STANDARD, Augmentation
from lenet_gpu.augment.distort import IDENTITY
from lenet_gpu.datasets import Split
from lenet_gpu.seeds import epoch_order
from lenet_gpu.training.epochs import Patterns
from lenet_gpu.training.recipes import RECIPES


@pytest.fixture
def split(mnist):
    return Split(mnist.train.images[:300], mnist.train.labels[:300])


def recipe(**changes):
    return RECIPES["classic"].with_changes(**changes)


def test_without_augmentation_an_epoch_is_a_permutation(split):
    patterns = Patterns(split, recipe(), seed=5)
    order, distortions = patterns.epoch(3)
    np.testing.assert_array_equal(order, epoch_order(5, 3, 300))
    assert distortions is None
    assert patterns.images is split.images


def test_every_epoch_distorts_anew_and_the_same_again_for_the_same_seed(split):
    patterns = Patterns(split, recipe(augmentation=STANDARD), seed=5)
    order, first = patterns.epoch(1)
    assert sorted(order) == list(range(300))
    assert first.shape == (300, 8)
    assert np.abs(first - patterns.epoch(2)[1]).max() > 0.1
    np.testing.assert_array_equal(first, Patterns(split, recipe(augmentation=STANDARD), seed=5).epoch(1)[1])


def test_stroke_widths_are_further_rows(split):
    widths = recipe(augmentation=Augmentation(stroke_widths=(-0.4, 0.0, 0.4)))
    patterns = Patterns(split, widths, seed=5)
    assert patterns.count == 300
    assert len(patterns.images) == len(patterns.labels) == 900
    order, _ = patterns.epoch(1)
    assert sorted(order % 300) == list(range(300))  # every image once, in one of its widths
    assert set(order // 300) == {0, 1, 2}
    np.testing.assert_array_equal(patterns.labels[order], split.labels[order % 300])
    ink = patterns.images.reshape(3, -1).sum(axis=1, dtype=float)
    assert ink[0] < ink[1] < ink[2]


def test_calm_epochs_distort_less_and_leave_strokes_alone(split):
    widths = Augmentation(stroke_widths=(-0.4, 0.0, 0.4))
    patterns = Patterns(split, recipe(augmentation=widths, epochs=5, calm_epochs=2), seed=5)
    for epoch in (3, 4):
        order, distortions = patterns.epoch(epoch)
        away = np.abs(distortions[:, :6] - np.float32(IDENTITY)[:6])
        if epoch == 3:
            assert set(order // 300) == {0, 1, 2}
            loud = away
        else:
            assert set(order // 300) == {1}  # as they are
            assert 0 < away.mean() < 0.4 * loud.mean()
            np.testing.assert_array_equal(patterns.images[order], split.images[order % 300])


def test_stroke_widths_alone_need_no_distortions(split):
    still = Augmentation(strength=0.0, stroke_widths=(0.0, 0.4))
    assert Patterns(split, recipe(augmentation=still), seed=5).epoch(1)[1] is None


def test_fixed_copies_keep_their_distortions_in_every_epoch(split):
    """The paper's way: each image as it is, and nine distorted patterns of it, always the same."""
    patterns = Patterns(split, recipe(augmentation=PAPER, copies=10, constant_order=True), seed=5)
    assert patterns.count == 3000
    order, distortions = patterns.epoch(1)
    again, same = patterns.epoch(2)
    np.testing.assert_array_equal(order, again)
    np.testing.assert_array_equal(distortions, same)
    assert np.bincount(order).tolist() == [10] * 300
    plain = (distortions == np.float32(IDENTITY)).all(axis=1)
    assert sorted(order[plain]) == list(range(300))
    assert len(np.unique(distortions, axis=0)) == 2701


def test_copies_are_varied_anew_in_every_epoch(split):
    """Few images, each shown four times an epoch: never twice alike, in any stroke width, calm at the end."""
    wide = Augmentation(strength=0.8, stroke_widths=(-0.4, 0.0, 0.4))
    patterns = Patterns(split, recipe(augmentation=wide, copies=4, epochs=3, calm_epochs=1), seed=5)
    assert patterns.count == 1200
    first, distortions = patterns.epoch(1)
    again, others = patterns.epoch(2)
    assert np.bincount(first % 300).tolist() == np.bincount(again % 300).tolist() == [4] * 300
    assert set(first // 300) == {0, 1, 2}
    assert not np.array_equal(first, again)
    assert len(np.unique(np.concatenate([distortions, others]), axis=0)) == 2400
    calm, _ = patterns.epoch(3)
    assert set(calm // 300) == {1}
    plain, nothing = Patterns(split, recipe(copies=4), seed=5).epoch(1)
    assert np.bincount(plain).tolist() == [4] * 300
    assert nothing is None
