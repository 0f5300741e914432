"""End a run when it no longer gets better, and keep the best epoch.

python examples/early_stopping.py
"""

from lenet_gpu import EarlyStopping, LeNet5, Trainer, load_dataset


def show(log):
    """Print what an epoch came to; a function of one argument is a callback."""
    print(f"epoch {log['epoch']}: {100 * log['validation_error']:.2f} % of the validation set misread")


def main(images: int = 3000, epochs: int = 30) -> tuple[int, int]:
    """Train; return the number of epochs run and the best one's number."""
    mnist = load_dataset("mnist")
    stopping = EarlyStopping(monitor="validation_error", patience=2)
    net = LeNet5(seed=1, initialisation="lecun")
    trainer = Trainer(net, "classic", epochs=epochs, callbacks=[stopping, show], progress=False)
    run = trainer.fit(mnist.train.images[:images], mnist.train.labels[:images], validation=0.2)
    accuracy = run.model.evaluate(mnist.test.images, mnist.test.labels).accuracy
    print(f"ended after {len(run.history)} epochs; the model is that of epoch {stopping.best_epoch}")
    print(f"{100 * accuracy:.2f} % of the test digits")
    return len(run.history), stopping.best_epoch


if __name__ == "__main__":
    main()
