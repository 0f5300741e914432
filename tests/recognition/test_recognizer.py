"""The Recognizer and the shipped models."""

import json

import numpy as np
import oracle
import pytest

from lenet_gpu import LeNet5, Recognizer
from lenet_gpu.errors import ModelFileError
from lenet_gpu.handwriting import KINDS, draw_nondigits
from lenet_gpu.nn.extras import TEMPERATURE
from lenet_gpu.nn.losses import softmax
from lenet_gpu.recognition.answers import Number, NumberDigit
from lenet_gpu.seeds import generator
from lenet_gpu.storage.shipped_models import WEIGHTS_FOLDER, shipped_models
from lenet_gpu.training.sources import noises


@pytest.fixture(scope="module", params=shipped_models())
def name(request):
    return request.param


def test_there_is_a_shipped_model():
    assert shipped_models() == ["mnist", "touch"]


def test_shipped_model_reads_the_test_set_as_its_record_says(name, mnist):
    """On all 10,000 real test digits."""
    model = LeNet5.load(WEIGHTS_FOLDER / f"{name}.npz")
    accuracy = (model.predict(mnist.test.images) == mnist.test.labels).mean()
    assert accuracy == pytest.approx(model.record["test_accuracy"], abs=2e-4)
    assert accuracy >= 0.992


def test_shipped_model_has_its_record_beside_it(name, mnist):
    record = json.loads((WEIGHTS_FOLDER / f"{name}.json").read_text())
    assert record == LeNet5.load(WEIGHTS_FOLDER / f"{name}.npz").record
    assert record["digests"] == mnist.digests


@pytest.mark.parametrize("name", ["mnist", "touch"])
def test_recognizer_reads_digits_anywhere_at_any_size_and_polarity(mnist, name):
    """300 real test digits, pasted off-centre and enlarged, light on dark and dark on light; few are refused."""
    recognizer = Recognizer(name)
    right = refused = 0
    for k, (image, label) in enumerate(zip(mnist.test.images[:300], mnist.test.labels[:300], strict=True)):
        canvas = np.zeros((160, 200), np.uint8)
        large = np.kron(image, np.ones((3, 3), np.uint8))
        canvas[5 + k % 70 :, 3 + k % 110 :][:84, :84] = large
        prediction = recognizer.predict_image(255 - canvas if k % 2 else canvas)
        right += prediction.digit == label
        refused += not prediction.is_digit
        assert prediction.confidence == prediction.probabilities.max()
    assert right >= 293
    assert refused <= 6


def test_letters_scribbles_and_muddles_are_mostly_refused_and_noise_always():
    recognizer = Recognizer("touch")
    for kind, least in (
        ("letter", 0.85),
        ("scribble", 0.8),
        ("two digits side by side", 0.9),
        ("digit rotated", 0.85),
    ):
        kinds = [name for name in KINDS if name.startswith(kind)]
        drawings, _ = draw_nondigits(generator(99, 1), 150, kinds)
        answers = [recognizer.predict_strokes(drawing) for drawing in drawings]
        assert np.mean([not answer.is_digit for answer in answers]) >= least, kind
        assert all(answer.reason for answer in answers if not answer.is_digit)
    # A few coarse black cells can look like a digit made of dots.
    assert np.mean([recognizer.read(field).is_digit for field in noises(generator(99, 2), 200)]) < 0.04


def test_a_model_without_non_digits_in_training_refuses_what_is_far_from_all_digits(mnist):
    recognizer = Recognizer("mnist")
    letters, _ = draw_nondigits(generator(99, 1), 200, [name for name in KINDS if name.startswith("letter")])
    refused = np.mean([not recognizer.predict_strokes(letter).is_digit for letter in letters])
    digits = np.mean([not recognizer.read(image).is_digit for image in mnist.test.images[:1000]])
    assert refused > 0.3
    assert digits < 0.02


@pytest.mark.parametrize("name", ["mnist", "touch"])
def test_noise_of_single_pixels_is_always_refused(name):
    recognizer = Recognizer(name)
    for margin in (0, 4):
        field = np.zeros((28, 28), np.uint8)
        for _ in range(50):
            inside = slice(margin, 28 - margin)
            field[inside, inside] = generator(99, 2).integers(0, 256, (28 - 2 * margin,) * 2)
            assert recognizer.read(field).reason == "noise"


def test_probabilities_are_those_of_the_softmax_at_the_models_temperature(mnist):
    recognizer = Recognizer("touch")
    temperature = float(recognizer.network.extras[TEMPERATURE][0])
    assert temperature != 1.0
    for image in mnist.test.images[:20]:
        expected = softmax(np, recognizer.network.readable_outputs(image[None]) / temperature)[0]
        np.testing.assert_allclose(recognizer.read(image).probabilities, expected, atol=1e-5)


def test_a_number_keeps_what_it_is_undecided_about():
    def digit(reason):
        return NumberDigit(4, np.full(10, 0.1), not reason, reason, np.zeros((28, 28), np.uint8), (0,), (0, 0, 1, 1))

    assert Number((digit(""), digit("undecided between 4 and 9"), digit("unlike any digit"))).text == "44?"


def test_blank_picture_is_not_a_digit():
    prediction = Recognizer("mnist").predict_image(np.full((50, 60), 255, np.uint8))
    assert not prediction.is_digit
    assert prediction.reason == "blank"


def test_default_recognizer_is_a_shipped_model():
    assert Recognizer().predict_image(np.zeros((9, 9), np.uint8)).reason == "blank"


def test_unknown_model_names_the_shipped_ones():
    with pytest.raises(ModelFileError, match="mnist"):
        Recognizer("nowhere")


def test_the_fast_path_equals_the_layers(mnist):
    """Also after the parameters have changed, once `refresh` was called."""
    recognizer = Recognizer("mnist")
    for changed in (False, True):
        if changed:
            recognizer.network.parameters *= 1.1
            recognizer.refresh()
        for image in mnist.test.images[:20]:
            prediction = recognizer.predict_image(image)
            layers = oracle.probabilities(recognizer.network, prediction.image[None])[0]
            np.testing.assert_allclose(prediction.probabilities, layers, atol=2e-6)
