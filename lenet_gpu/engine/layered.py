"""The readable engine: layers.py step by step, on any backend. The oracle of the fast engines."""

from __future__ import annotations

import time

import numpy as np

from lenet_gpu.engine.base import Engine, Progress

PROGRESS_SECONDS = 0.2
"""How often losses are read back for the progress bar; reading waits for the device."""

EVALUATION_BATCH = 500
"""Images a forward pass, which bounds the memory of evaluations."""


class LayeredEngine(Engine):
    """Runs a network layer by layer. A training step reads nothing back from the backend."""

    name = "layered"

    @property
    def description(self) -> str:
        """The engine in words."""
        return "layered (readable layers, array by array)"

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Copy a training set to the backend."""
        backend = self.network.backend
        self._images = backend.asarray(np.ascontiguousarray(images))
        self._labels = backend.asarray(np.ascontiguousarray(labels))

    def step(self, indices: np.ndarray, learning_rate: float) -> object:
        """One step on the images with these indices (on the backend); the loss, a 0-d array there."""
        network = self.network
        loss = network.loss_backward(self._images[indices], self._labels[indices])
        self.optimizer.update(network.parameters, network.gradients, learning_rate)
        return loss

    def train(
        self,
        order: np.ndarray,
        batch_size: int,
        learning_rates: np.ndarray,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Take one step for every mini-batch of `order`."""
        backend = self.network.backend
        device_order = backend.asarray(order)
        steps = len(learning_rates)
        losses = backend.xp.zeros(steps, dtype="float32")
        shown = time.monotonic()
        for step in range(steps):
            indices = device_order[step * batch_size : (step + 1) * batch_size]
            losses[step] = self.step(indices, float(learning_rates[step]))
            if progress is not None and (step == steps - 1 or time.monotonic() - shown > PROGRESS_SECONDS):
                progress(step + 1, backend.to_host(losses[: step + 1]))
                shown = time.monotonic()
        return np.array(backend.to_host(losses))

    def outputs(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Values of the output layer before softmax, in batches."""
        out = np.empty((len(images), 10), dtype=self.network.dtype)
        for start in range(0, len(images), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            out[part] = self.network.outputs(images[part], EVALUATION_BATCH)
            if progress is not None:
                progress(min(start + EVALUATION_BATCH, len(images)), out[:0])
        return out
