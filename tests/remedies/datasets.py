"""Remedies of data sets in files and folders."""

import gzip
import shutil
import struct

import numpy as np
from PIL import Image
from remedies.place import carries_out, refused

from lenet_gpu import load_dataset
from lenet_gpu.datasets import read_writers
from lenet_gpu.datasets.csv_file import read_csv
from lenet_gpu.datasets.locations import CLONE


@carries_out("check the spelling", "name another file or a folder", "name another folder", "name another path")
def a_path_that_is_no_data_set(place):
    (place.folder / "empty").mkdir()
    (place.folder / "notes").mkdir()
    (place.folder / "notes" / "a.txt").write_text("a")
    for path, remedy in (
        ("digit.csv", "check the spelling"),
        ("digit.png", "name another file or a folder"),
        ("empty", "name another folder"),
        ("notes", "name another path"),
    ):
        with refused(remedy):
            load_dataset(path)
    assert len(load_dataset("digits.csv").train.images)


@carries_out("give the path alone")
def a_path_and_a_folder(place):
    with refused("give the path alone"):
        load_dataset(place.csv, data_dir=".")
    load_dataset(place.csv)


@carries_out("rename them, or give a single file to have it split")
def two_csv_files(place):
    (place.folder / "both").mkdir()
    for name in ("a.csv", "b.csv"):
        (place.folder / "both" / name).write_text(place.csv.read_text())
    with refused("rename them, or give a single file to have it split"):
        load_dataset("both")
    load_dataset("both/a.csv")
    (place.folder / "both" / "a.csv").rename("both/train.csv")
    (place.folder / "both" / "b.csv").rename("both/test.csv")
    load_dataset("both")


@carries_out("mend or remove that row")
def a_bad_row(place):
    rows = place.csv.read_text().splitlines()
    place.csv.write_text("\n".join([rows[0], "7,1,2", *rows[1:]]))
    with refused("mend or remove that row"):
        read_csv(place.csv)
    place.csv.write_text("\n".join(rows))
    read_csv(place.csv)


@carries_out("name another file", "restore the file, or name another", "restore the file, or pack it again")
def csv_files_that_are_none(place):
    whole = gzip.compress(place.csv.read_bytes())
    for name, content, remedy in (
        ("a.csv", b"\n\n", "name another file"),
        ("b.csv", b"", "restore the file, or name another"),
        ("c.csv.gz", whole[:-100], "restore the file, or pack it again"),
    ):
        (place.folder / name).write_bytes(content)
        with refused(remedy):
            load_dataset(name)
    (place.folder / "c.csv.gz").write_bytes(whole)
    load_dataset("c.csv.gz")
    load_dataset(place.csv)


def write_idx(place, count, name="idx"):
    """Write digits in MNIST's own form; returns the folder."""
    folder = place.folder / name
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, count, 28, 28) + place.images[:count].tobytes()
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, count) + place.labels[:count].astype(np.uint8).tobytes()
        )
    return folder


@carries_out("rename or move it", "move it away")
def folders_of_other_names(place):
    digits = place.folder / "pictures"
    for name in ("0", "1", "ten"):
        (digits / name).mkdir(parents=True)
        for k in range(7):
            Image.fromarray(place.images[k]).save(digits / name / f"{k}.png")
    with refused("rename or move it"):
        load_dataset(digits)
    (digits / "ten").rename(digits / "0" / "more")
    with refused("move it away"):
        load_dataset(digits)
    (digits / "0" / "more").rename(digits / "2")
    load_dataset(digits)


@carries_out("use the two files that belong together")
def images_and_labels_of_two_sets(place):
    folder = write_idx(place, 60)
    other = write_idx(place, 59, "other")
    labels = "train-labels-idx1-ubyte"
    shutil.copyfile(other / labels, folder / labels)
    with refused("use the two files that belong together"):
        load_dataset(folder)
    shutil.copyfile(other / "train-images-idx3-ubyte", folder / "train-images-idx3-ubyte")
    load_dataset(folder)


@carries_out("copy it from data/mnist of this project")
def writers_of_mnist_missing_or_altered(place):
    path = place.folder / "writers.npz"
    for _ in range(2):
        with refused("copy it from data/mnist of this project"):
            read_writers(path)
        path.write_bytes(b"another file")
    shutil.copy(CLONE / "mnist" / "writers.npz", path)
    read_writers(path)
