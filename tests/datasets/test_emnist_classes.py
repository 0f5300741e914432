"""EMNIST's letters and balanced sets: files of their exact form, with drawings of our own in them.

Names, gzip, the big-endian headers, rows and columns exchanged, labels from 1 for letters and from 0 to 46 for
balanced, and the mapping files are as published; the pictures are made by `lenet_gpu.handwriting`.
"""

import gzip
import json
import struct

import numpy as np
import pytest

from lenet_gpu import Network, load_dataset, seeds
from lenet_gpu.errors import DataError
from lenet_gpu.handwriting.digits import draw_digits
from lenet_gpu.handwriting.letters import draw_letters
from lenet_gpu.ink.preprocess import drawings_to_mnist

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BALANCED = "0123456789" + LETTERS + "abdefghnqrt"
"""The 47 characters of EMNIST's balanced set, in the order of its labels."""


def mapping(name):
    """The lines of the published mapping files: label, upper case, and for letters lower case."""
    if name == "letters":
        return "".join(f"{k} {ord(c)} {ord(c.lower())}\n" for k, c in enumerate(LETTERS, 1))
    return "".join(f"{k} {ord(c)}\n" for k, c in enumerate(BALANCED))


def drawn(characters, each, seed):
    """Pictures of characters, upright; small letters are the capitals on their side, so that they differ."""
    rng = seeds.generator(20_263, seed)
    images = []
    for character in characters:
        if character in "0123456789":
            drawings = draw_digits(rng, np.full(each, int(character)))
        else:
            drawings = draw_letters(rng, np.full(each, ord(character.upper()) - 65))
        made = drawings_to_mnist(drawings)
        images.append(np.rot90(made, 1, (1, 2)) if character.islower() else made)
    return np.concatenate(images)


def write(folder, name, role, images, labels):
    start = f"emnist-{name}-{role}"
    lying = np.ascontiguousarray(images.transpose(0, 2, 1))
    for kind, values in (("images-idx3", lying), ("labels-idx1", labels)):
        header = struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape)
        (folder / f"{start}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + values.tobytes()))


@pytest.fixture(scope="module", params=["letters", "balanced"])
def emnist(request, tmp_path_factory):
    """A folder as EMNIST's zip unpacks one of its sets, its characters, and its training images upright."""
    name = request.param
    characters, first = (LETTERS, 1) if name == "letters" else (BALANCED, 0)
    folder = tmp_path_factory.mktemp(name)
    (folder / f"emnist-{name}-mapping.txt").write_text(mapping(name))
    for role, each in (("train", 7), ("test", 2)):
        images = drawn(characters, each, len(role))
        labels = np.repeat(np.arange(first, first + len(characters)), each).astype(np.uint8)
        write(folder, name, role, images, labels)
    return folder, characters, drawn(characters, 7, len("train"))


def test_the_classes_are_the_mappings_characters(emnist):
    folder, characters, images = emnist
    data = load_dataset(folder)
    assert data.class_labels == tuple(characters)
    assert (len(data.train), len(data.test)) == (7 * len(characters), 2 * len(characters))
    np.testing.assert_array_equal(data.train.images, images)  # upright again
    assert [characters[k] for k in data.train.labels[::7]] == list(characters)


def test_the_same_command_trains_and_evaluates(emnist, lenet_gpu_command, tmp_path):
    folder, characters, _ = emnist
    settings = ("--backend", "cpu", "--threads", "1", "--epochs", "1")
    done = lenet_gpu_command("train", "--dataset", str(folder), "--out", "run", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = Network.load(tmp_path / "run")
    assert (model.class_labels, model.classes) == (tuple(characters), len(characters))
    done = lenet_gpu_command("evaluate", "run", "--dataset", str(folder), "--json", "--no-picture", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["images"] == 2 * len(characters)
    assert len(report["confusion"]) == len(characters)


def test_without_its_mapping_a_class_is_a_number(emnist, tmp_path):
    folder, characters, _ = emnist
    for file in folder.glob("*-ubyte.gz"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    first = 1 if characters == LETTERS else 0
    assert load_dataset(tmp_path).class_labels == tuple(range(first, first + len(characters)))


def test_a_mapping_of_digits_leaves_digits(tmp_path):
    images, labels = drawn("0123456789", 12, 9), np.repeat(np.arange(10), 12).astype(np.uint8)
    write(tmp_path, "mnist", "train", images, labels)
    (tmp_path / "emnist-mnist-mapping.txt").write_text("".join(f"{k} {48 + k}\n" for k in range(10)))
    assert load_dataset(tmp_path).class_labels == tuple(range(10))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("1 65 97\ntwo 66\n", "'two 66'"),
        ("1\n", "'1'"),
        ("1 65\n1 66\n", "label 1, character B"),
        ("1 65\n2 65\n", "label 2, character A"),
        ("1 7\n", "'1 7'"),
        ("1 65\n2 66\n", "expected those of emnist-letters-mapping.txt: 1, 2"),
        ("9" * 70_000, "over 65,536 bytes"),
    ],
)
def test_a_damaged_mapping_is_one_line(content, found, tmp_path):
    labels = np.repeat([1, 2, 3], 6).astype(np.uint8)
    write(tmp_path, "letters", "train", drawn("ABC", 6, 1), labels)
    (tmp_path / "emnist-letters-mapping.txt").write_text(content)
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path)
    assert found in str(caught.value)
    assert "restore the file as it was published" in str(caught.value)
