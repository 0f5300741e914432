"""What is released works in an empty folder: the wheel and the source distribution, as a stranger gets them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from built import ROOT, installed, python, source, wheel

from lenet_gpu import __version__
from lenet_gpu.commands.app import no_kivy


@pytest.fixture
def stranger(installed, tmp_path):
    """Run the installed command in an empty folder, without MNIST, without a network, without our checkout."""
    packages, _ = installed

    def run(*arguments, without=(), **more):
        hidden = tmp_path / "hidden"
        hidden.mkdir(exist_ok=True)
        if without:
            (hidden / "sitecustomize.py").write_text(f"import sys; sys.modules.update(dict.fromkeys({without!r}))")
        return subprocess.run(
            [sys.executable, "-P", "-m", "lenet_gpu", *map(str, arguments)],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(hidden), str(packages)]),
                "LENET_GPU_CACHE": str(tmp_path / "cache"),
                **more,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return archive.read(name).decode("utf-8")


def test_the_package_says_what_it_is(wheel):
    """Version, Pythons, licences; and a page without links that lead nowhere from an index."""
    said = metadata(wheel)
    assert f"\nVersion: {__version__}\n" in said
    assert "\nLicense-Expression: MIT AND CC-BY-SA-3.0\n" in said
    for minor in (11, 12, 13, 14):
        assert f"Classifier: Programming Language :: Python :: 3.{minor}\n" in said
    page = said.partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)\s]+)", page) + re.findall(r"(?:href|src)=\"([^\"]+)", page)
    assert [target for target in targets if "://" not in target and not target.startswith("#")] == []
    inside = zipfile.ZipFile(wheel).namelist()
    for licence in ("LICENSE", "NOTICE.md", "LICENSE.QMNIST"):
        assert [name for name in inside if ".dist-info/licenses/" in name and name.endswith(licence)], licence
    for name in ("lenet_gpu/py.typed", "lenet_gpu/weights/README.md", "lenet_gpu/nn/check_set.json"):
        assert name in inside


def test_training_without_data_says_where_to_put_them(stranger):
    done = stranger("train", "--no-download")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("lenet-gpu: error: ")
    assert "mnist" in line
    assert line.endswith("allow the download, or name the folder that has them")


def test_what_needs_no_data_works(stranger, tmp_path):
    sheet = stranger("plot", "--augment", "--out", "sheet.png")
    assert sheet.returncode == 0, sheet.stderr
    assert "digits drawn by lenet_gpu.handwriting" in sheet.stderr
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    for form, file in (("c", "digits.c"), ("html", "digits.html"), ("npz", "digits.npz")):
        done = stranger("export", "touch", "--to", form, "--out", file)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / file).stat().st_size > 100_000
    doctor = stranger("doctor", "--json")
    assert doctor.returncode == 0, doctor.stderr
    assert json.loads(doctor.stdout)["version"] == __version__


def test_the_bench_needs_no_data(stranger):
    done = stranger("bench", "--seconds", "1", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "made-up images" in done.stderr


def test_the_app_says_what_it_needs(stranger):
    done = stranger("app", without=["kivy"])
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "kivy" in line.lower()
    assert "Python below 3.14" in line
    said = str(no_kivy((3, 14)))  # what a Python for which there is no Kivy says
    assert "no wheels for Python 3.14" in said
    assert "pip install" not in said


@pytest.mark.mypy
def test_types_are_seen_from_outside(installed, tmp_path):
    packages, _ = installed
    (tmp_path / "mine.py").write_text(
        "from lenet_gpu import LeNet5, Recognizer\n"
        "reveal_type(LeNet5())\n"
        "reveal_type(Recognizer().predict_image('a.png').digit)\n"
        "LeNet5(seed='x')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "mine.py"]
    env = {**os.environ, "MYPYPATH": str(packages)}
    said = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    lines = [line.split(": ", 1)[1] for line in said.stdout.splitlines() if line.startswith("mine.py")]
    assert 'note: Revealed type is "lenet_gpu.nn.lenet5.LeNet5"' in lines
    assert len(lines) == 3, said.stdout
    assert "Any" not in lines[1]
    assert lines[2].startswith("error: Argument")


def test_the_source_distribution_is_the_repository(tmp_path):
    """All that a clone holds is in it; its tests are found."""
    ours = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "site", "venv")
    clone = shutil.copytree(ROOT, tmp_path / "clone", ignore=ours)
    names = {path.relative_to(clone).as_posix() for path in clone.rglob("*") if path.is_file()}
    build = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    name = python("-c", build, tmp_path, cwd=clone).split()[-1]
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert [name for name in sorted(names) if not (unpacked / name).is_file()] == []
    found = python("-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "--collect-only", cwd=unpacked)
    assert re.search(r"\d{4} tests collected", found), found[-500:]
