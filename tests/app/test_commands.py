"""What buttons and keys do: the commands with the real session and presenter, without Kivy and without a window."""

import os

import numpy as np
import pytest
from PIL import Image, ImageDraw
from windowless import Stage, down, draw

from app.reading import NO_DIGIT
from app.settings import PEN_WIDTHS, TEXT_SCALES, Settings
from lenet_gpu.nn import check_set


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def picture(path):
    """A file with a seven on white paper."""
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).line([(15, 12), (45, 12), (25, 50)], fill=0, width=5)
    image.save(path)
    return str(path)


def test_drawing_undoing_and_clearing_change_the_answer(stage):
    stage.draw(*down())
    assert stage.screen.answer.big == "1"
    stage.commands.undo()
    stage.timer.go_on()
    assert (stage.screen.answer.big, stage.screen.tools.can_redo) == ("", True)
    stage.commands.redo()
    stage.timer.go_on()
    assert stage.screen.answer.big == "1"
    stage.commands.clear()
    stage.timer.go_on()
    assert (stage.screen.answer.big, stage.screen.bars[0], stage.session.ink.empty) == ("", None, True)
    assert stage.screen.redrawn == 3


def test_the_eraser_and_the_number_are_switches(stage):
    for on in (True, False):
        stage.commands.toggle_eraser()
        assert stage.screen.tools.erasing is on
    for on in (True, False):
        stage.commands.toggle_number()
        assert stage.screen.tools.number_mode is on
        assert stage.session.settings.number_mode is on


def test_clearing_turns_the_eraser_off(stage):
    stage.draw(*down())
    stage.commands.toggle_eraser()
    stage.commands.clear()
    assert not stage.screen.tools.erasing


def test_the_digits_of_a_number_are_gone_through_from_one_end_to_the_other(stage):
    stage.commands.toggle_number()
    stage.draw(*down(-0.25))
    stage.draw(*down(0.25))
    assert stage.screen.answer.chosen == 1
    for step, chosen in ((-1, 0), (-1, 0), (1, 1), (1, 1)):
        stage.commands.choose_beside(step)
        assert stage.screen.answer.chosen == chosen


def test_a_picture_takes_the_place_of_the_ink_until_something_is_drawn(stage, tmp_path):
    stage.draw(*down())
    stage.exchange.open_picture(picture(tmp_path / "seven.png"))
    stage.timer.go_on()
    assert (stage.screen.answer.big, stage.screen.picture.shape, stage.screen.canvas_opened) == ("7", (60, 60), 1)
    assert stage.session.ink.empty
    stage.draw(*down())
    assert (stage.screen.answer.big, stage.screen.picture) == ("1", None)


def test_a_page_is_read_line_by_line_with_its_marks_outlined(stage, tmp_path):
    image = Image.new("L", (160, 150), 255)
    pen = ImageDraw.Draw(image)
    for x, y in ((15, 10), (65, 10), (15, 85)):
        pen.line([(x, y), (x + 30, y), (x + 10, y + 45)], fill=0, width=5)
    image.save(tmp_path / "page.png")
    stage.exchange.open_picture(str(tmp_path / "page.png"))
    stage.finish_reading()
    assert (stage.session.reading.answer.big, stage.screen.answer.digits) == ("77\n7", "777")
    boxes, chosen = stage.screen.outlines
    assert chosen == 0
    for (left, top, right, bottom), (x, y) in zip(boxes, ((15, 10), (65, 10), (15, 85)), strict=True):
        assert max(abs(left - x), abs(top - y), abs(right - x - 30), abs(bottom - y - 45)) <= 6
    stage.commands.choose(2)
    assert stage.screen.outlines[1] == 2
    stage.commands.teach(1)  # one mark is corrected, in its line
    assert stage.session.reading.answer.big == "77\n1"
    stage.draw(*down())
    assert stage.screen.outlines == ([], 0)


def test_what_is_no_picture_is_said_and_changes_nothing(stage, tmp_path):
    stage.draw(*down())
    (tmp_path / "text.png").write_text("no picture")
    stage.exchange.open_picture(str(tmp_path / "text.png"))
    stage.timer.go_on()
    assert "text.png" in stage.screen.note
    assert (stage.screen.answer.big, stage.screen.canvas_opened) == ("1", 0)


def finish_learning(stage):
    """Wait for the thread that learns, as the clock does."""
    while stage.session.tuning:
        assert stage.timer.called.wait(60)
        stage.timer.called.clear()
        stage.timer.go_on()
    stage.timer.go_on()


def test_a_selected_bar_teaches_nothing_until_it_is_confirmed(stage):
    stage.commands.select(4)
    assert stage.screen.note == "Draw a digit first, then tap the right one."
    stage.draw(*down())
    stage.commands.select(4)
    assert stage.screen.selected == 4
    assert stage.screen.note.startswith("4: ")
    assert stage.screen.acts == ["This was a 4", "Why 4?"]
    assert (len(stage.session.samples), stage.screen.answer.big) == (0, "1")
    stage.commands.select(4)
    assert (stage.screen.selected, stage.screen.note) == (None, "")
    stage.commands.select(4)
    stage.draw(*down(0.2))
    assert (stage.screen.selected, stage.screen.note) == (None, "")


