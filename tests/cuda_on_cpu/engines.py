"""CUDA engines on the stand-in for a GPU, and epochs for them."""

from __future__ import annotations

import numpy as np
from stand_in.cuda_cupy import CudaBackend

from lenet_gpu.engine.cuda.engine import CudaEngine
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.optim import SGD, Nesterov

N = 67
"""Images of a training set, if nothing else is said: with four a step, an epoch ends with a smaller batch."""


def nesterov(network):
    """Nesterov's rule with all its terms, ready for the network."""
    optimizer = Nesterov(0.9, 0.01, 0.8)
    optimizer.prepare(network)
    return optimizer


def make(digits=None, seed=2, rule=None):
    """An engine, with a training set if there is one; plain gradient descent unless `rule` makes an optimiser."""
    network = LeNet5(backend=CudaBackend(), seed=seed)
    engine = CudaEngine(network, SGD() if rule is None else rule(network))
    if digits is not None:
        engine.load(*digits)
    return engine


def order_of(n, epoch):
    """The order of an epoch."""
    return np.random.default_rng(epoch).permutation(n)


def train(engine, epochs=1, batch_size=4, n=N, **options):
    """Take epochs; the losses of each."""
    rates = np.linspace(0.1, 0.05, -(-n // batch_size))
    return [engine.train(order_of(n, epoch), batch_size, rates, **options) for epoch in range(epochs)]
