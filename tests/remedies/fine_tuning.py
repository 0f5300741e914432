"""Fine-tuning: a model and somebody's digits."""

import numpy as np
from remedies.place import carries_out, refused

from lenet_gpu import LeNet5, fine_tune


def fine_tune_touch(place, *more, dataset=None):
    return ("train", "--from", "touch", "--dataset", dataset or place.csv, *more)


@carries_out("leave one of them out", "leave --backend out", "say where they are: --dataset PATH")
def options_of_fine_tuning(place):
    assert place.refused(*fine_tune_touch(place, "--epochs", 2)) == "leave one of them out"
    assert place.refused(*fine_tune_touch(place, "--backend", "gpu")) == "leave --backend out"
    assert place.refused("train", "--from", "touch") == "say where they are: --dataset PATH"
    place.works(*fine_tune_touch(place, "--out", "mine"))


@carries_out("take LeNet5.load('touch')", "name a shipped model: --from touch")
def another_network_to_fine_tune(place):
    other = LeNet5("paper")
    with refused("take LeNet5.load('touch')"):
        fine_tune(other, place.images, place.labels)
    fine_tune(LeNet5.load("touch"), place.images, place.labels)
    other.save("other.npz")
    arguments = ("train", "--from", "other.npz", "--dataset", place.csv)
    remedy = place.refused(*arguments, "--out", "mine")
    assert remedy == "name a shipped model: --from touch"
    place.works("train", *remedy.split()[-2:], *arguments[3:], "--out", "mine")


@carries_out(
    "train on it alone: leave out --from",
    "add some: 20 to 200 are enough",
    "look whether their labels are right",
)
def data_to_fine_tune_with(place):
    def write(name, labels, count=None):
        pairs = zip(labels, place.images, strict=True)
        rows = [",".join(map(str, (label, *image.ravel()))) for label, image in pairs]
        (place.folder / name).write_text("\n".join(rows[:count]) + "\n")

    write("letters.csv", np.array(list("ABCDEFGHIJ"))[place.labels])
    assert place.refused(*fine_tune_touch(place, dataset="letters.csv")) == "train on it alone: leave out --from"
    place.works(*place.train()[:-4], "--dataset", "letters.csv", "--out", "letters")
    write("few.csv", np.where(np.arange(len(place.labels)) < 6, 1, place.labels), 7)
    assert place.refused(*fine_tune_touch(place, dataset="few.csv")) == "add some: 20 to 200 are enough"
    place.works(*fine_tune_touch(place, "--out", "more"))
    # All of one class named after another: they can't be learnt without reading everybody's as the other.
    write("wrong.csv", (place.labels + 1) % 10)
    status, line = place.command(*fine_tune_touch(place, "--out", "wrong", dataset="wrong.csv"))
    assert (status, line.rpartition("; ")[2]) == (1, "look whether their labels are right")
    assert not (place.folder / "wrong").exists()
    place.works(*fine_tune_touch(place, "--out", "right"))
