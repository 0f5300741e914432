"""The predict command on files of pen strokes."""

import json
import math

import pytest
from fields import assert_documented

from lenet_gpu.commands.predict import read_strokes
from lenet_gpu.errors import InputError


def test_predict_reads_strokes_from_json(lenet_gpu_command, tmp_path):
    turns = [6.2832 * k / 40 for k in range(41)]
    zero = [[30 + 27 * math.sin(t), 50 - 49 * math.cos(t)] for t in turns]
    (tmp_path / "ten.json").write_text(json.dumps([[[-30, 0], [-38, 100]], zero]))
    (tmp_path / "none.json").write_text("[]")
    done = lenet_gpu_command("predict", "mnist", "ten.json", "none.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ten.json: 10\n")
    assert "none.json: not a digit (blank)" in done.stdout
    done = lenet_gpu_command("predict", "mnist", "ten.json", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert_documented("json.md", "A file of strokes", report)
    assert report["text"] == "10"
    assert [digit["strokes"] for digit in report["digits"]] == [[0], [1]]


@pytest.mark.parametrize("text", ["{}", "[[[1]]]", "[[[1, 2]], 3", '[[["a", 1]]]', "[[[1, NaN]]]", "3"])
def test_other_json_is_refused_in_one_line(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json") as error:
        read_strokes(tmp_path / "x.json")
    message = str(error.value)
    assert "\n" not in message
