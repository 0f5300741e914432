"""What functions that carry out remedies have in common: where they run, and how they are found."""

import shutil
from contextlib import contextmanager

import pytest
from PIL import Image

from lenet_gpu import Network, nn
from lenet_gpu.cli import run
from lenet_gpu.errors import LenetError

CARRIED_OUT = {}
"""The functions of this folder, by what they carry out."""


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


def own_network(*more):
    return Network([nn.Flatten(), *more, nn.Dense("out", 32 * 32, 10)])


class Halved(nn.Layer):
    """A layer of the user's."""

    def forward(self, x):
        return x / 2

    def backward(self, dy):
        return dy / 2
