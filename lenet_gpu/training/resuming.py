"""Bring a network and an update rule back to where a run's checkpoint ends."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lenet_gpu._version import __version__
from lenet_gpu.errors import ModelFileError
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from lenet_gpu.backend import Backend
    from lenet_gpu.nn.layer import Layer
    from lenet_gpu.nn.losses import Loss
    from lenet_gpu.nn.network import Network
    from lenet_gpu.nn.optim import Optimizer

LOGGER = logging.getLogger("lenet_gpu")


def load_checkpoint(path: str | os.PathLike[str], given: dict[str, object]) -> Checkpoint:
    """Read a checkpoint, and ask for what no file holds.

    Args:
        path: Folder of the run, or its checkpoint file.
        given: The user's own "optimizer", "schedule" and "loss"; None where there is none.

    Returns:
        The checkpoint. A line says if another version wrote it.

    Raises:
        ModelFileError: No usable checkpoint, or one of a run that had an own object where None is given.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.package_version != __version__:
        LOGGER.warning(
            "%s was written by lenet-gpu %s, this is %s: the run goes on, but perhaps not bit for bit",
            path, checkpoint.package_version or "of an unknown version", __version__,
        )  # fmt: skip
    own = dict(checkpoint.own)
    loss = checkpoint.architecture.get("loss", "cross_entropy")
    if loss not in LOSSES:
        own["loss"] = loss
    for key, value in given.items():
        if key in own and value is None:
            raise ModelFileError(
                path,
                found=f"a run with a {key} of its own, {own[key]}",
                expected=f"that {key}",
                remedy=f"give it: Trainer.resume(path, {key}=...)",
            )
    return checkpoint


def restored_network(
    kind: type[Network],
    checkpoint: Checkpoint,
    backend: str | Backend | None,
    path: str | os.PathLike[str],
    layers: Sequence[type[Layer]],
    loss: Loss | Callable[..., Any] | None,
) -> Network:
    """Build the network of a checkpoint, with its parameters.

    Args:
        kind: Class of the network.
        checkpoint: The run.
        backend: Where it shall live.
        path: The checkpoint, for errors.
        layers: Classes of the user's own layers.
        loss: The user's own loss.

    Raises:
        ModelFileError: A layer that is not known, or another number of parameters.
    """
    model = kind.from_architecture(checkpoint.architecture, backend, path, layers=layers, loss=loss)
    if model.parameters.shape != checkpoint.parameters.shape:
        raise ModelFileError(
            path,
            found=f"{checkpoint.parameters.size} parameters",
            expected=f"{model.parameters.size}",
            remedy="train again",
        )
    model.set_parameters(checkpoint.parameters)
    return model


def restore_optimizer(
    optimizer: Optimizer, checkpoint: Checkpoint, backend: Backend, path: str | os.PathLike[str]
) -> None:
    """Copy a checkpoint's arrays of the update rule into it.

    Args:
        optimizer: The rule, prepared for the network.
        checkpoint: The run.
        backend: Where its arrays live.
        path: The checkpoint, for errors.

    Raises:
        ModelFileError: An array is missing, or has another shape or dtype.
    """
    for name, array in optimizer.state.items():
        saved = checkpoint.state.get(name)
        if saved is None or saved.shape != array.shape or saved.dtype != array.dtype:
            raise ModelFileError(
                path,
                found=f"{'no' if saved is None else f'{saved.dtype} {saved.shape} as'} {name} of the optimizer",
                expected=f"{array.dtype} {array.shape}",
                remedy="train again",
            )
        array[...] = backend.asarray(saved)
