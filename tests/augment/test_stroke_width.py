"""Thinner and thicker pens: strokes move by the pixels asked for, image by image."""

import numpy as np
import pytest

from lenet_gpu.augment.stroke_width import stroke_width_variants


@pytest.fixture
def digits(mnist):
    return mnist.train.images[:200]


def test_a_stroke_moves_by_the_pixels_asked_for():
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 10:14] = 200  # four pixels thick
    thick = stroke_width_variants(bar, (-1.0, -0.25, 0.0, 0.25, 1.0))[:, 0, :, 14].astype(float).sum(axis=1) / 200
    np.testing.assert_allclose(thick, [2, 3.5, 4, 4.5, 6])


def test_stroke_widths_are_dilation_and_erosion(digits):
    thin, same, thick = stroke_width_variants(digits, (-1.0, 0.0, 1.0))
    np.testing.assert_array_equal(same, digits)
    framed = np.pad(digits, ((0, 0), (1, 1), (1, 1)))
    crosses = [framed[:, 1 + i : 29 + i, 1 + j : 29 + j] for i, j in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))]
    np.testing.assert_array_equal(thick, np.max(crosses, axis=0))
    np.testing.assert_array_equal(thin, np.min(crosses, axis=0))
    half = stroke_width_variants(digits, (0.5,))[0].astype(float)
    np.testing.assert_allclose(half, (digits + thick.astype(float)) / 2, atol=0.5)


def test_stroke_widths_of_many_images_are_those_of_each(mnist):
    images = mnist.train.images[4000:4200]
    many = np.concatenate([mnist.train.images[:4000], images])  # beyond one piece of work
    np.testing.assert_array_equal(
        stroke_width_variants(many, (0.4,))[0, 4000:], stroke_width_variants(images, (0.4,))[0]
    )
