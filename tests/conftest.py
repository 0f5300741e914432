"""Set-up of the test suite: one BLAS thread, the real MNIST, and no silent skips."""

import os

# Before NumPy is imported anywhere: BLAS's own threads fight with everything else that runs.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import importlib
import importlib.util
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu import harness

from lenet_gpu import load_dataset
from lenet_gpu.engine.cpu.workers.cores import available_cores

# Under nohup, and behind a shell's `&`, SIGINT is ignored, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WITNESSES = {
    "torch": "pip install torch",
    "onnx": "pip install onnx",
    "onnxruntime": "pip install onnxruntime",
    "safetensors": "pip install safetensors",
    "mypy": "pip install mypy",
    "chromium": "apt-get install chromium, pip install playwright",
}
"""Independent implementations that tests compare with, by marker and module, and how to get them. A witness that is
not installed may be skipped; so may tests of a GPU (marker `gpu`), which decide for themselves."""


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""Names of the browser's program."""

MOST_PROCESSES = 8
"""Processes that run the suite: some tests start windows and workers of their own."""

BEFORE_OTHERS = (
    "app/test_packaging.py",
    "campaigns/test_kills.py",
    "report/test_paper_page.py",
    "test_examples.py",
    "test_notebooks.py",
    "test_pages.py",
    "training/test_mnist.py",
)
"""Files whose few tests take long: begun last, one of them would let all processes but its own wait."""

pytest.register_assert_rewrite("remedies")  # its modules hold assertions, and are no test modules


def pytest_addoption(parser):
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="fail if any test is skipped, save those of a GPU and of witnesses that are not installed",
    )
    parser.addoption("--skipped-witnesses", type=Path, help="write the tests here whose witness is not installed")


def pytest_configure(config):
    config.skipped_tests, config.skipped_witnesses = [], []
    config.pluginmanager.register(Skips(config), "skips")
    if not is_worker(config):
        harness.share_folder()


def is_worker(config):
    """Whether this process runs a part of the tests for another that reports."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A process for each core runs the whole suite; what was asked for by name, and a GPU's tests, run in one."""
    whole = config.args_source is config.ArgsSource.TESTPATHS and not config.option.markexpr
    return min(available_cores(), MOST_PROCESSES) if whole else 0


def pytest_collection_modifyitems(config, items):
    """Processes take files in this order: few long tests, many tests, few tests."""
    if not is_worker(config):
        return
    tests_of = Counter(item.path for item in items)
    first = {Path(__file__).parent / name for name in BEFORE_OTHERS}
    items.sort(key=lambda item: (item.path not in first, -tests_of[item.path], item.path))


def missing_witness(names):
    """The witness among a test's markers that is not installed, or None."""
    return next((name for name in WITNESSES if name in names and not is_installed(name)), None)


def is_installed(witness):
    if witness == "chromium":
        return bool(importlib.util.find_spec("playwright") and any(map(shutil.which, CHROMIUM)))
    return importlib.util.find_spec(witness) is not None


def pytest_runtest_setup(item):
    name = missing_witness({mark.name for mark in item.iter_markers()})
    if name is not None:
        pytest.skip(f"{name} is not installed: {WITNESSES[name]}")


class Skips:
    """Collects what was skipped, also by other processes: their reports arrive here."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        if missing_witness(report.keywords) is not None:
            self.config.skipped_witnesses.append(report.nodeid)
        elif "gpu" not in report.keywords:
            self.config.skipped_tests.append(report.nodeid)

    def pytest_collectreport(self, report):
        """Notice a module that skips itself while it is imported."""
        if report.skipped:
            self.config.skipped_tests.append(report.nodeid)


def pytest_sessionfinish(session, exitstatus):
    if is_worker(session.config):
        return
    skipped = session.config.skipped_tests
    if session.config.getoption("--forbid-skips") and skipped:
        print(f"\nskipped although --forbid-skips: {', '.join(skipped)}", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    listed = session.config.getoption("--skipped-witnesses")
    if listed is not None:
        listed.write_text("".join(f"{test}\n" for test in session.config.skipped_witnesses), encoding="utf-8")


@pytest.fixture
def torch():
    """PyTorch, for tests marked `torch`."""
    return importlib.import_module("torch")


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium, driven by Playwright, for tests marked `chromium`."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def mnist():
    """The real MNIST of the clone."""
    return load_dataset("mnist", download=False, progress=False)


@pytest.fixture
def rng():
    return np.random.default_rng(1998)


@pytest.fixture
def lenet_gpu_command():
    """Runs the command line in a process of its own; returns it finished."""

    def run(*arguments, cwd, timeout=300, **environment):
        return subprocess.run(
            [sys.executable, "-m", "lenet_gpu", *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **environment},
            check=False,
        )

    return run
