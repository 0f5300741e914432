"""Every remedy that an error names is carried out, and works.

Each function here runs into an error, then does what its last words say, and nothing else. At the end the sources are
searched for remedies that no function has carried out.
"""

import ast
import gzip
import logging
import os
import shlex
import shutil
import struct
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from model_files import rewrite
from PIL import Image

from app.samples import SampleStore
from lenet_gpu import LeNet5, Network, Recognizer, Trainer, fine_tune, load_dataset, nn
from lenet_gpu._version import __version__
from lenet_gpu.cli import run
from lenet_gpu.datasets import Dataset, read_writers
from lenet_gpu.datasets.csv_file import read_csv
from lenet_gpu.engine.cpu.engine import CpuEngine
from lenet_gpu.engine.cpu.local import LocalEngine
from lenet_gpu.errors import LenetError
from lenet_gpu.ink.image_files import MAX_BYTES, read_gray
from lenet_gpu.ink.preprocess import image_to_mnist
from lenet_gpu.training.callbacks import RunFolder

ROOT = Path(__file__).resolve().parents[1]
CARRIED_OUT = {}
"""The functions of this file, by what they carry out."""


def carries_out(*remedies):
    def register(function):
        CARRIED_OUT.update(dict.fromkeys(remedies, function))
        return function

    return register


@contextmanager
def refused(remedy):
    """The error's last words are `remedy`."""
    with pytest.raises(LenetError) as caught:
        yield
    assert str(caught.value).endswith(f"; {remedy}"), caught.value


