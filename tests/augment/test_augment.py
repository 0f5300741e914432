"""Distortions: what is drawn, what a distortion means, and that the fast code computes just that."""

import itertools
import json
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from stand_in import strict_cupy

from lenet_gpu import seeds
from lenet_gpu.augment.augmentation import PAPER, STANDARD, Augmentation, from_dict, varied_samples
from lenet_gpu.augment.distort import FIELDS, IDENTITY, distort_reference, elastic_fields
from lenet_gpu.engine.cpu.distort import CHUNK, Distorter
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.errors import InputError
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD


@pytest.fixture
def digits(mnist):
    return mnist.train.images[:200]


def rows(n, **values):
    """n distortions that leave an image as it is, but for some columns."""
    parameters = np.tile(np.array(IDENTITY, np.float32), (n, 1))
    for column, value in values.items():
        parameters[:, int(column[1:])] = value
    return parameters


def reference(images, parameters):
    return distort_reference(np, images, parameters, elastic_fields())


def fast(images, parameters, capacity=64):
    out = np.full((len(images), 1040), np.nan, np.float32)[:, :1024]  # rows farther apart than they are long
    Distorter(capacity)(images.reshape(len(images), -1), parameters, out)
    return out.reshape(-1, 32, 32)


# ---- what is drawn


def test_draws_depend_on_seed_and_epoch_alone():
    first = STANDARD.draw(3, 1, 50)
    assert first.shape == (50, 8)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(STANDARD.draw(3, 1, 50), first)
    for seed, epoch in ((3, 2), (4, 1)):
        assert not np.isclose(STANDARD.draw(seed, epoch, 50)[:, :6], first[:, :6]).any(axis=1).all()


def test_draws_are_those_of_the_first_release():
    """They were drawn in one piece by one thread then."""
    n = 20_001
    for augmentation in (STANDARD, PAPER, replace(STANDARD, strength=0.3)):
        rng, most = seeds.generator(7, 2, seeds.DISTORTIONS), augmentation.strength
        turn, wide, high, zoom, squeeze, shear, right, down = rng.uniform(-most, most, (8, n))
        number, amplitude = rng.random((2, n))
        angle, lean = np.deg2rad(augmentation.rotation * turn), -augmentation.shear * shear
        common, ratio = 1 + augmentation.zoom * zoom, 1 + augmentation.squeeze * squeeze
        across = (1 + augmentation.scale * wide) * common * ratio
        a = (np.cos(angle) + lean * np.sin(angle)) / across
        b = (np.sin(angle) - lean * np.cos(angle)) / across
        x = -(a * (augmentation.shift * right) + b * (augmentation.shift * down))
        d = np.cos(angle) / ((1 + augmentation.scale * high) * common / ratio)
        found = augmentation.draw(7, 2, n)
        for column, expected in ((0, a), (1, b), (2, x), (4, d)):
            np.testing.assert_array_equal(found[:, column], expected.astype(np.float32))
        assert np.array_equal(found[:, 6], np.floor(number * FIELDS).astype(np.float32))
        assert np.array_equal(found[:, 7], (most * augmentation.elastic * amplitude).astype(np.float32))


@pytest.mark.parametrize("cores", [1, 2, 3, 16])
@pytest.mark.parametrize("count", [1, 5, 299_999, 600_000])
def test_numbers_are_the_same_whatever_the_number_of_threads(monkeypatch, cores, count):
    monkeypatch.setattr(seeds, "_cores", lambda: cores)
    assert np.array_equal(seeds.uniform(4, 7, 1, count), seeds.generator(4, 7, 1).random(count))


