"""Remedies of arrays, labels and classes."""

import numpy as np
from remedies.place import carries_out, refused

from lenet_gpu import LeNet5, Network, Recognizer, Trainer, load_dataset
from lenet_gpu.datasets import Dataset
from lenet_gpu.ink.preprocess import image_to_mnist


@carries_out("divide by the greatest possible value, or pass uint8")
def floats_to_255(place):
    with refused("divide by the greatest possible value, or pass uint8"):
        LeNet5().predict(place.images * 1.0)
    LeNet5().predict(place.images / 255.0)
    LeNet5().predict(place.images)


@carries_out(
    "scale them, or pass float in 0 to 1",
    "multiply by 255, or pass bool or float",
    "convert them with astype",
    "pass one dimension",
    "bring pictures of other sizes to 28x28 with lenet_gpu.ink.preprocess.image_to_mnist",
)
def arrays_of_other_forms(place):
    images, labels = place.images, place.labels

    def fit(images, labels):
        Trainer(LeNet5(), "classic", epochs=1, threads=1, progress=False).fit(images, labels)

    with refused("scale them, or pass float in 0 to 1"):
        fit(images.astype(np.int32) * 300, labels)
    fit(images.astype(np.int32) * 300 / 76_500, labels)
    with refused("multiply by 255, or pass bool or float"):
        fit((images > 127).astype(np.uint8), labels)
    fit((images > 127).astype(np.uint8) * 255, labels)
    fit(images > 127, labels)
    with refused("convert them with astype"):
        fit(images, labels + 0.5j)
    fit(images, (labels + 0j).real.astype(int))
    with refused("pass one dimension"):
        fit(images, labels.reshape(60, 1, 1))
    fit(images, labels.reshape(60, 1, 1).ravel())
    large = np.zeros((60, 56, 56), np.uint8)
    large[:, 14:42, 14:42] = images
    with refused("bring pictures of other sizes to 28x28 with lenet_gpu.ink.preprocess.image_to_mnist"):
        fit(large, labels)
    fit(np.stack([image_to_mnist(image) for image in large]), labels)


@carries_out("make the network for {} classes", "add samples, or give a train and a test set")
def another_number_of_classes(place):
    def fit(network):
        Trainer(network, "classic", epochs=1, threads=1, progress=False).fit(place.images, place.labels % 3 + 7)

    with refused("make the network for 3 classes"):
        fit(LeNet5(classes=2))
    fit(LeNet5(classes=3))
    rows = place.csv.read_text().splitlines()
    few, more = place.folder / "few.csv", place.folder / "more.csv"
    few.write_text("\n".join(rows[:5]))
    with refused("add samples, or give a train and a test set"):
        load_dataset(few)
    more.write_text("\n".join(rows))
    load_dataset(more)


@carries_out("use Recognizer.predict_image for pictures of other sizes")
def a_larger_picture(place):
    picture = np.kron(place.images[0], np.ones((2, 2), np.uint8))
    with refused("use Recognizer.predict_image for pictures of other sizes"):
        LeNet5.load("mnist").predict(picture[None])
    assert Recognizer("mnist").predict_image(picture).digit == place.labels[0]


@carries_out("use fewer classes", "add images of another class", "raise the share, or add images")
def too_few_and_too_many(place):
    def fit(labels, **arguments):
        images = np.resize(place.images, (len(labels), 28, 28))
        network = LeNet5(classes=max(2, len(np.unique(labels))))
        Trainer(network, "classic", epochs=1, threads=1, progress=False).fit(images, labels, **arguments)

    with refused("use fewer classes"):
        Dataset.from_arrays(np.resize(place.images, (130, 28, 28)), np.arange(130) % 65)
    fit(np.arange(130) % 64)
    with refused("add images of another class"):
        fit([3] * 60)
    fit([3] * 60 + [4])
    with refused("raise the share, or add images"):
        fit(place.labels, validation=0.001)
    fit(place.labels, validation=0.2)


@carries_out(
    "use data of the {} alone",
    "evaluate them one by one",
    "name data of its classes with --dataset, or call Network.load(path).evaluate(images, labels)",
)
def data_of_other_classes(place):
    rows = place.csv.read_text().splitlines()
    two = place.folder / "two.csv"
    two.write_text("\n".join(row for row in rows if row[0] in "01"))
    network = LeNet5(classes=2)
    network.save("two.npz")
    with refused("use data of the 2 classes alone"):
        network.evaluate(place.images, place.labels)
    network.evaluate(place.images[place.labels < 2], place.labels[place.labels < 2])
    arguments = ("evaluate", "two.npz", "--no-picture", "--dataset")
    remedy = "name data of its classes with --dataset, or call Network.load(path).evaluate(images, labels)"
    assert place.refused(*arguments, place.csv) == remedy
    place.works(*arguments, two)
    assert place.refused("evaluate", "two.npz", "mnist", *arguments[2:], two) == "evaluate them one by one"
    parity = np.array(["even", "odd"])[place.labels % 2]
    network = LeNet5(classes=2)
    Trainer(network, "classic", epochs=1, threads=1, progress=False).fit(place.images, parity)
    network.save("parity.npz")
    assert place.refused("evaluate", "parity.npz", *arguments[2:], two) == remedy
    Network.load("parity.npz").evaluate(place.images, parity)
