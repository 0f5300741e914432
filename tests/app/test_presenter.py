"""What the screen shows of a session: the presenter alone, without Kivy and without a window."""

import subprocess
import sys

import numpy as np
import pytest
from kivy_process import ROOT
from windowless import Screen, Speaker, Timer, down, draw, finish_reading

from app.interfaces import Act
from app.presenter import MESSAGE_SECONDS, SPEAK_AFTER, Presenter
from app.reading import Say
from app.session import Session


class Stage:
    """A session, its presenter, and all that they speak to."""

    def __init__(self, folder):
        self.session, self.screen, self.timer, self.speaker = Session.open(folder), Screen(), Timer(), Speaker()
        self.presenter = Presenter(self.session, self.screen, self.timer, self.speaker)
        self.presenter.dress()

    def read(self):
        self.presenter.refresh()
        self.timer.go_on()


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_without_a_window_no_kivy_is_loaded():
    call = "import sys, app.presenter, app.commands; print([n for n in sys.modules if n.split('.')[0] == 'kivy'])"
    ended = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_blank_canvas_has_a_title_a_hint_and_no_bars(stage):
    answer = stage.screen.answer
    assert (answer.big, answer.headline, answer.line) == ("", "LeNet-5 reads your digits", "")
    assert answer.image is None
    assert stage.screen.bars[0] is None
    assert stage.screen.tools.hint == "Draw a digit"
    assert not stage.screen.tools.can_undo


def test_a_drawn_one_is_shown_before_the_next_frame_and_not_earlier(stage):
    draw(stage.session, *down())
    stage.presenter.refresh()
    assert stage.screen.answer.big == ""
    stage.timer.go_on()
    assert stage.screen.answer.big == "1"
    assert stage.screen.answer.image.shape == (28, 28)
    probabilities, is_digit = stage.screen.bars
    assert (int(np.argmax(probabilities)), is_digit) == (1, True)
    assert stage.screen.tools.can_undo
    assert stage.screen.tools.hint == ""


def test_a_number_shows_its_digits_and_only_its_doubt(stage):
    stage.session.change(number_mode=True)
    stage.presenter.dress()
    assert stage.screen.tools.hint == "Write a number"
    draw(stage.session, *down(-0.25))
    draw(stage.session, *down(0.25))
    stage.read()
    assert stage.screen.answer.digits == ""  # a number is looked for in a thread: the frame does not wait for it
    finish_reading(stage)
    answer = stage.screen.answer
    assert (answer.digits, answer.big, answer.chosen) == ("11", "", 1)
    assert answer.headline == ""
    assert answer.line


def test_where_reading_along_is_off_only_the_tools_follow(stage):
    stage.session.change(live=False)
    draw(stage.session, *down())
    stage.presenter.read_along()
    stage.timer.go_on()
    assert stage.screen.tools.can_undo
    assert stage.screen.answer.big == ""
    stage.session.change(live=True)
    stage.presenter.read_along()
    stage.timer.go_on()
    assert stage.screen.answer.big == "1"


def test_a_change_of_language_changes_every_text(stage):
    stage.session.change(language="de")
    stage.presenter.dress()
    assert stage.screen.dressed[-1][1] == "de"
    assert stage.screen.answer.headline == "LeNet-5 liest deine Ziffern"
    assert stage.screen.samples.summary == "Noch keine Beispiele"


def test_samples_allow_what_they_allow(stage):
    assert not stage.screen.samples.some
    assert not stage.screen.samples.can_tune
    draw(stage.session, *down())
    stage.session.teach(1)
    stage.presenter.show_state()
    assert (stage.screen.samples.some, stage.screen.samples.can_tune) == (True, True)
    assert stage.screen.samples.summary == "Samples: 1, 0 of them misread"
    stage.session.tuning = True
    stage.presenter.show_state()
    assert (stage.screen.samples.some, stage.screen.samples.can_tune) == (True, False)


def test_a_message_goes_after_a_while_and_the_next_one_has_its_full_time(stage):
    stage.presenter.note(Say("copied", {"text": "7"}))
    assert stage.screen.note == "Copied: 7"
    stage.timer.go_on(MESSAGE_SECONDS - 1)
    stage.presenter.note(Say("copy_nothing"))
    stage.timer.go_on(MESSAGE_SECONDS - 1)
    assert stage.screen.note == "There is no answer yet."
    stage.timer.go_on(1.0)
    assert stage.screen.note == ""


