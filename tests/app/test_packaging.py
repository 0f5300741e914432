"""What phones and one-folder programs are built from runs where nothing but NumPy and Kivy is installed."""

import ast
import configparser
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "app" / "packaging"
SPEC = PACKAGING / "lenet_gpu.spec"
STARTED = "Start application main loop"
LEFT_OUT = {"cupy", "cupyx", "matplotlib", "tqdm", "PIL", "platformdirs", "torch", "scipy", "pytest", "setuptools"}

KIVYS_OWN = {"filetype", "cython_runtime", "requests", "certifi", "idna", "urllib3", "charset_normalizer"}
"""What Kivy itself may load."""

# A window without a screen: needs libgl1 and libegl1, nothing else.
WINDOW = {"SDL_VIDEODRIVER": "offscreen", "KIVY_NO_CONFIG": "1", "KIVY_NO_FILELOG": "1", "KIVY_LOG_MODE": "PYTHON"}

DRIVER = """
import json, sys
import main  # as a phone would start it, before NumPy
import numpy as np
from kivy.app import App
from kivy.clock import Clock
from kivy.core.window import Window

FRAMES = 0
REPORT = {}

def finish(*_):
    app = App.get_running_app()
    REPORT["loaded"] = sorted(sys.modules)
    REPORT["window"] = [type(Window).__module__, *Window.size]
    from app.explain import explain_unit, maps
    from app.strings import LANGUAGES, Strings
    session = app.session
    seven = [np.array([[10., 10], [30, 10], [18, 44]], dtype=np.float32)]
    sample = session.samples.add(seven, 7, None)
    prediction = session.recognizer.predict_image(sample.image())
    REPORT["digit"] = prediction.digit
    REPORT["maps"] = sorted(maps(session.recognizer.network, prediction.image))
    REPORT["sum"] = explain_unit(session.recognizer.network, prediction.image, "c3", (0, 1, 2)).sum
    REPORT["tuned"] = session.tuner.tune([sample]).reason
    REPORT["clear"] = [Strings(code)("clear") for code in LANGUAGES]
    session.settings.save()
    REPORT["after"] = sorted(sys.modules)
    app.stop()

def frame(*_):
    global FRAMES
    FRAMES += 1
    if FRAMES == 3:
        Clock.schedule_once(finish)

Window.bind(on_flip=frame)
main.run(**json.loads(sys.argv[1]))
REPORT["frames"] = FRAMES
print("REPORT " + json.dumps(REPORT))
"""


