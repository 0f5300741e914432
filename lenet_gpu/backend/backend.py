"""The place where arrays live and compute: the CPU with NumPy, or an NVIDIA GPU with CuPy.

A backend is a value that is handed to a network when it is built, so that two networks on two backends can
live side by side. It carries the array module `xp` and what differs between the two array libraries: transfers,
waiting for the device, memory in use, the device's name.
"""

from __future__ import annotations

import functools
import logging
import platform
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenet_gpu.errors import BackendError, InputError

if TYPE_CHECKING:
    from lenet_gpu.backend.probe import ProbeResult

Array = Any
"""An array of the backend's array module: numpy.ndarray or cupy.ndarray."""

LOGGER = logging.getLogger("lenet_gpu")

BACKENDS = ("auto", "cpu", "gpu")
"""Names that `select_backend` knows."""

_STATM = Path("/proc/self/statm")
_CPUINFO = Path("/proc/cpuinfo")


@functools.cache
def cpu_name() -> str:
    """Return the processor's name ("AMD EPYC 9654"), or at least its architecture ("arm64")."""
    try:
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return " ".join(value.split())
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


@dataclass(frozen=True)
class Backend(ABC):
    """An array module together with its device.

    Backends are values: equal if they stand for the same device, hashable, and they can be sent to another
    process.

    Attributes:
        name: "cpu" or "gpu".
        device_name: The processor's or the GPU's name, for people to read.
    """

    name: ClassVar[str]
    device_name: str

    @property
    @abstractmethod
    def xp(self) -> Any:
        """The array module: numpy, or cupy."""

    @abstractmethod
    def asarray(self, host: Any, dtype: Any = None) -> Array:
        """Bring data to the device.

        Args:
            host: A host array, a sequence, or an array of this backend, which is returned as it is.
            dtype: Element type of the result; that of `host` if None.

        Returns:
            An array of `xp`. On the CPU it may share its memory with `host`.
        """

    @abstractmethod
    def to_host(self, array: Array) -> np.ndarray:
        """Bring an array back to the host, waiting until it has been computed.

        Args:
            array: An array of `xp`.

        Returns:
            A NumPy array of the same shape and dtype. On the CPU it is the array itself, not a copy.
        """

    def use(self) -> None:  # noqa: B027 (the CPU needs no choice)
        """Make the device the calling thread's; any use of `xp` does so, too."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything that was started on the device is done."""

    @abstractmethod
    def memory_used(self) -> int:
        """Return the memory in use, in bytes.

        Returns:
            On a GPU what this process's arrays take; on the CPU what the whole process takes, 0 if the
            system does not tell.
        """


