"""What the app does without its window: reading, teaching, pictures, and files in any state."""

import numpy as np
import pytest
from windowless import down, draw

from app.reading import NO_DIGIT
from app.session import Session
from lenet_gpu.errors import ModelFileError
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.recognition.recognizer import Recognizer
from lenet_gpu.seeds import generator


@pytest.fixture
def session(tmp_path):
    return Session.open(tmp_path)


def said(session):
    return [message.key for message in session.messages]


def test_blank_then_one_then_blank(session):
    assert session.read().answer.kind == "blank"
    draw(session, *down())
    reading = session.read()
    assert (reading.answer.big, reading.prediction.digit) == ("1", 1)
    session.ink.undo()
    assert session.read().answer.kind == "blank"
    session.ink.redo()
    assert session.read().answer.big == "1"


def written(session, digits, seed=3):
    """Write digits side by side as a hand would."""
    edge = 0.0
    for drawing in draw_digits(generator(seed, 1), digits):
        left = min(stroke[:, 0].min() for stroke in drawing)
        for stroke in drawing:
            points = 0.25 * np.add(stroke, [edge - left, 0.0]) - (0.4, 0.1)
            draw(session, *(tuple(map(float, point)) for point in points))
        edge += 0.25 + max(stroke[:, 0].max() for stroke in drawing) - left


@pytest.mark.parametrize("model", ["touch", "mnist"])
def test_every_shipped_model_reads_numbers_and_knows_what_is_no_digit(tmp_path, model):
    session = Session.open(tmp_path, model)
    session.change(number_mode=True)
    written(session, [2, 7, 4])
    assert session.read().answer.big == "274"
    session.ink.clear()
    session.change(number_mode=False)
    draw(session, (-0.2, 0.2), (-0.2, -0.2), (0.0, 0.04), (0.2, -0.2), (0.2, 0.2))  # the letter M
    said = session.read().answer
    assert (said.kind, said.big) == ("not_digit", "")
    assert said.line.key in ("why_unlike", "why_unsure")


def test_a_number_is_read_as_one_without_being_told(session):
    written(session, [2, 7])
    reading = session.read()
    assert (reading.answer.kind, reading.answer.big) == ("number", "27")
    session.change(number_mode=True)
    assert session.read().answer.big == "27"


def test_place_and_size_on_the_canvas_do_not_matter(session):
    draw(session, *down(0.0))
    centred = session.read().prediction.probabilities
    session.ink.clear()
    draw(session, *down(0.35, 0.2, 0.4))
    assert np.abs(session.read().prediction.probabilities - centred).max() < 1e-4


def test_reading_again_without_a_change_costs_nothing(session):
    draw(session, *down())
    assert session.read() is session.read()


def test_a_number_and_its_digits(session):
    session.change(number_mode=True)
    draw(session, *down(-0.3))
    draw(session, *down(0.3))
    reading = session.read()
    assert reading.answer.big == "11"
    assert [len(strokes) for strokes in reading.strokes] == [1, 1]
    assert reading.chosen == 1  # the digit written last is looked at
    session.choose(0)
    assert session.read().chosen == 0
    session.choose(7)
    assert session.reading.chosen == 0
    assert session.teach(1)
    assert np.allclose(next(iter(session.samples)).strokes[0][:, 0], -0.3)
    draw(session, *down(-0.45))  # left of the others
    reading = session.read()
    assert (reading.answer.big, reading.chosen) == ("111", 0)
    session.choose(2)
    session.ink.undo()
    assert session.read().chosen == 1


def test_a_correction_counts_at_once_and_is_kept_once(session):
    assert session.teach(3) is None
    assert said(session) == ["teach_nothing"]
    draw(session, *down())
    assert session.teach(7).added.label == 7
    assert (session.reading.answer.big, session.reading.answer.headline.key) == ("7", "you_said")
    assert session.read().answer.big == "7"
    assert session.teach(7).added is None  # the same drawing is not kept again
    assert len(session.samples) == 1
    correction = session.teach(1)  # nor under two names
    assert (correction.replaced.label, [sample.label for sample in session.samples]) == (7, [1])
    assert session.misread == 0
    assert [sample.label for sample in Session.open(session.settings.folder).samples] == [1]
    session.export(session.settings.folder / "out.csv")
    assert (session.settings.folder / "out.csv").exists()


