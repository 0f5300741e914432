"""Ink in any light and on any paper: light, rules, frames, strips, specks, and the width of lines."""

import time

import made_pictures as made
import numpy as np
import pytest

from lenet_gpu import Recognizer
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.ink.components import pieces_of
from lenet_gpu.ink.find_ink import find_ink, nothing
from lenet_gpu.ink.line_width import THICKEST, THINNEST, line_width, with_usual_lines
from lenet_gpu.ink.outlines import greatest_outlined
from lenet_gpu.ink.polarity import is_light_on_dark
from lenet_gpu.ink.shadows import without_shadow
from lenet_gpu.ink.windows import closed, greatest, pooled
from lenet_gpu.seeds import generator


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("touch")


def reading(recognizer, mnist, names, n, seed=5):
    """How many of n digits with these nuisances are read right, and how many wrong and sure."""
    rng = generator(seed, 1)
    right = wrong = 0
    for k in range(n):
        ink = made.pasted(mnist.test.images[k], int(rng.integers(90, 200)))
        picture = made.picture_of(made.scene_of(ink, (300, 400), rng), names, rng, inverted=k % 4 == 3)
        answer = recognizer.predict_image(picture)
        right += answer.is_digit and answer.digit == mnist.test.labels[k]
        wrong += answer.is_digit and answer.digit != mnist.test.labels[k] and answer.confidence > 0.9
    return right, wrong


@pytest.mark.parametrize("name", made.NUISANCES)
def test_each_nuisance_leaves_most_digits_readable(name, recognizer, mnist):
    """A short form of tests/campaigns/pictures.py."""
    right, wrong = reading(recognizer, mnist, (name,), 8)
    assert right >= 7
    assert wrong <= 1


def test_nuisances_in_pairs(recognizer, mnist):
    pairs = [("ruled", "hard shadow"), ("strip", "soft shadow"), ("frame", "specks"), ("security print", "JPEG 30")]
    counts = [reading(recognizer, mnist, pair, 5) for pair in pairs]
    assert sum(right for right, _ in counts) >= 17
    assert sum(wrong for _, wrong in counts) <= 1


def test_digits_cropped_to_their_ink_read_as_with_ground(recognizer, mnist):
    for inverted in (False, True):
        right = [0, 0]
        for image, label in zip(mnist.test.images[:60], mnist.test.labels[:60], strict=True):
            rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
            crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            for k, ground in enumerate((0, 4)):
                picture = np.pad(crop, ground)
                answer = recognizer.predict_image(picture if inverted else 255 - picture)
                right[k] += answer.is_digit and answer.digit == label
        assert right[0] >= right[1] - 2
        assert right[0] >= 57


@pytest.mark.parametrize("pen", [0.005, 0.02, 0.25])
def test_lines_of_any_width(pen, recognizer):
    labels = np.arange(10).repeat(2)
    right = 0
    for drawing, label in zip(draw_digits(generator(3, 4), labels), labels, strict=True):
        ink = np.pad(made.drawn(drawing, 200, pen), 30)
        answer = recognizer.predict_image(np.rint(255 - 200 * ink).astype(np.uint8))
        right += answer.is_digit and answer.digit == label
    assert right >= 17


def test_width_of_lines_and_redrawing():
    ink = np.zeros((200, 120), np.float32)
    ink[10:190, 50:53] = 1.0
    assert line_width(ink) == pytest.approx(3.0 * 4 / np.pi, rel=0.05)
    thin = with_usual_lines(ink[10:190, 40:63])
    assert THINNEST < line_width(thin) * 20 / max(thin.shape) < THICKEST
    ordinary = np.zeros((200, 120), np.float32)
    ordinary[:, 50:70] = 1.0
    assert with_usual_lines(ordinary) is ordinary
    assert not line_width(np.zeros((30, 30), np.float32))


def test_pieces_against_a_flood_fill(rng):
    for _ in range(30):
        mask = rng.random(rng.integers(1, 16, 2)) < rng.random()
        pieces = pieces_of(mask)
        left = mask.copy()
        count = 0
        while left.any():
            grown = np.zeros_like(mask)
            grown[tuple(np.argwhere(left)[0])] = True
            while True:
                wider = greatest(grown, 3) & mask
                if np.array_equal(wider, grown):
                    break
                grown = wider
            label = np.flatnonzero(
                [pieces.mask(np.arange(len(pieces)) == k)[grown].all() for k in range(len(pieces))]
            )
            assert len(label) == 1
            rows, columns = np.nonzero(grown)
            assert pieces.areas[label[0]] == grown.sum()
            box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
            assert tuple(pieces.boxes[label[0]]) == box
            assert pieces.sums(np.ones(mask.shape, np.float32))[label[0]] == grown.sum()
            left &= ~grown
            count += 1
        assert len(pieces) == count