def requirements(name, seen=None):
    """A distribution and all it needs, as they are installed here."""
    seen = {} if seen is None else seen
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    try:
        seen[key] = distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return seen  # needed on another system only
    for line in distribution.requires or ():
        if "extra ==" not in line:
            requirements(re.match(r"[\w.-]+", line).group(), seen)
    return seen


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder, made by the command that the documents name."""
    folder = tmp_path_factory.mktemp("packaging") / "stage"
    ended = subprocess.run(
        [sys.executable, str(PACKAGING / "stage.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A virtual environment that holds NumPy and Kivy with what Kivy requires, linked from here: no network."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    for distribution in (requirements("numpy") | requirements("kivy")).values():
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(distribution.locate_file(top)).resolve())
    return folder / "bin" / "python"


def environment(home):
    (home / ".config").mkdir(parents=True)
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {**keep, **WINDOW, "HOME": str(home), "KIVY_HOME": str(home / "kivy")}


@pytest.fixture(scope="module")
def report(staged, bare_python, tmp_path_factory):
    """What the staged app says after three frames in a window, in the bare environment."""
    place = tmp_path_factory.mktemp("run")
    options = json.dumps({"folder": str(place / "user")})
    ended = subprocess.run(
        [str(bare_python), "-s", "-B", "-c", DRIVER, options],
        cwd=staged,
        env=environment(place / "home"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("REPORT ")]
    assert lines, ended.stdout[-2000:] + ended.stderr[-6000:]
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert {path.name for path in (place / "user").iterdir()} >= {"samples.jsonl", "settings.json"}
    return json.loads(lines[0][len("REPORT ") :])


# ---- the staged folder


def test_the_bare_environment_is_bare(bare_python):
    call = (
        "import importlib.util as u, sys, json;"
        "print(json.dumps([n for n in json.loads(sys.argv[1]) if u.find_spec(n)]))"
    )
    names = json.dumps([*LEFT_OUT, "lenet_gpu", "app", "numpy", "kivy"])
    found = subprocess.run(
        [bare_python, "-s", "-c", call, names], capture_output=True, text=True, check=True, cwd="/"
    )
    assert sorted(json.loads(found.stdout)) == ["kivy", "numpy"]


def test_it_holds_what_reading_needs_and_no_more(staged):
    files = {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file()}
    assert {
        "main.py",
        "buildozer.spec",
        "app/main.py",
        "app/lenet.kv",
        "app/translations/he.py",
        "lenet_gpu/recognition/recognizer.py",
        "lenet_gpu/engine/cpu/plan.py",
        "lenet_gpu/nn/check_set.npz",
        "lenet_gpu/weights/mnist.npz",
    } <= files
    unwanted = (
        "packaging",
        "trainer",
        "datasets",
        "probe",
        "cuda",
        "plots",
        "gpu/commands",
        "cli.py",
        "docs/pictures",
    )
    assert not [file for file in files if any(word in file for word in unwanted)]
    assert sum((staged / file).stat().st_size for file in files) < 3_000_000


def test_every_import_at_load_is_staged_or_numpy_or_kivy(staged):
    allowed = {"numpy", "kivy", "app", "lenet_gpu", "main", *sys.stdlib_module_names}
    for path in staged.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                above = path.relative_to(staged).parts[: -node.level] if node.level else ()
                names = [".".join([*above, *filter(None, [node.module])])]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path}: {name}"
                if name.split(".")[0] in ("app", "lenet_gpu"):
                    parts = staged.joinpath(*name.split("."))
                    assert parts.with_suffix(".py").exists() or (parts / "__init__.py").exists(), f"{path}: {name}"


def test_staging_again_replaces_only_its_own_work(staged, tmp_path):
    (staged / "app" / "stale.py").write_text("")
    command = [sys.executable, str(PACKAGING / "stage.py")]
    subprocess.run([*command, str(staged)], check=True, capture_output=True)
    assert not (staged / "app" / "stale.py").exists()
    (tmp_path / "precious").write_text("mine")
    ended = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_the_staged_app_runs_with_numpy_and_kivy_alone(report):
    assert report["frames"] >= 3
    assert report["window"][0] == "kivy.core.window.window_sdl2"
    assert report["digit"] == 7
    assert report["maps"] == ["c1", "c3", "c5", "f6", "s2", "s4"]
    assert report["tuned"] in ("tune_done", "tune_no_gain", "tune_check_fell")
    assert len(set(report["clear"])) == 3


def test_the_modules_loaded_are_known(report):
    ours = {name for name in report["after"] if name.split(".")[0] in ("app", "lenet_gpu")}
    assert ours >= {"app.main", "app.session", "lenet_gpu.recognition.recognizer", "lenet_gpu.ink.raster"}
    others = {name.split(".")[0] for name in report["after"]} - set(sys.stdlib_module_names)
    others = {name for name in others if not name.startswith(("_", "encodings"))}
    assert others & LEFT_OUT == set()
    # filetype and the like are Kivy's own needs.
    assert others - {"__main__", "main", "app", "lenet_gpu", "numpy", "kivy", "kivy_deps"} <= KIVYS_OWN


# ---- Android


def test_the_android_build_gets_what_it_needs(staged):
    parser = configparser.RawConfigParser()
    parser.read(staged / "buildozer.spec")
    options = dict(parser["app"])
    kinds = {path.suffix.lstrip(".") for path in staged.rglob("*") if path.is_file() and path.name[0] != "."}
    assert kinds - {"spec", "md"} <= set(options["source.include_exts"].split(","))
    assert {"icon.png"} <= {path.name for path in staged.iterdir()}
    assert int(options["android.ndk_api"]) >= 24
    version = (staged / "lenet_gpu" / "_version.py").read_text()
    assert re.search(options["version.regex"], version)
    assert options["android.permissions"] == ""


def test_every_requirement_of_the_android_build_is_pinned_to_its_recipe():
    """Another version than the recipe's is built by patches that were made for that one."""
    parser = configparser.RawConfigParser()
    parser.read(PACKAGING / "buildozer.spec")
    options = dict(parser["app"])
    known = json.loads((PACKAGING / "recipes.json").read_text())
    pinned = dict(part.split("==") for part in options["requirements"].split(","))
    versions = known["recipes"] | known["without a recipe"]
    assert {name: versions.get(name) for name in pinned} == pinned
    assert {"python3", "hostpython3", "kivy", "numpy", "pyjnius"} <= set(pinned)
    assert options["p4a.branch"] == f"v{known['python-for-android']}"
    assert options["android.ndk"] == known["ndk"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", known["read"])
    assert pinned["python3"].split(".")[:2] >= ["3", "11"]


def test_the_icon_is_what_its_script_makes(tmp_path):
    from PIL import Image

    call = "import runpy, sys, pathlib; runpy.run_path(sys.argv[1])['write'](pathlib.Path(sys.argv[2]))"
    script, made = PACKAGING / "make_icon.py", tmp_path / "icon.png"
    subprocess.run([sys.executable, "-c", call, str(script), str(made)], check=True, cwd=ROOT)
    with Image.open(made) as one, Image.open(PACKAGING / "icon.png") as other:
        assert one.size == (504, 504)
        assert one.tobytes() == other.tobytes()


def test_the_raspberry_pis_commands_install_what_the_kiosks_user_can_read():
    """The clone that pip is given lies in that user's home: other homes are closed to it."""
    page = (PACKAGING / "raspberry_pi.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "pip install" in line)
    assert "sudo -u lenet" in line
    target = line.split("pip install")[1].strip().strip("'\"")
    assert target == "/home/lenet/lenet-gpu[app]"
    copied = page.index("/home/lenet/lenet-gpu\n")
    assert copied < page.index("chown -R lenet") < page.index(line)


# ---- one folder for desktops


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_one_folder_program_is_built_and_starts(tmp_path):
    place = tmp_path / "dist"
    home = environment(tmp_path / "home")
    folders = ["--distpath", str(place), "--workpath", str(tmp_path / "work")]
    built = subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", *folders, str(SPEC)],
        cwd=tmp_path,
        env={**home, "PYINSTALLER_CONFIG_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    program = place / "LeNet-5" / "LeNet-5"
    names = {path.relative_to(program.parent).as_posix() for path in program.parent.rglob("*")}
    assert "_internal/lenet_gpu/weights/mnist.npz" in names
    assert not [name for name in names for bad in ("/PIL", "/matplotlib", "/torch", "/cupy") if bad in name]

    log = tmp_path / "log"
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(program)], cwd=tmp_path, env={**home, "KIVY_LOG_MODE": "KIVY"}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 120
        while STARTED not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert STARTED in log.read_text(), log.read_text()[-3000:]
        time.sleep(1.0)
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
