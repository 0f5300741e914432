"""Remedies of models that go out to other programs and come back in."""

import numpy as np
from remedies.place import carries_out, own_network, refused

from lenet_gpu import LeNet5, Network, Trainer
from lenet_gpu.export import export_network


@carries_out("name it {}{}", "name it lenet5.c", "name another, or replace it by force", "leave int8 out")
def names_of_exports(place):
    model = LeNet5.load("mnist")
    with refused("name it digits.npz"):
        export_network(model, "npz", "digits.pth")
    with refused("name it lenet5.c"):
        export_network(model, "c", "größe.c")
    with refused("leave int8 out"):
        export_network(model, "npz", "digits.npz", int8=True)
    export_network(model, "npz", "digits.npz")
    export_network(model, "c", "lenet5.c")
    with refused("name another, or replace it by force"):
        export_network(model, "npz", "digits.npz")
    export_network(model, "npz", "another.npz")
    export_network(model, "npz", "digits.npz", force=True)
    assert place.refused("export", "mnist", "--to", "npz", "--out", "digits.npz").endswith("replace it by force")
    place.works("export", "mnist", "--to", "npz", "--out", "digits.npz", "--force")


@carries_out(
    "keep it as a model file of lenet-gpu (Network.save), or take its parameters from views",
    "train it again, with a lower learning rate",
)
def networks_that_are_not_exported(place):
    own = own_network()
    with refused("keep it as a model file of lenet-gpu (Network.save), or take its parameters from views"):
        export_network(own, "npz", "own.npz")
    own.save("own.npz")
    views = Network.load("own.npz").views
    np.testing.assert_array_equal(views["out.weight"], own.views["out.weight"])
    network = LeNet5()
    network.views["c1.bias"][0] = np.nan
    with refused("train it again, with a lower learning rate"):
        export_network(network, "npz", "nan.npz")
    network = LeNet5()
    Trainer(network, "classic", epochs=1, threads=1, learning_rate=0.001, progress=False).fit(
        place.images, place.labels
    )
    export_network(network, "npz", "again.npz")


@carries_out("name them with --dataset")
def images_to_calibrate_on(place):
    network = LeNet5(classes=3)
    network.save("three.npz")
    three = [line for line in place.csv.read_text().splitlines() if line[0] in "012"]
    (place.folder / "three.csv").write_text("\n".join(three))
    arguments = ("export", "three.npz", "--to", "c", "--int8", "--out", "three.c")
    assert place.refused(*arguments) == "name them with --dataset"
    place.works(*arguments, "--dataset", "three.csv")


@carries_out(
    "use it as it is: every command takes it as MODEL",
    "rename or convert them to the names and shapes that export --to npz writes",
)
def states_to_import(place):
    LeNet5.load("mnist").save("model.npz")
    arguments = ("import", "model.npz", "--out", "new.npz")
    assert place.refused(*arguments) == "use it as it is: every command takes it as MODEL"
    place.works("predict", "model.npz", place.picture)
    state = {name: np.array(view) for name, view in LeNet5.load("mnist").views.items()}
    place.works("export", "mnist", "--to", "npz", "--out", "names.npz")
    with np.load("names.npz") as written:
        assert {name: written[name].shape for name in state} == {name: value.shape for name, value in state.items()}
    renamed = {name.replace("weight", "kernel"): value for name, value in state.items()}
    transposed = {**state, "f6.weight": state["f6.weight"].T}
    for wrong in (renamed, transposed):
        with refused("rename or convert them to the names and shapes that export --to npz writes"):
            LeNet5.from_state(wrong)
    LeNet5.from_state({name.replace("kernel", "weight"): value for name, value in renamed.items()})
    LeNet5.from_state({**transposed, "f6.weight": transposed["f6.weight"].T})
