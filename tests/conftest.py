"""Set-up of the test suite: one BLAS thread, the real MNIST, and no silent skips."""

import os

# Before NumPy is imported anywhere: BLAS's own threads fight with everything else that runs.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import importlib
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenet_gpu import load_dataset

# Under nohup, and behind a shell's `&`, SIGINT is ignored, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WITNESSES = {
    "torch": "pip install torch",
    "onnx": "pip install onnx",
    "onnxruntime": "pip install onnxruntime",
    "safetensors": "pip install safetensors",
}
"""Independent implementations that tests compare with, by marker and module, and how to get them. A witness that is
not installed may be skipped; so may tests of a GPU (marker `gpu`), which decide for themselves."""


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


def missing_witness(item):
    """The witness that a test needs and that is not installed, or None."""
    names = [name for name in WITNESSES if item.get_closest_marker(name)]
    return next((name for name in names if importlib.util.find_spec(name) is None), None)


def pytest_runtest_setup(item):
    name = missing_witness(item)
    if name is not None:
        pytest.skip(f"{name} is not installed: {WITNESSES[name]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    if missing_witness(item) is not None:
        item.config.skipped_witnesses.append(item.nodeid)
    elif item.get_closest_marker("gpu") is None:
        item.config.skipped_tests.append(item.nodeid)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """A module that skips itself while it is imported would be missed by the hook above."""
    outcome = yield
    if outcome.get_result().skipped:
        collector.config.skipped_tests.append(collector.nodeid)


def pytest_sessionfinish(session, exitstatus):
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