def test_a_lasting_message_stays_until_it_is_taken_away(stage):
    stage.presenter.note(Say("tuning"), lasting=True)
    stage.timer.go_on(10 * MESSAGE_SECONDS)
    assert stage.screen.note == "Learning …"
    stage.presenter.clear_note()
    assert stage.screen.note == ""


def test_a_messages_buttons_stay_and_go_with_it(stage):
    pressed = []
    stage.presenter.note(Say("correction_undone"), acts=[Act(Say("undo"), lambda: pressed.append(1))])
    stage.timer.go_on(10 * MESSAGE_SECONDS)
    assert (stage.screen.note, stage.screen.acts) == ("Taken back.", ["Undo"])
    assert not stage.presenter.act(1)
    assert stage.presenter.act(0)
    stage.presenter.note(Say("copy_nothing"))
    assert not stage.presenter.act(0)
    assert (pressed, stage.screen.acts) == ([1], [])


def scribble(session, strokes):
    for i in range(strokes):
        draw(session, *[(0.4 * np.sin(k * 0.7 + i), 0.4 * np.cos(k * 1.1 + 2 * i)) for k in range(12)])


def test_a_long_reading_goes_on_beside_the_drawing_and_the_newest_is_shown(stage):
    draw(stage.session, *down())
    stage.read()
    scribble(stage.session, 30)
    stage.read()
    assert stage.screen.answer.big == "1"  # the last answer, until there is a newer one
    stage.session.ink.clear()
    stage.session.ink.undo()
    draw(stage.session, *down(0.1))
    stage.read()
    stage.session.ink.clear()
    draw(stage.session, *down())
    stage.read()
    newest = stage.screen.answer
    assert newest.big == "1"
    while stage.presenter.reader.busy or stage.timer.calls:
        stage.timer.called.wait(0.05)
        stage.timer.go_on()
    assert stage.screen.answer.big == newest.big
    assert stage.screen.answer.image is newest.image


def test_what_is_read_beside_the_drawing_is_shown(stage):
    scribble(stage.session, 30)
    stage.read()
    assert stage.screen.answer.image is None
    while stage.presenter.reader.busy or stage.timer.calls:
        stage.timer.called.wait(0.05)
        stage.timer.go_on()
    assert stage.screen.answer.headline == "Not a digit"
    assert stage.screen.answer.image is not None


def test_the_sessions_messages_are_shown_once_one_a_line(stage):
    stage.session.messages += [Say("settings_aside"), Say("samples_aside")]
    stage.presenter.show_messages()
    assert stage.screen.note.count("\n") == 1
    assert stage.session.messages == []


def test_an_answer_is_spoken_once_after_a_rest_if_that_is_wanted(stage):
    draw(stage.session, *down())
    stage.read()
    stage.presenter.speak()
    stage.timer.go_on(2 * SPEAK_AFTER)
    assert stage.speaker.heard == []
    stage.session.change(speak=True)
    for _ in range(2):
        stage.presenter.speak()
        stage.timer.go_on(SPEAK_AFTER)
    assert stage.speaker.heard == [("1", "en")]


def test_maps_are_shown_only_where_they_are_in_sight(stage):
    draw(stage.session, *down())
    stage.read()
    assert stage.screen.maps is None
    stage.screen.shows_inside = True
    stage.read()
    assert set(stage.screen.maps) == {"input", "c1", "s2", "c3", "s4", "c5", "f6"}
    assert stage.screen.hint == "Tap a unit to see what feeds it."
    stage.session.ink.clear()
    stage.read()
    assert (stage.screen.maps, stage.screen.hint) == (None, "Draw something: its maps appear here.")


def test_a_unit_is_taken_apart_and_follows_the_drawing(stage):
    stage.screen.shows_inside = True
    stage.presenter.look_at("c3", (4, 2, 2))
    assert stage.screen.unit is None  # there is nothing to take apart yet
    assert stage.screen.kept == ["c3"]
    draw(stage.session, *down())
    stage.read()
    unit = stage.screen.unit
    assert unit.title == "C3, map 4, row 2, column 2"
    assert unit.sum_line == f"Sum {unit.explanation.sum:.2f} with bias {unit.explanation.bias:.2f}, squashed to " + (
        f"{unit.explanation.value:.2f}."
    )
    stage.presenter.look_at("f6", 83)
    assert stage.screen.unit.title == "F6, unit 83"
    stage.presenter.look_away()
    assert (stage.screen.unit, stage.screen.kept) == (None, ["c3", "f6", None])
    stage.read()
    assert stage.screen.unit is None
