"""Remedies of model files."""

import shutil

import numpy as np
from model_files import rewrite
from remedies.place import Halved, carries_out, own_network, refused

from lenet_gpu import LeNet5, Network, Recognizer, nn
from lenet_gpu._version import __version__


@carries_out("make the folder first")
def no_folder(place):
    target = place.folder / "new" / "model.npz"
    with refused("make the folder first"):
        LeNet5().save(target)
    target.parent.mkdir()
    LeNet5().save(target)


@carries_out("check the path", "name the right file")
def no_model(place):
    LeNet5().save("model.npz")
    with refused("check the path"):
        LeNet5.load("modle.npz")
    place.has_run()
    with refused("name the right file"):
        LeNet5.load("run/checkpoint.npz")
    LeNet5.load("run/model.npz")
    LeNet5.load("model.npz")


@carries_out("give it: Network.load(path, layers=[{}])", "layers=[ReLU]", "load it with Network.load")
def a_file_with_an_own_layer(place):
    own_network(Halved()).save("own.npz")
    with refused("give it: Network.load(path, layers=[Halved])"):
        Network.load("own.npz")
    with refused("layers=[ReLU]"):
        Network.load("own.npz", layers=Halved)
    with refused("load it with Network.load"):
        LeNet5.load("own.npz", layers=[Halved])
    Network.load("own.npz", layers=[Halved])


@carries_out("load it with {}.load")
def a_file_of_an_own_network(place):
    class Mine(LeNet5):
        """A network of the user's."""

    Mine().save("mine.npz")
    with refused("load it with Mine.load"):
        LeNet5.load("mine.npz")
    Mine.load("mine.npz")


@carries_out("read with LeNet5.load(path).predict, or name another model")
def a_recognizer_of_other_classes(place):
    LeNet5(classes=3).save("three.npz")
    with refused("read with LeNet5.load(path).predict, or name another model"):
        Recognizer("three.npz")
    LeNet5.load("three.npz").predict(place.images)
    Recognizer("mnist")


@carries_out("give it: Network.load(path, loss=...)")
def a_file_with_an_own_loss(place):
    def half(xp, outputs, labels):
        return (outputs**2).mean() / 2, outputs / outputs.size

    Network([nn.Flatten(), nn.Dense("out", 1024, 10)], half).save("half.npz")
    with refused("give it: Network.load(path, loss=...)"):
        Network.load("half.npz").loss_and_grads(place.images, place.labels)
    Network.load("half.npz", loss=half).loss_and_grads(place.images, place.labels)


class Scaled(nn.Layer):
    """A layer with an argument."""

    def __init__(self, by):
        self.by = by

    def forward(self, x):
        return x * {"double": 2.0}.get(self.by, 1.0)

    def backward(self, dy):
        return dy


@carries_out("take a number or a text, and look up in the layer what it stands for")
def an_argument_that_no_file_holds(place):
    with refused("take a number or a text, and look up in the layer what it stands for"):
        own_network(Scaled(np.sqrt)).save("s.npz")
    own_network(Scaled("double")).save("s.npz")
    Network.load("s.npz", layers=[Scaled])


@carries_out("read it with the version of lenet-gpu that wrote it ({})", "update lenet-gpu, or train the model again",
             "restore or train the model again", "train the model again", "it was changed after it was written: {}",
             "restore the model file, or train the model again")  # fmt: skip
def files_that_are_changed(place):
    """Restored, every one of them loads again."""
    LeNet5().save("whole.npz")
    for change, remedy in (
        ({"facts": {"version": 9}}, f"read it with the version of lenet-gpu that wrote it ({__version__})"),
        ({"facts": {"architecture": {"variant": "vgg"}}}, "update lenet-gpu, or train the model again"),
        ({"c1.bias": np.zeros(7, np.float32)}, "restore or train the model again"),
        ({"c1.bias": np.full(6, np.nan, np.float32)}, "train the model again"),
        ({"calibration.temperature": np.ones(1)}, "restore the model file, or train the model again"),
    ):
        shutil.copyfile("whole.npz", "m.npz")
        rewrite("m.npz", **change)
        with refused(remedy):
            LeNet5.load("m.npz")
        shutil.copyfile("whole.npz", "m.npz")
        LeNet5.load("m.npz")
