"""Remedies of users' own data: columns of tables, names of arrays, files and folders that belong together."""

import shutil
import zipfile

import numpy as np
from PIL import Image
from remedies.datasets import write_idx
from remedies.place import carries_out, refused

from lenet_gpu import LeNet5, Trainer, load_dataset
from lenet_gpu.datasets.mix import with_added

PIXELS = [f"p{k}" for k in range(784)]


@carries_out(
    "leave that column out",
    "move the label to the front, and leave out further columns",
    "move the label to the front, or add pictures of another class",
    "write a header line, with the name label over the label",
    "scale the pixels to 0 to 1, or mend that row",
)
def columns_of_a_table(place):
    plain = [line.split(",") for line in place.csv.read_text().splitlines()]
    threes = [row for row in plain if row[0] == "3"]
    either = [[*row[:-1], str(k % 10)] for k, row in enumerate(plain)]
    centred = [[row[0], *(f"{int(value) / 127.5 - 1:.5f}" for value in row[1:])] for row in plain]
    shares = [[row[0], *(f"{(float(value) + 1) / 2:.5f}" for value in row[1:])] for row in centred]
    for remedy, wrong, right in (
        ("leave that column out", [["id", *PIXELS], *plain], [PIXELS, *(row[1:] for row in plain)]),
        (
            "move the label to the front, and leave out further columns",
            [["id", "label", *PIXELS], *(["8", *row] for row in plain)],
            [["label", *PIXELS], *plain],
        ),
        (
            "move the label to the front, or add pictures of another class",
            [[*row[1:400], row[0], *row[400:]] for row in plain],
            plain,
        ),
        ("move the label to the front, or add pictures of another class", [["0", *row[1:]] for row in threes], plain),
        ("write a header line, with the name label over the label", either, [["label", *PIXELS], *either]),
        ("scale the pixels to 0 to 1, or mend that row", centred, shares),
    ):
        for name, rows in (("wrong.csv", wrong), ("right.csv", right)):
            (place.folder / name).write_text("\n".join(map(",".join, rows)))
        with refused(remedy):
            load_dataset("wrong.csv")
        if len(right[0]) == 784:  # pixels alone: what is left is for predict
            place.works("predict", "mnist", "right.csv")
        else:
            load_dataset("right.csv")


@carries_out(
    "rename it, or leave it out",
    "rename or remove one of them",
    "rename the arrays",
    "put the {} beside them",
)
def arrays_of_a_file(place):
    x, y = place.images, place.labels
    for remedy, wrong, *right in (
        ("rename it, or leave it out", {"x": x, "y": y, "weights": np.ones((3, 3))}, {"x": x, "y": y}),
        (
            "rename or remove one of them",
            {"x_train": x, "train_images": x, "y_train": y, "y_test": y},
            {"x_train": x, "test_images": x, "y_train": y, "y_test": y},
            {"x_train": x, "y_train": y},
        ),
        (
            "rename the arrays",
            {"x_test": x, "y_test": y, "x_val": x, "y_val": y},
            {"x_train": x, "y_train": y, "x_val": x, "y_val": y},
        ),
        ("put the labels beside them", {"x": x}, {"x": x, "y": y}),
        ("put the images beside them", {"x": x, "y": y, "y_test": y}, {"x": x, "y": y, "x_test": x, "y_test": y}),
    ):
        np.savez("wrong.npz", **wrong)
        with refused(remedy):
            load_dataset("wrong.npz")
        for arrays in right:
            np.savez("right.npz", **arrays)
            load_dataset("right.npz")


@carries_out(
    "put it there",
    "put that file there",
    "name the folder of one of them",
    "put those of one data set into a folder of their own, or name one of the files",
)
def idx_files_that_belong_together(place):
    folder = write_idx(place, 60)
    labels = folder / "t10k-labels-idx1-ubyte"
    away = labels.rename(place.folder / "away")
    with refused("put that file there"):
        load_dataset(folder)
    with refused("put it there"):
        load_dataset(folder / "t10k-images-idx3-ubyte")
    away.rename(labels)
    load_dataset(folder / "t10k-images-idx3-ubyte")
    load_dataset(folder)
    for name in ("MNIST", "KMNIST"):
        shutil.copytree(folder, place.folder / "root" / name / "raw")
    with refused("name the folder of one of them"):
        load_dataset("root")
    load_dataset("root/KMNIST")
    for path in sorted(folder.iterdir()):
        shutil.copyfile(path, folder / f"more-{path.name}")
    with refused("put those of one data set into a folder of their own, or name one of the files"):
        load_dataset(folder)
    load_dataset(folder / "train-images-idx3-ubyte")
    (place.folder / "more").mkdir()
    for path in folder.glob("more-*"):
        path.rename(place.folder / "more" / path.name.removeprefix("more-"))
    load_dataset(folder)
    load_dataset("more")


