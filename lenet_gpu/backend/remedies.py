"""Remedies for each way in which a GPU can be out of reach.

Data for the probe: a remedy is chosen by the stage that failed, the exception's text and the facts known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

HANG = (
    "run nvidia-smi: if that does not answer either, restart the computer; until then use the CPU "
    "(LENET_GPU_PROBE_TIMEOUT=seconds waits longer)"
)
MORE_THREADS = "allow more processes (ulimit -u), or end other programs; until then use the CPU"
CRASH = "run nvidia-smi, update the NVIDIA driver, or reinstall CuPy; until then use the CPU"

_MINIMUM_DRIVER = {12: 525, 13: 580}  # NVIDIA's minimum driver for each CUDA version, on Linux.
_OLDEST_FOR_CUDA_13 = (7, 5)  # CUDA 13 compiles for Turing and newer.


def extra(facts: Mapping[str, Any]) -> str:
    """Choose the optional dependency that fits this machine: "cuda12" or "cuda13".

    Args:
        facts: The probe's facts. An installed CuPy decides, else the driver, else it is the newest.

    Returns:
        Name of the extra of the distribution lenet-gpu.
    """
    names = " ".join(facts.get("distributions", ()))
    installed = set(re.findall(r"cupy-(cuda1[23])x", names))
    if len(installed) == 1:
        return str(installed.pop())
    driver = re.match(r"\d+", str(facts.get("nvidia_driver", "")))
    return "cuda12" if driver and int(driver.group()) < _MINIMUM_DRIVER[13] else "cuda13"


def _install(facts: Mapping[str, Any]) -> str:
    return f"pip install 'cupy-{extra(facts)}x[ctk]'"


def _reinstall(facts: Mapping[str, Any]) -> str:
    names = " ".join(facts.get("distributions", ())) or "cupy"
    return f"pip uninstall {names}, then {_install(facts)}"


def _not_installed(facts: Mapping[str, Any]) -> str:
    if "nvidia_driver" in facts:
        return f"there is an NVIDIA driver ({facts['nvidia_driver']}): {_install(facts)}"
    return f"with an NVIDIA GPU: {_install(facts)}"


def _libraries(facts: Mapping[str, Any]) -> str:
    return f"{_install(facts)} brings the missing CUDA libraries"


def _older_cuda(facts: Mapping[str, Any]) -> str:
    names = " ".join(facts.get("distributions", ())) or "cupy"
    return f"pip uninstall {names}, then pip install 'cupy-cuda12x[ctk]'"


def _driver(facts: Mapping[str, Any]) -> str:
    if facts.get("cuda_driver", "none") == "none":
        return (
            "install the NVIDIA driver (nvidia-smi must list the GPU; in a container, pass the GPU in); "
            "without an NVIDIA GPU, train on the CPU"
        )
    major = int(str(facts.get("cuda_runtime", "13")).split(".")[0])
    update = f"update the NVIDIA driver (it speaks CUDA {facts['cuda_driver']}"
    if major in _MINIMUM_DRIVER:
        update += f", CUDA {major} needs driver {_MINIMUM_DRIVER[major]} or newer"
    return f"{update})" + (f", or take CUDA 12: {_older_cuda(facts)}" if major > 12 else "")


def _no_device(facts: Mapping[str, Any]) -> str:
    if "cuda_visible_devices" in facts:
        return f"CUDA_VISIBLE_DEVICES={facts['cuda_visible_devices']!r} hides the GPUs: unset it"
    return "check that nvidia-smi lists the GPU; in a container, pass the GPU in (docker run --gpus all)"


def _architecture(facts: Mapping[str, Any]) -> str:
    capability = tuple(int(part) for part in str(facts.get("compute_capability", "0.0")).split("."))
    if extra(facts) == "cuda13" and (0, 0) < capability < _OLDEST_FOR_CUDA_13:
        return f"CUDA 13 no longer knows this GPU: {_older_cuda(facts)}"
    return f"update CuPy for this GPU: pip install --upgrade 'cupy-{extra(facts)}x[ctk]'"


def _memory(_: Mapping[str, Any]) -> str:
    return "nvidia-smi lists who holds the GPU: end it, or choose another GPU with CUDA_VISIBLE_DEVICES=1"


def _cache(_: Mapping[str, Any]) -> str:
    return "set CUPY_CACHE_DIR to a folder that can be written to"


def _restart(_: Mapping[str, Any]) -> str:
    return "restart the computer, then run nvidia-smi: if that fails too, reinstall the NVIDIA driver"


def _shadowed(_: Mapping[str, Any]) -> str:
    return "rename or remove that folder, or start from another one"


Remedy = Callable[[Mapping[str, Any]], str]

_NO_DRIVER_LIBRARY = r"libcuda\.so|nvcuda"

REMEDIES: dict[str, tuple[tuple[str, Remedy], ...]] = {
    "installed": (("are gone", _reinstall), ("hides the package", _shadowed), ("", _not_installed)),
    "distributions": (("", _reinstall),),
    "import": ((_NO_DRIVER_LIBRARY, _driver), ("", _reinstall)),
    "device": (
        ("InsufficientDriver|driver version is insufficient", _driver),
        (_NO_DRIVER_LIBRARY, _driver),
        ("NoDevice|no CUDA", _no_device),
        ("", _restart),
    ),
    "allocation": (("OutOfMemory|MemoryAllocation|Unavailable|busy", _memory), ("", _restart)),
    "kernel": (
        ("PermissionError|Read-only file|No space left", _cache),
        ("architecture|NoKernelImage|InvalidPtx|UnsupportedPtx", _architecture),
        ("", _libraries),
    ),
    "elementwise": (("NoKernelImage|architecture", _architecture), ("", _libraries)),
    "product": (("OutOfMemory|ALLOC_FAILED|NOT_INITIALIZED", _memory), ("", _libraries)),
    "synchronise": (("", _restart),),
}
"""For each stage, patterns of the exception's line and the remedy; the first that is found counts."""


def remedy_for(stage: str, detail: str, facts: Mapping[str, Any]) -> str:
    """Choose the remedy for a failed stage.

    Args:
        stage: Key of the stage.
        detail: The exception's line.
        facts: The probe's facts.

    Returns:
        One line that says what to do.
    """
    for pattern, remedy in REMEDIES.get(stage, ()):
        if re.search(pattern, detail):
            return remedy(facts)
    return CRASH
