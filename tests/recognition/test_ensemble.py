"""Several looks at an image: which views there are, and how answers are combined."""

import numpy as np

from lenet_gpu.nn.losses import softmax
from lenet_gpu.recognition.ensemble import SHIFTS, combined_outputs, views


def test_views_move_the_image_by_whole_pixels(rng):
    images = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    seen = list(views(images))
    assert len(seen) == len(set(SHIFTS)) == 9
    for (y, x), view in zip(SHIFTS, seen, strict=True):
        assert view.dtype == np.uint8
        moved = np.roll(images, (y, x), axis=(1, 2))
        np.testing.assert_array_equal(view[:, 1:-1, 1:-1], moved[:, 1:-1, 1:-1])
    down_right = seen[SHIFTS.index((1, 1))]
    assert not down_right[:, 0].any()
    assert not down_right[:, :, 0].any()


def test_the_softmax_of_combined_outputs_is_the_mean_of_the_probabilities(rng):
    outputs = [rng.standard_normal((5, 10)) * 8 for _ in range(3)]
    mean = sum(softmax(np, each) for each in outputs) / 3
    np.testing.assert_allclose(softmax(np, combined_outputs(outputs)), mean, rtol=1e-12)
    assert combined_outputs(outputs[:1]) is outputs[0]


def test_a_probability_of_nothing_is_no_infinity():
    sure = np.array([[1000.0] + [0.0] * 9], dtype=np.float32)
    assert np.isfinite(combined_outputs([sure, sure])).all()
