"""Many pictures at once: the network reads them in batches, and says of each what it says of it alone."""

import made_pictures as made
import numpy as np
import pytest

from lenet_gpu import Recognizer
from lenet_gpu.errors import InputError
from lenet_gpu.recognition.fields import BATCH
from lenet_gpu.seeds import generator


def decision(answer):
    return answer.digit, answer.is_digit, answer.reason, answer.image.tobytes()


@pytest.mark.parametrize("model", ["touch", "mnist"])
def test_a_batch_says_what_single_calls_say(model, mnist):
    recognizer, rng = Recognizer(model), generator(6, 1)
    pictures = [*mnist.train.images[:30], np.zeros((50, 50), np.uint8), np.full((40, 60), 200, np.uint8)]
    pictures += [rng.integers(0, 256, (28, 28)).astype(np.uint8)]
    pair = np.zeros((60, 120), np.uint8)
    pair[10:38, 20:48], pair[10:38, 60:88] = mnist.train.images[1], mnist.train.images[4]
    pictures += [
        pair,
        made.picture_of(made.scene_of(made.pasted(mnist.train.images[7], 90), (200, 300)), ("slope",), rng),
    ]
    answers = recognizer.predict_images(pictures)
    alone = [recognizer.predict_image(picture) for picture in pictures]
    assert [decision(answer) for answer in answers] == [decision(answer) for answer in alone]
    assert "two digits" in {answer.reason for answer in answers}
    for a, b in zip(answers, alone, strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-5)


def test_the_network_runs_once_for_a_batch(mnist, monkeypatch):
    recognizer, calls = Recognizer("touch"), []
    run = recognizer._fields._pass
    monkeypatch.setattr(recognizer._fields, "_pass", lambda fields: calls.append(len(fields)) or run(fields))
    recognizer.predict_images(iter(mnist.train.images[: 2 * BATCH]))
    assert calls[:1] == [BATCH]
    assert len(calls) <= 4  # but for digits at a limit


def test_none_and_what_is_no_picture(mnist):
    recognizer = Recognizer("touch")
    assert recognizer.predict_images([]) == []
    with pytest.raises(InputError):
        recognizer.predict_images([mnist.train.images[0], None])
