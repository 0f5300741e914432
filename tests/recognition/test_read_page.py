"""Several digits in one picture: lines, touching digits, signs, and what predict_image says of it."""

from types import SimpleNamespace

import made_pictures as made
import made_texts
import numpy as np
import pytest
from PIL import Image

from lenet_gpu import Recognizer
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.seeds import generator


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("touch")


def page(mnist, lines, rng, gap=(0.2, 0.5), height=60):
    """A page of digits of the test set: which digits, (h, w) uint8 and the text."""
    by_label = {d: np.flatnonzero(mnist.test.labels == d)[:60] for d in range(10)}
    picture = np.full((2 * height * len(lines) + height, 900), 235, np.uint8)
    for row, line in enumerate(lines):
        x = 60
        for sign in line:
            ink = made.pasted(mnist.test.images[rng.choice(by_label[int(sign)])], int(height * rng.uniform(0.9, 1.1)))
            top = height // 2 + 2 * height * row + int(rng.integers(0, 6))
            there = picture[top : top + ink.shape[0], x : x + ink.shape[1]]
            np.minimum(there, np.rint(235 - 180 * ink).astype(np.uint8), out=there)
            x += ink.shape[1] + int(height * rng.uniform(*gap))
    return picture


def test_lines_of_digits_in_reading_order(recognizer, mnist):
    rng = generator(4, 4)
    right = total = 0
    for _ in range(4):
        lines = ["".join(rng.choice(list("0123456789"), rng.integers(2, 8))) for _ in range(rng.integers(1, 4))]
        found = recognizer.read_page(page(mnist, lines, rng))
        assert len(found.lines) == len(lines)
        for line, text in zip(found.lines, lines, strict=True):
            total += len(text)
            right += sum(a == b for a, b in zip(line.text, text, strict=False)) if len(line.text) == len(text) else 0
            assert [mark.box[0] for mark in line.digits] == sorted(mark.box[0] for mark in line.digits)
    assert right >= 0.93 * total


def test_digits_that_touch_are_cut(recognizer, mnist):
    rng = generator(4, 5)
    right = 0
    for _ in range(12):
        text = "".join(rng.choice(list("0235689"), 2))
        right += recognizer.read_page(page(mnist, [text], rng, gap=(-0.04, -0.02))).text == text
    assert right >= 6


def test_boxes_are_in_the_pictures_pixels(recognizer, mnist):
    picture = np.full((1500, 2000), 230, np.uint8)
    ink = made.pasted(mnist.test.images[0], 300)
    picture[600:900, 700 : 700 + ink.shape[1]] -= np.rint(150 * ink).astype(np.uint8)
    found = recognizer.read_page(picture)
    assert found.text == "7"
    np.testing.assert_allclose(found.digits[0].box, (700, 600, 700 + ink.shape[1], 900), atol=8)


def test_one_answer_for_one_digit_and_a_reason_for_several(recognizer, mnist):
    rng = generator(4, 6)
    answer = recognizer.predict_image(page(mnist, ["427"], rng))
    assert not answer.is_digit
    assert answer.reason == "three digits"


def test_signs(recognizer, mnist):
    rng = generator(4, 7)
    picture = page(mnist, ["3508"], rng, gap=(0.6, 0.7))
    columns = np.flatnonzero((picture < 150).any(axis=0))
    picture[62:67, 10:38] = 60  # a minus
    gap = np.flatnonzero(np.diff(columns) > 20)[1]
    x = (columns[gap] + columns[gap + 1]) // 2
    picture[84:91, x - 3 : x + 4] = 60  # a point
    found = recognizer.read_page(picture)
    assert found.text == "-35.08"
    assert [mark.sign for mark in found.lines[0].digits] == ["-", "", "", ".", "", ""]
    assert len(found.digits) == 4


def test_signs_of_times_dates_and_amounts(recognizer):
    """Shapes that were not learnt: of all marks of a text at most one is read otherwise."""
    rng = generator(4, 11)
    labels = np.arange(10).repeat(12)
    hands = SimpleNamespace(labels=labels, drawings=draw_digits(rng, labels))
    apart = {"digits": 0, "signs": 0}
    texts = ("12:45", "7'250.-", "24/03/2027", "-3,80", "555-208 43")
    for text in texts:
        ink = made_texts.written(text, hands, rng, 70, 0.08)
        found = recognizer.read_page(np.rint(230 - 160 * ink).astype(np.uint8)).text
        for kind, those in (("digits", "0123456789"), ("signs", ":'/.,-")):
            apart[kind] += [c for c in found if c in those] != [c for c in text if c in those]
    assert apart["signs"] == 0
    assert apart["digits"] <= 1


def test_whatever_holds_a_picture(recognizer, mnist, tmp_path):
    gray = 255 - np.pad(mnist.test.images[1], 12)
    alpha = 255 - gray
    Image.fromarray(gray).save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    Image.fromarray(np.rot90(gray)).convert("RGB").save(tmp_path / "turned.png", exif=exif)
    share = (255.0 - gray[:, :, None]) / 255.0  # as bright as its paper: red on green
    colored = np.rint((1.0 - share) * (100, 160, 100) + share * (200, 107, 110)).astype(np.uint8)
    assert np.ptp(np.asarray(Image.fromarray(colored).convert("L"))) < 3
    pictures = [
        colored,
        Image.fromarray(colored),
        gray,
        gray / 255.0,
        gray[:, :, None],
        np.stack([gray] * 3, axis=2),
        np.stack([gray, gray, gray, np.full_like(gray, 255)], axis=2),
        np.stack([np.zeros_like(gray), alpha], axis=2),
        np.stack([np.zeros_like(gray)] * 3 + [alpha], axis=2),
        Image.fromarray(gray).convert("RGB"),
        Image.merge("LA", [Image.new("L", gray.shape[::-1]), Image.fromarray(alpha)]),
        tmp_path / "a.png",
        str(tmp_path / "turned.png"),
        Image.open(tmp_path / "turned.png"),
    ]
    answers = recognizer.predict_images(pictures)
    assert [answer.digit for answer in answers] == [2] * len(pictures)
    assert all(answer.is_digit for answer in answers)


@pytest.mark.parametrize(
    "picture",
    [None, 3, "no such file.png", np.zeros((4, 4, 5), np.uint8), np.zeros((3, 0)), np.zeros((5, 5), np.int64), {}],
    ids=["None", "a number", "a missing file", "five channels", "empty", "int64", "a dict"],
)
def test_what_is_no_picture_is_one_line(recognizer, picture):
    with pytest.raises(InputError) as error:
        recognizer.predict_image(picture)
    assert "\n" not in str(error.value)
