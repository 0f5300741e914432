"""Remedies of ``lenet-gpu predict``."""

import shutil

import numpy as np
from remedies.place import carries_out, refused

from lenet_gpu import Recognizer


@carries_out(
    "leave it out: answers to single pictures are printed",
    "name another, or give --force",
    "read one after the other",
)
def answers_to_a_table(place):
    arguments = ("predict", "mnist", place.picture)
    assert place.refused(*arguments, "--out", "a.csv") == "leave it out: answers to single pictures are printed"
    place.works(*arguments)
    assert place.refused(*arguments, place.csv) == "read one after the other"
    place.works("predict", "mnist", place.csv)
    arguments = ("predict", "mnist", place.csv, "--out")
    place.works(*arguments, "a.csv")
    assert place.refused(*arguments, "a.csv") == "name another, or give --force"
    place.works(*arguments, "b.csv")
    place.works(*arguments, "a.csv", "--force")
    model_of_a_state(place)


def model_of_a_state(place):
    """`import` says the same of its file."""
    place.works("export", "mnist", "--to", "npz", "--out", "state.npz")
    arguments = ("import", "state.npz", "--out")
    place.works(*arguments, "m.npz")
    assert place.refused(*arguments, "m.npz") == "name another, or give --force"
    place.works(*arguments, "n.npz")
    place.works(*arguments, "m.npz", "--force")


@carries_out("name image files")
def an_empty_folder(place):
    (place.folder / "scans").mkdir()
    assert place.refused("predict", "mnist", "scans") == "name image files"
    shutil.copyfile(place.picture, place.folder / "scans" / "a.png")
    place.works("predict", "mnist", "scans")
    place.works("predict", "mnist", "scans/a.png")


@carries_out("shrink it, or cut out the digits")
def an_array_of_too_many_pixels(place):
    recognizer = Recognizer("mnist")
    large = np.broadcast_to(np.uint8(255), (8_000, 8_000))
    with refused("shrink it, or cut out the digits"):
        recognizer.read_page(large)
    recognizer.read_page(np.array(large[::8, ::8]))
    recognizer.read_page(np.array(large[:300, :300]))
