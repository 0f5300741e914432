"""Fine-tuning learns one person's digits, and spoils nothing else."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu import LeNet5, Network, Recognizer, fine_tune, nn, seeds
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import KINDS, draw_nondigits
from lenet_gpu.handwriting.digits import STYLES
from lenet_gpu.handwriting.variation import write
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.nn import check_set, finetune
from lenet_gpu.nn.finetune import Head, head_of, learn
from lenet_gpu.nn.losses import softmax

ROOT = Path(__file__).resolve().parents[2]


# ---- the bundled digits


def test_the_check_set_is_what_its_record_says(mnist):
    record = json.loads(check_set.FILE.with_suffix(".json").read_text())
    bundled = check_set.load()
    images = np.concatenate([bundled.anchor_images, bundled.check_images])
    labels = np.concatenate([bundled.anchor_labels, bundled.check_labels])
    assert record["images"] == len(images) == len(labels)
    assert record["sha256_of_pixels"] == hashlib.sha256(images.tobytes()).hexdigest()
    assert check_set.FILE.stat().st_size < 400_000
    assert (np.bincount(bundled.anchor_labels) == 100).all()
    assert (np.bincount(bundled.check_labels) == 100).all()
    # None of them twice, all of them from the end of the training set, under MNIST's labels.
    last = zip(mnist.train.images[50_000:], mnist.train.labels[50_000:], strict=True)
    late = {image.tobytes(): label for image, label in last}
    assert len({image.tobytes() for image in images}) == len(images)
    assert [late[image.tobytes()] for image in images] == labels.tolist()
    assert not {image.tobytes() for image in images} & {image.tobytes() for image in mnist.test.images}


def test_the_script_makes_the_same_bytes(tmp_path):
    script = ROOT / "app" / "packaging" / "make_check_set.py"
    call = f"import runpy, sys, pathlib; runpy.run_path({str(script)!r})['write'](pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", call, str(tmp_path / "check_set.npz")], check=True, cwd=ROOT)
    assert (tmp_path / "check_set.json").read_bytes() == check_set.FILE.with_suffix(".json").read_bytes()
    with np.load(tmp_path / "check_set.npz") as made, np.load(check_set.FILE) as shipped:
        np.testing.assert_array_equal(made["images"], shipped["images"])


def test_drawings_that_are_no_digits_are_bundled(tmp_path):
    script, made = ROOT / "app" / "packaging" / "make_check_set.py", tmp_path / "no_digits.npz"
    call = (
        f"import runpy, sys, pathlib; runpy.run_path({str(script)!r})['write_no_digits'](pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", call, str(made)], check=True, cwd=ROOT)
    shipped = check_set.load_no_digits()
    with np.load(made) as again:
        assert np.abs(again["images"].astype(int) - shipped).max() <= 1  # of roundings
    assert shipped.shape == (check_set.NO_DIGITS, 28, 28)
    assert (answers(LeNet5.load("touch"), shipped) < 0).mean() > 0.95


# ---- learning


def test_learning_goes_down_to_where_the_cost_is_level(rng):
    def cost(head):
        z = np.concatenate([head.outputs(anchors), head.outputs(own)])
        log = z - np.log(np.exp(z).sum(1, keepdims=True))
        targets = np.concatenate([softmax(np, start.outputs(anchors)), wanted])
        weights = np.repeat([1.0, 0.5], [len(anchors), len(own)])
        moved = sum(((w - before) ** 2).sum() for w, before in zip(head, start, strict=True))
        return -(weights[:, None] * targets * log).sum() + finetune.STIFFNESS / 2 * moved

    def slope(head, way):
        ahead, behind = (Head(*(w + step * d for w, d in zip(head, way, strict=True))) for step in (1e-5, -1e-5))
        return (cost(ahead) - cost(behind)) / 2e-5

    anchors, own = (np.column_stack([rng.normal(0, 1, (n, 120)), np.ones(n)]) for n in (200, 20))
    wanted = np.eye(10)[rng.integers(0, 10, 20)]
    start = Head(rng.normal(0, 0.1, (84, 121)), rng.normal(0, 0.1, (10, 85)))
    found = learn(start, anchors, own, wanted, 0.5)
    right = [(head.outputs(own).argmax(1) == wanted.argmax(1)).mean() for head in (start, found)]
    assert right[0] < 0.5 < 0.9 < right[1]
    down = Head(*(w - before for w, before in zip(found, start, strict=True)))
    assert abs(slope(found, down)) < 0.05 * abs(slope(start, down))
    for k in range(2):  # in either layer
        way = Head(*(d * (i == k) for i, d in enumerate(down)))
        assert slope(start, way) < 0
        assert abs(slope(found, way)) < 0.1 * abs(slope(start, way))
    for w, before in zip(learn(start, anchors, own, wanted, 0.0), start, strict=True):
        np.testing.assert_allclose(w, before, atol=1e-4)  # where nothing is taught, nothing changes


# ---- fine-tuning


@pytest.fixture(scope="module")
def hand():
    """Digits of a hand that the model `mnist` has not seen: one of our templates a digit, the last of each."""
    rng = seeds.generator(20_264, 1)
    labels = np.repeat(np.arange(10), 16)
    drawings = [drawing for digit in range(10) for drawing in write(rng, STYLES[digit][-1], 16)]
    images = drawings_to_mnist(drawings)
    taught = np.arange(160) % 2 == 0
    return images[taught], labels[taught], images[~taught], labels[~taught]


def share(model, images, labels):
    return float((model.predict(images) == labels).mean())


def test_own_digits_are_read_better_and_others_no_worse(hand, mnist):
    images, labels, more, more_labels = hand
    model = LeNet5.load("mnist")
    parameters = model.host_parameters()
    found = fine_tune(model, images, labels)
    assert (found.accepted, found.reason) == (True, "done")
    assert found.before == pytest.approx(share(model, images, labels))
    assert found.after == pytest.approx(share(found.model, images, labels))
    assert found.after > found.before
    assert share(found.model, more, more_labels) > share(model, more, more_labels)  # not learnt
    checks, names = check_set.in_places(check_set.load().check_images), np.tile(check_set.load().check_labels, 5)
    assert found.check_before == pytest.approx(share(model, checks, names))
    assert found.check_after == pytest.approx(share(found.model, checks, names))
    assert found.check_after >= found.check_before - finetune.MOST_LOST - 1e-6
    test = mnist.test
    assert share(found.model, test.images, test.labels) > share(model, test.images, test.labels) - 0.002
    np.testing.assert_array_equal(model.host_parameters(), parameters)  # the model itself stays
    changed = {n for n, v in found.model.views.items() if not np.array_equal(v, model.views[n])}
    assert changed == set(finetune.LEARNT)


def test_the_result_is_a_model_like_any_other(hand, tmp_path):
    images, labels, *_ = hand
    model = LeNet5.load("touch")
    found = fine_tune(model, images, labels)
    found.model.save(tmp_path / "mine.npz")
    again = LeNet5.load(tmp_path / "mine.npz")
    np.testing.assert_array_equal(again.host_parameters(), found.model.host_parameters())
    assert again.extras["calibration.temperature"] == model.extras["calibration.temperature"]
    assert again.record["recipe"] == model.record["recipe"]
    assert again.record["fine_tuned"]["images"] == len(labels)
    assert "fine_tuned" not in model.record
    assert Recognizer(tmp_path / "mine.npz").predict_image(images[0]).digit in range(10)


def test_the_check_set_decides(hand):
    """Held against somebody who writes the same and means what the model reads, nothing is learnt."""
    images, labels, *_ = hand
    model = LeNet5.load("mnist")
    taught = fine_tune(model, images, labels).model
    before = model.predict(images)
    wrong = np.flatnonzero((before != labels) & (taught.predict(images) == labels))
    assert len(wrong)
    bundled = finetune.bundled_features(model)
    guard = finetune.Bundled(bundled.anchors, finetune.features(model, images[wrong]), before[wrong])
    found = fine_tune(model, images[wrong], labels[wrong], bundled=guard)
    assert (found.accepted, found.reason, found.check_after) == (False, "check_fell", 1.0)
    assert found.model.record["fine_tuned"]["accepted"] is False
    np.testing.assert_array_equal(found.model.host_parameters(), model.host_parameters())


@pytest.mark.parametrize(("right", "lost", "reason"), [(999, 1, "done"), (998, 2, "check_fell")])
def test_one_in_a_thousand_may_be_lost_and_no_more(hand, right, lost, reason):
    images, labels, *_ = hand
    model = LeNet5.load("mnist")
    taught = fine_tune(model, images, labels).model
    before = model.predict(images)
    wrong = np.flatnonzero((before != labels) & (taught.predict(images) == labels))[:1]
    bundled = finetune.bundled_features(model)
    easy = bundled.checks[: len(check_set.load().check_images)]
    names = check_set.load().check_labels
    good = np.flatnonzero(head_of(model).outputs(easy).argmax(axis=1) == names)[:1].repeat(right)  # lost by nobody
    own = finetune.features(model, images[wrong.repeat(lost)])
    checks = np.concatenate([easy[good], own]), np.concatenate([names[good], before[wrong.repeat(lost)]])
    found = fine_tune(model, images[wrong], labels[wrong], bundled=finetune.Bundled(bundled.anchors, *checks))
    assert found.reason == reason


def test_a_digit_is_moved_by_a_pixel_to_each_side():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 0, 5] = 9
    moved = check_set.in_places(image)
    assert [tuple(map(int, np.argwhere(one)[0])) if one.any() else None for one in moved] == [
        (0, 5), None, (1, 5), (0, 4), (0, 6)
    ]  # fmt: skip
    assert (moved.dtype, moved.sum()) == (np.uint8, 36)


def test_digits_already_read_right_change_nothing(mnist):
    model = LeNet5.load("mnist")
    right = np.flatnonzero(model.predict(mnist.train.images[:50]) == mnist.train.labels[:50])
    found = fine_tune(model, mnist.train.images[right], mnist.train.labels[right])
    assert (found.accepted, found.reason, found.before) == (False, "no_gain", 1.0)
    np.testing.assert_array_equal(found.model.host_parameters(), model.host_parameters())


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (lambda: LeNet5("paper"), "a network of 10 classes (paper)"),
        (lambda: LeNet5(classes=26), "a network of 26 classes (modern)"),
        (lambda: Network([nn.Flatten(), nn.Dense("output", 1024, 10)]), "a network of 10 classes (own layers)"),
    ],
)
def test_another_network_is_refused(network, found, hand):
    with pytest.raises(InputError, match="LeNet-5 with a softmax output for the ten digits") as caught:
        fine_tune(network(), *hand[:2])
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.empty((0, 28, 28), np.uint8), []),
        (np.zeros((2, 28, 28), np.uint8), [1]),
        (np.zeros((2, 28, 28), np.uint8), [1, 11]),
        (np.zeros((2, 8, 8), np.uint8), [1, 2]),
    ],
)
def test_other_arrays_are_refused(images, labels):
    with pytest.raises(InputError):
        fine_tune(LeNet5.load("mnist"), images, labels)


# ---- what is no digit, and what is refused


def test_what_is_refused_stays_refused_when_a_shape_that_was_refused_is_taught():
    model = LeNet5.load("touch")
    drawings, _ = draw_nondigits(seeds.generator(20_267, 0), 200, KINDS)
    nondigits = drawings_to_mnist(drawings)
    rng = seeds.generator(20_268, 0)
    found = fine_tune(model, jittered(rng, MIRRORED_NINE, 5), [9] * 5, refusals=True)
    assert (answers(found.model, jittered(rng, MIRRORED_NINE, 10)) == 9).mean() >= 0.9
    before, after = ((answers(one, nondigits) < 0).mean() for one in (model, found.model))
    assert after > before - 0.02


def answers(model, images):
    """What a person is told: a digit, or -1 for none."""
    probabilities = softmax(np, model.outputs(images) / model.extras["calibration.temperature"][0])
    return np.where(probabilities.max(axis=1) < 0.6, -1, probabilities.argmax(axis=1))


def jittered(rng, corners, count):
    return drawings_to_mnist([[np.array(c) + rng.normal(0, 1.5, (len(c), 2)) for c in corners] for _ in range(count)])


Y = [[[-14, -28], [0, -4]], [[14, -28], [-10, 32]]]
"""A letter that the model takes for a 4."""

MIRRORED_NINE = [
    [[-8, -16], [-6, -26], [4, -28], [14, -24], [16, -16], [12, -6], [4, -4], [-6, -8], [-8, -16], [-8, 30]]
]
"""A 9 the wrong way round, which it takes for no digit."""

OPEN_NINE = [[[24, -30], [-14, -28], [-14, -2], [24, -4]], [[24, -30], [14, 28], [-20, 30]]]
"""A 9 with corners, which it takes for no digit."""


def test_a_letter_is_taught_as_no_digit_and_no_check_digit_is_refused_for_it(rng):
    model = LeNet5.load("touch")
    letters, more = jittered(rng, Y, 5), jittered(rng, Y, 20)
    assert (answers(model, more) >= 0).mean() > 0.8
    found = fine_tune(model, letters, [10] * 5)
    assert (found.accepted, found.before) == (True, 0.0)
    assert found.after == (answers(found.model, letters) < 0).mean() > 0.5
    assert (answers(found.model, more) < 0).mean() > 0.5  # not learnt
    _, _, checks, labels = check_set.load()
    right = [int((answers(one, checks) == labels).sum()) for one in (model, found.model)]
    assert right[1] >= right[0]
    assert found.check_after >= found.check_before


def test_a_digit_that_is_refused_counts_as_misread_where_that_is_asked_for(rng):
    model = LeNet5.load("touch")
    nines = jittered(rng, OPEN_NINE, 12)
    refused = (answers(model, nines) < 0).mean()
    assert refused > 0.4
    plain = fine_tune(model, nines, [9] * 12)
    asked = fine_tune(model, nines, [9] * 12, refusals=True)
    assert (plain.before, asked.before) == (1.0, (answers(model, nines) == 9).mean())
    assert asked.accepted
    assert not plain.accepted
    assert asked.after == (answers(asked.model, nines) == 9).mean() > asked.before