def test_undo_takes_the_answer_and_the_sample_back(session):
    draw(session, *down())
    session.teach(7)
    session.teach(9)
    assert session.undo_correction().label == 9
    assert (session.reading.answer.big, [sample.label for sample in session.samples]) == ("7", [7])
    assert session.undo_correction() is None
    session.forget_sample()
    assert (session.read().answer.big, len(session.samples)) == ("1", 0)


def test_a_correction_holds_for_its_drawing_alone(session):
    draw(session, *down())
    session.teach(NO_DIGIT)
    assert (session.read().answer.kind, session.read().answer.big) == ("not_digit", "")
    assert [sample.label for sample in Session.open(session.settings.folder).samples] == [None]
    session.ink.undo()
    draw(session, *down(0.01))
    assert session.read().answer.big == "1"


def test_a_digit_of_a_number_is_corrected_in_its_place(session):
    written(session, [2, 7, 4])
    session.read()
    session.choose(1)
    session.teach(1)
    assert session.reading.answer.big == "214"
    assert session.reading.chosen == 1
    draw(session, *down(0.48, -0.1, 0.1))  # beside the others: what was said stays said
    assert session.read().answer.big == "2141"
    session.undo_correction()
    assert session.reading.answer.big == "2741"


def test_learning_and_going_back(session):
    draw(session, *down())
    before = session.read().prediction.probabilities
    session.teach(7)
    assert session.accept(session.tuner.fit(session.samples)).reason.startswith("tune_")
    session.reset_model()
    assert np.allclose(session.read().prediction.probabilities, before)


def test_of_two_readings_the_newest_wins(session):
    draw(session, *down())
    old = session.job()
    written(session, [2, 7])
    new = session.job()
    assert session.job() is None
    assert session.settle(new, new.run())
    assert not session.settle(old, old.run())
    assert session.reading.answer.kind != "digit"


def test_a_broken_model_of_the_users_is_set_aside_and_the_app_starts(tmp_path):
    model = tmp_path / "mine.npz"
    model.write_bytes(b"not a model")
    first = Session.open(tmp_path / "user")
    first.change(model=str(model))
    session = Session.open(tmp_path / "user")
    assert said(session) == ["model_aside"]
    assert not model.exists()
    assert len(list(tmp_path.glob("mine.npz*"))) == 1
    draw(session, *down())
    assert session.read().answer.big == "1"


def test_broken_settings_and_samples_are_set_aside_and_the_app_starts(tmp_path):
    (tmp_path / "settings.json").write_text("{ no json")
    (tmp_path / "samples.jsonl").write_bytes(b"\x00\xff no line\n")
    session = Session.open(tmp_path)
    assert {"settings_aside", "samples_aside"} <= set(said(session))
    draw(session, *down())
    assert session.read().answer.big == "1"


def test_a_model_asked_for_by_name_must_be_good(tmp_path):
    with pytest.raises(ModelFileError):
        Session.open(tmp_path, model=tmp_path / "missing.npz")


def test_a_full_disk_is_said_not_raised(tmp_path):
    (tmp_path / "file").write_text("in the way")
    session = Session.open(tmp_path / "file" / "below")
    session.messages.clear()
    session.change(language="de")
    assert said(session) == ["unexpected"]
    draw(session, *down())
    assert session.teach(1) is None
    assert len(session.samples) == 0


def test_a_picture_is_read_instead_of_ink(session, tmp_path, mnist):
    draw(session, *down())
    image = mnist.test.images[0]
    assert session.open_picture("seven.png", lambda path: image)
    assert session.ink.empty
    assert session.read().answer.big == "7"
    assert session.teach(3).added is None  # there are no strokes to learn from
    assert (session.read().answer.big, len(session.samples)) == ("3", 0)
    session.drop_picture()
    session.ink.undo()
    assert session.read().answer.big == "1"


def test_what_is_no_picture_is_said(session):
    def fail(path):
        raise OSError("unreadable")

    assert not session.open_picture("/some/where/x.png", fail)
    assert session.messages[-1].values == {"name": "x.png"}
    assert session.picture is None


def test_pictures_with_and_without_pillow_agree(tmp_path, mnist):
    from PIL import Image

    from app.picture_file import load_greyscale

    path = tmp_path / "seven.png"
    Image.fromarray(np.kron(mnist.test.images[0], np.ones((6, 6), np.uint8))).save(path)
    picture = load_greyscale(str(path))
    assert picture.shape == (168, 168)
    assert Recognizer().predict_image(picture).digit == 7