def test_a_correction_changes_the_answer_and_the_clipboard_at_once_and_is_undone(stage, monkeypatch):
    copied = []
    monkeypatch.setattr("app.exchange.copy_text", copied.append)
    stage.draw(*down())
    shipped = stage.session.recognizer.network.host_parameters()
    stage.commands.select(7)
    assert stage.commands.act(0)
    assert (stage.screen.answer.big, stage.screen.answer.headline) == ("7", "7, you say")
    assert (stage.screen.note, stage.screen.acts) == ("7 it is. Learning …", ["Undo"])
    stage.exchange.copy()
    assert copied == ["7"]
    finish_learning(stage)
    assert stage.screen.note.startswith(("Learned. I get your sample", "Kept"))
    assert stage.screen.samples.summary == "Samples: 1, 1 of them misread"
    assert stage.commands.act(0)
    assert (stage.screen.note, stage.screen.answer.big) == ("Taken back.", "7")
    stage.timer.go_on()
    finish_learning(stage)
    assert stage.screen.answer.big == "1"
    assert (len(stage.session.samples), stage.session.tuner.tuned) == (0, False)
    np.testing.assert_array_equal(stage.session.recognizer.network.host_parameters(), shipped)


def test_no_digit_can_be_taught_and_what_it_does_is_said(stage):
    stage.draw(*down())
    stage.commands.teach(NO_DIGIT)
    assert (stage.screen.answer.big, stage.screen.answer.headline) == ("", "Not a digit, you say")
    assert stage.screen.note == "Not a digit, then. Learning …"
    assert [sample.label for sample in stage.session.samples] == [None]
    finish_learning(stage)
    assert stage.screen.note.startswith(("Learned.", "Kept"))
    assert stage.screen.samples.can_tune
    stage.commands.undo_correction()
    finish_learning(stage)
    assert (stage.screen.answer.big, len(stage.session.samples), stage.session.tuner.tuned) == ("1", 0, False)


def jittered(corners, seed):
    """Somebody's hand: the same drawing, never twice alike, in ink units."""
    chance = np.random.default_rng(seed)
    lean = np.eye(2) + chance.normal(0, 0.06, (2, 2))
    return [(np.array(line) + chance.normal(0, 1.5, (len(line), 2))) @ lean / 100 for line in corners]


NINE = [[[8, -20], [-2, -28], [-10, -20], [-2, -12], [8, -16]], [[8, -24], [7, 30]], [[-14, 30], [26, 30]]]
"""A nine with a small head and a foot: read as a 1."""

MIRRORED = [[[-8, -16], [-6, -26], [4, -28], [14, -24], [16, -16], [12, -6], [4, -4], [-6, -8], [-8, -16], [-8, 30]]]
"""A nine the wrong way round: no digit, says the model."""

Y = [[[-14, -28], [0, -4]], [[14, -28], [-10, 32]]]
"""A letter that is read as a 4."""


def answer(stage, corners, seed):
    """Draw something, and see what is read."""
    stage.commands.clear()
    for line in jittered(corners, seed):
        draw(stage.session, *map(tuple, line))
    stage.timer.go_on()
    return stage.session.read().answer.big


MAY_BE_LOST = 1
"""Of the 1,000 check digits, what fine-tuning's rule allows (`finetune.MOST_LOST`)."""


def check_answers(stage):
    """How many of the bundled check digits are read right, by class and by answer."""
    _, _, images, labels = check_set.load()
    found = [stage.session.recognizer.read(image) for image in images]
    right = [one.digit == label for one, label in zip(found, labels, strict=True)]
    return sum(right), sum(one.is_digit and fine for one, fine in zip(found, right, strict=True))


@pytest.mark.parametrize("nine", [NINE, MIRRORED])
def test_five_corrections_of_an_own_nine_make_the_next_five_right(stage, nine):
    before = check_answers(stage)
    assert "9" not in [answer(stage, nine, seed) for seed in range(10)]
    for seed in range(5):
        answer(stage, nine, seed)
        stage.commands.teach(9)
    finish_learning(stage)
    assert [answer(stage, nine, seed) for seed in range(5, 10)] == ["9"] * 5
    by_class, by_answer = np.subtract(check_answers(stage), before)
    assert by_class >= 0
    assert by_answer >= -MAY_BE_LOST


def test_a_letter_taught_as_no_digit_is_refused_from_then_on(stage):
    before = check_answers(stage)
    assert [answer(stage, Y, seed) for seed in range(20, 30)].count("4") >= 8
    for seed in range(5):
        answer(stage, Y, seed)
        stage.commands.teach(NO_DIGIT)
    finish_learning(stage)
    assert [answer(stage, Y, seed) for seed in range(20, 30)].count("") >= 8
    by_class, by_answer = np.subtract(check_answers(stage), before)
    assert by_class >= 0
    assert by_answer >= -MAY_BE_LOST


