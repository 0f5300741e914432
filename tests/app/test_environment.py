"""The app where there is no display, and where the home folder can't be written to."""

import os
import subprocess
import sys

import pytest
from kivy_process import ROOT, environment

from app.environment import check_display
from lenet_gpu.errors import BackendError


def bare(tmp_path, **more):
    """An environment without any display."""
    clean = {name: value for name, value in environment("").items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**clean, "HOME": str(tmp_path), **more}


@pytest.mark.parametrize("start", [["-m", "lenet_gpu", "app"], ["-m", "app"], ["app"]])
def test_without_a_display_it_says_so_and_ends(tmp_path, start):
    ended = subprocess.run(
        [sys.executable, *start],
        cwd=ROOT,
        env=bare(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "no display" in ended.stderr
    assert "SDL_VIDEODRIVER=kmsdrm" in ended.stderr


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "KIVY_WINDOW"])
def test_a_display_or_a_choice_is_enough(name):
    check_display({name: "something"})
    if sys.platform.startswith("linux"):
        with pytest.raises(BackendError):
            check_display({name: ""})


IMPORT = "import app.main, os; print(os.environ['KIVY_HOME'])"


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null", None])
def test_a_home_that_cannot_be_written_to_is_one_line(tmp_path, home):
    variables = bare(tmp_path, SDL_VIDEODRIVER="offscreen", KIVY_NO_CONSOLELOG="1")
    if home is None:  # a file where Kivy's folder would be
        (tmp_path / ".kivy").write_text("")
        home = str(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=ROOT, env={**variables, "HOME": home},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("lenet-gpu: ")]
    assert len(lines) == 1
    assert "Traceback" not in ended.stderr
    elsewhere = ended.stdout.strip().splitlines()[-1]
    assert elsewhere in lines[0]
    assert not os.path.exists(elsewhere)  # gone with the process


def test_a_home_that_can_be_written_to_is_kivys(tmp_path):
    program = "import app.main, os; print(os.environ.get('KIVY_HOME'))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=bare(tmp_path, SDL_VIDEODRIVER="offscreen"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout.strip().splitlines()[-1] == "None"
    assert (tmp_path / ".kivy").is_dir()
