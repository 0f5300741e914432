"""Send every epoch's figures to TensorBoard, if it is installed: pip install tensorboardX.

python examples/log_to_tensorboard.py && tensorboard --logdir tensorboard
"""

from lenet_gpu import Callback, LeNet5, Trainer, load_dataset


class TensorBoard(Callback):
    """Writes the numbers of a run's log as scalars, an epoch a step."""

    def __init__(self, folder: str) -> None:
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(folder)

    def on_epoch(self, trainer, log):
        """Write an epoch."""
        for key, value in log.items():
            if isinstance(value, float):
                self.writer.add_scalar(key, value, log["epoch"])

    def on_end(self, trainer):
        """Write out what is still in memory."""
        self.writer.close()


def main(images: int = 2000, epochs: int = 2) -> float:
    """Train on a part of MNIST; return the accuracy on its test set."""
    mnist = load_dataset("mnist")
    trainer = Trainer(LeNet5(seed=1), "fast", epochs=epochs, callbacks=[TensorBoard("tensorboard/lenet5")])
    run = trainer.fit(mnist.train.images[:images], mnist.train.labels[:images], validation=0.1)
    accuracy = run.model.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"{100 * accuracy:.2f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main()
