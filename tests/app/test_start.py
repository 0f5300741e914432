"""The app starts in any home, and keeps its files where the system wants them."""

import json
import subprocess
import sys

import pytest
from kivy_process import HERE, ROOT, environment

START = """
import json
from pathlib import Path
from app.main import ReaderApp
app = ReaderApp()
before = Path(app.session.settings.folder).exists()
app.session.change(pen_width=3.0)
print(json.dumps([str(app.session.settings.folder), before, [said.key for said in app.session.messages]]))
"""

BY_HAND = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
import mock_window
from kivy.app import App
from kivy.clock import Clock

def look(_):
    print("FOUND", type(App.get_running_app()).__module__)
    App.get_running_app().stop()

Clock.schedule_once(look, 0.3)
if sys.argv[1] == "-m":
    runpy.run_module(sys.argv[2], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def start(home, **more):
    home.mkdir(exist_ok=True)
    env = {**environment("mock"), "HOME": str(home), **more}
    if "XDG_CONFIG_HOME" not in more:
        env.pop("XDG_CONFIG_HOME", None)
    ended = subprocess.run(
        [sys.executable, "-c", START], env=env, cwd=home, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("parents", [False, True])
def test_settings_lie_in_the_users_folder_even_in_a_fresh_home(tmp_path, parents):
    home = tmp_path / "home"
    if parents:
        (home / ".config").mkdir(parents=True)
    folder, _, messages = start(home)
    assert (folder, messages) == (str(home / ".config" / "lenet-gpu"), [])
    assert json.loads((home / ".config" / "lenet-gpu" / "settings.json").read_text())["pen_width"] == 3.0


def test_a_folder_that_can_not_be_made_is_a_message_and_no_end(tmp_path):
    _, before, messages = start(tmp_path / "home", XDG_CONFIG_HOME="/proc")  # where not even root may write
    assert (before, messages) == (False, ["unexpected"])


@pytest.mark.parametrize("arguments", [["app"], ["-m", "app"]])
def test_in_a_checkout_the_folder_itself_can_be_started(tmp_path, arguments):
    home = tmp_path / "home"
    home.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", BY_HAND, str(HERE), *arguments],
        env={**environment("mock"), "HOME": str(home)},
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "FOUND app.main" in ended.stdout
