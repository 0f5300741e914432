"""What the readable layers answer, whatever engine a network has."""

import numpy as np

from lenet_gpu.nn.losses import softmax


def probabilities(network, images):
    """Softmax of the readable layers' outputs, (n, classes)."""
    return softmax(np, network.readable_outputs(images))