def write_pictures(place, folder, images=None, labels=None):
    """Write digits as class folders."""
    images, labels = place.images if images is None else images, place.labels if labels is None else labels
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        (place.folder / folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place.folder / folder / str(label) / f"{k}.png")


@carries_out("move one of them away", "move it away, or into one of them")
def folders_beside_each_other(place):
    for name in ("train", "val", "valid"):
        write_pictures(place, f"d/{name}")
    with refused("move one of them away"):
        load_dataset("d")
    (place.folder / "d/val").rename("away")
    load_dataset("d")
    write_pictures(place, "d/more/3", labels=[3] * 60)
    with refused("move it away, or into one of them"):
        load_dataset("d")
    (place.folder / "d/more/3/3").rename("d/train/more")
    (place.folder / "d/train/more").rename("d/train/11")
    shutil.rmtree("d/more")
    load_dataset("d")


@carries_out(
    "add pictures of another class",
    "look at them, and write them anew with their full contrast",
    "look at the program that wrote them",
    "mend or remove it",
    "name labelled data here; lenet-gpu predict MODEL FILE reads pictures without",
    "add data of the same classes, or train on it alone",
)
def what_can_be_learnt_from(place):
    x, y = place.images, place.labels.astype(int)
    odd = y.astype("U5")
    odd[0] = "tree"
    for remedy, wrong, *right in (
        ("add pictures of another class", (x, y * 0), (x, y % 2)),
        ("look at them, and write them anew with their full contrast", (x // 25, y), (x, y)),
        ("look at the program that wrote them", (x[:1].repeat(60, axis=0), y), (x, y)),
        ("mend or remove it", (x, odd), (x, y), (x[1:], odd[1:])),
    ):
        np.savez("wrong.npz", x=wrong[0], y=wrong[1])
        with refused(remedy):
            load_dataset("wrong.npz")
        for images, labels in right:
            np.savez("right.npz", x=images, y=labels)
            load_dataset("right.npz")
    rows = [line.partition(",")[2] for line in place.csv.read_text().splitlines()]
    (place.folder / "pixels.csv").write_text("\n".join(rows))
    with refused("name labelled data here; lenet-gpu predict MODEL FILE reads pictures without"):
        load_dataset("pixels.csv")
    place.works("predict", "mnist", "pixels.csv")
    np.savez("parity.npz", x=x, y=np.array(["even", "odd"])[y % 2])
    data, parity = load_dataset(place.csv), load_dataset("parity.npz")
    with refused("add data of the same classes, or train on it alone"):
        with_added(data, parity, "parity.npz")
    np.savez("more.npz", x=x, y=y)
    with_added(data, load_dataset("more.npz"), "more.npz")
    Trainer(LeNet5(classes=parity.classes), "classic", epochs=1, threads=1, progress=False).fit(parity)


@carries_out("unpack the zip, and name the folder", "unpack the zip, and name the file")
def zips(place):
    write_pictures(place, "f")
    with zipfile.ZipFile("d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((place.folder / "f").rglob("*.png")):
            archive.write(path, path.relative_to(place.folder / "f"))
        archive.writestr("blank.bmp", bytes(65 << 20))
    with refused("unpack the zip, and name the folder"):
        load_dataset("d.zip")
    with zipfile.ZipFile("d.zip") as archive:
        archive.extractall("unpacked")
    load_dataset("unpacked")
    with zipfile.ZipFile("two.zip", "w") as archive:
        for name in ("a.csv", "b.csv"):
            archive.writestr(name, place.csv.read_text())
    assert place.refused("predict", "mnist", "two.zip") == "unpack the zip, and name the file"
    with zipfile.ZipFile("two.zip") as archive:
        archive.extractall("tables")
    place.works("predict", "mnist", "tables/a.csv")
