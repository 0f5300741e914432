"""Capital letters: all 26, in several styles, told apart by sight; and the files of styles that they come from."""

from string import ascii_uppercase

import numpy as np
import pytest

from lenet_gpu import seeds
from lenet_gpu.errors import InputError
from lenet_gpu.handwriting import LETTER_STYLES, draw_digits, draw_letters
from lenet_gpu.handwriting.templates import STYLES_FOLDER, read_styles, read_templates
from lenet_gpu.handwriting.variation import write
from lenet_gpu.ink.preprocess import drawings_to_mnist


def rng(stream=1):
    return seeds.generator(5, stream)


def average(stream, count=40):
    """Mean image of each letter: (26, 784)."""
    images = drawings_to_mnist(draw_letters(rng(stream), np.repeat(np.arange(26), count)))
    return images.reshape(26, count, -1).mean(axis=1)


def test_there_are_at_least_two_ways_to_write_each_letter():
    assert list(LETTER_STYLES) == list(range(26))
    for label, styles in LETTER_STYLES.items():
        names = [style.name for style in styles]
        assert len(set(names)) == len(names) >= 2
        assert all(name.split()[0] == ascii_uppercase[label] for name in names)


@pytest.mark.parametrize("style", [s for styles in LETTER_STYLES.values() for s in styles], ids=lambda s: s.name)
def test_every_style_draws_ink_and_no_two_drawings_are_the_same(style):
    drawings = write(rng(), style, 20)
    assert all(len(drawing) == len(style.bases) for drawing in drawings)
    images = drawings_to_mnist(drawings)
    assert (images.max(axis=(1, 2)) == 255).all()
    assert (images.mean(axis=(1, 2)) > 8).all()
    assert len({image.tobytes() for image in images}) == 20


def test_the_letters_differ_from_one_another():
    """The mean of 40 drawings of a letter is most like the mean of 40 others of the same letter, for all 26."""
    first, second = average(1), average(2)
    assert (np.corrcoef(first, second)[:26, 26:].argmax(axis=1) == np.arange(26)).all()


def test_letters_may_be_given_by_number_or_by_name():
    by_number = draw_letters(rng(), [0, 25, 7, 7])
    by_name = draw_letters(rng(), list("AZHH"))
    assert all(
        np.array_equal(s, t) for a, b in zip(by_number, by_name, strict=True) for s, t in zip(a, b, strict=True)
    )
    assert len(by_number) == len(by_name) == 4
    assert draw_letters(rng(), []) == []


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 26], "label 26 at position 1, expected labels 0..25"),
        ([-1], "label -1 at position 0"),
        (["A", "b"], "'b' at position 1, expected capital letters A to Z"),
        (["AB"], "'AB' at position 0"),
        ([0.5], "float64"),
    ],
)
def test_what_is_no_letter_is_refused(labels, words):
    with pytest.raises(InputError) as error:
        draw_letters(rng(), labels)
    assert words in str(error.value)


def test_what_is_no_digit_is_refused_and_not_drawn_as_nothing():
    with pytest.raises(InputError, match="label 10 at position 2"):
        draw_digits(rng(), [0, 9, 10])


# ---- the files of styles


def test_every_file_of_styles_is_read():
    """A file nobody reads would be dead data; a file that is missing from the wheel would show here."""
    names = {path.stem for path in STYLES_FOLDER.glob("*.txt")}
    assert names == {*"0123456789", "letters", "nondigit_letters", "nondigit_signs"}
    for name in names:
        assert len(read_styles(name)) == sum(
            1
            for line in (STYLES_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
            if line and not line.startswith(("#", " "))
        )


def test_number_signs_at_the_margin_are_comments():
    text = "# a comment\nbar 1\n    0,0 100,0\n# another\n    0,5 90,0\n"
    (template,) = read_templates(text)
    assert template.poses.shape == (2, 3, 2)
