"""Input as it really comes: a mouse through X, two fingers through TUIO, no point lost at 5 frames a second."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from display import Display
from kivy_process import ROOT, finish, play, result_in, start
from pointer import draw_all, faults


def test_no_point_of_a_mouse_is_lost_at_five_frames_a_second(tmp_path):
    found = play("slow_mouse", tmp_path, "mock", frames=5)
    assert found["points"] == [101]
    assert found["off"][0] < 1.5  # pixels: it begins where the button went down, not where the first frame found it


def test_two_real_fingers_make_two_strokes_and_a_ghost_none(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = finish(start("two_fingers", tmp_path, "mock", TUIO_PORT=str(port)))
    assert found["most"] == 2
    (left, left_points), (right, right_points) = found["strokes"]
    assert left == pytest.approx(-0.5, abs=0.03)
    assert right == pytest.approx(0.5, abs=0.03)
    assert left_points == right_points == 20


@pytest.fixture
def display(tmp_path):
    one = Display(tmp_path)
    yield one
    one.close()


def test_nothing_is_said_on_the_terminal_when_nothing_is_wrong(tmp_path, display):
    """As a user starts it: no configuration of Kivy's yet, no libraries of touch screens, no clipboard command."""
    home = tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lenet_gpu", "app", "--folder", str(tmp_path / "user")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={
            "HOME": str(home), "PATH": str(home), "DISPLAY": display.name,
            "LC_ALL": "de_DE.UTF-8", "SDL_VIDEO_X11_WMCLASS": "lenet_gpu_quiet",
        },
    )  # fmt: skip
    try:
        window = display.do("search", "--sync", "--class", "lenet_gpu_quiet").split()[0]
        display.do("windowfocus", window)
        for keys in ("1", "F5", "ctrl+o", "a", "ctrl+c", "Escape", "ctrl+c"):  # the clipboard's turn, too
            display.do("key", "--window", window, keys)
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[0]
    assert said.replace("lenet-gpu: interrupted", "").strip() == ""


def test_a_real_mouse_draws_clicks_and_real_keys_work(tmp_path, display):
    process = start(
        "slow_mouse", tmp_path, "x11", frames=5, options={"from_outside": True, "seconds": 90}, DISPLAY=display.name
    )
    told, lines = {}, []
    while True:
        line = process.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
        words = line.split()
        if words[:1] == ["PAGE"]:
            told["page"] = list(map(int, words[1:]))
        elif words[:1] == ["TOOL"]:
            told[words[1]] = list(map(int, words[2:]))
        elif words[:1] == ["READY"]:
            break
    rest = []
    reader = threading.Thread(target=lambda: rest.append(process.stdout.read()), daemon=True)
    reader.start()
    window = display.do("search", "--sync", "--class", "lenet_gpu_test").split()[0]
    display.do("windowmove", window, 0, 0)
    display.do("windowfocus", window)
    left, _, width, height = told["page"]
    top = 800 - told["page"][1]
    x, y = left + width // 2, top + int(height * 0.2)

    # A one, downwards: a hundred reports while the app makes five frames a second.
    display.do("mousemove", "--window", window, x, y)
    display.do("mousedown", 1)
    moves = [
        part for step in range(1, 101) for part in ("mousemove", "--window", window, x, y + step * height * 6 // 1000)
    ]
    display.do(*moves)
    time.sleep(0.5)
    display.do("mouseup", 1)
    time.sleep(1.5)
    display.do("mousemove", "--window", window, *told["undo"])
    display.do("click", 1)
    time.sleep(1.0)
    display.do("key", "--window", window, "ctrl+y")
    time.sleep(1.0)
    display.do("key", "--window", window, "7")
    time.sleep(1.0)
    display.do("key", "--window", window, "Return")
    time.sleep(1.0)
    display.do("key", "--window", window, "n")
    display.do("key", "--window", window, "F4")
    process.wait(120)
    reader.join(20)
    process.stdout.close()
    assert process.returncode == 0, rest[0][-4000:]
    states = result_in(rest[0])["states"]
    counts = [state[0] for state in states]
    begins = [state[4] for state in states if state[4]]
    assert max(abs(begins[0][0] - x), abs(begins[0][1] - y)) < 1.5, begins[0]
    drawn = max((c for c in counts if c), key=lambda c: c[0])
    assert drawn == [101], states
    assert [101] in counts
    after = counts[counts.index([101]) :]
    assert [] in after, "the click on undo"
    assert [101] in after[after.index([]) :], "Ctrl+Y"
    assert any(state[1] == "1" for state in states)
    assert any(state[3] == 1 for state in states), "the keys 7 and Enter correct"
    assert states[-1][2] == "teach", "F4"


def test_quick_digits_of_a_real_mouse_are_drawn_where_it_went_at_five_frames_a_second(tmp_path, display):
    found = draw_all(display, tmp_path, frames=5, count=4)
    assert faults(found) == []


def test_the_teachers_mode_fills_the_screen_and_gives_the_window_back(tmp_path, display):
    found = finish(start("full_screen", tmp_path, "x11", DISPLAY=display.name))
    before, full, after = found["sizes"]
    assert before == after == [[480, 800]] * 2
    assert full == [[1000, 900]] * 2
    assert found["answers"] == ["7"] * 3
