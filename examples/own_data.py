"""Train on arrays of your own, with labels of your own: here the even digits of MNIST, called by their names.

python examples/own_data.py
"""

import numpy as np

from lenet_gpu import LeNet5, Trainer, load_dataset

NAMES = np.array(["zero", "two", "four", "six", "eight"])


def even(split):
    """Take the even digits of a split; images (n, 28, 28) uint8, 255 is ink, and labels (n,), any texts."""
    chosen = split.labels % 2 == 0
    return split.images[chosen], NAMES[split.labels[chosen] // 2]


def main(images: int = 3000, path: str = "own_data.npz") -> float:
    """Train, save, load again; return the test accuracy."""
    mnist = load_dataset("mnist")
    train_images, train_labels = even(mnist.train)
    net = LeNet5(classes=len(NAMES), seed=1)
    run = Trainer(net, "fast").fit(train_images[:images], train_labels[:images], validation=0.1)
    run.model.save(path)
    again = LeNet5.load(path)  # the file knows what the classes are called
    test_images, test_labels = even(mnist.test)
    print("first answers:", *again.predict(test_images[:5]))
    evaluation = again.evaluate(test_images, test_labels)
    print(f"{100 * evaluation.accuracy:.2f} % right, {evaluation.errors} of {len(test_labels):,} wrong")
    return evaluation.accuracy


if __name__ == "__main__":
    main()
