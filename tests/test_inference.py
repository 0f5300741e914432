"""The Recognizer and the shipped models."""

import json

import numpy as np
import pytest

from lenet_gpu import LeNet5, Recognizer
from lenet_gpu.errors import ModelFileError
from lenet_gpu.inference import WEIGHTS_FOLDER, shipped_models


@pytest.fixture(scope="module", params=shipped_models())
def name(request):
    return request.param


def test_there_is_a_shipped_model():
    assert "mnist" in shipped_models()


def test_shipped_model_reads_the_test_set_as_its_record_says(name, mnist):
    """On all 10,000 real test digits."""
    model = LeNet5.load(WEIGHTS_FOLDER / f"{name}.npz")
    accuracy = (model.predict(mnist.test.images) == mnist.test.labels).mean()
    assert accuracy == pytest.approx(model.record["test_accuracy"], abs=2e-4)
    assert accuracy >= 0.986


def test_shipped_model_has_its_record_beside_it(name, mnist):
    record = json.loads((WEIGHTS_FOLDER / f"{name}.json").read_text())
    assert record == LeNet5.load(WEIGHTS_FOLDER / f"{name}.npz").record
    assert record["digests"] == mnist.digests


def test_recognizer_reads_digits_anywhere_at_any_size_and_polarity(mnist):
    """300 real test digits, pasted off-centre and enlarged, light on dark and dark on light."""
    recognizer = Recognizer("mnist")
    right = 0
    for k, (image, label) in enumerate(zip(mnist.test.images[:300], mnist.test.labels[:300], strict=True)):
        canvas = np.zeros((160, 200), np.uint8)
        large = np.kron(image, np.ones((3, 3), np.uint8))
        canvas[5 + k % 70 :, 3 + k % 110 :][:84, :84] = large
        prediction = recognizer.predict_image(255 - canvas if k % 2 else canvas)
        right += prediction.digit == label
        assert prediction.is_digit
        assert prediction.confidence == prediction.probabilities.max()
    assert right >= 290


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
            layers = recognizer.network.forward(prediction.image[None])[0]
            np.testing.assert_allclose(prediction.probabilities, layers, atol=2e-6)