def test_without_threads_the_caller_draws(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(seeds, "_cores", lambda: 4)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert np.array_equal(seeds.uniform(4, 7, 1, 400_000), seeds.generator(4, 7, 1).random(400_000))


def test_what_a_thread_raises_is_raised(monkeypatch):
    monkeypatch.setattr(seeds, "_cores", lambda: 4)

    def work(k):
        if k == 2:
            raise MemoryError(f"share {k}")

    with pytest.raises(MemoryError, match="share 2"):
        seeds.side_by_side(work, 4)


def test_no_purpose_draws_what_another_draws():
    streams = [seeds.generator(5, 1, purpose).random(4) for purpose in range(3)]
    assert all(not np.isclose(a, b).any() for a, b in itertools.combinations(streams, 2))
    # Runs from before there were purposes go on as they began.
    key = np.array([5, 1], dtype=np.uint64)
    expected = np.random.Generator(np.random.Philox(key=key)).permutation(30)
    np.testing.assert_array_equal(seeds.epoch_order(5, 1, 30), expected)


def test_a_draw_is_the_inverse_of_turning_shearing_scaling_and_shifting():
    """The map from input to output, put together from its factors, undoes what is drawn."""
    every = Augmentation(rotation=30, scale=0.2, zoom=0.1, squeeze=0.1, shear=0.3, shift=4)
    rng = seeds.generator(1, 2, seeds.DISTORTIONS)
    u = rng.uniform(-1, 1, (8, 5))
    for k, row in enumerate(every.draw(1, 2, 5).astype(float)):
        turn, wide, high, zoom, squeeze, shear, right, down = u[:, k]
        angle = np.deg2rad(30 * turn)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        lean = np.array([[1, -0.3 * shear], [0, 1]])
        zoomed, ratio = 1 + 0.1 * zoom, 1 + 0.1 * squeeze
        scale = np.diag([(1 + 0.2 * wide) * zoomed * ratio, (1 + 0.2 * high) * zoomed / ratio])
        forward = rotation @ lean @ scale
        inverse = row[:6].reshape(2, 3)
        np.testing.assert_allclose(inverse[:, :2] @ forward, np.eye(2), atol=1e-6)
        np.testing.assert_allclose(inverse[:, :2] @ [4 * right, 4 * down] + inverse[:, 2], 0, atol=1e-5)


def test_strength_scales_every_amount_and_no_strength_is_no_distortion():
    none = replace(STANDARD, strength=0.0)
    found = none.draw(1, 1, 20)
    np.testing.assert_allclose(np.delete(found, 6, axis=1), np.delete(rows(20), 6, axis=1), atol=1e-7)
    assert not none.distorts
    assert STANDARD.distorts
    only = Augmentation(rotation=10, scale=0, shear=0, shift=0, elastic=0)
    angles = [np.arctan2(replace(only, strength=s).draw(1, 1, 20)[:, 1], 1) for s in (0.5, 1.0)]
    np.testing.assert_allclose(np.tan(angles[1]), np.sin(2 * np.arcsin(np.tan(angles[0]))), atol=1e-6)


def test_draws_fill_their_ranges():
    drawn = STANDARD.draw(0, 1, 20_000)
    assert set(drawn[:, 6].astype(int)) == set(range(FIELDS))
    amplitude = drawn[:, 7]
    assert 0 <= amplitude.min() < 0.001
    assert 1.379 < amplitude.max() <= np.float32(1.38)
    angle = np.rad2deg(np.arctan2(-drawn[:, 3], drawn[:, 4]))  # (-sin, cos) / scale_y
    assert 11.9 < angle.max() <= 12.001
    assert -12.001 <= angle.min() < -11.9
    assert abs(angle.mean()) < 0.2
    height = 1 / np.hypot(drawn[:, 3], drawn[:, 4])
    assert (height.min(), height.max()) == pytest.approx((0.88, 1.12), abs=1e-3)


def test_the_papers_distortions_keep_rows_level_and_are_not_elastic():
    drawn = PAPER.draw(0, 1, 1000)
    assert not drawn[:, 3].any()
    assert not drawn[:, 7].any()
    assert np.ptp(drawn[:, 0]) > 0.2  # compressed and stretched,
    assert np.ptp(drawn[:, 1]) > 0.3  # sheared,
    assert np.ptp(drawn[:, 2]) > 3.5  # shifted to either side,
    assert np.ptp(drawn[:, 5]) > 3.5  # up and down


def test_variants_are_drawn_evenly():
    four = replace(STANDARD, stroke_widths=(-0.4, 0.0, 0.4, 0.8))
    drawn = four.draw_variants(0, 1, 40_000)
    np.testing.assert_allclose(np.bincount(drawn) / 40_000, 0.25, atol=0.01)
    assert not np.array_equal(drawn, four.draw_variants(0, 2, 40_000))
    assert not STANDARD.draw_variants(0, 1, 10).any()


def test_an_augmentation_survives_a_file():
    before = replace(PAPER, stroke_widths=(-0.3, 0.0))
    after = from_dict(json.loads(json.dumps(before.as_dict())))
    assert after == before
    with pytest.raises(InputError, match=r"augmentation: found .*expected the fields elastic, rotation"):
        from_dict({"rotation": 3})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rotation", -1.0, "augmentation, rotation: found -1.0, expected a number from 0"),
        ("scale", 1.0, "augmentation, scale: found 1.0, expected a number from 0, below 1"),
        ("shift", "2", "augmentation, shift: found '2'"),
        ("elastic", float("nan"), "augmentation, elastic: found nan"),
        ("stroke_widths", (), r"augmentation, stroke widths: found \(\)"),
        ("stroke_widths", (0.0, 2.0), "expected one or more numbers from -1 to 1"),
        ("stroke_widths", ("a",), "augmentation, stroke widths"),
    ],
)
def test_values_that_make_no_sense_are_refused(name, value, message):
    with pytest.raises(InputError, match=message):
        replace(STANDARD, **{name: value}).validated()


