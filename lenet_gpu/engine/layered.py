"""The readable engine: layers.py step by step, on any backend. The oracle of the fast engines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenet_gpu.augment.distort import distort_reference, elastic_fields
from lenet_gpu.engine.base import Engine, Progress
from lenet_gpu.nn.network import Network

PROGRESS_SECONDS = 0.2
"""Seconds between two readings of the losses for the progress bar; reading waits for the device."""

EVALUATION_BATCH = 500
"""Images a forward pass, which bounds the memory of evaluations."""


class LayeredEngine(Engine):
    """Runs a network layer by layer. A training step reads nothing back from the backend."""

    name = "layered"
    _frozen: Sequence[str] = ()

    @property
    def description(self) -> str:
        """The engine in words."""
        return "layered (readable layers, array by array)"

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Copy a training set to the backend."""
        backend = self.network.backend
        self._images = backend.asarray(np.ascontiguousarray(images))
        self._labels = backend.asarray(np.ascontiguousarray(labels))
        self._fields: Any = None

    def step(self, indices: Any, learning_rate: float, distortions: Any = None) -> Any:
        """Take one step.

        Args:
            indices: The batch, (n,) on the backend.
            learning_rate: Step size.
            distortions: (n, 8) on the backend; see `Engine.train`.

        Returns:
            The mean loss before the update, a 0-d array on the backend.
        """
        network, xp = self.network, self.network.backend.xp
        images, labels = self._images[indices], self._labels[indices]
        if distortions is None:
            x = network.input_layer(images)
        else:
            x = network.grid_layer(distort_reference(xp, images, distortions, self._fields))
        loss = network.input_loss_backward(x, labels, training=True)
        kept = {name: network.views[name].copy() for name in self._frozen}
        for name in self._frozen:
            network.gradient_views[name][...] = 0.0
        self.optimizer.update(network.parameters, network.gradients, learning_rate)
        for name, values in kept.items():  # weight decay, or a rule of the user's, moves them without a gradient
            network.views[name][...] = values
        return loss

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
        distortions: np.ndarray | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`."""
        backend = self.network.backend
        self._frozen = self.network.frozen_parameters()
        device_order = backend.asarray(order)
        device_distortions = None if distortions is None else backend.asarray(distortions)
        if distortions is not None and self._fields is None:
            self._fields = backend.asarray(elastic_fields())
        steps = len(learning_rates)
        losses = backend.xp.zeros(steps, dtype="float32")
        shown = time.monotonic()
        for step in range(steps):
            batch = slice(step * batch_size, (step + 1) * batch_size)
            part = None if device_distortions is None else device_distortions[batch]
            losses[step] = self.step(device_order[batch], float(learning_rates[step]), part)
            if progress is not None and (step == steps - 1 or time.monotonic() - shown > PROGRESS_SECONDS):
                progress(step + 1, backend.to_host(losses[: step + 1]))
                shown = time.monotonic()
        return np.array(backend.to_host(losses))

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Compute the scores of the classes before softmax, in batches."""
        out = np.empty((len(images), self.network.classes), dtype=self.network.dtype)
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            out[part] = self._answers(images[part])
            if progress is not None:
                progress(min(start + EVALUATION_BATCH, len(images)), out[:0])
        return out

    def _answers(self, images: np.ndarray) -> np.ndarray:
        """Compute scores by the layers, or by the method with which the network answers instead."""
        network = self.network
        own = type(network).outputs is not Network.outputs or "outputs" in vars(network)
        return network.outputs(images) if own else network.readable_outputs(images)
