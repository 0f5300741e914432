"""The installed distribution owns two names, lenet_gpu and lenet_gpu_app; whatever is called `app` is the user's."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from built import content, installed, python, source, wheel, wheel_of
from kivy_process import HERE, ROOT, environment

NAMES = {"lenet_gpu", "lenet_gpu_app"}
USERS_OWN = 'raise SystemExit("the user\'s own app was started")\n'

START = """
import json, sys
import mock_window
from kivy.app import App
from kivy.clock import Clock

def look(_):
    app = App.get_running_app()
    print("FOUND " + json.dumps([type(app).__module__, sys.modules[type(app).__module__].__file__, app.title]))
    app.stop()

Clock.schedule_once(look, 0.3)
sys.argv[0] = "lenet-gpu"
from lenet_gpu.__main__ import main
main()
"""


@pytest.fixture
def project(tmp_path):
    """A user's folder with an app.py, and beside it one with a package app/."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "app.py").write_text(USERS_OWN)
    (tmp_path / "package" / "app").mkdir(parents=True)
    for name in ("__init__.py", "main.py"):
        (tmp_path / "package" / "app" / name).write_text(USERS_OWN)
    return tmp_path


def test_the_wheel_has_no_other_top_level_names(wheel):
    assert {name.split("/")[0] for name in content(wheel)} == NAMES


def test_the_wheel_holds_every_module_and_what_the_app_reads(wheel):
    packaging = ROOT / "app" / "packaging"
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lenet_gpu").rglob("*.py")}
    app = [path for path in (ROOT / "app").rglob("*") if path.suffix in (".py", ".kv", ".npz", ".json")]
    app = [path.relative_to(ROOT / "app").as_posix() for path in app if packaging not in path.parents]
    assert wanted | {f"lenet_gpu_app/{name}" for name in app} <= content(wheel)
    assert not [name for name in content(wheel) if "packaging" in name]


def test_the_packages_named_are_those_that_there_are():
    """A package that is not named in pyproject.toml would be missing from the wheel."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = [path.parent.relative_to(ROOT).parts for path in ROOT.glob("lenet_gpu/**/__init__.py")]
    found += [
        ("lenet_gpu_app", *path.parent.parts[len(ROOT.parts) + 1 :]) for path in ROOT.glob("app/**/__init__.py")
    ]
    assert sorted(named) == sorted(map(".".join, found))


def test_the_source_distribution_builds_the_same_wheel(source, wheel, tmp_path):
    build = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    name = python("-c", build, tmp_path, cwd=source).split()[-1]
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "again").mkdir()
    assert content(wheel_of(unpacked, tmp_path / "again")) == content(wheel)


@pytest.mark.parametrize("kind", ["module", "package"])
def test_a_users_own_app_is_theirs(installed, project, kind):
    packages, command = installed
    call = "import importlib.util as u; print(u.find_spec('app').origin)"
    found = python("-c", call, cwd=project / kind, PYTHONPATH=str(packages)).strip()
    assert Path(found).is_relative_to(project)
    for start in ([command], ["-m", "lenet_gpu"]):
        help_text = python(*start, "app", "--help", cwd=project / kind, PYTHONPATH=str(packages))
        assert "usage: lenet-gpu app" in help_text


def test_without_a_users_app_there_is_none(installed, tmp_path):
    """Without the site-packages of the environment that runs the tests: what is installed there is not looked at."""
    packages, _ = installed
    call = "import importlib.util as u; print(u.find_spec('app'))"
    assert python("-S", "-c", call, cwd=tmp_path, PYTHONPATH=str(packages)).strip() == "None"


def start_app(project, *paths, **more):
    """Start `lenet-gpu app` on a window without a screen; what is running, and from which file."""
    window = environment("mock") | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    said = python("-c", START, "app", "--folder", project / "user", cwd=project, **window, **more)
    return json.loads(said.split("FOUND ")[1].splitlines()[0])


@pytest.mark.parametrize("kind", ["module", "package"])
def test_beside_a_users_app_ours_is_started(installed, project, kind):
    packages, _ = installed
    module, file, title = start_app(project / kind, packages, HERE)
    assert (module, title) == ("lenet_gpu_app.main", "LeNet-5")
    assert Path(file) == packages / "lenet_gpu_app" / "main.py"


def test_a_checkout_starts_its_own_app_uninstalled(source, project):
    """No installed package: the folder app/ beside lenet_gpu/ is taken, whatever else is called app."""
    module, file, _ = start_app(project / "package", project / "package", source, HERE)
    assert module == "lenet_gpu_app.main"
    assert Path(file) == source / "app" / "main.py"


def test_an_editable_install_owns_the_same_names(source, tmp_path):
    build = "import sys; from setuptools import build_meta; print(build_meta.build_editable(sys.argv[1]))"
    name = python("-c", build, tmp_path, cwd=source).split()[-1]
    site = tmp_path / "site"
    zipfile.ZipFile(tmp_path / name).extractall(site)
    call = (
        "import site, sys, json, importlib.util as u; site.addsitedir(sys.argv[1]);"
        "print(json.dumps([getattr(u.find_spec(n), 'origin', None) for n in ('app', 'lenet_gpu', 'lenet_gpu_app')]))"
    )
    found = json.loads(python("-S", "-c", call, site, cwd=tmp_path))
    assert found == [None, str(source / "lenet_gpu" / "__init__.py"), str(source / "app" / "__init__.py")]
