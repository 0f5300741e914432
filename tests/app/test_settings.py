"""Settings survive what happens to files; one bad value costs one value."""

import json
import os
from dataclasses import fields

import pytest

from app.settings import FILE, PALETTES, Settings
from app.texts import TEXTS
from lenet_gpu.errors import InputError

CHOSEN = {
    "pen_width": 3.5,
    "language": "he",
    "text_scale": 1.5,
    "high_contrast": True,
    "palette": PALETTES[1],
    "left_handed": True,
    "live": False,
    "speak": True,
    "number_mode": True,
    "model": "mnist",
}


def values(settings):
    return {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("folder", "message")}


def write(folder, content):
    (folder / FILE).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def test_every_choice_is_kept(tmp_path):
    folder = tmp_path / "new" / "folder"
    settings = Settings.load(folder)
    assert values(settings) == values(Settings())
    assert values(settings).keys() == CHOSEN.keys()
    for name, value in CHOSEN.items():
        assert getattr(settings, name) != value or name == "model"
        setattr(settings, name, value)
    settings.save()
    again = Settings.load(folder)
    assert values(again) == CHOSEN
    assert again.message == ""
    assert os.listdir(folder) == [FILE]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("pen_width", 0.9),
        ("pen_width", 4.1),
        ("pen_width", float("nan")),
        ("pen_width", "2"),
        ("pen_width", True),
        ("pen_width", 10**400),
        ("text_scale", 0),
        ("text_scale", None),
        ("language", "fr"),
        ("language", ["en"]),
        ("high_contrast", 1),
        ("palette", "mauve"),
        ("palette", {}),
        ("live", "yes"),
        ("model", ""),
        ("model", "a\nb"),
        ("model", "x" * 2000),
        ("model", 3),
    ],
)
def test_a_value_out_of_range_falls_back_alone(tmp_path, name, bad):
    write(tmp_path, {**CHOSEN, name: bad})
    settings = Settings.load(tmp_path)
    assert values(settings) == {**CHOSEN, name: values(Settings())[name]}
    assert settings.message == ""


def test_missing_and_unknown_values_do_no_harm(tmp_path):
    write(tmp_path, {"pen_width": 3, "folder": "/", "message": "x", "load": 1, "of_a_newer_version": [1]})
    settings = Settings.load(tmp_path)
    assert values(settings) == {**values(Settings()), "pen_width": 3.0}
    assert type(settings.pen_width) is float
    assert (settings.folder, settings.message) == (tmp_path, "")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"live": tru'])
def test_a_broken_file_is_set_aside_and_named(tmp_path, content):
    write(tmp_path, content)
    settings = Settings.load(tmp_path)
    assert values(settings) == values(Settings())
    assert settings.message in TEXTS
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {f"{FILE}.broken": content}
    settings.save()
    assert Settings.load(tmp_path).message == ""


def test_an_earlier_broken_file_is_not_overwritten(tmp_path):
    for content in (b"first", b"second"):
        write(tmp_path, content)
        Settings.load(tmp_path)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"first", b"second"}


def test_a_folder_in_the_files_place_is_reported(tmp_path):
    (tmp_path / FILE).mkdir()
    settings = Settings.load(tmp_path)
    assert (values(settings), settings.message) == (values(Settings()), "settings_aside")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        Settings(folder=tmp_path / "file" / "below").save()
    assert "\n" not in str(error.value)
    assert (tmp_path / "file").read_text() == ""
