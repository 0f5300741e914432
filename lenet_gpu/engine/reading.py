"""The engine that answers for a network outside of training."""

from __future__ import annotations

import logging

from lenet_gpu.engine.base import Engine
from lenet_gpu.engine.cover import first_difference, refuse, variant_of
from lenet_gpu.errors import BackendError, InputError
from lenet_gpu.nn.network import Network
from lenet_gpu.nn.optim import Optimizer

LOGGER = logging.getLogger("lenet_gpu")


def find_reader(network: Network) -> Engine | None:
    """Find the engine that answers for a network, as it is now, in `Network.outputs` and `Network.activations`.

    Args:
        network: Any network.

    Returns:
        An engine that stays with the network while layers, loss and input values stay; None where its own layers
        answer.
    """
    difference = first_difference(network, training=False)
    if difference is not None:
        tell(network, difference)
        return None
    values = (network.background, network.ink, network.loss, id(network.parameters))
    facts = (variant_of(network), network.classes, *values)
    reader, made_for = network._reader or (None, None)
    if made_for != facts:
        try:
            reader = _reading_engine(network)
        except (InputError, BackendError) as error:
            tell(network, error.found or str(error))
            reader = None
        network._reader = reader, facts
    return reader


def tell(network: Network, difference: str) -> None:
    """Warn once of each difference that leaves a network to the readable layers."""
    if network.told != difference:
        LOGGER.warning("running on the readable layers (%s)", difference)
        network.told = difference


def make_cuda_engine(network: Network, optimizer: Optimizer | None, difference: str | None) -> Engine:
    """Make the engine of a GPU.

    Args:
        network: The network.
        optimizer: The update rule; None for inference alone.
        difference: What the kernels do not know of them; None if there is nothing.

    Raises:
        InputError: A difference, or a network that this GPU can't run.
        BackendError: The engine can't start.
    """
    from lenet_gpu.engine.cuda.device import covers
    from lenet_gpu.engine.cuda.engine import CudaEngine

    refuse("cuda", difference or covers(network, network.backend))
    return CudaEngine(network, optimizer)


def _reading_engine(network: Network) -> Engine:
    """Make the engine for inference: in the user's own process, or on the GPU."""
    if network.backend.name == "gpu":
        return make_cuda_engine(network, None, None)
    from lenet_gpu.engine.cpu.local import LocalEngine

    return LocalEngine(network)
