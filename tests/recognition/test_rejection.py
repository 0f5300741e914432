"""Not a digit: distances of F6 units, limits, reasons, and what a model file keeps."""

import numpy as np
import pytest

from lenet_gpu import LeNet5, Trainer
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.recognition.rejection import REFUSED, Rejection, decide, features, grain


@pytest.fixture(scope="module")
def trained(mnist, tmp_path_factory):
    """A network after one epoch on 6,000 digits, through its file."""
    part = Dataset(
        "part",
        Split(mnist.train.images[:6000], mnist.train.labels[:6000]),
        Split(mnist.test.images[:1000], mnist.test.labels[:1000]),
        {},
    )
    run = Trainer(LeNet5(), "classic").fit(part)
    path = tmp_path_factory.mktemp("model") / "model.npz"
    run.model.save(path)
    return LeNet5.load(path)


def test_features_are_the_units_of_f6(trained, mnist):
    images = mnist.test.images[:30]
    f6 = features(trained, images) * 1.7159
    logits = f6 @ trained.views["output.weight"].T + trained.views["output.bias"]
    np.testing.assert_allclose(logits, trained.readable_outputs(images), atol=1e-4)


def test_distance_by_its_definition(trained, mnist):
    rejection = Rejection.from_arrays(trained.extras)
    f6 = features(trained, mnist.test.images[:5])
    expected = [min((u - m) @ rejection.precision @ (u - m) for m in rejection.means) for u in f6]
    np.testing.assert_allclose(rejection.distances(f6), expected, rtol=1e-4)


def test_the_limit_refuses_its_share_of_the_digits_it_was_estimated_from(trained, mnist):
    rejection = Rejection.from_arrays(trained.extras)
    distances = rejection.distances(features(trained, mnist.train.images[:5000]))
    assert (distances > rejection.limit).mean() == pytest.approx(REFUSED, abs=0.001)


def test_noise_is_further_away_than_digits(trained, mnist, rng):
    rejection = Rejection.from_arrays(trained.extras)
    noise = rng.integers(0, 256, (200, 28, 28), dtype=np.uint8)
    digits = rejection.distances(features(trained, mnist.test.images[:200]))
    assert np.median(rejection.distances(features(trained, noise))) > np.quantile(digits, 0.9)


def test_a_file_without_it_has_none():
    assert Rejection.from_arrays({}) is None
    assert Rejection.from_arrays({"rejection.limit": np.ones(1, np.float32)}) is None


def test_grain_counts_corners_that_touch():
    field = np.zeros((28, 28), np.uint8)
    field[3:9, 4:6] = 255  # a bar has none
    assert grain(field) == 0
    field[9, 6] = 200
    field[20, 20], field[21, 19] = 200, 200
    assert grain(field) == 2


def shares(**of):
    p = np.full(10, (1 - sum(of.values())) / (10 - len(of)))
    for digit, share in of.items():
        p[int(digit[1:])] = share
    return p


@pytest.mark.parametrize(
    ("probabilities", "distance", "reason"),
    [
        (shares(d4=0.97), 5.0, ""),
        (shares(d4=0.97), None, ""),
        (shares(d4=0.97), 11.0, "unlike any digit"),
        (shares(d9=0.50, d4=0.45), 5.0, "undecided between 4 and 9"),
        (shares(d9=0.30, d4=0.10), 5.0, "unlike any digit"),
        (np.full(10, 0.1), 5.0, "unlike any digit"),
    ],
)
def test_reasons(probabilities, distance, reason):
    assert decide(probabilities, distance, 10.0) == reason
