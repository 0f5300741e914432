"""The choice of an engine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.names import ENGINES, FAST_ENGINE
from lenet_gpu.errors import BackendError, InputError

if TYPE_CHECKING:
    from lenet_gpu.nn.lenet5 import LeNet5
    from lenet_gpu.nn.optim import GradientDescent


def make_engine(
    network: LeNet5, optimizer: GradientDescent, name: str = "auto", threads: int | None = None
) -> Engine:
    """Choose the fastest engine that covers the network on its backend.

    Args:
        network: The network to run.
        optimizer: The update rule.
        name: "auto", or the engine to use, one of `ENGINES`.
        threads: Number of workers of the CPU engine; one a core if None.

    Returns:
        The engine, ready for `load`.

    Raises:
        InputError: Unknown engine, or one that does not cover this network on this backend.
        BackendError: The engine asked for by name can't be started.
    """
    if name not in ("auto", *ENGINES):
        raise InputError("engine", found=repr(name), expected=" or ".join(("auto", *ENGINES)))
    fast = FAST_ENGINE[network.backend.name]
    if name not in ("auto", "layered", fast):
        raise InputError(
            f"engine {name}",
            found=f"the {network.backend.name} backend",
            expected="the other one",
            remedy="use --engine auto, or another --backend",
        )
    if name == "layered":
        return LayeredEngine(network, optimizer)
    try:
        return _fast_engine(fast, network, optimizer, threads)
    except (InputError, BackendError) as error:
        if name != "auto":
            raise
        print(f"lenet-gpu: using the readable layers ({error})", file=sys.stderr)
        return LayeredEngine(network, optimizer)


def _fast_engine(name: str, network: LeNet5, optimizer: GradientDescent, threads: int | None) -> Engine:
    """A fast engine by name; InputError if it does not cover the network, BackendError if it can't start."""
    if name == "cuda":
        from lenet_gpu.engine.cuda.engine import CudaEngine, covers

        reason = covers(network, network.backend, optimizer)
    else:
        from lenet_gpu.engine.cpu.engine import CpuEngine

        reason = CpuEngine.covers(network)
    if reason is not None:
        raise InputError(
            f"engine {name}", found=reason, expected="a network it covers", remedy="use --engine layered"
        )
    return CudaEngine(network, optimizer) if name == "cuda" else CpuEngine(network, optimizer, threads)
