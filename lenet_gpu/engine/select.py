"""The choice of an engine for training, and for whoever asks for one; reading.py has the one that answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.cover import first_difference, refuse, unknown_optimizer
from lenet_gpu.engine.cpu.workers.cores import check_workers, workers_possible
from lenet_gpu.engine.layered import LayeredEngine
from lenet_gpu.engine.names import ENGINES, FAST_ENGINE
from lenet_gpu.engine.reading import make_cuda_engine, tell
from lenet_gpu.errors import BackendError, InputError
from lenet_gpu.nn.network import Network

if TYPE_CHECKING:
    from lenet_gpu.engine.ranks import Ranks
    from lenet_gpu.nn.optim import Optimizer

LOGGER = logging.getLogger("lenet_gpu")


def make_engine(
    network: Network,
    optimizer: Optimizer | None = None,
    name: str = "auto",
    threads: int | None = None,
    ranks: Ranks | None = None,
) -> Engine:
    """Choose the fastest engine that covers the network on its backend.

    Args:
        network: The network to run.
        optimizer: The update rule; None for inference alone.
        name: "auto", or the engine to use, one of `ENGINES`.
        threads: Number of workers of the CPU engine; one a core if None.
        ranks: The processes that train together; None: this one alone.

    Returns:
        The engine, ready for `load`. Where "auto" falls back to the readable layers, a warning of the logger
        "lenet_gpu" says in one line what the fast engine does not cover.

    Raises:
        InputError: Unknown engine, one that does not cover this network on this backend, or a number of workers that
            makes no sense.
        BackendError: The engine asked for by name can't be started.
    """
    check_workers(threads)
    if name not in ("auto", *ENGINES):
        raise InputError("engine", found=repr(name), expected=" or ".join(("auto", *ENGINES)))
    fast = FAST_ENGINE[network.backend.name]
    if name not in ("auto", "layered", fast):
        other = next(backend for backend, engine in FAST_ENGINE.items() if engine == name)
        raise InputError(
            f"engine {name}",
            found=f"the {network.backend.name} backend",
            expected=f"the {other} backend",
            remedy=f"take the engine auto, or the backend {other}",
        )
    if ranks is not None:
        return _ranked_engine(network, optimizer, name, threads, ranks)
    if name == "layered":
        return LayeredEngine(network, optimizer)
    try:
        return _fast_engine(fast, network, optimizer, threads)
    except (InputError, BackendError) as error:
        if name != "auto":
            raise
        tell(network, error.found or str(error))
        return LayeredEngine(network, optimizer)


def _ranked_engine(
    network: Network, optimizer: Optimizer | None, name: str, threads: int | None, ranks: Ranks
) -> Engine:
    """Make the engine that ranks share; InputError for a network that it does not cover."""
    on_gpu = network.backend.name == "gpu"
    found = first_difference(network, training=optimizer is not None)
    if name not in ("auto", "layered" if on_gpu else FAST_ENGINE["cpu"]):
        found = found or f"engine {name}"
    if found is not None:
        raise InputError(
            f"{ranks.size} ranks",
            found=found,
            expected=f"LeNet-5 on the {'readable layers' if on_gpu else 'fast CPU engine'}",
            remedy="start it without mpiexec",
        )
    if on_gpu:
        from lenet_gpu.engine.ranked_layers import NcclGather, RankedLayers

        return RankedLayers(network, optimizer, ranks, NcclGather(ranks, network.backend.xp))
    from lenet_gpu.engine.cpu.ranked import RankedEngine

    return RankedEngine(network, optimizer, ranks, threads)


def _fast_engine(name: str, network: Network, optimizer: Optimizer | None, threads: int | None) -> Engine:
    """Make a fast engine by name; InputError if it does not cover the network, BackendError if it can't start."""
    difference = first_difference(network, training=optimizer is not None)
    if name == "cuda":
        return make_cuda_engine(network, optimizer, difference or unknown_optimizer(optimizer))
    refuse("cpu", difference)
    from lenet_gpu.engine.cpu.engine import CpuEngine
    from lenet_gpu.engine.cpu.local import LocalEngine

    if not workers_possible():
        return LocalEngine(network, optimizer)
    unknown = unknown_optimizer(optimizer)
    if unknown is not None:
        LOGGER.warning("training in this process alone, without workers (%s)", unknown)
        return LocalEngine(network, optimizer)
    return CpuEngine(network, optimizer, threads)
