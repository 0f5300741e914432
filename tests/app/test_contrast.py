"""Everything can be seen by whoever sees little: contrast as it is painted, in every palette (WCAG 2.1, AA)."""

import pytest
from kivy_process import play

TEXTS = ("bar's digit", "headline", "hint", "tool ", "tab ", "button", "ink", "text of")
"""Beginnings and parts of the names of what is read: 4.5 : 1. Everything else is looked at: 3 : 1."""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return play("contrast", tmp_path_factory.mktemp("contrast"), "offscreen", size=(480, 800))


def least(name):
    return 3.0 if "edge" in name or "outline" in name else 4.5 if any(word in name for word in TEXTS) else 3.0


@pytest.mark.parametrize("palette", ["calm", "dark", "safe", "high contrast"])
def test_every_part_has_enough_contrast(table, palette):
    found = table[palette]
    assert len(found) >= 40
    assert {name: round(value, 2) for name, value in found.items() if value < least(name)} == {}
