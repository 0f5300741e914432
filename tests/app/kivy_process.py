"""Runs a scene of the app in a process of its own: with real pixels, on an X server, or on a mock GL.

A scene is a file in scenes/ with a generator `scene(app)`: it acts, yields the seconds to wait, and returns what
shall be asserted. Kivy can be set up once a process only, and only by the environment before its first import.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SEPARATOR = "=== result ==="


def environment(driver, size=(480, 800), density=1.0, frames=60):
    """The environment of a Kivy process that reads no one's configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KIVY_", "KCFG_", "SDL_"))}
    clean |= {
        "LC_ALL": "C.UTF-8",
        "KIVY_NO_ARGS": "1",
        "KIVY_NO_CONFIG": "1",
        "KIVY_NO_FILELOG": "1",
        "KIVY_LOG_MODE": "PYTHON",
        "KIVY_METRICS_DENSITY": str(density),
        "OPENBLAS_NUM_THREADS": "1",
        "KCFG_GRAPHICS_MULTISAMPLES": "0",
        "KCFG_GRAPHICS_WIDTH": str(size[0]),
        "KCFG_GRAPHICS_HEIGHT": str(size[1]),
        "KCFG_GRAPHICS_MAXFPS": str(frames),
        "PYTHONPATH": str(ROOT),
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    if driver == "mock":
        clean |= {"KIVY_GL_BACKEND": "mock", "KIVY_WINDOW": "mock"}
    elif driver == "offscreen":
        clean |= {"SDL_VIDEODRIVER": "offscreen"}
    elif driver == "x11":
        clean |= {"SDL_VIDEODRIVER": "x11", "SDL_VIDEO_X11_WMCLASS": "lenet_gpu_test"}
    return clean


def start(scene, folder, driver, size=(480, 800), density=1.0, frames=60, options=None, **more):
    """Start a scene; returns its process."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "stage.py"), scene, str(folder), json.dumps(options or {})],
        cwd=folder,
        env={**environment(driver, size, density, frames), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, timeout=300):
    """Wait for a scene and return its result."""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the scene did not end:\n{output[-6000:]}") from None
    assert process.returncode == 0, output[-6000:]
    return result_in(output)


def result_in(output):
    """Find a scene's result in what its process said."""
    assert SEPARATOR in output, output[-6000:]
    return json.JSONDecoder().raw_decode(output.split(SEPARATOR)[1])[0]


def play(scene, folder, driver, timeout=300, **options):
    """Run a scene and return its result."""
    return finish(start(scene, folder, driver, **options), timeout)
