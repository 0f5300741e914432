"""Optimisers: one update of the flat parameter buffer from the flat gradient buffer.

An optimiser of your own is a class with `update`, and with `prepare` if it keeps arrays::

    class Momentum(Optimizer):
        def prepare(self, network):
            self.state = {"velocity": network.backend.xp.zeros_like(network.parameters)}

        def update(self, parameters, gradients, learning_rate):
            velocity = self.state["velocity"]
            velocity *= 0.9
            velocity -= learning_rate * gradients
            parameters += velocity
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from lenet_gpu.nn.network import Network

Array = Any

BLOCK = 8192
"""Values that NumPy updates at once: what all arrays of an update hold of them stays in the cache."""


class Optimizer:
    """An update rule.

    Attributes:
        state: Arrays by name that belong to the run like the parameters, on the network's backend. Engines and
            checkpoints keep them; `update` changes them in place.
    """

    state: dict[str, Array]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Begin without state, whatever the constructor does."""
        self = super().__new__(cls)
        self.state = {}
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as the attributes of the same names have them now."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def prepare(self, network: Network) -> None:
        """Allocate the state on the network's backend."""

    def before_epoch(self, network: Network, images: np.ndarray, labels: np.ndarray, seed: int, epoch: int) -> None:
        """Look at the training set before an epoch; nothing to do for most.

        Args:
            network: The network about to be trained.
            images: The training set, (n, 28, 28) uint8 on the host.
            labels: (n,) on the host.
            seed: The run's seed.
            epoch: Number of the epoch, counted from 1.
        """

    def update(self, parameters: Array, gradients: Array, learning_rate: float) -> None:
        """Update in place.

        Args:
            parameters: The flat parameter buffer, float.
            gradients: The gradient buffer; may be used up (overwritten) by the update.
            learning_rate: Step size.
        """
        raise NotImplementedError

    def swap_average(self, parameters: Array) -> None:
        """Exchange the parameters and their running average; nothing happens where none is kept."""


class SGD(Optimizer):
    """Plain gradient descent, w <- w - learning_rate * dE/dw (LeCun et al. 1998, equation 2)."""

    def update(self, parameters: Array, gradients: Array, learning_rate: float) -> None:
        """Update in place; see `Optimizer.update`."""
        gradients *= learning_rate
        parameters -= gradients


class Nesterov(Optimizer):
    """Gradient descent with Nesterov momentum, decoupled weight decay and averaged weights.

    With r the learning rate and g the mean gradient of the batch::

        v <- momentum v - r g
        w <- (1 - r weight_decay) w + momentum v - r g
        average <- average + (1 - average_decay) / (1 - average_decay^t) (w - average)

    The momentum's form is Sutskever et al. 2013, section 2; the average is Polyak's with exponential
    forgetting, and is what gets evaluated and saved. Its divisor, where t counts the steps from 1, corrects it for
    its start (Kingma and Ba 2015, section 3): it is a mean of weights that were trained, and the random weights of
    the beginning are not among them.

    Args:
        momentum: Share of the velocity that a step keeps, 0 to below 1.
        weight_decay: Share of the weights lost a step, in units of the learning rate.
        average_decay: Share of the average that a late step keeps; about 1 / (1 - average_decay) steps are averaged.
    """

    def __init__(self, momentum: float = 0.9, weight_decay: float = 0.0, average_decay: float = 0.0) -> None:
        self.momentum, self.weight_decay, self.average_decay = momentum, weight_decay, average_decay

    def prepare(self, network: Network) -> None:
        """Begin at rest, with no step in the average yet."""
        xp = network.backend.xp
        self.state = {
            "velocity": xp.zeros_like(network.parameters),
            "average": network.parameters.copy(),
            "steps": xp.zeros(1, dtype="float64"),
        }

    def shares(self, steps: int) -> np.ndarray:
        """Compute by what share of its distance to the weights the average moves in each of the coming steps.

        Args:
            steps: Number of steps to come.

        Returns:
            (steps,) float64: (1 - average_decay) / (1 - average_decay^t), where t counts on from the steps done.
        """
        t = float(self.state["steps"][0]) + np.arange(1, steps + 1)
        return (1.0 - self.average_decay) / (1.0 - self.average_decay**t)

    def update(self, parameters: Array, gradients: Array, learning_rate: float) -> None:
        """Update in place; see `Optimizer.update`."""
        velocity, average, steps = self.state["velocity"], self.state["average"], self.state["steps"]
        steps += 1.0
        share = (1.0 - self.average_decay) / (1.0 - self.average_decay**steps)  # (1,)
        # A device gains nothing from small pieces.
        block = BLOCK if isinstance(parameters, np.ndarray) else parameters.size
        share = share.astype(parameters.dtype)
        for start in range(0, parameters.size, block):
            part = slice(start, start + block)
            w, g, v, a = parameters[part], gradients[part], velocity[part], average[part]
            g *= -learning_rate
            v *= self.momentum
            v += g
            w *= 1.0 - learning_rate * self.weight_decay
            w += g
            g[...] = v
            g *= self.momentum
            w += g
            g[...] = w
            g -= a
            g *= share
            a += g

    def swap_average(self, parameters: Array) -> None:
        """Exchange the parameters and their running average."""
        average = self.state["average"]
        kept = parameters.copy()
        parameters[...] = average
        average[...] = kept
