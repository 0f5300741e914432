"""`lenet-gpu app` says in one line what keeps it from starting."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_KIVY = """
import sys
sys.modules["kivy"] = None  # as if it were not installed
from lenet_gpu.cli import run
sys.exit(run(sys.argv[1:]))
"""

WITHOUT_WINDOW = """
import sys, types
kivy = types.ModuleType("kivy")
kivy.__spec__ = types.SimpleNamespace()
main = types.ModuleType("lenet_gpu_app.main")
main.run = lambda model=None, folder=None, kiosk=False: print(model, folder, kiosk)
sys.modules.update({"kivy": kivy, "lenet_gpu_app.main": main})
from lenet_gpu.cli import run
sys.exit(run(sys.argv[1:]))
"""


def call(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, "app", *arguments],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_kivy_it_says_what_to_install():
    ended = call(WITHOUT_KIVY)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "Kivy" in ended.stderr
    assert 'pip install "kivy>=2.3.1,<3"' in ended.stderr


def test_a_wrong_model_is_named_before_a_window_opens(tmp_path):
    ended = call(WITHOUT_WINDOW, "--model", str(tmp_path / "none.npz"))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "none.npz" in ended.stderr


def test_options_reach_the_app(tmp_path):
    ended = call(WITHOUT_WINDOW, "--model", "mnist", "--folder", str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{ROOT / 'lenet_gpu' / 'weights' / 'mnist.npz'} {tmp_path} False\n"
    assert call(WITHOUT_WINDOW, "--kiosk").stdout == "None None True\n"


def test_help_has_examples():
    ended = call(WITHOUT_KIVY, "--help")
    assert ended.returncode == 0
    assert "examples:" in ended.stdout
