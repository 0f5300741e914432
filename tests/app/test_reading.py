"""What is said about a prediction; colours and sheets."""

import numpy as np
import pytest

from app import heat
from app.heat import Sheet
from app.reading import NO_DIGIT, answer, number_answer, percent, spoken
from app.speech import Voice
from app.strings import LANGUAGES, Strings
from app.texts import TEXTS
from app.theme import HIGH_CONTRAST, THEMES, contrast, theme
from lenet_gpu.recognition.answers import Prediction
from lenet_gpu.recognition.recognizer import Recognizer

BLANK = np.zeros((28, 28), np.uint8)


def prediction(shares, is_digit=True, reason=""):
    rest = (1 - sum(shares.values())) / (10 - len(shares))
    p = np.array([shares.get(digit, rest) for digit in range(10)], np.float32)
    return Prediction(digit=int(p.argmax()), probabilities=p, is_digit=is_digit, reason=reason, image=BLANK)


def sentence(said):
    return TEXTS[said.key].format(**said.values) if said.key else ""


def test_a_clear_digit():
    said = answer(prediction({4: 0.97}))
    assert (said.kind, said.big, sentence(said.headline)) == ("digit", "4", "97 % sure")


def test_four_or_nine_is_said_with_the_reason():
    said = answer(prediction({4: 0.55, 9: 0.4}))
    assert (said.kind, said.big, sentence(said.headline)) == ("either", "4", "4 or 9?")
    assert "55 %" in sentence(said.line)
    assert "40 %" in sentence(said.line)
    assert sentence(spoken(said)) == "4 or 9"


def test_undecided_is_said_as_two_digits_and_a_number_keeps_the_better():
    torn = prediction({4: 0.5, 9: 0.45}, is_digit=False, reason="undecided between 4 and 9")
    said = answer(torn)
    assert (said.kind, said.big, sentence(said.headline)) == ("either", "4", "4 or 9?")
    assert sentence(said.line) == "4: 50 %, 9: 45 %. Too close to tell."
    number = number_answer([prediction({1: 0.99}), torn])
    assert (number.big, sentence(number.line)) == ("14", "Digit 2: 4 or 9?")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_said_in_every_language(language):
    words = Strings(language)

    def texts(said):
        return [words.logical(part.key, **part.values) for part in (said.headline, said.line)]

    torn = texts(answer(prediction({4: 0.5, 9: 0.45}, is_digit=False, reason="undecided between 4 and 9")))
    for number in ("4", "9", "50", "45"):
        assert number in torn[1]
    assert {"4", "9"} <= set(torn[0])
    reasons = ["unlike any digit", "noise", "bars", "speck"]
    said = [texts(answer(prediction({8: 0.99}, is_digit=False, reason=reason))) for reason in reasons]
    assert {headline for headline, _ in said} == {words.logical("not_digit")}
    assert len({line for _, line in said} | {torn[1]}) == len(reasons) + 1  # each its own, none left empty
    assert all(len(line) > 8 for _, line in said)


def test_reasons_are_those_that_the_recognizer_gives():
    strokes = np.array([[0.0, 0.0], [40.0, 0.0]])
    recognizer = Recognizer()
    noise = np.zeros((28, 28), np.uint8)
    noise[4:24, 4:24] = np.random.default_rng(1).integers(0, 2, (20, 20)) * 255
    found = [
        recognizer.predict_strokes([strokes]),
        recognizer.predict_strokes([np.zeros((1, 2))]),
        recognizer.predict_image(noise),
    ]
    assert [answer(one).line.key for one in found] == ["why_bars", "why_dot", "why_noise"]


def test_a_blank_canvas_says_nothing():
    said = answer(prediction({0: 0.9}, is_digit=False, reason="blank"))
    assert (said.kind, said.big, sentence(said.headline), sentence(said.line)) == ("blank", "", "", "")
    assert sentence(spoken(said)) == ""


@pytest.mark.parametrize("reason", ["unlike any digit", "noise", "bars", "anything new"])
def test_what_is_no_digit_is_said_plainly_with_a_reason(reason):
    said = answer(prediction({8: 0.99}, is_digit=False, reason=reason))
    assert (said.kind, said.big, sentence(said.headline)) == ("not_digit", "", "Not a digit")
    assert len(sentence(said.line)) > 10


def test_a_number_names_the_digit_it_is_least_sure_of():
    said = number_answer([prediction({1: 0.99}), prediction({4: 0.5, 9: 0.45}), prediction({7: 0.98})])
    assert (said.kind, said.big) == ("number", "147")
    assert sentence(said.line) == "Digit 2: 4 or 9?"
    assert sentence(number_answer([prediction({1: 0.99})]).headline) == "One digit so far."
    sure = number_answer([prediction({1: 0.99}), prediction({3: 0.99})])
    assert sentence(sure.headline) == "2 digits. Tap one to look at it."
    assert sentence(sure.line) == ""
    assert number_answer([]).kind == "blank"