# ---- what a distortion means


def test_fields_move_a_pixel_by_one_pixel_smoothly_and_have_no_seam():
    fields = elastic_fields()
    noise = np.random.Generator(np.random.Philox(key=1998)).random((33, 2, 56, 56), dtype=np.float32) - np.float32(
        0.5
    )
    taps = np.exp(-0.5 * (np.arange(-12, 13) / 4.0) ** 2)
    taps *= np.sqrt(np.sqrt(12.0) / (taps**2).sum())
    middle = np.einsum("r,c,nkrc->nk", taps, taps, noise[:, :, 15:40, 15:40])  # the stream is used in one piece
    np.testing.assert_allclose(fields[:33, :, 15, 15], middle, rtol=0, atol=1e-5)
    assert fields.shape == (FIELDS, 2, 32, 32)
    assert fields.dtype == np.float32
    assert np.sqrt((fields**2).mean()) == pytest.approx(1, abs=0.02)
    spread = np.sqrt((fields**2).mean(axis=(0, 1)))
    assert spread.min() > 0.93  # the same at the edges as in the middle
    assert spread.max() < 1.07
    for lag in (1, 4, 8):  # what filtering white noise with a Gaussian of 4 pixels gives
        correlation = (fields[..., lag:] * fields[..., :-lag]).mean()
        assert correlation == pytest.approx(np.exp(-(lag**2) / (4 * 4.0**2)), abs=0.03)
    assert abs((fields[:, 0] * fields[:, 1]).mean()) < 0.02


def test_identity_is_the_input_layers_padding(digits):
    np.testing.assert_array_equal(reference(digits, rows(200)), np.pad(digits, ((0, 0), (2, 2), (2, 2))))
    np.testing.assert_array_equal(fast(digits, rows(200)), np.pad(digits, ((0, 0), (2, 2), (2, 2))))


def test_the_distortion_is_what_the_formula_says(digits):
    """One pixel at a time, from the formula: every pixel of the image weighs in by its distance."""
    parameters = Augmentation(rotation=40, shift=6, elastic=3, zoom=0.3).draw(2, 1, 3)
    digits = digits[:3].copy()
    digits[2] = 255  # ink up to the edge
    found = reference(digits, parameters)
    for k, (a, b, c, d, e, f, number, amplitude) in enumerate(parameters.astype(float)):
        for row, column in itertools.product(range(32), range(32)):
            u, v = column - 15.5, row - 15.5
            right, down = amplitude * elastic_fields()[int(number), :, row, column].astype(float)
            x, y = a * u + b * v + c + right + 13.5, d * u + e * v + f + down + 13.5
            weight_x = np.maximum(0, 1 - np.abs(np.arange(28) - x))
            weight_y = np.maximum(0, 1 - np.abs(np.arange(28) - y))
            assert found[k, row, column] == pytest.approx(weight_y @ digits[k] @ weight_x, abs=5e-3)


def test_whole_shifts_and_quarter_turns_are_exact(digits):
    grid = np.pad(digits, ((0, 0), (2, 2), (2, 2)))
    # Read one pixel to the right of and two above: everything moves one to the left and two down.
    np.testing.assert_array_equal(reference(digits, rows(200, c2=1, c5=-2))[:, 2:, :-1], grid[:, :-2, 1:])
    turned = reference(digits, rows(200, c0=0, c1=-1, c3=1, c4=0))  # x = -v, y = u: counter-clockwise
    np.testing.assert_array_equal(turned, np.rot90(grid, axes=(1, 2)))


# ---- the fast code


@pytest.mark.parametrize("n", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 100])
def test_distorter_agrees_with_the_reference(digits, n):
    parameters = STANDARD.draw(0, 1, n)
    expected = reference(digits[:n], parameters)
    np.testing.assert_allclose(fast(digits[:n], parameters), expected, rtol=0, atol=4e-3)
    np.testing.assert_allclose(fast(digits[:n], parameters, capacity=7), expected, rtol=0, atol=4e-3)