def test_windows(rng):
    picture = rng.integers(0, 256, (23, 31)).astype(np.uint8)
    for window in (1, 3, 7, 11):
        padded = np.pad(picture, window // 2, mode="edge")
        around = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
        np.testing.assert_array_equal(greatest(picture, window), around.max(axis=(2, 3)))
    assert (closed(picture, 5) >= picture).all()
    half = np.where(np.add.outer(2 * np.arange(60), np.arange(80)) > 100, np.uint8(100), np.uint8(220))
    np.testing.assert_array_equal(closed(half, 21), half)  # a shadow's edge stays, up to the picture's edges
    np.testing.assert_array_equal(pooled(np.kron(picture, np.ones((3, 3), np.uint8)), 3), picture)


def test_polarity_of_crops_and_scenes(mnist):
    rng = generator(8, 8)
    for image in mnist.test.images[:40]:
        rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert is_light_on_dark(crop)
        assert not is_light_on_dark(255 - crop)
        picture = made.picture_of(made.scene_of(made.pasted(image, 120), (300, 400), rng), ("hard shadow",), rng)
        assert is_light_on_dark(255 - picture) or not is_light_on_dark(picture)


def test_polarity_where_a_shadow_meets_a_strip():
    """The light band between both is not the ink: what of it is set off, is so on two sides alone."""
    y, x = np.mgrid[:300, :400]
    for drawing in draw_digits(generator(1, 11), np.array([3, 5, 8])):
        scene = made.scene_of(made.drawn(drawing, 90, 0.07), (300, 400))
        picture = made.picture_of(scene, (), None)
        picture = np.where(y < 110 + 0.1 * x, 0.6 * picture, picture).astype(np.uint8)
        picture[-60:] = 40
        assert not is_light_on_dark(picture)
        assert is_light_on_dark(255 - picture)


def test_a_gap_between_strokes_is_no_light_ink():
    y, x = np.mgrid[:300, :400]
    picture = np.where(abs(np.hypot((y - 140) / 1.3, x - 180) - 35) < 2.5, np.uint8(90), np.uint8(220))
    assert greatest_outlined(picture) > 0.0
    assert greatest_outlined(255 - picture) < 0.1 * greatest_outlined(picture)


def test_a_thick_line_in_fading_light_is_inked_all_through():
    rng = generator(2, 9)
    ink = made.scene_of(made.drawn(draw_digits(rng, np.array([2]))[0], 140, 0.13), (600, 800), rng).ink
    light = 1 - 0.2 * np.linspace(0, 1, 800)
    found = find_ink(np.rint((205 - 120 * ink) * light + rng.normal(0, 2, ink.shape)).astype(np.uint8))
    assert found.ink[ink == 1].mean() > 0.8


def test_nothing_of_a_printed_pattern_is_ink():
    rng = generator(4, 12)
    for drawing in draw_digits(rng, np.array([2, 4, 7])):
        scene = made.scene_of(made.drawn(drawing, 90, 0.1), (300, 400))
        top, left, bottom, right = scene.box
        ink = find_ink(made.picture_of(scene, ("security print",), rng)).ink
        assert (ink > 0.5).any()
        ink[top - 6 : bottom + 6, left - 6 : right + 6] = 0.0
        assert not ink.any()


def test_boxes_and_combs_are_told_from_writing():
    picture = np.full((200, 300), 230, np.uint8)
    picture[40:140, [50, 51, 120, 121, 190, 191]] = 120
    picture[138:140, 50:192] = 120
    picture[60:120, 80:86] = 70  # in the first cell, free
    picture[60:138, 150:156] = 70  # in the second, down to the line
    found = find_ink(picture)
    assert not found.ink[:, 45:75].any()
    assert not found.ink[138:, 160:].any()
    assert (found.ink[60:120, 80:86] > 0.9).all()
    assert (found.ink[60:136, 150:156] > 0.9).all()
    assert len(found.pieces) == 2
    alone = find_ink(np.where(picture == 70, np.uint8(230), picture))
    assert nothing(alone) == "only a frame"


def test_rings_and_lines_below_are_no_part_of_digits():
    picture = np.full((300, 500), 230, np.uint8)
    picture[60:120, 80:86] = 70  # a 1 with two lines below
    picture[130:134, 60:110] = picture[140:144, 62:108] = 70
    picture[60:120, 250:254] = picture[56:60, 230:256] = 70  # a 7 in one piece, a 5's bar above what is below
    picture[150:154, 230:256] = picture[160:220, 250:256] = 70
    y, x = np.mgrid[:300, :500]
    ring = abs(np.hypot((y - 100) / 1.1, x - 400) - 60) < 2
    picture[ring] = 70
    zero = picture.copy()
    picture[70:130, 396:402] = 70
    found = find_ink(picture)
    assert not found.ink[125:, :120].any()
    assert not found.ink[ring].any()
    assert (found.rules[ring]).mean() > 0.9
    assert (found.ink[150:154, 230:256] > 0.9).all()
    assert len(found.pieces) == 5
    assert (find_ink(zero).ink[ring] > 0.4).mean() > 0.9  # with nothing inside it is a digit


def test_a_narrow_shadow_across_a_digit_is_no_ink(recognizer):
    y, x = np.mgrid[:300, :400]
    read = []
    for drawing in draw_digits(generator(1, 12), np.array([3, 5, 8])):
        ink = made.scene_of(made.drawn(drawing, 120, 0.08), (300, 400)).ink
        shadow = 1 - 0.4 * np.clip((45 - np.hypot(np.maximum(x - 210, 0), y - 150)) / 6 + 0.5, 0, 1)
        read.append(recognizer.predict_image(np.rint((230 - 160 * ink) * shadow).astype(np.uint8)))
        assert without_shadow(find_ink(np.rint(230 - 160 * ink).astype(np.uint8))) is None
    assert [answer.digit for answer in read] == [3, 5, 8]
    assert all(answer.is_digit for answer in read)


def test_a_desk_beside_the_sheet_is_no_ink():
    rng = generator(1, 13)
    y, x = np.mgrid[:300, :400]
    ink = made.scene_of(made.drawn(draw_digits(rng, np.array([5]))[0], 120, 0.08), (300, 400)).ink
    beside = x < 70 + 0.1 * y
    even = np.where(beside, 90, 230 - 160 * ink)
    wood = np.where(beside, 110 + 30 * np.sin(y / 3 + 3 * np.sin(x / 20)), 230 - 160 * ink)
    for picture in (even, wood):
        found = find_ink(np.rint(picture).astype(np.uint8))
        assert not found.ink[beside].any()
        assert found.ink.max() == 1.0
        assert len(found.pieces) <= 2


def test_what_was_taken_for_rules_and_sides():
    picture = np.full((300, 400), 230, np.uint8)
    picture[60::50] = 170
    picture[:, -40:] = 60
    picture[100:200, 150:165] = 70
    found = find_ink(picture)
    assert found.rules[110].mean() > 0.8
    assert not found.rules[130].any()
    assert not found.sides[:, :-45].any()  # a strip is paper of its own, or a side
    assert not found.ink[:, -45:].any()
    rows, columns = np.nonzero(found.ink > 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 199, 150, 164)


def test_reasons_where_there_is_no_digit(recognizer, rng):
    blank = np.full((200, 300), 240, np.uint8)
    assert nothing(find_ink(blank)) == "blank"
    frame = blank.copy()
    frame[:5] = frame[-5:] = frame[:, :5] = frame[:, -5:] = 30
    assert recognizer.predict_image(frame).reason == "only a frame"
    ruled = blank.copy()
    ruled[20::40] = 150
    assert recognizer.predict_image(ruled).reason == "only lines"
    faint = blank.copy()
    faint[50:150, 140:152] = 234
    assert recognizer.predict_image(faint).reason == "too faint"
    assert recognizer.read_page(faint).reason == "too faint"
    grain = np.clip(blank + rng.normal(0, 3, blank.shape), 0, 255).astype(np.uint8)
    assert not recognizer.predict_image(grain).is_digit


def test_twelve_megapixels_in_about_a_second(mnist):
    picture = np.full((3000, 4000), 225, np.uint8)
    ink = made.pasted(mnist.test.images[0], 700)
    picture[900:1600, 1500 : 1500 + ink.shape[1]] -= np.rint(150 * ink).astype(np.uint8)
    picture += generator(1, 1).integers(0, 9, picture.shape, dtype=np.uint8)
    find_ink(picture)
    began = time.process_time()
    found = find_ink(picture)
    assert time.process_time() - began < 2.0  # half of it on a quiet machine
    assert found.scale == 4
    assert found.ink.any()
