"""Tuning learns the user's digits, forgets nobody else's, and can always be undone."""

import os

import numpy as np
import pytest

from app import tune
from app.samples import Sample
from app.texts import TEXTS
from app.tune import FILE, Tuner
from lenet_gpu.errors import InputError
from lenet_gpu.nn import check_set, finetune
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.losses import softmax
from lenet_gpu.recognition.recognizer import Recognizer
from lenet_gpu.storage.shipped_models import model_path


def own_digit(shift=0.0):
    """A seven with a bar, a hook and a foot: read as something else by the shipped model, or the test is void."""
    wobble = [[0, shift], [shift, 0]]
    return [
        np.array([[2, 8], [3, 0], [20, 0 + shift], [10, 30], [16, 32]], dtype=np.float32),
        np.array([[4, 15], [22, 15]], dtype=np.float32) + np.array(wobble, dtype=np.float32),
    ]


@pytest.fixture
def recognizer():
    return Recognizer("mnist")


@pytest.fixture
def samples(recognizer):
    """Digits under labels that the model does not give them."""
    found = []
    for i in range(12):
        sample = Sample(own_digit(i / 4), 0, None)
        read = recognizer.predict_image(sample.image()).digit
        found.append(Sample(sample.strokes, 7 if read != 7 else 4, read))
    return found


def probabilities(recognizer, mnist):
    return np.stack([recognizer.predict_image(image).probabilities for image in mnist.train.images[:20]])


def read_right(recognizer, samples):
    return np.mean([recognizer.predict_image(sample.image()).digit == sample.label for sample in samples])


def check_share(network):
    bundled = check_set.load()
    labels = np.tile(bundled.check_labels, len(check_set.PLACES))
    return np.mean(network.predict(check_set.in_places(bundled.check_images)) == labels)


# ---- tuning


def test_tuning_learns_the_users_digits_and_keeps_the_others(recognizer, samples, tmp_path):
    assert read_right(recognizer, samples) == 0.0
    before = {name: view.copy() for name, view in recognizer.network.views.items()}
    tuner = Tuner(recognizer, tmp_path / "user")
    result = tuner.tune(samples)
    assert (result.accepted, result.reason, result.before) == (True, "tune_done", 0.0)
    assert result.after == pytest.approx(read_right(recognizer, samples))
    assert result.after >= 0.5
    assert result.check_after >= result.check_before - finetune.MOST_LOST - 1e-6
    assert result.check_after == pytest.approx(check_share(recognizer.network))
    assert result.check_before == pytest.approx(check_share(LeNet5.load(model_path("mnist"))))
    changed = {n for n, view in recognizer.network.views.items() if not np.array_equal(view, before[n])}
    assert changed == set(finetune.LEARNT)
    assert tuner.tuned


def test_a_tuned_model_is_a_model_file_and_comes_back(recognizer, samples, tmp_path, mnist):
    Tuner(recognizer, tmp_path).tune(samples)
    assert os.listdir(tmp_path) == [FILE]
    np.testing.assert_array_equal(
        LeNet5.load(tmp_path / FILE).host_parameters(), recognizer.network.host_parameters()
    )
    again = Recognizer("mnist")
    tuner = Tuner(again, tmp_path)
    assert not tuner.tuned
    assert tuner.load() == ""
    assert tuner.tuned
    np.testing.assert_array_equal(probabilities(again, mnist), probabilities(recognizer, mnist))


def test_one_call_goes_back_to_the_shipped_model(recognizer, samples, tmp_path, mnist):
    shipped = probabilities(recognizer, mnist)
    tuner = Tuner(recognizer, tmp_path)
    tuner.tune(samples)
    assert not np.array_equal(probabilities(recognizer, mnist), shipped)
    tuner.reset()
    np.testing.assert_array_equal(probabilities(recognizer, mnist), shipped)
    assert not tuner.tuned
    assert os.listdir(tmp_path) == []
    tuner.reset()  # nothing to do is fine


def test_tuning_twice_is_tuning_once(recognizer, samples, tmp_path):
    tuner = Tuner(recognizer, tmp_path)
    first = tuner.tune(samples)
    parameters = recognizer.network.host_parameters()
    assert tuner.tune(samples) == first
    np.testing.assert_array_equal(recognizer.network.host_parameters(), parameters)


