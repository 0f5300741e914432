"""The interface by which a network knows the engine that answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lenet_gpu.nn.metrics import Evaluation


class Reader(Protocol):
    """An engine as a network sees it: inference alone."""

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """Compute scores, (n, 28, 28) uint8 or float -> (n, classes); see `Network.outputs`."""

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Evaluation:
        """Compare the answers with labels, (n,) classes from 0; see `Network.evaluate`."""

    def activations(self, images: np.ndarray, names: Sequence[str] | None) -> dict[str, np.ndarray]:
        """Compute the outputs of layers by name, (n, ...) each; see `Network.activations`."""
