"""Two apps on one folder: the second changes nothing and says so; nobody's digits are lost."""

import subprocess
import sys

import numpy as np
import pytest
from kivy_process import ROOT

from app.samples import SampleStore
from app.session import Session
from app.texts import TEXTS
from app.user_folder import LOCK
from lenet_gpu.errors import InputError

STROKES = [np.array([[0.0, 0.0], [0.0, 9.0]])]

OTHER = """
import sys, numpy as np
from app.session import Session
session = Session.open(sys.argv[1])
session.samples.add([np.array([[0.0, 0.0], [0.0, 9.0]])], 1)
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """Another app that has the folder open, with a digit in it."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_app_opens_read_only_and_says_so(tmp_path, other):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    session = Session.open(tmp_path)
    assert [said.key for said in session.messages] == ["read_only"]
    assert TEXTS["read_only"]
    assert len(session.samples) == 1
    session.messages.clear()
    session.forget_sample()
    session.change(pen_width=3.0)
    session.reset_model()
    assert [said.key for said in session.messages].count("unexpected") == 3
    for change in (session.samples.clear, lambda: session.samples.add(STROKES, 2)):
        with pytest.raises(InputError, match="another open window"):
            change()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_line_that_the_first_is_writing_is_left_to_it(tmp_path, other):
    with open(tmp_path / "samples.jsonl", "ab") as file:
        file.write(b'{"label": 1, "pre')
    before = (tmp_path / "samples.jsonl").read_bytes()
    Session.open(tmp_path)
    assert (tmp_path / "samples.jsonl").read_bytes() == before


def test_a_killed_app_leaves_no_lock(tmp_path, other):
    other.kill()
    other.wait()
    assert (tmp_path / LOCK).exists()
    session = Session.open(tmp_path)
    assert session.messages == []
    session.forget_sample()
    assert len(SampleStore(tmp_path)) == 0


def test_taking_a_digit_back_leaves_what_another_program_has_written(tmp_path):
    first, second = SampleStore(tmp_path), SampleStore(tmp_path)
    first.add(STROKES, 1)
    second.add(STROKES, 7)
    first.remove_last()
    assert [sample.label for sample in SampleStore(tmp_path)] == [7]


def test_forgetting_everything_forgets_what_a_killed_app_has_left_half_written(tmp_path):
    store = SampleStore(tmp_path)
    store.add(STROKES, 1)
    (tmp_path / ".samples.jsonl.x1y2.part").write_text("handwriting")
    (tmp_path / ".notes.part").write_text("not ours")
    store.clear()
    assert [path.name for path in tmp_path.iterdir()] == [".notes.part"]
