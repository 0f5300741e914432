"""The wheel, built from the sources and installed in a folder of its own."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from kivy_process import ROOT

FILES = ("pyproject.toml", "LICENSE", "NOTICE.md", "docs/package_page.md", "data/mnist/LICENSE.QMNIST")
"""What pyproject.toml names beside the packages."""


def python(*arguments, cwd, **more):
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd, env={**os.environ, **more}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The sources alone, apart from the checkout: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("source")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("lenet_gpu", "app"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def wheel_of(source, target):
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    python("-m", "pip", "wheel", *options, "--wheel-dir", target, source, cwd=target)
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    return wheel_of(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel, installed in a folder of its own: its packages and its command."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", "--ignore-installed")
    python("-m", "pip", "install", *options, "--prefix", folder, wheel, cwd=folder)
    (packages,) = folder.rglob("site-packages")
    (command,) = folder.rglob("lenet-gpu*" if os.name == "nt" else "bin/lenet-gpu")
    return packages, command


def content(wheel):
    """The wheel's files, without those about the distribution itself."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
