"""Translations are complete, and Hebrew comes out in the order in which a reader sees it."""

import importlib
import string

import pytest

from app.strings import LANGUAGES, Strings, language_name, visual
from app.texts import TEXTS

OTHERS = tuple(code for code in LANGUAGES if code != "en")


def table(language):
    return importlib.import_module(f"app.translations.{language}").TEXTS


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_nothing_else(language):
    assert table(language).keys() == TEXTS.keys()


@pytest.mark.parametrize("language", OTHERS)
def test_every_translation_takes_the_same_values_and_has_as_many_lines(language):
    for key, text in table(language).items():
        assert placeholders(text) == placeholders(TEXTS[key]), key
        assert text.count("\n") == TEXTS[key].count("\n"), key
        assert text == text.strip(), key


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_was_left_in_english(language):
    same = {key for key, text in table(language).items() if text == TEXTS[key]}
    assert {key for key in same if placeholders(TEXTS[key]) == []} == set()


def test_hebrew_texts_are_hebrew_in_letters_the_font_has():
    for key, text in table("he").items():
        letters = {c for c in text if ord(c) > 0x2FF} - set("…„”")
        assert letters or not any(c.isalpha() for c in "".join(t for t, *_ in string.Formatter().parse(text))), key
        assert all(0x5D0 <= ord(c) <= 0x5EA or c == "\u05be" for c in letters), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_filled_in(language):
    strings = Strings(language)
    for key, text in TEXTS.items():
        values = dict.fromkeys(placeholders(text), "17")
        for filled in (strings(key, **values), strings.logical(key, **values)):
            assert filled
            assert "{" not in filled
        assert sorted(strings.logical(key, **values)) == sorted(strings(key, **values)), key


def test_languages_are_named_in_themselves():
    assert [language_name(code) for code in LANGUAGES] == ["English", "Deutsch", "עברית"[::-1]]


def test_only_hebrew_runs_from_right_to_left():
    assert [code for code in LANGUAGES if Strings(code).rtl] == ["he"]
    assert Strings("de").visual("Ziffer (1)") == "Ziffer (1)"


def test_an_unknown_language_is_english_and_an_unknown_key_shows():
    assert Strings("xx").language == "en"
    assert Strings("xx")("clear") == TEXTS["clear"]
    assert Strings("de")("no_such_key") == "no_such_key"


# What a reader sees, from left to right. Capitals would be Hebrew in UAX #9's own examples; A=א and so on here.
HEBREW = str.maketrans("ABCDEFGH", "אבגדהוזח")


@pytest.mark.parametrize(
    ("logical", "drawn"),
    [
        ("ABC DEF", "FED CBA"),
        ("AB 95 %", "% 95 BA"),
        ("AB 95% CD", "DC 95% BA"),
        ("AB -1.5, 10", "10 ,-1.5 BA"),
        ("A-95 B", "B 95-A"),
        ("A 3-5", "3-5 A"),
        ("A (BC) D", "D (CB) A"),
        ("x1: AB", "BA :x1"),
        ("AB LeNet-5 CD", "DC LeNet-5 BA"),
        ("AB two words CD", "DC two words BA"),
        ("Tab, Shift+Tab: AB", "BA :Tab, Shift+Tab"),
        ("AB /tmp/a-1.csv.", "./tmp/a-1.csv BA"),
        ("1 A 2?", "?2 A 1"),
        ("1.", ".1"),
        ("+", "+"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_visual_order(logical, drawn):
    assert visual(logical.translate(HEBREW)) == drawn.translate(HEBREW)


def test_lines_are_broken_before_they_are_turned_round():
    strings = Strings("he")
    lines = strings.lines("אב גד הו\nזח", fits=lambda line: len(line) <= 5)
    assert lines == ["דג בא", "וה", "חז"]


def test_a_word_that_is_too_long_stands_alone():
    assert Strings("en").lines("a incomprehensible b", fits=lambda line: len(line) < 5) == [
        "a",
        "incomprehensible",
        "b",
    ]


def test_a_text_of_several_lines_is_turned_line_by_line():
    strings = Strings("he")
    logical, drawn = strings.logical("keys_list").split("\n"), strings("keys_list").split("\n")
    assert drawn == [visual(line) for line in logical]
