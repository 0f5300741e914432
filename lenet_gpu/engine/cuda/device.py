"""The CUDA engine's device: what it can run, its compiled kernels, and its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lenet_gpu.backend.remedies import remedy_for
from lenet_gpu.engine.cuda.source import (
    EVALUATE,
    OPTIONS,
    cluster_sizes,
    evaluation_source,
    kernel_names,
    kernel_source,
    sizes,
)
from lenet_gpu.errors import BackendError, TrainingError
from lenet_gpu.paper import CLASSES

if TYPE_CHECKING:
    from lenet_gpu.backend.backend import Backend
    from lenet_gpu.nn.network import Network


def covers(network: Network, backend: Backend) -> str | None:
    """Tell why this GPU can't run a network that the kernels know.

    That they know it, its layers, its loss and its optimiser, is for `engine.cover` to say beforehand.

    Args:
        network: A LeNet-5.
        backend: Where it lives.

    Returns:
        The reason in a few words; None if there is none.
    """
    if backend.name != "gpu":
        return f"the backend is '{backend.name}', not 'gpu'"
    if network.dtype != "float32":
        return f"the kernels compute in float32, not {network.dtype}"
    limit = device_properties(backend.xp)["sharedMemPerBlockOptin"]
    needed = sizes(classes=network.classes).shared_bytes  # the same of both variants
    if limit < needed:
        return f"the GPU gives a block {limit} bytes of shared memory, the kernels need {needed}"
    return None


def device_properties(xp: Any) -> dict[str, Any]:
    """Return CUDA's properties of the current device, by the names of cudaDeviceProp."""
    runtime = xp.cuda.runtime
    return runtime.getDeviceProperties(runtime.getDevice())


class Kernels:
    """A network's kernels in one form, by name; CuPy keeps them on disk, so that only a machine's first run compiles.

    Args:
        xp: The module cupy.
        variant: The network, one of `source.OUTPUTS`.
        classes: Number of its classes.
        form: One of `source.FORMS`.

    Attributes:
        sizes: What the kernels and the host agree on.

    Raises:
        BackendError: They can't be compiled or loaded on this machine.
    """

    def __init__(self, xp: Any, variant: str = "modern", classes: int = CLASSES, form: str = "portable") -> None:
        self.sizes = sizes(variant, classes, form)
        self.cluster_sizes = cluster_sizes(variant, classes)
        self._xp = xp
        source = kernel_source(variant, classes, form)
        with compile_errors(xp):
            self._module = module = xp.RawModule(code=source, options=OPTIONS)
            self._functions = {name: module.get_function(name) for name in kernel_names(source)}

    def __getitem__(self, name: str) -> Any:
        return self._functions[name]

    def allow(self, shared_bytes: dict[str, int]) -> bool:
        """Ask for the dynamic shared memory of kernels, by their names; more than 48 KiB must be asked for.

        Returns:
            False if the device has not that much.
        """
        limit = device_properties(self._xp)["sharedMemPerBlockOptin"]
        if limit < max(shared_bytes.values()):
            return False
        for name, size in shared_bytes.items():
            self._functions[name].max_dynamic_shared_size_bytes = size
            self._functions[name].preferred_shared_memory_carveout = 100  # per cent; what is left caches
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)


def evaluation_kernel(xp: Any, classes: int) -> Any:
    """Compile the kernel that evaluates scores.

    Raises:
        BackendError: It can't be compiled or loaded on this machine.
    """
    with compile_errors(xp):
        return xp.RawModule(code=evaluation_source(classes), options=OPTIONS).get_function(EVALUATE)


@contextlib.contextmanager
def compile_errors(xp: Any) -> Iterator[None]:
    """Turn what a missing or broken compiler raises into an error with a remedy.

    Raises:
        BackendError: Kernels can't be compiled or loaded on this machine.
    """
    try:
        yield
    # CuPy raises a RuntimeError of its own where NVRTC is missing, an OSError for a cache it can't write.
    except (xp.cuda.compiler.CompileException, RuntimeError, OSError) as error:
        raise BackendError(
            "CUDA kernels",
            found=_line(error),
            remedy=f"{remedy_for('kernel', repr(error), {})}; until then take the engine 'layered'",
        ) from error


@contextlib.contextmanager
def device_errors(xp: Any, doing: str) -> Iterator[None]:
    """Turn CuPy's exceptions into errors with a remedy.

    Args:
        xp: The module cupy.
        doing: What is under way, for the message.

    Raises:
        TrainingError: The memory of the device is used up, or the device failed or was lost.
    """
    try:
        yield
    except xp.cuda.memory.OutOfMemoryError as error:
        raise TrainingError(
            f"memory of the GPU while {doing}",
            found=_line(error),
            remedy="take a smaller batch size, or end other programs on the GPU (nvidia-smi lists them)",
        ) from error
    except (xp.cuda.runtime.CUDARuntimeError, xp.cuda.driver.CUDADriverError) as error:
        stage = "allocation" if "unavailable" in str(error).lower() else "synchronise"
        raise TrainingError(
            f"the GPU failed while {doing}", found=_line(error), remedy=remedy_for(stage, str(error), {})
        ) from error


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
