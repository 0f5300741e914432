"""From any picture to the network's input: polarity, size and place do not matter."""

import numpy as np
import pytest
from PIL import Image

from lenet_gpu import LeNet5
from lenet_gpu.errors import InputError
from lenet_gpu.ink.preprocess import BOX, image_to_mnist
from lenet_gpu.storage.shipped_models import WEIGHTS_FOLDER

SAMPLE = slice(0, 400)


def extent(field):
    """Longer side of the ink's bounding box."""
    return max(np.ptp(np.flatnonzero(field.any(axis=1 - axis))) + 1 for axis in (0, 1))


def centre_of_mass(field):
    mass = field.astype(float)
    return [(mass.sum(axis=1 - axis) * np.arange(28)).sum() / mass.sum() for axis in (0, 1)]


def test_mnist_itself_comes_back_unchanged(mnist):
    """Up to the contrast: a few digits do not reach 255, and a few do not fill the 20x20 box."""
    whole = [image for image in mnist.test.images[SAMPLE] if image.max() == 255 and extent(image) == BOX]
    same = sum(np.array_equal(image_to_mnist(image), image) for image in whole)
    assert len(whole) > 300
    assert same >= len(whole) - 1  # a centre of mass on the edge between two pixels may round the other way


def test_shifting_the_digit_changes_nothing(mnist):
    for image in mnist.test.images[SAMPLE][:100]:
        canvas = np.zeros((90, 70), np.uint8)
        canvas[55:83, 3:31] = image
        np.testing.assert_array_equal(image_to_mnist(canvas), image_to_mnist(image))


def test_inverting_the_picture_changes_nothing(mnist):
    for image in mnist.test.images[SAMPLE][:100]:
        np.testing.assert_allclose(image_to_mnist(255 - image).astype(int), image_to_mnist(image).astype(int), atol=1)


@pytest.mark.parametrize("size", [40, 280, 555])
def test_scaling_the_picture_hardly_matters(mnist, size):
    difference = []
    for image in mnist.test.images[SAMPLE][:50]:
        large = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
        difference.append(abs(image_to_mnist(large) / 255.0 - image_to_mnist(image) / 255.0).mean())
    assert np.mean(difference) < 0.05


def test_the_result_is_in_mnists_form(mnist):
    for k, image in enumerate(mnist.test.images[SAMPLE]):
        picture = np.kron(image, np.ones((3, 2), np.uint8))  # stretched and three times as tall
        field = image_to_mnist(np.pad(picture, ((5 * (k % 7), 0), (0, 11 * (k % 3)))))
        assert field.shape == (28, 28)
        assert field.dtype == np.uint8
        assert field.max() == 255
        assert extent(field) == BOX
        np.testing.assert_allclose(centre_of_mass(field), 14, atol=0.51)


def test_grey_paper_with_grain(mnist, rng):
    """A photograph: light grey paper, dark grey ink, noise."""
    image = mnist.test.images[0]
    photo = 200 - 0.6 * np.pad(image, 20) + rng.normal(0, 3, (68, 68))
    clean = image_to_mnist(image) / 255.0
    noisy = image_to_mnist(np.clip(photo, 0, 255).astype(np.uint8)) / 255.0
    assert abs(noisy - clean).mean() < 0.02


def accuracy(mnist, pictures):
    """Share of pictures of the first test digits that the shipped model reads."""
    model = LeNet5.load(WEIGHTS_FOLDER / "mnist.npz")
    fields = np.stack([image_to_mnist(picture) for picture in pictures])
    return (model.predict(fields) == mnist.test.labels[: len(fields)]).mean()


@pytest.fixture(scope="module")
def centred(mnist):
    """The share of 150 that it reads as they are."""
    return accuracy(mnist, mnist.test.images[:150])


def pasted(mnist, rng, canvas, scale, resampling, count=150):
    """Test digits, scaled and put anywhere."""
    for image in mnist.test.images[:count]:
        side = round(28 * scale)
        picture = np.zeros((canvas, canvas), np.uint8)
        top, left = rng.integers(0, canvas - side + 1, 2)
        picture[top : top + side, left : left + side] = Image.fromarray(image).resize((side, side), resampling)
        yield picture


@pytest.mark.parametrize(
    ("canvas", "scale", "resampling"),
    [(64, 0.5, "BOX"), (64, 0.75, "BILINEAR"), (64, 2.0, "NEAREST"), (120, 3.0, "LANCZOS"), (96, 2.0, "BICUBIC")],
)
def test_scaled_digits_anywhere_are_read_as_well_as_centred_ones(mnist, centred, rng, canvas, scale, resampling):
    """At most four of 150 more go wrong (mostly none does)."""
    scaled = accuracy(mnist, pasted(mnist, rng, canvas, scale, Image.Resampling[resampling]))
    assert scaled >= centred - 4 / 150


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(("noise", "slope"), [(8, 0), (0, 80), (5, 40)])
def test_noise_and_uneven_light_do_no_harm(mnist, centred, rng, noise, slope, inverted):
    """Grain of so many grey levels, and light that changes by so many from edge to edge."""
    light = slope * np.linspace(-0.5, 0.5, 64)[:, None] - slope * np.linspace(-0.5, 0.5, 64) / 2
    pictures = (
        np.clip(20 + 60 + 0.6 * picture + light + rng.normal(0, noise, (64, 64)), 0, 255).astype(np.uint8)
        for picture in pasted(mnist, rng, 64, 1.0, Image.Resampling.BICUBIC)
    )
    turned = (255 - picture if inverted else picture for picture in pictures)
    assert accuracy(mnist, turned) >= centred - 4 / 150


def test_light_that_fades_like_a_vignette_leaves_no_ink():
    y, x = np.mgrid[-1:1:90j, -1:1:120j]
    assert not image_to_mnist((200 - 60 * (x**2 + y**2)).astype(np.uint8)).any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_are_blank(level, rng):
    assert not image_to_mnist(np.full((50, 60), level, np.uint8)).any()
    grain = np.clip(level + rng.normal(0, 2, (50, 60)), 0, 255).astype(np.uint8)
    assert not image_to_mnist(grain).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_odd_sizes_do_not_fail(shape):
    picture = np.zeros(shape, np.uint8)
    picture.flat[0] = 255
    assert image_to_mnist(picture).shape == (28, 28)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((28, 28, 3), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5), np.int32),
        np.full((5, 5), np.nan),
        np.full((5, 5), 200.0),
    ],
    ids=["colour", "empty", "int32", "nan", "float above 1"],
)
def test_unusable_pictures_are_refused(picture):
    with pytest.raises(InputError, match="image"):
        image_to_mnist(picture)
