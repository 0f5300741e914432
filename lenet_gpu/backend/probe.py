"""Staged detection of a GPU that CuPy can use.

"CuPy imports" does not mean "there is a GPU": without a driver the import succeeds, and without NVRTC or
cuBLAS everything succeeds until the first kernel or the first product. So the probe takes one small step
after the other and stops at the first that fails. Its result is data: `select_backend` decides by it and
`lenet-gpu doctor` prints it. Nothing a stage does, raises or fails to finish escapes the probe.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import os
import queue
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lenet_gpu.backend.remedies import HANG, MORE_THREADS, remedy_for

OK, FAILED, NOT_REACHED = "ok", "failed", "not reached"

DRIVER_FILE = Path("/proc/driver/nvidia/version")
"""File in which the NVIDIA driver on Linux says its version, whether or not CuPy is there."""

CUPY_DISTRIBUTIONS = (
    "cupy",
    *(f"cupy-cuda{version}" for version in (102, *range(110, 118))),
    *(f"cupy-cuda{version}x" for version in range(11, 20)),
    *(f"cupy-rocm-{version}" for version in ("4-0", "4-2", "4-3", "5-0", "7-0", "7-1", "7-14")),
    "amd-cupy",
)
"""Distributions that bring a package `cupy`. Asking for each is faster than reading every record there is."""

_SIZE = 32  # Side of the arrays that the stages compute with.
_KERNEL = 'extern "C" __global__ void lenet_gpu_probe(float* x) { x[threadIdx.x] += threadIdx.x; }'


class StageFailure(Exception):
    """A failure that a stage found itself: no library raised it."""


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.

    Attributes:
        key: Short name ("installed", "kernel", ...).
        title: What the stage tries, for people.
        outcome: "ok", "failed" or "not reached".
        detail: What was found, or the original exception, in one line; empty if not reached.
        remedy: What the user can do about it; empty unless failed.
    """

    key: str
    title: str
    outcome: str
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class ProbeResult:
    """The result of the probe.

    Attributes:
        stages: One result for each stage, in order.
        facts: What became known on the way, as far as it got: distributions, cupy_path, cupy_version,
            cuda_runtime, cuda_driver ("13.2"), device_count, devices (their names), device_name,
            compute_capability ("9.0"), memory_total (bytes), nvidia_driver ("580.65"), cuda_visible_devices.
    """

    stages: tuple[StageResult, ...]
    facts: Mapping[str, Any]

    @property
    def failed(self) -> StageResult | None:
        """The stage that failed, or None."""
        return next((stage for stage in self.stages if stage.outcome == FAILED), None)

    @property
    def usable(self) -> bool:
        """True if every stage went well."""
        return all(stage.outcome == OK for stage in self.stages)

    @property
    def reason(self) -> str:
        """The reason why the GPU can't be used, in one line; empty if it can."""
        failed = self.failed
        return f'stage "{failed.key}": {failed.detail}' if failed else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain lists, dicts, strings and numbers."""
        return {
            "usable": self.usable,
            "stages": [asdict(stage) for stage in self.stages],
            "facts": dict(self.facts),
        }


@dataclass
class Work:
    """The values that the stages hand on to one another."""

    facts: dict[str, Any] = field(default_factory=dict)
    cupy: Any = None
    array: Any = None
    scaled: Any = None
    product: Any = None


@dataclass(frozen=True)
class Stage:
    """One step of the probe: `check` returns what it found, or raises anything."""

    key: str
    title: str
    check: Callable[[Work], str]


def one_line(text: object, limit: int = 240) -> str:
    """Bring any text into one line of at most `limit` characters (exceptions of CuPy span many)."""
    line = " ".join(re.sub(r"={5,}", " ", str(text)).split())
    return line if len(line) <= limit else f"{line[: limit // 2 - 2]} ... {line[-(limit // 2) + 3 :]}"


def describe(error: BaseException) -> str:
    """Describe an exception in one line: type and message."""
    if isinstance(error, StageFailure):
        return one_line(error)
    try:
        message = one_line(error)
    except Exception:  # An exception's __str__ may be broken as well.
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def nvidia_driver() -> str | None:
    """Return the version of the NVIDIA kernel driver ("580.65.06"), or None where it can't be read."""
    try:
        text = DRIVER_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b\d{3,}\.\d+(\.\d+)*\b", text)
    return found.group() if found else None


