"""What was drawn is there again after a restart, and only where it shall be."""

import numpy as np
import pytest
from windowless import down, draw

from app.drawing_file import FILE
from app.session import Session


def test_a_drawing_is_there_again(tmp_path):
    first = Session.open(tmp_path)
    draw(first, *down())
    draw(first, (0.2, 0.2))
    strokes = [stroke.points for stroke in first.ink.strokes]
    first.keep_drawing()
    second = Session.open(tmp_path)
    assert [s.points.tobytes() for s in second.ink.strokes] == [s.tobytes() for s in strokes]
    assert not second.ink.can_undo
    second.ink.clear()
    second.keep_drawing()
    assert not (tmp_path / FILE).exists()
    assert Session.open(tmp_path).ink.empty


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"strokes": 3}', '{"strokes": [[[1, "x"]]]}', '{"strokes": [[[1, NaN]]]}', "[" * 9999]
)
def test_a_damaged_file_is_an_empty_page(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert Session.open(tmp_path).ink.empty


def test_a_full_disk_does_not_disturb_whoever_draws(tmp_path):
    (tmp_path / "file").write_text("in the way")
    session = Session.open(tmp_path / "file" / "below")
    session.messages.clear()
    draw(session, *down())
    session.keep_drawing()
    assert session.messages == []


def test_in_a_public_place_nothing_is_kept(tmp_path):
    session = Session.open(tmp_path)
    session.kiosk = True
    draw(session, *down())
    session.change(number_mode=True)
    session.keep_drawing()
    assert not (tmp_path / FILE).exists()
    assert not (tmp_path / "settings.json").exists()
    session.begin_anew()
    assert (session.ink.empty, session.settings.number_mode, session.ink.can_undo) == (True, False, False)
    assert session.read().answer.kind == "blank"
    assert np.shape(session.reading.predictions) == (0,)