@dataclass(frozen=True)
class NumpyBackend(Backend):
    """The CPU, with NumPy."""

    name: ClassVar[str] = "cpu"
    device_name: str = field(default_factory=cpu_name)

    @property
    def xp(self) -> Any:
        """The module numpy."""
        return np

    def asarray(self, host: Any, dtype: Any = None) -> np.ndarray:
        """Make a NumPy array of it, without a copy where possible."""
        return np.asarray(host, dtype=dtype)

    def to_host(self, array: Any) -> np.ndarray:
        """Return the array itself, which is on the host; a NumPy scalar becomes a 0-d array."""
        return np.asarray(array)

    def synchronize(self) -> None:
        """Return at once: NumPy computes while it is called."""

    def memory_used(self) -> int:
        """Return the resident memory of this process in bytes; the peak where the system tells only that, else 0."""
        try:
            import resource  # There is none on Windows.

            pages = int(_STATM.read_text(encoding="ascii").split()[1])
            return pages * resource.getpagesize()
        except ImportError:
            return 0
        except (OSError, ValueError, IndexError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class CupyBackend(Backend):
    """An NVIDIA GPU, with CuPy.

    Made by `select_backend`, which has seen that CuPy works; made by hand, nothing is checked.

    Attributes:
        device: Number of the GPU among those that CUDA shows; None: the one that CuPy has chosen, or was told.
    """

    name: ClassVar[str] = "gpu"
    device_name: str = "GPU"
    device: int | None = None

    @property
    def xp(self) -> Any:
        """The module cupy, imported here and not before; the device is the calling thread's from here on."""
        import cupy

        # CuPy's current device is a matter of the thread, and two backends may take turns in one.
        if self.device is not None and cupy.cuda.runtime.getDevice() != self.device:
            cupy.cuda.Device(self.device).use()
        return cupy

    def use(self) -> None:
        """Make the device the calling thread's."""
        _ = self.xp

    def asarray(self, host: Any, dtype: Any = None) -> Array:
        """Copy to the device what is not there yet."""
        return self.xp.asarray(host, dtype=dtype)

    def to_host(self, array: Array) -> np.ndarray:
        """Copy from the device, which waits for the array to be computed."""
        return self.xp.asnumpy(array)

    def synchronize(self) -> None:
        """Wait for all streams of the device, not only the current one."""
        self.xp.cuda.Device().synchronize()

    def memory_used(self) -> int:
        """Return the bytes of this process's arrays on the device."""
        return int(self.xp.get_default_memory_pool().used_bytes())


def select_backend(
    name: str = "auto", *, device: int | None = None, announce: Callable[[str], object] | None = None
) -> Backend:
    """Choose the backend to compute on.

    Args:
        name: "auto" takes the GPU if every stage of the probe succeeds there, else the CPU, and says why in
            one line. "gpu" takes the GPU or fails. "cpu" takes the CPU and never imports CuPy. "gpu:1" is "gpu" with
            the device 1.
        device: Number of the GPU, among those that CUDA_VISIBLE_DEVICES shows; "auto" takes it or fails. None: the
            first one, or the one that the program has chosen in CuPy.
        announce: Called with that one line; by default it is a warning of the logger "lenet_gpu", which
            Python shows on standard error unless a program says otherwise.

    Returns:
        The backend.

    Raises:
        InputError: Another name, or the number of a device for the CPU.
        BackendError: "gpu" was asked for and can't be used; names the stage that failed and the remedy. Or there is
            no GPU of that number; names those that there are.
    """
    numbered = re.fullmatch("gpu:([0-9]{1,4})", name) if isinstance(name, str) and device is None else None
    if numbered is not None:
        name, device = "gpu", int(numbered[1])
    if name not in BACKENDS:
        raise InputError("backend", found=repr(name), expected="'auto', 'cpu', 'gpu' or 'gpu:N'")
    if device is not None:
        if name == "cpu" or isinstance(device, bool) or not isinstance(device, int) or device < 0:
            given = f"{device!r} for the backend 'cpu'" if name == "cpu" else repr(device)
            raise InputError("device", found=given, expected="a number from 0, for the backend 'gpu'")
        name = "gpu"
    if name == "cpu":
        return NumpyBackend()
    # Not at the top: the touch app runs on this module and has no use for the probe.
    from lenet_gpu.backend.probe import cached_probe

    found = cached_probe()
    if found.usable and device is not None:
        return CupyBackend(_name_of_device(found, device), device)
    if found.usable:
        return CupyBackend(device_name=str(found.facts.get("device_name", "GPU")))
    if name == "gpu":
        raise BackendError(
            "backend 'gpu'",
            found=found.reason,
            expected="an NVIDIA GPU that CuPy can use",
            remedy=found.failed.remedy if found.failed else None,
        )
    (LOGGER.warning if announce is None else announce)(_fallback_line(found))
    return NumpyBackend()


def _name_of_device(found: ProbeResult, device: int) -> str:
    """Return the name of the GPU of a number; BackendError if there is none."""
    names = [str(name) for name in found.facts.get("devices", ())]
    if device < len(names):
        return names[device]
    visible = found.facts.get("cuda_visible_devices")
    raise BackendError(
        "device",
        found=str(device),
        expected=", ".join(f"{number} ({name})" for number, name in enumerate(names)),
        remedy=None if visible is None else f"CUDA_VISIBLE_DEVICES={visible} decides which GPUs there are",
    )


def _fallback_line(found: ProbeResult) -> str:
    remedy = found.failed.remedy if found.failed else ""
    return f"computing on the CPU ({found.reason}); {remedy}"
