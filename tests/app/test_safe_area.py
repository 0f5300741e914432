"""What a phone's system keeps for itself, asked for as its bridges answer."""

import sys
from types import SimpleNamespace

import pytest

from app.safe_area import NONE, insets


def android(version):
    """What pyjnius gives of Android's classes."""
    area = SimpleNamespace(left=0, top=63, right=0, bottom=132)
    root = SimpleNamespace(getInsets=lambda kinds: area if kinds == 7 | 128 else None)
    decor = SimpleNamespace(getRootWindowInsets=lambda: root)
    window = SimpleNamespace(getDecorView=lambda: decor)
    classes = {
        "android.os.Build$VERSION": SimpleNamespace(SDK_INT=version),
        "org.kivy.android.PythonActivity": SimpleNamespace(mActivity=SimpleNamespace(getWindow=lambda: window)),
        "android.view.WindowInsets$Type": SimpleNamespace(systemBars=lambda: 7, displayCutout=lambda: 128),
    }
    return SimpleNamespace(autoclass=classes.__getitem__)


@pytest.mark.parametrize(("version", "expected"), [(35, (0, 63, 0, 132)), (30, (0, 63, 0, 132)), (24, NONE)])
def test_android_names_its_bars(monkeypatch, version, expected):
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: version, raising=False)
    monkeypatch.setitem(sys.modules, "jnius", android(version))
    assert insets() == expected


def test_ios_counts_in_points(monkeypatch):
    area = {"left": 0, "top": 47, "right": 0, "bottom": 34}
    monkeypatch.setattr(sys, "platform", "ios")
    monkeypatch.setitem(sys.modules, "ios", SimpleNamespace(get_safe_area=lambda: area, get_scale=lambda: 3))
    assert insets() == (0, 141, 0, 102)


def test_a_system_that_does_not_answer_keeps_nothing(monkeypatch):
    assert insets() == NONE
    monkeypatch.setattr(sys, "platform", "ios")
    monkeypatch.setitem(sys.modules, "ios", SimpleNamespace())
    assert insets() == NONE