def test_places_far_beyond_the_image_read_background(digits):
    parameters = STANDARD.draw(0, 1, 200)
    parameters[::2, 2] += np.linspace(-300, 300, 100)
    parameters[::3, 4] *= 9
    parameters[::5, 7] = 25
    digits = digits.copy()
    digits[::7] = 255  # ink up to the edge
    expected = reference(digits, parameters)
    assert (expected == 0).all(axis=(1, 2)).any()
    np.testing.assert_allclose(fast(digits, parameters), expected, rtol=0, atol=0.03)


def test_a_distorter_remembers_nothing(digits):
    parameters = STANDARD.draw(0, 1, 40)
    distorter, out = Distorter(64), np.empty((40, 1024), np.float32)
    distorter(np.full((33, 784), 255, np.uint8), STANDARD.draw(0, 2, 33), out[:33])
    distorter(digits[:40].reshape(40, 784), parameters, out)
    assert np.array_equal(out.reshape(40, 32, 32), fast(digits[:40], parameters))


def test_a_distorter_allocates_nothing_of_size_once_it_runs(digits):
    images, parameters = digits[:64].reshape(64, 784), STANDARD.draw(0, 1, 64)
    distorter, out = Distorter(64), np.empty((64, 1024), np.float32)
    distorter(images, parameters, out)
    tracemalloc.start()
    try:
        for _ in range(3):
            distorter(images, parameters, out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 120 * 1024  # NumPy's own buffers for casts; a single plane of a chunk would be 128 KiB


# ---- the readable engine


def trained(images, labels, backend=None, distortions=None):
    engine = LayeredEngine(LeNet5(seed=1, backend=backend), SGD())
    engine.load(images, labels)
    losses = engine.train(np.arange(50), 16, np.full(4, 0.05), distortions=distortions)
    return losses, engine.network.host_parameters()


def test_the_layered_engine_trains_on_distorted_images(mnist):
    """Images distorted beforehand by whole pixels, and images distorted in the step, are the same training."""
    images, labels = mnist.train.images[:50], mnist.train.labels[:50]
    moved = np.zeros_like(images)
    moved[:, 1:, :-2] = images[:, :-1, 2:]
    found = trained(images, labels, distortions=rows(50, c2=2, c5=-1))
    for array, expected in zip(found, trained(moved, labels), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(found[0], trained(images, labels)[0], rtol=1e-5)


def test_the_layered_engine_distorts_on_a_strict_device_without_waiting(mnist):
    images, labels = mnist.train.images[:50], mnist.train.labels[:50]
    distortions = STANDARD.draw(0, 1, 50)
    expected = trained(images, labels, distortions=distortions)
    backend = strict_cupy.StrictBackend()
    with backend.counting() as counters:
        found = trained(images, labels, backend, distortions)
    assert counters.syncs == 2  # the losses and the parameters, in the end
    for array, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=1e-6)


# ---- the picture


def picture_of(lenet_gpu_command, tmp_path, *arguments):
    from PIL import Image

    done = lenet_gpu_command("plot", "--augment", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / done.stdout.removeprefix("wrote     ").strip()
    with Image.open(path) as picture:
        return path.name, np.asarray(picture.convert("L"))


def test_plot_draws_varied_digits(lenet_gpu_command, tmp_path):
    name, pixels = picture_of(lenet_gpu_command, tmp_path)
    assert name == "augmentation.png"
    assert min(pixels.shape) > 900
    assert 0.05 < (pixels < 128).mean() < 0.3  # ink on paper


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "plot: found neither a folder nor --augment"),
        (("--augment", "--recipe", "classic"), "recipe classic: found images as they are"),
        (("--augment", "--recipe", "nothing"), "recipe: found 'nothing'"),
        (("--augment", "runs"), "plot --augment: found the folder runs, expected none"),
        (("runs", "--recipe", "classic"), "--recipe: found no --augment"),
    ],
)
def test_plot_refuses_what_it_can_not_draw(arguments, message, lenet_gpu_command, tmp_path):
    done = lenet_gpu_command("plot", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_samples_begin_with_the_image_as_it_is(digits):
    samples = varied_samples(digits[:4], replace(STANDARD, stroke_widths=(-0.4, 0.8)), 5)
    assert samples.shape == (4, 5, 32, 32)
    np.testing.assert_array_equal(samples[:, 0, 2:-2, 2:-2], digits[:4])
    assert (np.abs(samples[:, 1:] - samples[:, :1]).max(axis=(2, 3)) > 50).all()
