"""The teacher's mode, without a window: lessons, replay, a stroke left out, and the way out."""

import numpy as np
import pytest
from windowless import Stage, down

from app.lecture import STEP_SECONDS, Lecture


class Teacher(Stage):
    """A user who teaches a class."""

    def __init__(self, folder):
        super().__init__(folder)
        self.lecture = Lecture(self.commands)


@pytest.fixture
def stage(tmp_path):
    stage = Teacher(tmp_path)
    stage.screen.shows_inside = True
    return stage


def test_it_fills_the_screen_and_leaves_it_with_the_drawing_kept(stage):
    stage.draw(*down())
    stage.lecture.toggle()
    assert (stage.screen.lecture, stage.screen.full, stage.screen.pane) == (True, True, "lesson")
    assert stage.screen.lesson.place == "Step 1 of 8"
    assert len(stage.screen.lesson.titles) == 3
    assert len(stage.session.ink.strokes) == 1  # a class's own drawing stays until a lesson brings its own
    stage.lecture.toggle()
    assert (stage.screen.lecture, stage.screen.full, stage.screen.pane) == (False, False, "inside")
    assert not stage.lecture.leave()
    assert stage.screen.answer.big == "1"


def test_every_step_of_every_lesson_shows_what_it_says_there_and_back(stage):
    stage.lecture.toggle()
    for index, lesson in enumerate(stage.lecture.lessons):
        stage.lecture.choose(index)
        order = [*range(len(lesson.steps)), *range(len(lesson.steps) - 1)[::-1]]
        for place, number in enumerate(order):
            step = lesson.steps[number]
            if place:
                stage.lecture.turn(1 if number > order[place - 1] else -1)
            assert stage.screen.lesson.text == step.text["en"]
            assert stage.screen.answer.big == step.reads
            assert (stage.screen.part is not None) == bool(step.without)
            explained = stage.screen.unit and stage.screen.unit.explanation.layer
            assert explained == (step.look and step.look[0])
        assert stage.screen.lesson.first
        stage.lecture.turn(-1)
        assert stage.screen.lesson.place.startswith("Step 1 of")


def test_a_class_can_draw_over_a_lessons_drawing_and_undo_brings_the_old_one_back(stage):
    stage.draw(*down())
    stage.lecture.toggle()
    stage.lecture.turn(1)
    assert stage.screen.answer.big == "4"
    stage.commands.clear()
    stage.draw(*down())
    stage.lecture.turn(1)
    assert stage.screen.answer.big == "1"  # the same step, with the class's own drawing
    assert stage.screen.unit.explanation.layer == "c1"
    for _ in range(3):  # what was drawn, the clearing, the lesson's drawing
        stage.commands.undo()
    stage.timer.go_on()
    assert (len(stage.session.ink.strokes), stage.screen.answer.big) == (1, "1")


