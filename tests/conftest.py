"""Set-up of the test suite: one BLAS thread, the real MNIST, and no silent skips."""

import os

# Before NumPy is imported anywhere: BLAS's own threads fight with everything else that runs.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import subprocess
import sys

import numpy as np
import pytest

from lenet_gpu import load_dataset


def pytest_addoption(parser):
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="fail if any test is skipped, save those marked gpu (for CI: what never runs proves nothing)",
    )


def pytest_configure(config):
    config.skipped_tests = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("gpu") is None:
        item.config.skipped_tests.append(item.nodeid)


def pytest_sessionfinish(session, exitstatus):
    skipped = session.config.skipped_tests
    if session.config.getoption("--forbid-skips") and skipped:
        print(f"\nskipped although --forbid-skips: {', '.join(skipped)}", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
