"""Fake installations of CuPy, one for each way in which the real thing can fail, and one that works.

A scenario is written to a folder as a real package with real distribution records and used by a process of its
own (`child.py`), which sees that folder, NumPy and this project, but nothing else that may be installed here.
The texts of the exceptions are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy

TESTS = Path(__file__).resolve().parents[1]

_PACKAGE = '''
import sys, types, warnings
sys.path.append({tests!r})
from stand_in import strict_cupy
from stand_in.strict_cupy import ndarray, xp
warnings.warn("CuPy warns about something while it is imported")
__version__ = "14.2.0"

class CUDARuntimeError(RuntimeError):
    pass

class OutOfMemoryError(MemoryError):
    pass

def raising(error):
    def function(*args, **kwargs):
        raise error
    return function

class RawKernel:
    """Knows the one kernel that the probe launches: x[i] += i for each thread i."""
    def __init__(self, code, name):
        assert name in code
    def __call__(self, grid, block, arguments):
        x = arguments[0]._host.reshape(-1)
        x[: block[0]] += range(block[0])

runtime = types.SimpleNamespace(
    runtimeGetVersion=lambda: 13020, driverGetVersion=lambda: 13000, getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
    getDeviceProperties=lambda i: {{"name": b"Stand-in GPU", "major": 9, "minor": 0, "totalGlobalMem": 2**33}},
)
cuda = types.SimpleNamespace(runtime=runtime, Stream=xp.cuda.Stream, Device=xp.cuda.Device)

def __getattr__(name):
    return getattr(xp, name)

{fault}
'''


@dataclass(frozen=True)
class Scenario:
    """One state of an installation and what must be said about it.

    Attributes:
        name: For the test's name.
        stage: The stage that must be named; None where everything works.
        detail: Words of the original exception.
        remedy: Words of the remedy.
        fault: Python that breaks the working fake; None leaves the package out.
        distributions: Distribution records to write.
        environment: Additional environment variables.
    """

    name: str
    stage: str | None
    detail: str = ""
    remedy: str = ""
    fault: str | None = ""
    distributions: tuple[str, ...] = ("cupy-cuda13x",)
    environment: dict[str, str] = field(default_factory=dict)


def _cuda_error(text):
    return f"raising(CUDARuntimeError({text!r}))"


_INSUFFICIENT = _cuda_error(
    "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
)
_NVRTC = 'Failure finding "libnvrtc.so.13": No such file: libnvrtc.so.13'
_CUBLAS = "libcublas.so.13: cannot open shared object file: No such file or directory"
_INSTALL = "pip install 'cupy-cuda13x[ctk]'"
_NO_PROCESS_SURVIVES = "import os, signal; runtime.getDeviceCount = lambda: os.kill(os.getpid(), signal.SIGKILL)"

WORKING = Scenario("working", None)

BROKEN = (
    Scenario("not installed", "installed", "CuPy is not installed", _INSTALL, fault=None, distributions=()),
    Scenario(
        "files gone",
        "installed",
        "the files of cupy-cuda12x are gone",
        "pip uninstall cupy-cuda12x, then pip install 'cupy-cuda12x[ctk]'",
        fault=None,
        distributions=("cupy-cuda12x",),
    ),
    Scenario(
        "two distributions",
        "distributions",
        "cupy-cuda12x and cupy-cuda13x are installed at once",
        "pip uninstall cupy-cuda12x cupy-cuda13x, then pip install 'cupy-cuda13x[ctk]'",
        distributions=("cupy-cuda13x", "cupy-cuda12x"),
    ),
    Scenario("import error", "import", f"ImportError: {_CUBLAS}", _INSTALL, fault=f"raise ImportError({_CUBLAS!r})"),
    Scenario(
        "import ends the program",
        "import",
        "SystemExit: 7",
        "pip uninstall cupy-cuda13x",
        fault="raise SystemExit(7)",
    ),
    Scenario(
        "no driver",
        "device",
        "CUDARuntimeError: cudaErrorInsufficientDriver",
        "install the NVIDIA driver",
        fault=f"runtime.driverGetVersion = lambda: 0; runtime.getDeviceCount = {_INSUFFICIENT}",
    ),
    Scenario(
        "old driver",
        "device",
        "CUDA driver version is insufficient",
        "update the NVIDIA driver (it speaks CUDA 12.2, CUDA 13 needs driver 580 or newer), or take CUDA 12",
        fault=f"runtime.driverGetVersion = lambda: 12020; runtime.getDeviceCount = {_INSUFFICIENT}",
    ),
    Scenario(
        "no device",
        "device",
        "cudaErrorNoDevice",
        "nvidia-smi",
        fault="runtime.getDeviceCount = " + _cuda_error("cudaErrorNoDevice: no CUDA-capable device is detected"),
    ),
    Scenario(
        "hidden device",
        "device",
        "no CUDA device",
        "CUDA_VISIBLE_DEVICES='-1' hides the GPUs: unset it",
        fault="runtime.getDeviceCount = lambda: 0",
        environment={"CUDA_VISIBLE_DEVICES": "-1"},
    ),
    Scenario(
        "no memory",
        "allocation",
        "OutOfMemoryError: Out of memory allocating 4,096 bytes",
        "nvidia-smi lists who holds the GPU",
        fault="zeros = raising(OutOfMemoryError('Out of memory allocating 4,096 bytes'))",
    ),
    Scenario(
        "no NVRTC",
        "kernel",
        f"RuntimeError: {_NVRTC}",
        _INSTALL,
        fault=f"RawKernel.__call__ = raising(RuntimeError({_NVRTC!r}))",
    ),
    Scenario(
        "no CUDA headers",
        "elementwise",
        "RuntimeError: Failed to find CUDA headers",
        _INSTALL,
        fault="ndarray.__mul__ = raising(RuntimeError('Failed to find CUDA headers'))",
    ),
    Scenario(
        "no cuBLAS",
        "product",
        f"ImportError: {_CUBLAS}",
        _INSTALL,
        fault=f"ndarray.__matmul__ = raising(ImportError({_CUBLAS!r}))",
    ),
    Scenario(
        "device lost",
        "synchronise",
        "cudaErrorIllegalAddress",
        "restart the computer",
        fault="xp.cuda.Stream.synchronize = " + _cuda_error("cudaErrorIllegalAddress: an illegal memory access"),
    ),
    Scenario(
        "wrong product",
        "synchronise",
        "the GPU computed a wrong product",
        "restart the computer",
        fault="ndarray.__matmul__ = lambda a, b: a * 1.0",
    ),
    Scenario(
        "driver hangs",
        "device",
        "no answer within 2 s",
        "run nvidia-smi",
        fault="import time; runtime.getDeviceCount = lambda: time.sleep(600)",
        environment={"LENET_GPU_PROBE_TIMEOUT": "2"},
    ),
)
"""Everything that `select_backend` must survive."""

CRASHING = Scenario(
    "driver kills the process",
    "device",
    "the process was ended by signal 9",
    "update the NVIDIA driver",
    fault=_NO_PROCESS_SURVIVES,
)
"""What only the doctor survives, who probes in a process of its own."""


def install(scenario: Scenario, folder: Path) -> Path:
    """Write the scenario's packages and records to a folder, like `pip install --target`."""
    if scenario.fault is not None:
        package = folder / "cupy"
        package.mkdir(parents=True)
        text = _PACKAGE.format(tests=str(TESTS), fault=scenario.fault)
        (package / "__init__.py").write_text(text, encoding="utf-8")
    for name in scenario.distributions:
        record = folder / f"{name.replace('-', '_')}-14.2.0.dist-info"
        record.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 14.2.0\n"
        (record / "METADATA").write_text(text, encoding="utf-8")
    return folder


def numpy_alone(folder: Path) -> Path:
    """A folder that has NumPy and nothing else that this Python has installed."""
    for entry in Path(numpy.__file__).resolve().parents[1].glob("numpy*"):
        (folder / entry.name).symlink_to(entry)
    return folder


def run(scenario: Scenario, folder: Path, *actions: str) -> subprocess.CompletedProcess[str]:
    """Run `child.py ACTION...` in a process that sees the scenario's CuPy.

    Args:
        scenario: What is installed.
        folder: An empty folder to work in.
        actions: See `child.py`.

    Returns:
        The ended process, with what it printed.
    """
    fake, site = folder / "fake", folder / "site"
    fake.mkdir()
    site.mkdir()
    paths = [install(scenario, fake), numpy_alone(site), TESTS.parent]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CUDA", "CUPY", "LENET"))}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(map(str, paths)), **scenario.environment}
    child = Path(__file__).with_name("child.py")
    return subprocess.run(
        [sys.executable, "-S", "-W", "error", str(child), *actions],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def answer(process: subprocess.CompletedProcess[str]) -> dict:
    """The JSON that the process printed."""
    assert process.stdout, process.stderr
    return json.loads(process.stdout)