def test_a_drawing_is_drawn_again_step_by_step(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.lecture.step(1)
    first = sum(map(len, stage.screen.part.kept))
    stage.lecture.step(1)
    assert sum(map(len, stage.screen.part.kept)) > first
    stage.lecture.step(-1)
    assert sum(map(len, stage.screen.part.kept)) == first
    np.testing.assert_array_equal(stage.screen.answer.image > 0, stage.session.reading.prediction.image > 0)
    stage.lecture.step(-1)  # there is nothing before the first
    assert sum(map(len, stage.screen.part.kept)) == first
    stage.commands.ink_replaced()
    stage.lecture.step(-1)  # back from the whole
    assert len(stage.screen.part.kept) == 2
    stage.lecture.step(1)
    assert stage.screen.part is None


def test_a_replay_runs_to_the_whole_and_can_be_stopped(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.lecture.replay()
    assert stage.screen.tools.replaying
    seen = []
    while stage.screen.tools.replaying:
        seen.append(stage.screen.answer.big)
        stage.timer.go_on(STEP_SECONDS)
    assert len(seen) > 15
    assert (stage.screen.part, stage.screen.answer.big) == (None, "4")
    assert len(set(seen)) > 1  # the answer is seen to change on the way
    stage.lecture.replay()
    stage.timer.go_on(STEP_SECONDS)
    stage.lecture.replay()
    held = stage.screen.part
    stage.timer.go_on(5 * STEP_SECONDS)
    assert held is not None
    assert stage.screen.part is held
    stage.draw(*down(0.2))  # drawing on goes on with the whole
    assert stage.screen.part is None
    assert len(stage.session.ink.strokes) == 3


def test_a_stroke_is_left_out_and_taken_in_again(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.lecture.toggle_asking()
    assert stage.screen.tools.asking
    assert stage.screen.note == "What if it were not there? Tap a stroke."
    stage.lecture.ask(0)
    assert stage.screen.note == "All of it: 4 (100 %). Without what is faint: 1 (100 %)."
    assert (stage.screen.answer.big, len(stage.screen.part.faint)) == ("1", 1)
    stage.lecture.ask(1)
    assert stage.screen.note.endswith("Without what is faint: not a digit.")
    stage.lecture.ask(0)
    stage.lecture.ask(1)
    assert (stage.screen.part, stage.screen.answer.big, len(stage.session.ink.strokes)) == (None, "4", 2)
    stage.lecture.ask(0)
    stage.lecture.toggle_asking()
    stage.timer.go_on()
    assert (stage.screen.part, stage.screen.answer.big, stage.screen.note) == (None, "4", "")
    assert not stage.screen.tools.asking


def test_a_digits_bar_leads_to_f6_and_on_down_to_the_picture(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.commands.select(9)
    layers = []
    while True:
        unit = stage.screen.unit
        layers.append(unit.explanation.layer)
        assert sum(source.contribution for source in unit.sources) + unit.explanation.rest == pytest.approx(
            unit.explanation.sum - unit.explanation.bias, abs=1e-3
        )
        target = unit.sources[0].target
        if target is None:
            break
        stage.commands.look_at(*target)
    assert layers == ["output", "f6", "c5", "s4", "c3", "s2", "c1"]
    assert unit.sources[0].name == "The picture"
    assert len(stage.session.samples) == 0


def test_a_field_of_view_lies_on_the_ink_that_it_sees(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.commands.look_at("c1", (5, 15, 15))  # the bar of the four, of which the middle lies at (0.03, 0.05)
    left, top, right, bottom = stage.screen.on_ink
    assert right - left == pytest.approx(bottom - top)
    bar = stage.session.ink.strokes[0].points[-20:]
    inside = (bar > (left, top)).all(axis=1) & (bar < (right, bottom)).all(axis=1)
    assert inside.sum() >= 3
    assert stage.screen.unit.sees == "Sees 5 × 5 pixels of the picture."
    stage.commands.look_at("c3", (13, 8, 6))
    assert stage.screen.unit.sees == "Sees 14 × 14 pixels of the picture, through S2 maps 1, 2, 4, 5."
    stage.commands.look_away()
    assert (stage.screen.fields, stage.screen.on_ink) == ({}, None)


def test_whoever_comes_next_finds_no_lecture(stage):
    stage.lecture.toggle()
    stage.lecture.turn(1)
    stage.lecture.toggle_asking()
    stage.lecture.ask(0)
    stage.commands.begin_anew()
    stage.timer.go_on()
    assert not stage.session.lecture
    assert not stage.screen.lecture
    assert (stage.session.part, stage.session.asking, stage.session.ink.empty) == (None, False, True)


def test_numbers_wait_outside(stage):
    stage.commands.toggle_number()
    stage.lecture.toggle()
    stage.lecture.turn(1)
    assert (stage.screen.answer.big, stage.screen.answer.digits) == ("4", "")
    stage.lecture.leave()
    stage.finish_reading()
    assert stage.screen.answer.digits == "4"
