"""Send every epoch's figures to MLflow, if it is installed: pip install mlflow.

python examples/log_to_mlflow.py && mlflow ui
"""

from lenet_gpu import Callback, LeNet5, Trainer, load_dataset


class MLflow(Callback):
    """Opens an MLflow run with the recipe and the seed, and logs an epoch a step."""

    def on_start(self, trainer, data):
        """Open the run."""
        import mlflow

        self.mlflow = mlflow
        mlflow.start_run(run_name=f"{data.name}-{trainer.recipe.name}-seed{trainer.seed}")
        mlflow.log_params({**trainer.recipe.as_dict(), "seed": trainer.seed})

    def on_epoch(self, trainer, log):
        """Log an epoch."""
        self.mlflow.log_metrics({k: v for k, v in log.items() if isinstance(v, float)}, step=log["epoch"])

    def on_end(self, trainer):
        """Close the run."""
        self.mlflow.end_run()


def main(images: int = 2000, epochs: int = 2) -> float:
    """Train on a part of MNIST; return the accuracy on its test set."""
    mnist = load_dataset("mnist")
    trainer = Trainer(LeNet5(seed=1), "fast", epochs=epochs, callbacks=[MLflow()])
    run = trainer.fit(mnist.train.images[:images], mnist.train.labels[:images], validation=0.1)
    accuracy = run.model.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"{100 * accuracy:.2f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main()