def cupy_distributions() -> list[str]:
    """List the installed distributions that bring a `cupy` package, sorted; two break each other."""
    names = []
    for name in CUPY_DISTRIBUTIONS:
        with contextlib.suppress(Exception):  # Not found, or a damaged record.
            importlib.metadata.distribution(name)
            names.append(name)
    return sorted(names)


# ---- the stages


def _installed(work: Work) -> str:
    driver = nvidia_driver()
    if driver:
        work.facts["nvidia_driver"] = driver
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        work.facts["cuda_visible_devices"] = visible
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("cupy")
    work.facts["distributions"] = cupy_distributions()
    if spec is None or spec.origin is None:
        # Removing one of two CuPy packages takes the files of the other away and leaves its record, and a
        # bare folder of that name counts as an importable (namespace) package.
        if work.facts["distributions"]:
            raise StageFailure(f"the files of {' and '.join(work.facts['distributions'])} are gone")
        if spec is not None:
            folder = next(iter(spec.submodule_search_locations or []), "?")
            raise StageFailure(f"the folder {folder} hides the package cupy")
        raise StageFailure("CuPy is not installed")
    work.facts["cupy_path"] = spec.origin
    return spec.origin


def _distributions(work: Work) -> str:
    names = work.facts["distributions"]
    if len(names) > 1:
        raise StageFailure(f"{' and '.join(names)} are installed at once and break each other")
    return names[0] if names else "no distribution record (built from source?)"


def _import(work: Work) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Under -W error a mere warning would pass for a broken CuPy.
        work.cupy = importlib.import_module("cupy")
    work.facts["cupy_version"] = str(work.cupy.__version__)
    return f"CuPy {work.facts['cupy_version']}"


def _device(work: Work) -> str:
    runtime = work.cupy.cuda.runtime
    for key, read in (("cuda_runtime", "runtimeGetVersion"), ("cuda_driver", "driverGetVersion")):
        with contextlib.suppress(Exception):
            version = int(getattr(runtime, read)())
            work.facts[key] = f"{version // 1000}.{version % 1000 // 10}" if version else "none"
    count = int(runtime.getDeviceCount())
    work.facts["device_count"] = count
    if count < 1:
        raise StageFailure("no CUDA device")
    properties = runtime.getDeviceProperties(runtime.getDevice())
    work.facts["devices"] = [_name_of(runtime.getDeviceProperties(number)) for number in range(count)]
    work.facts["device_name"] = _name_of(properties)
    work.facts["compute_capability"] = f"{properties['major']}.{properties['minor']}"
    work.facts["memory_total"] = int(properties["totalGlobalMem"])
    return f"{count} device{'s' if count > 1 else ''}, using {work.facts['device_name']}"


def _name_of(properties: Mapping[str, Any]) -> str:
    name = properties["name"]
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _allocation(work: Work) -> str:
    work.array = work.cupy.zeros((_SIZE, _SIZE), dtype="float32")
    return f"{work.array.nbytes} bytes"


def _kernel(work: Work) -> str:
    work.cupy.RawKernel(_KERNEL, "lenet_gpu_probe")((1,), (_SIZE,), (work.array,))
    return "compiled and launched"


def _elementwise(work: Work) -> str:
    # CuPy's own kernels include CUDA headers, which a raw kernel does without.
    work.scaled = work.array * 2.0 + 1.0  # (32, 32)
    return "compiled and launched"


def _product(work: Work) -> str:
    work.product = work.scaled @ work.scaled  # (32, 32)
    return "launched"


