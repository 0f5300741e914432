"""Small data sets of one's own: the averaged weights are a mean of trained ones."""

import numpy as np

from lenet_gpu import LeNet5, Trainer


def test_two_hundred_digits_are_learnt_by_the_default_recipe(mnist):
    """35 steps: an average that still held the random start would read 17 % of the training digits (chance: 10 %)."""
    accuracies = []
    for seed in (1, 2, 3):
        run = Trainer(LeNet5(seed=seed), "fast", progress=False).fit(
            mnist.train.images[:200], mnist.train.labels[:200]
        )
        accuracies.append(run.model.evaluate(mnist.test.images[:2000], mnist.test.labels[:2000]).accuracy)
    assert np.mean(accuracies) > 0.5, accuracies
