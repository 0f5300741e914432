"""Send every epoch's figures to Weights & Biases, if it is installed: pip install wandb.

WANDB_MODE=offline python examples/log_to_wandb.py
"""

from lenet_gpu import Callback, LeNet5, Trainer, load_dataset


class WeightsAndBiases(Callback):
    """Opens a W&B run with the recipe and the seed, and logs an epoch a step."""

    def __init__(self, project: str) -> None:
        self.project = project

    def on_start(self, trainer, data):
        """Open the run."""
        import wandb

        config = {**trainer.recipe.as_dict(), "seed": trainer.seed, "dataset": data.name}
        self.run = wandb.init(project=self.project, config=config)

    def on_epoch(self, trainer, log):
        """Log an epoch."""
        self.run.log(log, step=log["epoch"])

    def on_end(self, trainer):
        """Close the run."""
        self.run.finish()


def main(images: int = 2000, epochs: int = 2) -> float:
    """Train on a part of MNIST; return the accuracy on its test set."""
    mnist = load_dataset("mnist")
    trainer = Trainer(LeNet5(seed=1), "fast", epochs=epochs, callbacks=[WeightsAndBiases("lenet5")])
    run = trainer.fit(mnist.train.images[:images], mnist.train.labels[:images], validation=0.1)
    accuracy = run.model.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"{100 * accuracy:.2f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main()