def _synchronize(work: Work) -> str:
    work.cupy.cuda.Stream.null.synchronize()
    # Row 0 of the array is 0, 1, ..., 31 and the rest 0: scaled has 2 j + 1 in row 0 and 1 elsewhere.
    rows = work.cupy.asnumpy(work.product).tolist()
    first = [float(2 * j + 1 + sum(2 * i + 1 for i in range(1, _SIZE))) for j in range(_SIZE)]
    other = [float(2 * j + 1 + _SIZE - 1) for j in range(_SIZE)]
    if rows != [first] + [other] * (_SIZE - 1):
        raise StageFailure("the GPU computed a wrong product")
    return "results are right"


STAGES: tuple[Stage, ...] = (
    Stage("installed", "CuPy is installed", _installed),
    Stage("distributions", "only one CuPy package", _distributions),
    Stage("import", "import cupy", _import),
    Stage("device", "driver and device", _device),
    Stage("allocation", "memory on the device", _allocation),
    Stage("kernel", "raw kernel (NVRTC)", _kernel),
    Stage("elementwise", "CuPy kernel (CUDA headers)", _elementwise),
    Stage("product", "matrix product (cuBLAS)", _product),
    Stage("synchronise", "wait and read back", _synchronize),
)


# ---- running them


def stage_timeout() -> float:
    """Return the seconds a stage may take: LENET_GPU_PROBE_TIMEOUT, or 60 (cold drivers and disks are slow)."""
    try:
        seconds = float(os.environ["LENET_GPU_PROBE_TIMEOUT"])
    except (KeyError, ValueError):
        return 60.0
    return seconds if 0 < seconds < threading.TIMEOUT_MAX else 60.0


def run_stages(stages: Sequence[Stage], timeout: float) -> Iterator[tuple[StageResult, dict[str, Any]]]:
    """Run stages until one fails.

    They run in a separate thread, because a driver can hang for good in a call that nothing interrupts.

    Args:
        stages: Stages in order.
        timeout: Seconds that each stage may take.

    Yields:
        The result of each stage that ran, as soon as it is over, and a copy of the facts known by then.
    """
    results: queue.SimpleQueue[tuple[StageResult, dict[str, Any]]] = queue.SimpleQueue()
    may_run = threading.Semaphore(0)

    def work_through() -> None:
        work = Work()
        for stage in stages:
            may_run.acquire()
            try:
                result = StageResult(stage.key, stage.title, OK, one_line(stage.check(work)))
            except BaseException as error:  # Also SystemExit: nothing of CuPy's may end the program.
                detail = describe(error)
                remedy = remedy_for(stage.key, detail, work.facts)
                result = StageResult(stage.key, stage.title, FAILED, detail, remedy)
            results.put((result, dict(work.facts)))
            if result.outcome == FAILED:
                return

    try:
        threading.Thread(target=work_through, name="lenet-gpu-probe", daemon=True).start()
    except RuntimeError as error:  # the system has none left
        yield StageResult(stages[0].key, stages[0].title, FAILED, describe(error), MORE_THREADS), {}
        return
    facts: dict[str, Any] = {}
    for stage in stages:
        may_run.release()  # Not before the last result was dealt with: the next stage may end the process.
        try:
            result, facts = results.get(timeout=timeout)
        except queue.Empty:
            result = StageResult(stage.key, stage.title, FAILED, f"no answer within {timeout:g} s", HANG)
        yield result, facts
        if result.outcome == FAILED:
            return


def complete(ran: Sequence[tuple[StageResult, dict[str, Any]]]) -> ProbeResult:
    """Make the whole result of the stages that ran: the others were not reached."""
    missing = tuple(StageResult(stage.key, stage.title, NOT_REACHED) for stage in STAGES[len(ran) :])
    return ProbeResult((*(result for result, _ in ran), *missing), ran[-1][1] if ran else {})


def probe() -> ProbeResult:
    """Find out, in this process, whether CuPy can compute on a GPU; never raises."""
    return complete(list(run_stages(STAGES, stage_timeout())))


cached_probe = functools.cache(probe)
"""`probe`, once a process: a failed import of CuPy can't be tried again anyway."""
