"""Further training material: what it is made of, and that a seed makes it again."""

import numpy as np
import pytest

from lenet_gpu import LeNet5, Trainer, seeds
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.errors import DataError
from lenet_gpu.handwriting import ROTATED
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.paper import NOT_A_DIGIT
from lenet_gpu.training import sources
from lenet_gpu.training.callbacks import RunFolder
from lenet_gpu.training.checkpoint import Checkpoint
from lenet_gpu.training.epochs import Patterns
from lenet_gpu.training.recipes import RECIPES


@pytest.fixture
def split(mnist):
    return Split(mnist.train.images[:500], mnist.train.labels[:500])


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    for name in ("HANDWRITING_COUNT", "NONDIGITS_COUNT", "OVERLAPS", "TURNS", "NOISES"):
        monkeypatch.setattr(sources, name, 40)


def test_the_training_set_comes_first_and_labels_say_what_is_no_digit(split):
    images, labels = sources.add_sources(split, ("handwriting", "nondigits"), seed=3)
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(images[:500], split.images)
    np.testing.assert_array_equal(labels[:500], split.labels)
    assert np.bincount(labels[500:540]).tolist() == [4] * 10
    assert (labels[540:] == NOT_A_DIGIT).all()
    assert len(images) == len(labels) == 500 + 40 + 4 * 40
    assert (images.reshape(len(images), -1).max(axis=1) > 100).all()  # nothing is blank


def test_the_same_seed_makes_the_same_material(split):
    first, _ = sources.add_sources(split, ("handwriting", "nondigits"), seed=3)
    again, _ = sources.add_sources(split, ("handwriting", "nondigits"), seed=3)
    other, _ = sources.add_sources(split, ("handwriting", "nondigits"), seed=4)
    np.testing.assert_array_equal(first, again)
    assert (first[500:] != other[500:]).any(axis=(1, 2)).all()


def test_again_shows_the_training_set_a_second_time_distorted_otherwise(split):
    images, labels = sources.add_sources(split, ("nondigits", "again"), seed=3)
    np.testing.assert_array_equal(images[-500:], split.images)
    np.testing.assert_array_equal(labels[-500:], split.labels)
    recipe = RECIPES["touch"].with_changes(sources=("again",))
    patterns = Patterns(split, recipe, seed=3)
    rows, distortions = patterns.epoch(1)
    assert patterns.count == 1000
    assert np.bincount(rows).tolist() == [1] * 1000
    place = np.argsort(rows)
    assert (distortions[place[:500]] != distortions[place[500:]]).any(axis=1).all()


def test_pens_are_thin_and_fat_whatever_the_digit():
    widths, softness = sources.random_pens(seeds.generator(1, 1), 20_000).T
    assert 0.5 <= widths.min() < 0.52
    assert 3.98 < widths.max() <= 4.0
    assert 0.8 <= softness.min() <= softness.max() <= 1.6
    assert (widths + softness).min() > 2**0.5
    assert 0.2 < (widths < 1.4).mean() + (widths > 3.2).mean() < 0.3  # the usual ones are the more common
    labels = np.arange(20_000) % 10
    for digit in range(10):
        assert (widths[labels == digit] < 1.0).mean() > 0.05
        assert (widths[labels == digit] > 3.6).mean() > 0.03


def test_a_dot_between_pixels_leaves_ink_of_any_pen():
    pens = sources.random_pens(seeds.generator(1, 1), 4_000)
    dot = [np.array([[0.0, 0.0], [0.001, 0.001]])]
    assert (drawings_to_mnist([dot] * len(pens), pens).max(axis=(1, 2)) == 255).all()


def test_overlaps_hold_two_digits(split):
    """Each is at least as dark everywhere as some training digit, and darker somewhere."""
    for image in sources.overlaps(split, seeds.generator(1, 1), 5):
        inside = (image >= split.images).all(axis=(1, 2))
        assert len(np.unique(split.labels[inside])) >= 2


def test_turned_digits_turn_back(split):
    originals = {image.tobytes() for image in split.images[np.isin(split.labels, ROTATED)]}
    for image in sources.turns(split, seeds.generator(1, 1), 20):
        turned_back = [np.ascontiguousarray(np.rot90(image, k)).tobytes() for k in (1, -1)]
        assert originals & set(turned_back)


def test_noise_fills_the_box_or_the_field():
    images = sources.noises(seeds.generator(1, 1), 60)
    margins = images[:, :4].any(axis=(1, 2))
    assert 10 < margins.sum() < 50
    assert images[:, 6:22, 6:22].any(axis=(1, 2)).all()
    assert len(np.unique(images[margins])) > 100


def write_pendigits(folder, shift):
    """A small pendigits in our compact form: a digit is one slanted stroke."""
    count = 60
    ends = np.array([[0.0, 0.0], [10.0, 30.0]])
    points = np.concatenate([ends + [0.0, i + shift] * np.array([[0], [1]]) for i in range(count)])
    numbers = {"stroke": 2 * np.arange(count + 1), "digit": np.arange(count + 1)}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "pendigits-train.npz", points=points, label=np.arange(count) % 10, **numbers)


def test_a_run_resumes_with_the_same_sources_alone(tmp_path, split, mnist, monkeypatch):
    monkeypatch.setenv("LENET_GPU_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_pendigits(tmp_path / "data/pendigits", 0)
    data = Dataset("digits", split, split, {"all": "0" * 64})
    recipe = RECIPES["classic"].with_changes(sources=("pendigits",), epochs=1)
    Trainer(LeNet5(), recipe, callbacks=[RunFolder(tmp_path)], download=False).fit(data)
    (key,) = Checkpoint.load(tmp_path).source_digests
    assert key == "pendigits/pendigits-train.npz"
    assert LeNet5.load(tmp_path / "model.npz").record["source_digests"] == Checkpoint.load(tmp_path).source_digests
    Trainer.resume(tmp_path, epochs=2, download=False).fit(data)
    write_pendigits(tmp_path / "data/pendigits", 1)
    with pytest.raises(DataError, match="pendigits"):
        Trainer.resume(tmp_path, epochs=2, download=False).fit(data)