def test_lines_and_the_users_word_are_in_the_text():
    marks = [prediction({digit: 0.99}) for digit in (1, 2, 3)]
    assert number_answer(marks, lines=(0, 0, 1)).big == "12\n3"
    assert number_answer(marks, (None, 7, NO_DIGIT), (0, 0, 1)).big == "17\n?"
    assert sentence(number_answer(marks).headline).startswith("3 digits")


def test_what_the_user_says_counts_and_what_was_read_is_named():
    said = answer(prediction({7: 0.99}), 9)
    assert (said.kind, said.big, sentence(said.headline), sentence(said.line)) == (
        "digit", "9", "9, you say", "I had read 7.",
    )  # fmt: skip
    said = answer(prediction({7: 0.3}, is_digit=False, reason="unlike any digit"), NO_DIGIT)
    assert (said.kind, said.big, sentence(said.line)) == ("not_digit", "", "I had read no digit.")


def test_a_number_marks_what_is_no_digit():
    said = number_answer([prediction({1: 0.99}), prediction({4: 0.5}, is_digit=False, reason="unlike any digit")])
    assert (said.big, sentence(said.line)) == ("1?", "Character 2: not a digit")


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100"), (0.997, "100"), (0.994, "99"), (0.5, "50"), (0.004, "<1"), (0.0, "0")]
)
def test_per_cents_hide_no_doubt(share, text):
    assert percent(share) == text


def test_every_palette_can_be_read():
    for name, colours in THEMES.items():
        for back in (colours.ground, colours.surface, colours.raised):
            assert contrast(colours.text, back) >= 7, name
            assert contrast(colours.muted, back) >= 4.5, name
            assert contrast(colours.focus, back) >= 3, name
        assert contrast(colours.contrary, colours.accent) >= 4.5, name
    assert contrast(HIGH_CONTRAST.text, HIGH_CONTRAST.surface) >= 15
    assert contrast(HIGH_CONTRAST.contrary, HIGH_CONTRAST.accent) >= 7
    assert theme("dark", True) is HIGH_CONTRAST
    assert theme("no such", False) is THEMES["calm"]
    assert contrast(HIGH_CONTRAST.text, (0.0, 0.0, 0.0, 1.0)) == pytest.approx(21)


def test_palettes_are_those_of_the_settings():
    from app.settings import PALETTES

    assert set(THEMES) == set(PALETTES)


def test_colours_run_from_below_over_zero_to_above():
    for colours in (*THEMES.values(), HIGH_CONTRAST):
        table = heat.table(colours)
        shown = heat.colors(np.array([[-9.0, 0.0, 9.0, np.nan]]), table)
        expected = [colours.below, colours.zero, colours.above, colours.zero]
        assert np.abs(shown[0] - np.array(expected)[:, :3] * 255).max() <= 2


def test_a_sheet_lays_maps_and_finds_units_again(rng):
    for sheet in (Sheet(16, 8, 10, 10), Sheet(6, 6, 28, 28), Sheet(84, 28, 1, 1, 0), Sheet(7, 3, 4, 5)):
        maps = rng.normal(size=(sheet.count, sheet.height, sheet.width)).astype(np.float32)
        laid = sheet.lay(maps)
        assert laid.shape == sheet.shape
        assert np.nansum(laid) == pytest.approx(maps.sum(), rel=1e-4)
        height, width = sheet.shape
        for row in range(height):
            for column in range(width):
                unit = sheet.unit_at((column + 0.5) / width, (row + 0.5) / height)
                if not np.isnan(laid[row, column]):
                    assert maps[unit] == laid[row, column]
    assert Sheet(7, 3, 4, 5).unit_at(0.9, 0.9) is None
    assert Sheet(7, 3, 4, 5).unit_at(1.1, 0.5) is None


def test_a_voice_speaks_through_a_command(tmp_path):
    heard = tmp_path / "heard"
    command = tmp_path / "espeak"
    command.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {heard}\n')
    command.chmod(0o755)
    voice = Voice(lambda name: str(command) if name == "espeak" else None)
    assert voice.available
    assert voice.say("4 or 9", "de")
    voice._running.wait(10)
    assert heard.read_text() == "-v|de|4 or 9|"
    assert not voice.say("")


def test_without_a_voice_nothing_is_offered():
    voice = Voice(lambda name: None)
    assert not voice.available
    assert not voice.say("4")