def test_wrong_lessons_are_refused(recognizer, mnist, tmp_path, monkeypatch):
    """Digits that look like everybody's, under wrong names: learning them would spoil the check digits."""
    monkeypatch.setattr(tune, "drawings_to_mnist", lambda drawings: mnist.train.images[: len(drawings)])
    stroke = [np.zeros((1, 2), dtype=np.float32)]
    wrong = [Sample(stroke, int(9 - label), None) for label in mnist.train.labels[:400]]
    shipped = recognizer.network.host_parameters()
    tuner = Tuner(recognizer, tmp_path)
    monkeypatch.setattr(finetune, "SAMPLE_WEIGHTS", (2.0,))
    result = tuner.tune(wrong)
    assert (result.accepted, result.reason) == (False, "tune_check_fell")
    assert (result.after, result.check_after) == (result.before, result.check_before)
    np.testing.assert_array_equal(recognizer.network.host_parameters(), shipped)
    assert os.listdir(tmp_path) == []
    assert not tuner.tuned


def test_digits_already_read_right_change_nothing(recognizer, tmp_path):
    stroke = [np.array([[10, 0], [10, 30]], dtype=np.float32)]
    result = Tuner(recognizer, tmp_path).tune([Sample(stroke, 1, 1)] * 3)
    assert (result.accepted, result.before, result.reason) == (False, 1.0, "tune_no_gain")


def test_nothing_is_learnt_from_nothing(recognizer, tmp_path):
    assert Tuner(recognizer, tmp_path).tune([]).reason == "tune_few"


def test_another_network_is_left_alone(tmp_path):
    recognizer = Recognizer("mnist")
    recognizer.network = LeNet5(variant="paper", seed=1)
    tuner = Tuner(recognizer, tmp_path)
    assert tuner.tune([Sample(own_digit(), 7, None)]).reason == "tune_other_network"
    assert tuner.load() == ""


def test_every_reason_has_a_text():
    for key in ("done", "done_one", "few", "check_fell", "no_gain", "no_gain_one", "other_network"):
        assert f"tune_{key}" in TEXTS
    assert {"tuned_aside", "tuned_outdated"} <= TEXTS.keys()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_a_broken_tuned_file_is_set_aside(recognizer, samples, tmp_path, content, mnist):
    shipped = probabilities(recognizer, mnist)
    if content is None:  # a torn copy of a real one
        Tuner(Recognizer("mnist"), tmp_path).tune(samples)
        content = (tmp_path / FILE).read_bytes()[:50_000]
    (tmp_path / FILE).write_bytes(content)
    tuner = Tuner(recognizer, tmp_path)
    assert tuner.load() == "tuned_aside"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {f"{FILE}.broken": content}
    np.testing.assert_array_equal(probabilities(recognizer, mnist), shipped)
    assert (tuner.tuned, tuner.load()) == (False, "")


def test_a_tuning_of_another_shipped_model_is_set_aside(recognizer, tmp_path):
    other = LeNet5(seed=5)
    other.save(tmp_path / FILE)
    shipped = recognizer.network.host_parameters()
    assert Tuner(recognizer, tmp_path).load() == "tuned_outdated"
    assert os.listdir(tmp_path) == [f"{FILE}.outdated"]
    np.testing.assert_array_equal(recognizer.network.host_parameters(), shipped)


def test_a_place_that_cannot_be_written_changes_nothing(recognizer, samples, tmp_path):
    (tmp_path / "user").write_text("")
    tuner = Tuner(recognizer, tmp_path / "user")
    shipped = recognizer.network.host_parameters()
    with pytest.raises(InputError):
        tuner.tune(samples)
    np.testing.assert_array_equal(recognizer.network.host_parameters(), shipped)
    assert not tuner.tuned


def test_a_fit_touches_nothing_until_it_is_accepted(recognizer, samples, tmp_path, mnist):
    shipped = probabilities(recognizer, mnist)
    tuner = Tuner(recognizer, tmp_path)
    fit = tuner.fit(samples)
    np.testing.assert_array_equal(probabilities(recognizer, mnist), shipped)
    assert os.listdir(tmp_path) == []
    assert tuner.accept(fit).accepted
    np.testing.assert_array_equal(finetune.head_of(recognizer.network).output, fit.head.output)
    x = finetune.features(recognizer.network, samples[0].image()[None])
    np.testing.assert_allclose(
        recognizer.predict_image(samples[0].image()).probabilities, softmax(np, fit.head.outputs(x))[0], atol=1e-4
    )
