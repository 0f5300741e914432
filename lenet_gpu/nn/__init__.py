"""Networks and their parts: layers, losses, optimisers."""

from __future__ import annotations

from lenet_gpu.nn.layer import Layer
from lenet_gpu.nn.layers import Convolution, Dense, Flatten, RadialBasis, ScaledTanh, Subsampling
from lenet_gpu.nn.lenet5 import LeNet5
from lenet_gpu.nn.losses import Loss
from lenet_gpu.nn.network import Network
from lenet_gpu.nn.optim import SGD, Nesterov, Optimizer
from lenet_gpu.nn.sdlm import SDLM

__all__ = [
    "SDLM",
    "SGD",
    "Convolution",
    "Dense",
    "Flatten",
    "Layer",
    "LeNet5",
    "Loss",
    "Nesterov",
    "Network",
    "Optimizer",
    "RadialBasis",
    "ScaledTanh",
    "Subsampling",
]