def test_why_takes_the_answers_score_apart(stage):
    stage.screen.shows_inside = True
    stage.draw(*down())
    stage.commands.select(7)
    assert stage.commands.act(1)
    assert (stage.screen.pane, stage.screen.unit.explanation.layer) == ("inside", "output")
    assert stage.screen.unit.explanation.index == (7,)


def test_the_last_sample_can_be_forgotten(stage):
    stage.draw(*down())
    stage.commands.teach(4)
    finish_learning(stage)
    stage.commands.forget_sample()
    finish_learning(stage)
    assert (len(stage.session.samples), stage.screen.samples.some, stage.session.tuner.tuned) == (0, False, False)


def test_learning_runs_beside_the_drawing_and_reports_in_the_apps_own_thread(stage):
    stage.commands.tune()
    assert not stage.session.tuning  # there is nothing to learn from
    stage.draw(*down())
    stage.session.teach(1)
    stage.commands.tune()
    assert (stage.session.tuning, stage.screen.note) == (True, "Learning …")
    assert not stage.screen.samples.can_tune
    stage.commands.tune()  # a second press waits for the first
    assert stage.timer.called.wait(60)
    assert stage.session.tuning
    assert len(stage.timer.calls) == 1
    stage.timer.go_on()
    assert not stage.session.tuning
    assert stage.screen.note not in ("", "Learning …")
    assert stage.screen.samples.can_tune


def test_what_is_taught_while_learning_goes_on_is_learned_after_it(stage, monkeypatch):
    seen = []
    fit = stage.session.tuner.fit
    monkeypatch.setattr(stage.session.tuner, "fit", lambda samples: seen.append(len(samples)) or fit(samples))
    for x in (0.0, 0.1, 0.2):
        stage.commands.clear()
        stage.draw(*down(x))
        stage.commands.teach(7)
    finish_learning(stage)
    assert seen[-1] == 3
    assert len(seen) <= 3


def test_a_fault_while_learning_is_told_and_learning_can_go_on(stage, monkeypatch):
    stage.draw(*down())
    stage.session.teach(1)

    def fail(samples):
        raise MemoryError("no room")

    monkeypatch.setattr(stage.session.tuner, "fit", fail)
    stage.commands.tune()
    finish_learning(stage)
    assert "no room" in stage.screen.note
    assert stage.screen.samples.can_tune


def test_settings_go_to_their_limits_and_are_kept(stage):
    for name, setting, limits in (("pen", "pen_width", PEN_WIDTHS), ("text_size", "text_scale", TEXT_SCALES)):
        for direction, limit in ((-1, limits[0]), (1, limits[1])):
            for _ in range(30):
                stage.commands.step(name, direction)
            assert getattr(stage.session.settings, setting) == limit
    stage.commands.toggle("left_handed")
    stage.commands.change(palette="dark", language="he")
    kept = Settings.load(stage.session.settings.folder)
    assert (kept.left_handed, kept.palette, kept.language) == (True, "dark", "he")
    assert stage.screen.dressed[-1] == ("dark", "he")


def test_an_opened_pane_shows_what_was_read(stage):
    draw(stage.session, *down())
    stage.commands.open_pane("answer")
    stage.timer.go_on()
    assert (stage.screen.pane, stage.screen.answer.big) == ("answer", "1")


def test_the_drawing_is_saved_under_names_of_its_own(stage, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no command for the clipboard
    stage.draw(*down())
    stage.exchange.share()
    stage.exchange.share()
    first, second = stage.screen.saved
    assert first != second
    assert stage.screen.note == f"Drawing saved as {second}"


def test_a_drawing_that_can_not_be_saved_is_told(stage):
    folder = stage.session.settings.folder
    (folder / "drawings").write_text("in the way")
    stage.exchange.share()
    assert "can't be written" in stage.screen.note
    assert stage.screen.saved == []


def test_half_a_picture_of_the_drawing_is_not_called_saved(stage):
    def save(path):
        Image.new("L", (90, 90)).save(path)
        os.truncate(path, 60)  # as a full disk does, without a word

    stage.screen.save_canvas = save
    stage.exchange.share()
    assert "can't be written" in stage.screen.note
    assert list((stage.session.settings.folder / "drawings").iterdir()) == []


def test_copying_nothing_says_so(stage):
    stage.exchange.copy()
    assert stage.screen.note == "There is no answer yet."


def test_samples_are_exported_beside_the_settings(stage):
    stage.draw(*down())
    stage.commands.teach(1)
    stage.exchange.export()
    stage.timer.go_on()
    assert (stage.session.settings.folder / "digits.csv").is_file()
    assert "digits.csv" in stage.screen.note


def test_drawing_on_takes_a_message_away(stage):
    stage.exchange.copy()
    stage.draw(*down())
    assert stage.screen.note == ""
