"""The lessons say what is so: texts in every language, units that exist, answers that the model gives."""

import lesson_page
import pytest

from app import course, explain
from app.course import load_lessons
from app.field import field_of_view
from app.strings import LANGUAGES
from lenet_gpu.recognition.recognizer import Recognizer

LESSONS = load_lessons()
STEPS = [(i, k) for i, lesson in enumerate(LESSONS) for k in range(len(lesson.steps))]


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("touch")


def read(recognizer, lesson, step):
    strokes = [one for i, one in enumerate(lesson.drawings[step.drawing]) if i not in step.without]
    return recognizer.predict_strokes(strokes)


def test_there_are_three_and_each_has_a_title_in_every_language():
    assert len(LESSONS) >= 3
    assert all(lesson.title.keys() == LANGUAGES.keys() for lesson in LESSONS)


@pytest.mark.parametrize(("lesson", "step"), STEPS)
def test_a_step_is_as_its_text_says(recognizer, lesson, step):
    lesson = LESSONS[lesson]
    step = lesson.steps[step]
    assert step.text.keys() == LANGUAGES.keys()
    for language, text in step.text.items():
        assert text == text.strip()
        letters = {c for c in text if ord(c) > 0x2FF} - set("…„”“−־")
        assert bool(letters) == (language == "he"), text
        assert all(0x5D0 <= ord(c) <= 0x5EA for c in letters), text
    found = read(recognizer, lesson, step)
    assert (str(found.digit) if found.is_digit else "") == step.reads
    assert step.without < set(range(len(lesson.drawings[step.drawing])))
    if step.look is not None:
        layer, unit = step.look
        assert abs(explain.explain_unit(recognizer.network, found.image, layer, unit).value) > 0.5
        seen = field_of_view(recognizer.network, layer, unit)["input"]
        if layer in ("c1", "s2", "c3", "s4"):
            size = {"c1": 5, "s2": 6, "c3": 14, "s4": 16}[layer]
            assert seen.height == seen.width == size
            assert f"{size} × {size}" in step.text["en"]


def test_the_unit_that_turns_round_does():
    """Lesson 3: for the open top unit 3 of F6 is on, for the closed one off."""
    recognizer, lesson = Recognizer("touch"), LESSONS[2]
    values = [
        float(explain.activations(recognizer.network, read(recognizer, lesson, step).image)["f6"][3])
        for step in lesson.steps
        if step.look == ("f6", 3)
    ]
    assert values[0] > 1.5
    assert values[1] < -1.5
    shares = [read(recognizer, lesson, step).probabilities[9] for step in (lesson.steps[i] for i in (0, 2, 3))]
    assert shares == sorted(shares)


def test_a_bar_lies_under_the_unit_of_lesson_one():
    """The unit of C1 that lesson 1 shows: its map answers to strokes that lie flat, more than to upright ones."""
    network = Recognizer("touch").network
    weights = network.views["c1.weight"][5, 0]
    assert weights.mean(axis=1).max() > 2 * weights.mean(axis=0).max()


def test_the_page_shows_the_lessons_as_they_are():
    page = lesson_page.PAGE.read_text("utf-8")
    block = page.partition("<!-- begin lessons -->\n")[2].partition("\n<!-- end lessons -->")[0]
    assert block.split("\n") == lesson_page.lessons(), "python tests/app/lesson_page.py writes it anew"


def test_the_pages_own_lesson_is_one(recognizer, tmp_path, monkeypatch):
    page = lesson_page.PAGE.read_text("utf-8")
    (tmp_path / "1.json").write_text(page.partition("```json\n")[2].partition("```")[0], encoding="utf-8")
    monkeypatch.setattr(course, "FOLDER", tmp_path)
    (lesson,) = load_lessons()
    assert [step.reads for step in lesson.steps] == ["1", "1"]
    assert all(str(read(recognizer, lesson, step).digit) == step.reads for step in lesson.steps)
    assert lesson.steps[1].look == ("c1", (1, 12, 14))
