"""Train LeNet-5 with another connection table: C3 fully connected instead of Table I.

Only the table differs, and so the fast engines, which know Table I alone, leave the network to the readable layers;
a line says so.

    python examples/own_table.py
"""

from lenet_gpu import Network, Trainer, load_dataset
from lenet_gpu.nn import Convolution, Dense, LeNet5
from lenet_gpu.nn.lenet5 import hidden_layers

EVERY = [range(6)] * 16
"""Every map of C3 sees all six maps of S2."""


def main(images: int = 2000, epochs: int = 4) -> float:
    """Train on some of MNIST; return the test accuracy."""
    layers = [*hidden_layers(), Dense("output", 84, 10)]
    layers[4] = Convolution("c3", 6, 16, EVERY)
    net = Network(layers, seed=1)
    paper = LeNet5().parameters.size
    print(f"{net.parameters.size:,} parameters, {net.parameters.size - paper:,} more than with Table I")
    mnist = load_dataset("mnist")
    run = Trainer(net, "fast", epochs=epochs).fit(mnist.train.images[:images], mnist.train.labels[:images])
    accuracy = run.model.evaluate(mnist.test.images[:2000], mnist.test.labels[:2000]).accuracy
    print(f"{100 * accuracy:.2f} % of 2,000 test digits")
    return accuracy


if __name__ == "__main__":
    main()