class Place:
    """An empty folder that the program runs in, and what the functions need."""

    def __init__(self, folder, mnist, capsys):
        self.folder, self.capsys = folder, capsys
        self.images, self.labels = mnist.test.images[:60], mnist.test.labels[:60]
        pairs = zip(self.images, self.labels, strict=True)
        rows = [",".join(map(str, (label, *image.ravel()))) for image, label in pairs]
        self.csv = folder / "digits.csv"
        self.csv.write_text("\n".join(rows) + "\n")
        self.picture = folder / "digit.png"
        Image.fromarray(255 - self.images[0]).save(self.picture)

    def command(self, *arguments):
        """Run a command; returns its status and its last line on standard error."""
        try:
            status = run([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
        return status, (self.capsys.readouterr().err.strip().splitlines() or [""])[-1]

    def refused(self, *arguments):
        """The remedy of a command that is refused."""
        status, line = self.command(*arguments)
        assert status == 2, line
        return line.rpartition("; ")[2]

    def works(self, *arguments):
        assert self.command(*arguments)[0] == 0

    def has_run(self):
        """Have a finished training in the folder run; it is trained once for all functions."""
        kept = self.folder.parent / "remedies' run"
        if not kept.exists():
            self.works(*self.train(out=kept))
        shutil.copytree(kept, self.folder / "run")

    def train(self, *arguments, out="run"):
        """Give the arguments of a short training."""
        settings = ("--backend", "cpu", "--epochs", 1, "--threads", 1)
        return ("train", *settings, "--dataset", self.csv, *arguments, "--out", out)


@pytest.fixture
def place(tmp_path, mnist, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("lenet_gpu")
    before = logger.handlers, logger.propagate
    yield Place(tmp_path, mnist, capsys)
    logger.handlers, logger.propagate = before


def own_network(*more):
    return Network([nn.Flatten(), *more, nn.Dense("out", 32 * 32, 10)])


# ---- runs


@carries_out("continue it with --resume {}, name another --out, or replace it with --force")
def a_run_is_there(place):
    place.works(*place.train(out="my run"))
    remedy = place.refused(*place.train(out="my run"))
    resume = shlex.split(remedy.removeprefix("continue it with ").partition(", name")[0])
    place.works("train", *resume, "--epochs", 2)
    place.works(*place.train(out="another"))
    place.works(*place.train("--force", out="my run"))


@carries_out("start it again as before, with --out {}{}")
def a_run_without_an_epoch(place):
    folder = place.folder / "my run"
    for files in ((), ("log.jsonl",)):
        folder.mkdir()
        for name in files:
            (folder / name).touch()
        remedy = place.refused("train", "--resume", "my run")
        again = shlex.split(remedy.removeprefix("start it again as before, with "))
        place.works(*place.train()[:-2], *again)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@carries_out("name the folder that --out named")
def resume_of_no_run(place):
    place.has_run()
    assert place.refused("train", "--resume", "model.npz") == "name the folder that --out named"
    place.works("train", "--resume", "run", "--epochs", 2)


@carries_out("name another --out, or replace these files with --force")
def files_of_a_runs_names(place):
    (place.folder / "own").mkdir()
    (place.folder / "own" / "log.jsonl").write_text("mine")
    assert place.refused(*place.train(out="own")) == "name another --out, or replace these files with --force"
    place.works(*place.train())
    place.works(*place.train("--force", out="own"))


@carries_out("name another --out")
def a_file_for_a_folder(place):
    assert place.refused(*place.train(out="digits.csv")) == "name another --out"
    place.works(*place.train())


@carries_out("leave it out, or start a new run")
def a_settled_option(place):
    place.has_run()
    assert place.refused("train", "--resume", "run", "--seed", 0) == "leave it out, or start a new run"
    place.works("train", "--resume", "run")


@carries_out("say where they are now: --dataset PATH, or --data-dir DIR for a data set known by name")
def data_that_moved(place):
    place.works(*place.train())
    place.csv = place.csv.rename(place.folder / "moved.csv")
    assert place.refused("train", "--resume", "run", "--epochs", 2).startswith(
        "say where they are now: --dataset PATH"
    )
    place.works("train", "--resume", "run", "--epochs", 2, "--dataset", "moved.csv")


@carries_out("give the same data, or start a new run")
def other_data_on_resume(place):
    place.works(*place.train())
    content = place.csv.read_text()
    place.csv.write_text("".join(reversed(content.splitlines(keepends=True))))
    assert place.refused("train", "--resume", "run", "--epochs", 2) == "give the same data, or start a new run"
    place.works(*place.train(out="new"))
    place.csv.write_text(content)
    place.works("train", "--resume", "run", "--epochs", 2)


@carries_out("copy it from data/mnist of this project")
def writers_of_mnist_missing_or_altered(place):
    path = place.folder / "writers.npz"
    for _ in range(2):
        with refused("copy it from data/mnist of this project"):
            read_writers(path)
        path.write_bytes(b"another file")
    shutil.copy(ROOT / "data" / "mnist" / "writers.npz", path)
    read_writers(path)


@carries_out("wait for its end{}")
def two_trainings(place):
    from lenet_gpu.storage.lock import exclusive
    from lenet_gpu.training.run_folder import LOCK_FILE

    (place.folder / "run").mkdir()
    with exclusive(place.folder / "run" / LOCK_FILE, lambda: None):
        assert place.refused(*place.train()) == "wait for its end, or name another --out"
        place.works(*place.train(out="another"))
    place.works(*place.train())


@carries_out("leave it out")
def a_loss_of_another_recipe(place):
    assert place.refused(*place.train("--loss", "map")) == "leave it out"
    place.works(*place.train())


@carries_out("fast, record, best and touch distort their images anyway")
def distortions_of_another_recipe(place):
    remedy = place.refused(*place.train("--distortions", "--recipe", "fast"))
    assert remedy == "fast, record, best and touch distort their images anyway"
    place.works(*place.train("--recipe", "fast"))


# ---- pictures that are drawn


@carries_out("--out {}")
def a_picture_of_another_kind(place):
    place.has_run()
    remedy = place.refused("plot", "run", "--out", "my curves.jpg")
    place.works("plot", "run", *shlex.split(remedy))
    assert (place.folder / "my curves.png").exists()


@carries_out("name another --out, or replace it with --force")
def a_picture_that_is_not_ours(place):
    place.has_run()
    remedy = place.refused("plot", "run", "--out", "digit.png")
    assert remedy == "name another --out, or replace it with --force"
    place.works("plot", "run", "--out", "new.png")
    place.works("plot", "run", "--out", "digit.png", "--force")


@carries_out("leave one out")
def picture_and_no_picture(place):
    arguments = ("evaluate", "mnist", "--dataset", place.csv)
    assert place.refused(*arguments, "--out", "e.png", "--no-picture") == "leave one out"
    place.works(*arguments, "--no-picture")
    place.works(*arguments, "--out", "e.png")


@carries_out("the curves know their recipe: leave it out", "curves need no data: leave it out")
def curves_with_more(place):
    place.has_run()
    assert place.refused("plot", "run", "--recipe", "fast") == "the curves know their recipe: leave it out"
    assert place.refused("plot", "run", "--dataset", place.csv) == "curves need no data: leave it out"
    place.works("plot", "run", "--out", "c.png")


@carries_out("name another recipe, or none for the standard variations")
def images_that_do_not_vary(place):
    arguments = ("plot", "--augment", "--dataset", place.csv, "--out", "a.png")
    remedy = place.refused(*arguments, "--recipe", "classic")
    assert remedy == "name another recipe, or none for the standard variations"
    place.works(*arguments, "--recipe", "fast", "--force")
    place.works(*arguments, "--force")


# ---- data sets


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


# ---- arrays


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


# ---- pictures and strokes that are read


@carries_out("name an image file")
def no_picture(place):
    with refused("name an image file"):
        read_gray(place.folder)
    read_gray(place.picture)


@carries_out("shrink it, or cut out the digit")
def too_large_a_picture(place):
    with refused("shrink it, or cut out the digit"):
        read_gray(place.picture, max_pixels=500)
    Image.open(place.picture).resize((20, 20)).save(place.picture)
    read_gray(place.picture, max_pixels=500)


@carries_out("scale the drawing down", "draw with fewer points, or read a part at a time", "mend the file")
def strokes_beyond_the_bounds(place):
    recognizer, stroke = Recognizer(), np.array([[0.0, 0.0], [0.0, 1e200]])
    with refused("scale the drawing down"):
        recognizer.predict_strokes([stroke])
    recognizer.predict_strokes([stroke / 1e150])
    line = np.linspace(0, 1, 200_002)
    with refused("draw with fewer points, or read a part at a time"):
        recognizer.predict_strokes([np.stack([line, line], 1)])
    recognizer.predict_strokes([np.stack([line, line], 1)[::2]])
    strokes = place.folder / "s.json"
    strokes.write_text("[[[1, 2], [3, 40]")
    assert place.refused("predict", "touch", strokes) == "mend the file"
    strokes.write_text("[[[1, 2], [3, 40]]]")
    place.works("predict", "touch", strokes)


# ---- files


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


@carries_out("take the variant 'modern'")
def the_papers_output_for_four_classes(place):
    with refused("take the variant 'modern'"):
        LeNet5("paper", classes=4)
    LeNet5("modern", classes=4)


class Halved(nn.Layer):
    """A layer of the user's."""

    def forward(self, x):
        return x / 2

    def backward(self, dy):
        return dy / 2


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


# ---- networks and engines


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


@carries_out("make it with LeNet5(variant={}), or take another recipe", "take another recipe")
def a_recipe_for_another_network(place):
    def fit(network, recipe):
        Trainer(network, recipe, epochs=1, threads=1, progress=False).fit(place.images[:12], place.labels[:12])

    with refused("make it with LeNet5(variant='paper'), or take another recipe"):
        fit(LeNet5(), "paper")
    fit(LeNet5("paper"), "paper")
    fit(LeNet5(), "classic")
    with refused("take another recipe"):
        fit(LeNet5(classes=11), "touch")


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


@carries_out("lower the learning rate{}")
def a_learning_rate_that_is_too_high(place):
    def fit(rate):
        trainer = Trainer(LeNet5(), "classic", epochs=1, threads=1, learning_rate=rate, progress=False)
        trainer.fit(place.images, place.labels)

    with np.errstate(all="ignore"), refused("lower the learning rate"):
        fit(1e30)
    fit(0.01)


@carries_out("give it: Trainer.resume(path, {}=...)", "give it: Trainer.resume(path, loss=...)")
def a_resumed_run_of_own_parts(place):
    class Mine(nn.SGD):
        """An optimizer of the user's."""

    def constant(epoch, steps):
        return 0.01

    def fit(folder, network, **arguments):
        (place.folder / folder).mkdir()
        Trainer(
            network, "classic", epochs=1, progress=False, callbacks=[RunFolder(place.folder / folder)], **arguments
        ).fit(place.images, place.labels)

    def half(xp, outputs, labels):
        return (outputs**2).mean() / 2, outputs / outputs.size

    fit("a", LeNet5(), optimizer=Mine())
    fit("b", LeNet5(), schedule=constant)
    fit("c", own_network(), engine="layered")
    for folder, key, value in (("a", "optimizer", Mine()), ("b", "schedule", constant)):
        with refused(f"give it: Trainer.resume(path, {key}=...)"):
            Trainer.resume(folder)
        Trainer.resume(folder, **{key: value})
    fit("d", Network([nn.Flatten(), nn.Dense("out", 1024, 10)], half))
    with refused("give it: Trainer.resume(path, loss=...)"):
        Trainer.resume("d")
    Trainer.resume("d", loss=half)


# ---- more of the same


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


@carries_out("make it smaller, or name another", "shrink the image, or save it as JPEG")
def files_that_are_too_long(place):
    strokes = place.folder / "s.json"
    strokes.write_text("[[[1, 2], [3, 40]]]" + " " * 20_000_000)
    assert place.refused("predict", "touch", strokes) == "make it smaller, or name another"
    strokes.write_text(strokes.read_text().strip())
    place.works("predict", "touch", strokes)
    large = place.folder / "large.bmp"
    shutil.copyfile(place.picture, large)
    os.truncate(large, MAX_BYTES + 1)
    with refused("shrink the image, or save it as JPEG"):
        read_gray(large)
    Image.open(place.picture).save(place.folder / "small.jpg")
    read_gray(place.folder / "small.jpg")


@carries_out("save it again")
def a_picture_with_nan(place):
    values = np.linspace(0, 1, 784, dtype=np.float32).reshape(28, 28)
    values[3, 3] = np.nan
    Image.fromarray(values).save("nan.tiff")
    with refused("save it again"):
        read_gray("nan.tiff")
    Image.fromarray(np.nan_to_num(values)).save("nan.tiff")
    read_gray("nan.tiff")


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


@carries_out("teach the app a digit first")
def the_apps_samples(place):
    store = SampleStore(place.folder / "app")
    with refused("teach the app a digit first"):
        store.export("samples.csv")
    store.add([np.array([[1.0, 2.0], [3.0, 40.0]])], 1)
    store.export("samples.csv")


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


# ---- fine-tuning


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


@carries_out("train on it alone: leave out --from", "add some: 20 to 200 are enough",
             "look whether their labels are right")  # fmt: skip
def data_to_fine_tune_with(place):
    def write(name, labels, count=None):
        pairs = zip(labels, place.images, strict=True)
        rows = [",".join(map(str, (label, *image.ravel()))) for label, image in pairs]
        (place.folder / name).write_text("\n".join(rows[:count]) + "\n")

    write("letters.csv", np.array(list("ABCDEFGHIJ"))[place.labels])
    assert place.refused(*fine_tune_touch(place, dataset="letters.csv")) == "train on it alone: leave out --from"
    place.works(*place.train()[:-3], "letters.csv", "--out", "letters")
    write("few.csv", np.where(np.arange(len(place.labels)) < 6, 1, place.labels), 7)
    assert place.refused(*fine_tune_touch(place, dataset="few.csv")) == "add some: 20 to 200 are enough"
    place.works(*fine_tune_touch(place, "--out", "more"))
    # All of one class named after another: they can't be learnt without reading everybody's as the other.
    write("wrong.csv", (place.labels + 1) % 10)
    status, line = place.command(*fine_tune_touch(place, "--out", "wrong", dataset="wrong.csv"))
    assert (status, line.rpartition("; ")[2]) == (1, "look whether their labels are right")
    assert not (place.folder / "wrong").exists()
    place.works(*fine_tune_touch(place, "--out", "right"))


NOT_HERE = {
    "a machine of another kind": (
        "start it there, over ssh with ssh -X, or on a console without a desktop with SDL_VIDEODRIVER=kmsdrm",
        "take the whole project: the folder app lies beside lenet_gpu",
        "take a smaller batch size, or end other programs on the GPU (nvidia-smi lists them)",
        "{}; until then take the engine 'layered'",
        "take the engine 'layered'",
        "call load first",
        "CUDA_VISIBLE_DEVICES={} decides which GPUs there are",
        "unset MPLBACKEND",
        "install it again: pip install --force-reinstall matplotlib",
    ),
    "room, or rights that root has anyway": (
        "free some space",
        "free some space or name another folder",
        "free some space or allow writing{}",
        "free some space or check the rights of the folder above it",
        "free some space, or set LENET_GPU_CACHE to a folder with more",
        "set LENET_GPU_CACHE to one that can",
        "free some memory, or load fewer images",
        "shrink it",
        "check its rights",
        "check the rights of its folder",
    ),
    "a network of computers, or files that are published": (
        "check the network (http_proxy, https_proxy) and try again, or put it into {}",
        "allow the download, or name the folder that has them",
        "set {} to one, or HOME",
        "the file is altered or another one: fetch it again, or load the folder by its path",
        "put that there, or load the folder by its path",
        "put them there or name another folder",
        "bring back the same files, or start a new run",
    ),
    "files of many megabytes": (
        "unpack the file and give that",
        "{}, or unpack it if it is right",
        "split the file, or convert it to idx files",
    ),
    "a second window of the app: tests/app/test_two_windows.py": ("close the other one, then start this one again",),
    "damaged data, to be replaced": ("train again", "pack it again with one of them"),
    "a name that an object of another type took": ("give the name first",),
    "not carried out yet; shown in tests/datasets, tests/export and tests/command_line": (
        "add data of the same classes, or train on it alone",
        "add pictures of another class",
        "keep it as a model file of lenet-gpu (Network.save), or take its parameters from views",
        "leave int8 out",
        "leave it out: answers to single pictures are printed",
        "leave that column out",
        "load it in PyTorch and write its state_dict() with safetensors.torch.save_file",
        "look at the program that wrote them",
        "look at them, and write them anew with their full contrast",
        "mend or remove it",
        "move it away, or into one of them",
        "move one of them away",
        "move the label to the front, and leave out further columns",
        "move the label to the front, or add pictures of another class",
        "name another, or give --force",
        "name another, or replace it by force",
        "name image files",
        "name it lenet5.c",
        "name it {}{}",
        "name labelled data here; lenet-gpu predict MODEL FILE reads pictures without",
        "name the folder of one of them",
        "name them with --dataset",
        "pip install onnx",
        "pip install safetensors",
        "put it there",
        "put that file there",
        "put the {} beside them",
        "put those of one data set into a folder of their own, or name one of the files",
        "read one after the other",
        "rename it, or leave it out",
        "rename or convert them: docs/deploy.md lists the names and shapes",
        "rename or remove one of them",
        "rename the arrays",
        "shrink it, or cut out the digits",
        "shrink the image",
        "train it again, with a lower learning rate",
        "unpack the zip, and name the file",
        "use it as it is: every command takes it as MODEL",
        "write a header line, with the name label over the label",
    ),
}
"""Remedies that no function here carries out, and why."""


def text_of(node):
    """The words of a remedy, with {} for what is filled in; none for what is not written there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return text_of(node.body) + text_of(node.orelse)
    if isinstance(node, ast.BinOp):  # a text, and what is put behind it
        return [f"{text}{{}}" for text in text_of(node.left)]
    return []


def remedies_of(source):
    """All remedies written in a module's errors."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [text for call in calls for word in call.keywords if word.arg == "remedy" for text in text_of(word.value)]


@pytest.mark.parametrize("carry_out", dict.fromkeys(CARRIED_OUT.values()), ids=lambda function: function.__name__)
def test_the_remedy_works(carry_out, place):
    carry_out(place)


def test_every_remedy_is_carried_out_or_listed():
    written = {
        remedy
        for package in ("lenet_gpu", "app")
        for path in (ROOT / package).rglob("*.py")
        for remedy in remedies_of(path.read_text(encoding="utf-8"))
    }
    listed = {remedy for remedies in NOT_HERE.values() for remedy in remedies}
    assert not listed & set(CARRIED_OUT)
    assert written - set(CARRIED_OUT) - listed == set()
    assert (listed | set(CARRIED_OUT)) - written == set()  # those that errors no longer name
