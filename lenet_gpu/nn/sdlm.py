"""The paper's training: stochastic diagonal Levenberg-Marquardt, a learning rate for each weight.

LeCun et al. 1998, section III.B and appendix C. Weights differ by orders of magnitude in how strongly the loss
is curved along them: a weight of C1 acts through 784 units, one of C5 through a single one. Each gets its own
step size from an estimate of its curvature::

    rate_k = eta / (mu + h_kk)                                                (appendix C, equation 18)

with h_kk the mean over some training images of the second derivative of the loss by w_k, carried back through
the layers by `Layer.curvature`, and mu a constant that keeps rates in bounds where the curvature is small. The
curvatures change slowly, so they are estimated anew only before every pass over the training set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenet_gpu import seeds
from lenet_gpu.errors import InputError
from lenet_gpu.nn.layer import Layer
from lenet_gpu.nn.losses import LOSSES
from lenet_gpu.nn.optim import Optimizer
from lenet_gpu.paper import SDLM_MU, SDLM_SAMPLES

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

Array = Any

BATCH = 50
"""Images computed at a time, which bounds the memory."""

BOUNDS = {"map": "rbf"}
"""For a loss the one whose curvature stands for its own. Loss (9) is loss (8) plus a term that is concave in the
penalties and takes nearly all curvature away from an image that is read well. Rates from what is left are so large
that the second pass undoes the first (an error of 6.7 %; docs/explain/paper.md); those of loss (8) bound them."""


def curvature(network: Network, images: np.ndarray, labels: np.ndarray, loss: str | None = None) -> Array:
    """Estimate the diagonal of the Hessian of the network's mean loss, in the Gauss-Newton approximation.

    Args:
        network: The network; its gradient buffer is overwritten.
        images: (n, 28, 28), uint8 or float in 0..1, on the host.
        labels: (n,) integers on the host.
        loss: Name of the loss; the network's own if None.

    Returns:
        d2E/dw2, (parameters,) on the network's backend; never below 0.
    """
    backend, minimised = network.backend, LOSSES[loss] if loss else network.criterion
    if minimised.curvature is None:
        raise InputError(
            f"loss {loss or network.loss}",
            found="no curvature",
            expected="one for SDLM, whose learning rates come from second derivatives",
            remedy="give the Loss a curvature, or take another optimizer",
        )
    total = backend.xp.zeros_like(network.parameters)
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        x = network.input_layer(backend.asarray(np.ascontiguousarray(images[part])))
        y = network.forward_layers(x)
        target = backend.asarray(np.ascontiguousarray(labels[part]))
        _, dy = minimised.value(backend.xp, y, target)
        d2y = minimised.curvature(backend.xp, y, target)
        network.layers[-1].backward(dy)  # the one layer whose curvature may depend on first derivatives
        for layer in reversed(network.layers):
            d2y = layer.curvature(d2y)
        total += network.gradients * (len(x) / len(images))
    return total


class SDLM(Optimizer):
    """Stochastic diagonal Levenberg-Marquardt: w_k <- w_k - eta / (mu + h_kk) dE/dw_k.

    The learning rate that `update` is given is eta; the rest is the array `state["rates"]`.

    Args:
        mu: Safety constant, above 0.
        samples: Training images from which the curvatures are estimated.
    """

    def __init__(self, mu: float = SDLM_MU, samples: int = SDLM_SAMPLES) -> None:
        self.mu, self.samples = mu, samples

    def prepare(self, network: Network) -> None:
        """Make room for the rates, which `before_epoch` fills.

        Raises:
            InputError: A layer of the network has no curvature.
        """
        without = [layer for layer in network.layers if type(layer).curvature is Layer.curvature]
        if without:
            raise InputError(
                f"layer {without[0]!r}",
                found="no curvature",
                expected="one for SDLM, whose learning rates come from second derivatives",
                remedy="write the layer's curvature(d2y), or take another optimizer",
            )
        self.state = {"rates": network.backend.xp.ones_like(network.parameters)}

    def before_epoch(self, network: Network, images: np.ndarray, labels: np.ndarray, seed: int, epoch: int) -> None:
        """Estimate the curvatures, and from them the rates of a pass.

        Args:
            network: The network about to be trained.
            images: The training set, (n, 28, 28) on the host.
            labels: (n,) on the host.
            seed: The run's seed.
            epoch: Number of the pass, counted from 1; each has images of its own choice.
        """
        chosen = seeds.generator(seed, epoch, seeds.CURVATURE).permutation(len(labels))[: self.samples]
        loss = BOUNDS.get(network.loss)
        self.state["rates"][...] = 1.0 / (self.mu + curvature(network, images[chosen], labels[chosen], loss))

    def update(self, parameters: Array, gradients: Array, learning_rate: float) -> None:
        """Update in place; see `Optimizer.update`."""
        gradients *= self.state["rates"]
        gradients *= learning_rate
        parameters -= gradients
