"""Train LeNet-5 with an optimizer and a schedule of your own: Adam, and a learning rate that falls as 1 / epoch.

The network is the one that the fast CPU engine knows, so its gradients are still computed at full speed; the update
is yours.

    python examples/own_optimizer.py
"""

from lenet_gpu import LeNet5, Trainer, load_dataset
from lenet_gpu.nn import Optimizer


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient (Kingma and Ba 2015, algorithm 1)."""

    def prepare(self, network):
        """Begin with moments of 0; arrays in `state` go into checkpoints."""
        xp = network.backend.xp
        zeros = xp.zeros_like(network.parameters)
        self.state = {"mean": zeros, "square": zeros.copy(), "steps": xp.zeros(1, dtype="float64")}

    def update(self, parameters, gradients, learning_rate):
        """Move the parameters in place."""
        mean, square, steps = self.state["mean"], self.state["square"], self.state["steps"]
        steps += 1
        mean += 0.1 * (gradients - mean)
        square += 0.001 * (gradients * gradients - square)
        size = (square / (1 - 0.999**steps).astype(square.dtype)) ** 0.5 + 1e-8
        parameters -= learning_rate * (mean / (1 - 0.9**steps).astype(mean.dtype)) / size


def falling(epoch: int, steps: int) -> float:
    """Give the learning rate of an epoch, counted from 1."""
    return 0.003 / epoch


def main(images: int = 6000, epochs: int = 3) -> float:
    """Train on some of MNIST; return the test accuracy."""
    mnist = load_dataset("mnist")
    trainer = Trainer(LeNet5(seed=1), "classic", epochs=epochs, optimizer=Adam(), schedule=falling)
    run = trainer.fit(mnist.train.images[:images], mnist.train.labels[:images])
    accuracy = run.model.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"{100 * accuracy:.2f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main()
