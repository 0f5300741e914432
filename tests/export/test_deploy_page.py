"""What docs/howto/deploy.md shows beside plain Python runs too: C, and ONNX Runtime."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lenet_gpu import LeNet5
from lenet_gpu.export import export_network

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/howto/deploy.md").read_text("utf-8")


def block(kind, heading):
    """The one block of a kind in a section; `py` is Python that needs another package."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", section, re.M | re.S)
    return found


def test_the_program_in_c_compiles_and_reads(tmp_path, mnist):
    export_network(LeNet5.load("mnist"), "c", tmp_path / "digits.c")
    (tmp_path / "read.c").write_text(block("c", "C"))
    (command,) = re.findall("^cc .*$", block("sh", "C"), re.M)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    images = mnist.test.images[:20].tobytes()
    done = subprocess.run([tmp_path / "read"], input=images, capture_output=True, check=True)
    read = [int(line.split()[0]) for line in done.stdout.splitlines()]
    assert read == mnist.test.labels[:20].tolist()


@pytest.mark.onnx
@pytest.mark.onnxruntime
def test_the_program_for_onnx_runtime_runs(tmp_path):
    export_network(LeNet5.load("mnist"), "onnx", tmp_path / "digits.onnx")
    done = subprocess.run(
        [sys.executable, "-c", block("py", "ONNX Runtime")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(2, 10)\n[0, 1, 2,")


def test_the_table_of_microcontrollers_is_what_was_measured():
    sys.path.insert(0, str(ROOT / "tests/campaigns"))
    from microcontroller import RESULT, table

    result = json.loads(RESULT.read_text("utf-8"))
    assert table(result["rows"]) in PAGE
    assert all(row["same_answers"] == row["digits"] for row in result["rows"])
