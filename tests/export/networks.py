"""Networks to export, of both variants and several numbers of classes; their answers to two or ten digits."""

import functools

import numpy as np

from lenet_gpu import LeNet5, Network, Trainer
from lenet_gpu.nn.losses import softmax

KINDS = ("modern", "paper", "letters", "pair")


@functools.cache
def trained(kind, images, labels):
    """A network that has learnt a little of some digits; `images` and `labels` as bytes."""
    images = np.frombuffer(images, np.uint8).reshape(-1, 28, 28)
    labels = np.frombuffer(labels, np.uint8)
    if kind == "paper":
        model = LeNet5("paper", seed=5, initialisation="sqrt")
        fit = Trainer(model, "paper", engine="layered", epochs=1, batch_size=10, progress=False)
    else:
        classes = {"modern": 10, "letters": 26, "pair": 2}[kind]
        model = LeNet5(classes=classes, seed=3, background=0.0, ink=1.0)
        fit = Trainer(model, "fast", engine="layered", epochs=2, batch_size=20, progress=False)
    names = {
        "modern": labels,
        "paper": labels,
        "letters": np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))[(np.arange(len(labels)) % 26)],
        "pair": np.where(labels < 5, 'klein "1"', "groß"),
    }[kind]
    if kind == "paper":
        from lenet_gpu.datasets import Dataset

        fit.fit(Dataset.from_arrays(images, names, classes=10))
    else:
        fit.fit(images, names)
    return model


def network(kind, mnist, count=300):
    return trained(kind, mnist.train.images[:count].tobytes(), mnist.train.labels[:count].tobytes())


def exact(model, images):
    """The probabilities in float64, layer by layer."""
    witness = Network([*model.layers], "cross_entropy", dtype="float64", background=model.background, ink=model.ink)
    return softmax(np, witness.readable_outputs(images))
