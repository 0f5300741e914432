"""Remedies of networks, optimizers and engines."""

from contextlib import nullcontext

import numpy as np
from remedies.place import Halved, carries_out, own_network, refused

from lenet_gpu import LeNet5, Network, Trainer, nn
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine


@carries_out("take the variant 'modern'")
def the_papers_output_for_four_classes(place):
    with refused("take the variant 'modern'"):
        LeNet5("paper", classes=4)
    LeNet5("modern", classes=4)


@carries_out("end the list with a Dense layer, after Flatten where maps come before it")
def a_list_without_an_end(place):
    with refused("end the list with a Dense layer, after Flatten where maps come before it"):
        Network([nn.Convolution("c1", 1, 4)])
    Network([nn.Convolution("c1", 1, 4), nn.Flatten(), nn.Dense("out", 4 * 28 * 28, 10)])


@carries_out("compare its sizes with those of the layer before")
def sizes_that_do_not_fit(place):
    with refused("compare its sizes with those of the layer before"):
        Network([nn.Flatten(), nn.Dense("out", 784, 10)])
    Network([nn.Flatten(), nn.Dense("out", 1024, 10)])


@carries_out("take the engine auto or layered", "take the engine auto, or the backend {}")
def an_engine_that_does_not_know_it(place):
    def fit(network, **arguments):
        Trainer(network, "classic", epochs=1, progress=False, **arguments).fit(place.images, place.labels)

    with refused("take the engine auto or layered"):
        fit(own_network(), engine="cpu_plan")
    fit(own_network(), engine="layered")
    fit(own_network(), engine="auto")
    with refused("take the engine auto, or the backend gpu"):
        fit(LeNet5(), engine="cuda")
    fit(LeNet5(), engine="auto")


@carries_out(
    "take LocalEngine, which needs no workers", "make the engine with an optimizer", "round 255 times the pixels"
)
def engines_by_hand(place):
    class Mine(nn.SGD):
        """An optimizer that workers can't know."""

    network = LeNet5()
    optimizer = Mine()
    optimizer.prepare(network)
    with refused("take LocalEngine, which needs no workers"):
        CpuEngine(network, optimizer)
    with refused("make the engine with an optimizer"):
        LocalEngine(network).optimizer  # noqa: B018
    engine = LocalEngine(network, optimizer)
    with refused("round 255 times the pixels"):
        engine.load(place.images / 255, place.labels)
    engine.load(np.rint(255 * (place.images / 255)).astype(np.uint8), place.labels)
    engine.train(np.arange(8), 4, np.full(2, 0.01))


class CurvedHalved(Halved):
    """The same with second derivatives."""

    def curvature(self, d2y):
        return d2y / 4


@carries_out("write the layer's curvature(d2y), or take another optimizer",
             "give the Loss a curvature, or take another optimizer")  # fmt: skip
def sdlm_without_curvatures(place):
    def fit(optimizer, layer=CurvedHalved, loss=None):
        network = Network([nn.Flatten(), layer(), nn.Dense("out", 1024, 10)], loss)
        trainer = Trainer(network, "classic", epochs=1, progress=False, optimizer=optimizer)
        trainer.fit(place.images, place.labels)

    def half(xp, outputs, labels):
        return (outputs**2).mean() / 2, outputs / outputs.size

    with refused("write the layer's curvature(d2y), or take another optimizer"):
        fit(nn.SDLM(), Halved)
    fit(nn.SGD(), Halved)
    fit(nn.SDLM())
    with refused("give the Loss a curvature, or take another optimizer"):
        fit(nn.SDLM(), loss=half)
    fit(nn.SGD(), loss=half)


@carries_out("make a new Network of the list of layers", "return one")
def layers_that_change(place):
    network = own_network()
    network.layers.insert(1, nn.Dense("more", 1024, 1024))
    with refused("make a new Network of the list of layers"):
        network.predict(place.images)
    Network(network.layers).predict(place.images)

    class Forgetful(Halved):
        """Returns nothing."""

        def forward(self, x):
            super().forward(x)

    with refused("return one"):
        own_network(Forgetful())
    own_network(Halved())


@carries_out("change it before fit, or train with engine='layered'")
def a_network_that_a_callback_changes(place):
    def fit(network, engine, callbacks=()):
        Trainer(
            network, "classic", epochs=2, threads=1, engine=engine, callbacks=callbacks, progress=False
        ).fit(place.images, place.labels)  # fmt: skip

    def changed(network):
        network.layers[1] = Halved()

    for engine, remedy in (("auto", "change it before fit, or train with engine='layered'"), ("layered", None)):
        network = LeNet5()
        with refused(remedy) if remedy else nullcontext():
            fit(network, engine, [lambda entry, network=network: changed(network)])
    network = LeNet5()
    changed(network)
    fit(network, "auto")


@carries_out("make a new engine")
def an_engine_whose_workers_are_gone(place):
    network = LeNet5()
    optimizer = nn.SGD()
    optimizer.prepare(network)

    def train(engine):
        engine.load(place.images, place.labels)
        engine.train(np.arange(8), 4, np.full(2, 0.01))

    engine = CpuEngine(network, optimizer, threads=1)
    train(engine)
    engine.close()
    with refused("make a new engine"):
        engine.train(np.arange(8), 4, np.full(2, 0.01))
    with CpuEngine(network, optimizer, threads=1) as engine:
        train(engine)
