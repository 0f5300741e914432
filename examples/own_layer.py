"""Train a network with a layer of your own: a ReLU, written in seven lines, on either backend.

python examples/own_layer.py [cpu|gpu|auto]
"""

import sys

from lenet_gpu import Network, Trainer, load_dataset
from lenet_gpu.nn import Convolution, Dense, Flatten, Layer, Subsampling


class ReLU(Layer):
    """The rectified linear unit, y = max(0, x)."""

    def forward(self, x):
        """Let through what is above 0."""
        self._on = x > 0
        return x * self._on

    def backward(self, dy):
        """Let the derivative through where the input was above 0."""
        return dy * self._on


def main(backend: str = "cpu", images: int = 10000, path: str = "own_layer.npz") -> float:
    """Train on some of MNIST, save, load again; return the test accuracy."""
    layers = [
        Convolution("c1", 1, 8),  # (n, 8, 28, 28)
        ReLU(),
        Subsampling("s2", 8),  # (n, 8, 14, 14)
        ReLU(),
        Flatten(),  # (n, 1568)
        Dense("out", 8 * 14 * 14, 10),  # (n, 10)
    ]
    net = Network(layers, backend=backend, initialisation="lecun", seed=0)
    print(net)
    mnist = load_dataset("mnist")
    run = Trainer(net, "classic", epochs=4, learning_rate=0.02).fit(
        mnist.train.images[:images], mnist.train.labels[:images]
    )
    run.model.save(path)
    again = Network.load(path, layers=[ReLU])  # a file names layers; only you have the class
    accuracy = again.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"{100 * accuracy:.2f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:2])
