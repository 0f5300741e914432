"""The language of the system is that of the app, until another is chosen."""

import pytest

from app.settings import Settings
from app.strings import Strings
from app.system_language import system_language


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "he_IL.UTF-8"}, "he"),
        ({"LANG": "iw_IL"}, "he"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LANGUAGE": "fr:de:en"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "he_IL"}, "he"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "de"}, "en"),
        ({}, "en"),
        ({"LANG": "", "LANGUAGE": "de"}, "en"),
    ],
)
def test_the_systems_language_is_found(variables, language):
    assert system_language(variables) == language


def test_what_was_chosen_comes_before_the_system(tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "he_IL.UTF-8")
    settings = Settings.load(tmp_path)
    assert (settings.language, settings.language_in_use) == ("", "he")
    settings.language = "de"
    settings.save()
    assert Settings.load(tmp_path).language_in_use == "de"


def test_redo_is_not_the_word_for_back():
    assert [Strings(code)("redo") for code in ("en", "de")] == ["Redo", "Nochmal"]
    for code in ("en", "de", "he"):
        assert Strings(code)("redo") != Strings(code)("undo")
