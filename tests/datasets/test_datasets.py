"""The data sets: real MNIST, the user's own files in every form, and one clear line for everything bad."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from http_server import LoopbackServer, Page
from PIL import Image

from lenet_gpu.datasets import Dataset, Split, csv_file, load_dataset, locate_mnist, locations
from lenet_gpu.datasets.idx import read_idx
from lenet_gpu.datasets.image_folder import read_image
from lenet_gpu.datasets.mirrors import EMNIST_DIGITS, MNIST, Archive
from lenet_gpu.datasets.named import load_collection
from lenet_gpu.errors import DataError, InputError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "data/mnist"
NAMES = {part: member.name for part, member in MNIST.members.items()}
EMNIST_NAMES = {part: member.name for part, member in EMNIST_DIGITS.members.items()}


@pytest.fixture(scope="module")
def mnist():
    return load_dataset("mnist", data_dir=SHIPPED)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No clone, an empty working directory and an empty cache."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(locations, "CLONE", tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("LENET_GPU_CACHE", str(tmp_path / "home/cache"))
    return tmp_path


def idx(values):
    return struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def header(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def some(split, count):
    return Split(split.images[:count], split.labels[:count])


def same(split, other):
    return np.array_equal(split.images, other.images) and np.array_equal(split.labels, other.labels)


def four_files(data, transposed=False):
    """The uncompressed idx files of a data set, by part."""
    files = {}
    for name, split in (("train", data.train), ("test", data.test)):
        images = split.images.transpose(0, 2, 1) if transposed else split.images
        files[f"{name}-images"] = idx(np.ascontiguousarray(images))
        files[f"{name}-labels"] = idx(split.labels)
    return files


def write_idx(folder, data, names=NAMES, suffix=".gz", transposed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part, content in four_files(data, transposed).items():
        packed = gzip.compress(content, mtime=0) if suffix else content
        (folder / f"{names[part]}{suffix}").write_bytes(packed)


def refusal(source, **options):
    """The one line with which a source is refused."""
    with pytest.raises(DataError) as error:
        load_dataset(source, progress=False, **options)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 600
    return line


@pytest.fixture
def small(mnist):
    return Dataset("small", some(mnist.train, 120), some(mnist.test, 30), {"": ""})


# ---- MNIST itself


def test_mnist_is_the_published_one(mnist):
    assert mnist.name == "mnist"
    assert mnist.train.images.shape == (60000, 28, 28)
    assert mnist.test.images.shape == (10000, 28, 28)
    for split in (mnist.train, mnist.test):
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert split.images.flags.c_contiguous
        assert split.labels.shape == (len(split),)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.train.labels).tolist() == counts
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert round(float(mnist.train.images.mean()) / 255, 4) == 0.1307
    assert round(float(mnist.train.images.std()) / 255, 4) == 0.3081
    assert mnist.digests == {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }


def test_the_shipped_files_are_those_of_their_sha256sums():
    lines = (SHIPPED / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    assert listed == {path.name: sha256(path.read_bytes()) for path in SHIPPED.glob("*.*z")}
    assert set(listed) == {"writers.npz", *(f"{name}.gz" for name in NAMES.values())}


def test_the_digests_in_the_readme_are_the_ones_checked():
    text = (ROOT / "data/README.md").read_text()
    for member in MNIST.members.values():
        assert f"`{member.name}`" in text
        assert str(member.content_sha256) in text


def test_the_clone_is_found_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locate_mnist() == SHIPPED


def test_names_with_a_dot_and_files_unpacked_or_mixed_are_accepted(tmp_path, mnist):
    dotted = tmp_path / "dotted"
    dotted.mkdir()
    for number, name in enumerate(NAMES.values()):
        content = (SHIPPED / f"{name}.gz").read_bytes()
        if number % 2:
            (dotted / f"{name.replace('-idx', '.idx')}.gz").write_bytes(content)
        else:
            (dotted / name.replace("-idx", ".idx")).write_bytes(gzip.decompress(content))
    data = load_dataset("mnist", data_dir=dotted, download=False)
    assert data.digests == mnist.digests
    assert same(data.train, mnist.train)
    assert same(data.test, mnist.test)


def test_the_order_of_places_is_clone_working_directory_cache(nowhere):
    assert locate_mnist() is None
    cache, work, clone = nowhere / "home/cache/mnist", nowhere / "work/data/mnist", nowhere / "clone/mnist"
    for place in (cache, work, clone):
        shutil.copytree(SHIPPED, place)
        assert locate_mnist() == place
        assert len(load_dataset("mnist", download=False).test) == 10000
    os.remove(clone / f"{NAMES['test-labels']}.gz")  # a place with only some of the files is passed over
    assert locate_mnist() == work


def test_data_dir_is_the_only_place_looked_in(tmp_path):
    (tmp_path / "empty").mkdir()
    line = refusal("mnist", data_dir=tmp_path / "empty")
    assert f"{tmp_path / 'empty'}: found no train-images-idx3-ubyte and no" in line
    line = refusal("mnist", data_dir=tmp_path / "none")
    assert f"{tmp_path / 'none'}: found nothing there, expected the folder with the mnist files" in line


def test_without_a_copy_and_without_download_the_places_are_named(nowhere):
    line = refusal("mnist", download=False)
    for place in ("clone/mnist", "work/data/mnist", "home/cache/mnist"):
        assert str(nowhere / place) in line
    assert "t10k-labels-idx1-ubyte" in line
    assert "allow the download, or name the folder" in line
    assert not (nowhere / "home/cache").exists()


def test_the_cache_is_the_users_unless_the_variable_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("LENET_GPU_CACHE", "~/chosen")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locations.cache_folder() == tmp_path / "chosen"
    monkeypatch.setenv("LENET_GPU_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert locations.cache_folder().name == "lenet-gpu"
    assert tmp_path in locations.cache_folder().parents


def test_mnist_with_one_pixel_altered_is_refused_by_name_and_accepted_by_path(tmp_path, mnist):
    images = mnist.test.images.copy()
    images[3, 14, 14] ^= 1
    for name in NAMES.values():
        os.symlink(SHIPPED / f"{name}.gz", tmp_path / f"{name}.gz")
    altered = tmp_path / f"{NAMES['test-images']}.gz"
    altered.unlink()
    content = idx(images)
    altered.write_bytes(gzip.compress(content, 1))
    line = refusal("mnist", data_dir=tmp_path)
    assert f"{altered}: found SHA-256 {sha256(content)} of the uncompressed content" in line
    assert str(MNIST.members["test-images"].content_sha256) in line
    data = load_dataset(tmp_path)
    assert data.name == str(tmp_path)
    assert data.digests[NAMES["test-images"]] == sha256(content)
    assert np.array_equal(data.test.images, images)


# ---- idx files of one's own


def test_idx_files_of_ones_own_need_no_published_digest(tmp_path, small):
    for suffix in ("", ".gz"):
        folder = tmp_path / f"own{suffix}"
        write_idx(folder, small, suffix=suffix)
        data = load_dataset(folder)
        assert same(data.train, small.train)
        assert same(data.test, small.test)
        assert data.digests == {NAMES[part]: sha256(content) for part, content in four_files(small).items()}


def gzip_then_nonsense(start):
    packer = zlib.compressobj(wbits=31)
    return packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 99  # no such type of block


GOOD = np.arange(3 * 784, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
BAD_IMAGES = {
    "empty": (b"", "found an empty file"),
    "short header": (header(0x803, 3)[:7], "found 7 bytes, expected a header of 16 bytes"),
    "truncated": (
        idx(GOOD)[:-1],
        "found a truncated file of 2,367 bytes, expected 2,368 bytes for the 3 images",
    ),
    "truncated inside gzip": (gzip.compress(idx(GOOD)[:-1]), "found a truncated file of 2,367 bytes"),
    "trailing": (idx(GOOD) + b"\0", "trailing bytes after the last of them, expected an end at byte 2,368"),
    "trailing inside gzip": (gzip.compress(idx(GOOD) + b"\0"), "trailing bytes"),
    "labels": (idx(np.zeros(3, np.uint8)), "found magic number 0x00000801 (idx labels), expected 0x00000803"),
    "text": (b"<html>", "found magic number 0x3c68746d (the text '<htm')"),
    "little endian": (struct.pack("<4I", 0x803, 1, 28, 28) + bytes(784), "found magic number 0x03080000,"),
    "floats": (header(0xD03, 1, 28, 28) + bytes(784 * 4), "found magic number 0x00000d03"),
    "other size": (idx(np.zeros((2, 32, 32), np.uint8)), "found images of 32x32 pixels, expected 28x28"),
    "none": (header(0x803, 0, 28, 28), "found no images (its header says 0), expected at least one"),
    "2^31 images": (
        header(0x803, 1 << 31, 28, 28),
        "a header that claims 2,147,483,648 images, expected at most",
    ),
    "2^31 images, gzip": (gzip.compress(header(0x803, 1 << 31, 28, 28)), "claims 2,147,483,648 images"),
    "5e6 images": (
        header(0x803, 5_000_000, 28, 28),
        "a truncated file of 16 bytes, expected 3,920,000,016 bytes",
    ),
    "5e6 images, gzip": (gzip.compress(header(0x803, 5_000_000, 28, 28)), "at most 67,108,864 bytes, for the length"),
    "gzip cut": (gzip.compress(idx(GOOD))[:-9], "found damaged gzip data"),
    "gzip checksum": (gzip.compress(idx(GOOD))[:-8] + bytes(8), "found damaged gzip data (CRC check failed"),
    "gzip then text": (gzip.compress(idx(GOOD)) + b"text", "found damaged gzip data (Not a gzipped file"),
    "gzip data": (gzip_then_nonsense(idx(GOOD)[:400]), "found damaged gzip data (Error -3"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_file_is_one_clear_line_before_anything_is_allocated_for_it(tmp_path, small, case):
    content, expected = BAD_IMAGES[case]
    write_idx(tmp_path, small)
    path = tmp_path / f"{NAMES['train-images']}.gz"
    path.write_bytes(content)
    tracemalloc.start()
    line = refusal(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert line.startswith(f"{path}: found ")
    assert expected in line
    assert peak < 5_000_000


def test_a_gzip_bomb_is_not_unpacked(tmp_path, small):
    write_idx(tmp_path, small)
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as packer:
        packer.write(idx(GOOD))
        for _ in range(200):
            packer.write(bytes(1_000_000))
    (tmp_path / f"{NAMES['train-images']}.gz").write_bytes(bomb.getvalue())
    tracemalloc.start()
    assert "trailing bytes" in refusal(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_labels_must_be_digits_and_as_many_as_images(tmp_path, small):
    write_idx(tmp_path, small)
    path = tmp_path / f"{NAMES['train-labels']}.gz"
    path.write_bytes(idx(small.train.labels[:-1]))
    assert f"{path}: found 119 labels, expected 120" in refusal(tmp_path)
    labels = small.train.labels.copy()
    labels[7] = 10
    path.write_bytes(idx(labels))
    assert "found the label 10 of picture number 8 alone, expected labels of one kind" in refusal(tmp_path)


def test_a_folder_with_only_some_of_the_idx_files_names_the_missing_one(tmp_path, small):
    write_idx(tmp_path, small)
    (tmp_path / f"{NAMES['test-labels']}.gz").unlink()
    assert f"{tmp_path}: found t10k-images-idx3-ubyte.gz without its labels, expected" in refusal(tmp_path)


def test_an_idx_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match="found a folder, expected an idx file of images"):
        read_idx(tmp_path, "images")
    with pytest.raises(DataError, match=r"found no such file, .*check the path"):
        read_idx(tmp_path / "none", "images")


# ---- EMNIST


@pytest.fixture
def emnist(small):
    """The EMNIST collection with digests of files of exactly its form: transposed, in a zip with others."""
    packed = {part: gzip.compress(data, mtime=0) for part, data in four_files(small, transposed=True).items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", b"not needed and not gzip" * 99)
        for part, data in packed.items():
            archive.writestr(f"gzip/{EMNIST_NAMES[part]}.gz", data)
    body = stream.getvalue()
    members = {
        part: replace(member, stored_sha256=sha256(packed[part])) for part, member in EMNIST_DIGITS.members.items()
    }
    archive = Archive("gzip.zip", size=len(body), sha256=sha256(body))
    return replace(EMNIST_DIGITS, members=members, archive=archive), body


def emnist_digests(small):
    return {EMNIST_NAMES[part]: sha256(data) for part, data in four_files(small, transposed=True).items()}


def test_emnist_is_read_from_its_zip_without_writing_beside_it(tmp_path, emnist, small):
    collection, body = emnist
    (tmp_path / "gzip.zip").write_bytes(body)
    data = load_collection(collection, data_dir=tmp_path)
    assert data.name == "emnist-digits"
    assert same(data.train, small.train)  # upright again
    assert same(data.test, small.test)
    assert data.train.images.flags.c_contiguous
    assert data.digests == emnist_digests(small)
    assert os.listdir(tmp_path) == ["gzip.zip"]


def test_emnist_is_read_from_its_extracted_members(tmp_path, emnist, small):
    write_idx(tmp_path, small, EMNIST_NAMES, transposed=True)
    assert same(load_collection(emnist[0], data_dir=tmp_path).train, small.train)
    path = tmp_path / f"{EMNIST_NAMES['test-labels']}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=7))
    with pytest.raises(DataError, match=r"found SHA-256 [0-9a-f]{64} of the gzip file, expected"):
        load_collection(emnist[0], data_dir=tmp_path)


def test_emnist_is_downloaded_and_only_the_members_needed_are_kept(tmp_path, emnist, small):
    collection, body = emnist
    with LoopbackServer() as server:
        server.pages["/gzip.zip"] = Page(body)
        collection = replace(collection, mirrors=(server.url,))
        for _ in range(2):
            data = load_collection(collection, folders=[tmp_path], progress=False)
            assert same(data.train, small.train)
            assert sorted(os.listdir(tmp_path)) == sorted(f"{name}.gz" for name in EMNIST_NAMES.values())
        assert len(server.asked) == 1
        (tmp_path / "gzip.zip").write_bytes(body)  # as if stopped before the extraction
        (tmp_path / f"{EMNIST_NAMES['test-images']}.gz").unlink()
        load_collection(collection, folders=[tmp_path], progress=False)
        assert sorted(os.listdir(tmp_path)) == sorted(f"{name}.gz" for name in EMNIST_NAMES.values())
        assert len(server.asked) == 1


@pytest.mark.parametrize("alter", [lambda body: body[:-1], lambda body: body[:300] + b"?" + body[301:]])
def test_an_altered_emnist_zip_is_refused(tmp_path, emnist, alter):
    collection, body = emnist
    with LoopbackServer() as server:
        server.pages["/gzip.zip"] = Page(alter(body))
        with pytest.raises(DataError, match=r"gzip\.zip: wrong content \("):
            load_collection(replace(collection, mirrors=(server.url,)), folders=[tmp_path], progress=False)
    assert list(tmp_path.iterdir()) == []


def test_emnist_unpacked_has_no_published_digest_but_can_be_read_by_its_path(tmp_path, small):
    write_idx(tmp_path, small, EMNIST_NAMES, suffix="", transposed=True)
    line = refusal("emnist-digits", data_dir=tmp_path)
    assert "found an unpacked file" in line
    assert "load the folder by its path" in line
    data = load_dataset(tmp_path)
    assert same(data.train, small.train)
    assert data.digests == emnist_digests(small)


def test_emnist_made_here_is_not_taken_for_the_published_one(tmp_path, emnist):
    (tmp_path / "gzip.zip").write_bytes(emnist[1])
    line = refusal("emnist-digits", data_dir=tmp_path)
    assert EMNIST_DIGITS.members["train-images"].stored_sha256 in line


def test_a_zip_by_its_path(tmp_path, emnist, small):
    path = tmp_path / "digits.zip"
    path.write_bytes(emnist[1])
    assert same(load_dataset(path).test, small.test)
    path.write_bytes(emnist[1][:-50])
    assert "found a damaged zip (File is not a zip file)" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
    assert "found no such member, expected emnist-digits-train-images-idx3-ubyte.gz in it" in refusal(path)
    damaged = bytearray(emnist[1])
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    assert "damaged" in refusal(path)


# ---- CSV


def csv_text(split, header_line="", end="\n"):
    pixels = split.images.reshape(len(split), -1)
    rows = [
        ",".join(map(str, [label, *row])) for label, row in zip(split.labels.tolist(), pixels.tolist(), strict=True)
    ]
    return header_line + end.join(rows) + end


HEADER = "label," + ",".join(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)) + "\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: HEADER + text,
        lambda text: "\ufeff" + HEADER + text,
        lambda text: "label," + ",".join(map(str, range(784))) + "\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: text.replace(",", ", "),
        lambda text: text.replace(",", ".0,"),
        lambda text: "".join(f'"{line}"\n'.replace(",", '","') for line in text.splitlines()),
    ],
)
def test_a_pair_of_csv_files_in_every_dialect_of_whole_numbers(tmp_path, small, change):
    for name, split in (("mnist_train.csv", small.train), ("mnist_test.csv", small.test)):
        (tmp_path / name).write_text(change(csv_text(split)), newline="", encoding="utf-8")
    data = load_dataset(tmp_path)
    assert same(data.train, small.train)
    assert same(data.test, small.test)
    assert data.train.images.flags.c_contiguous
    assert data.digests == {
        name: sha256((tmp_path / name).read_bytes()) for name in ("mnist_train.csv", "mnist_test.csv")
    }


def test_a_gzipped_csv_is_the_same_data_with_the_same_digest(tmp_path, small):
    text = csv_text(small.train).encode()
    (tmp_path / "digits.csv").write_bytes(text)
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(text))
    plain, packed = (load_dataset(tmp_path / name) for name in ("digits.csv", "digits.csv.gz"))
    assert same(plain.train, packed.train)
    assert plain.digests == packed.digests == {"digits.csv": sha256(text)}
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(text)[:-20])
    assert "found damaged gzip data" in refusal(tmp_path / "digits.csv.gz")


def test_more_rows_than_are_parsed_at_a_time(tmp_path, mnist):
    split = some(mnist.test, 4500)
    (tmp_path / "d.csv").write_text(csv_text(split, HEADER))
    data = load_dataset(tmp_path / "d.csv")
    whole = np.concatenate([data.train.images, data.test.images]).sum(dtype=np.int64)
    assert len(data.train) + len(data.test) == 4500
    assert whole == split.images.sum(dtype=np.int64)


def test_a_single_set_is_split_by_a_sixth_of_each_class_whatever_the_order(tmp_path, mnist, caplog):
    split = some(mnist.train, 600)
    order = np.random.default_rng(0).permutation(600)
    (tmp_path / "d.csv").write_text(csv_text(split))
    (tmp_path / "e.csv").write_text(csv_text(split.take(order)))
    data, other = load_dataset(tmp_path / "d.csv"), load_dataset(tmp_path / "e.csv")
    assert np.array_equal(np.bincount(data.test.labels), np.bincount(split.labels) // 6)
    for one, two in ((data.train, other.train), (data.test, other.test)):
        assert sorted(image.tobytes() for image in one.images) == sorted(image.tobytes() for image in two.images)
    both = np.concatenate([data.train.images, data.test.images])
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in split.images)
    kept = len(data.test)
    assert f"d.csv has no test set: {kept} of its 600 pictures, a sixth of each class, are held out" in caplog.text


def test_equal_pictures_are_never_on_both_sides(tmp_path, mnist):
    split = some(mnist.train, 300)
    twice = Split(np.repeat(split.images, 2, axis=0), np.repeat(split.labels, 2))
    (tmp_path / "d.csv").write_text(csv_text(twice))
    data = load_dataset(tmp_path / "d.csv")
    learnt = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in learnt for image in data.test.images)


def test_a_single_set_too_small_to_split_is_refused(tmp_path, mnist):
    (tmp_path / "d.csv").write_text(csv_text(some(mnist.train, 8)))
    assert "found fewer than 6 samples of each class, expected at least 6 of one" in refusal(tmp_path / "d.csv")


ROW = "7" + ",0" * 784
BAD_ROWS = {
    "few": (ROW[:-2], "found 784 columns, expected 785 columns"),
    "many": (ROW + ",0", "found 786 columns"),
    "semicolons": (ROW.replace(",", ";"), "found 1 column, expected 785"),
    "word": ("7,ink" + ",0" * 783, "found pixel 1 'ink', expected a whole number 0..255"),
    "nothing": ("7," + ",0" * 783, "found pixel 1 '', expected"),
    "256": (ROW[:-1] + "256", "found pixel 784 256, expected a whole number 0..255"),
    "minus": ("7,-1" + ",0" * 783, "found pixel 1 -1, expected"),
    "fraction": ("7,0.5" + ",0" * 783, "found pixel 1 0.5, expected"),
    "nan": ("7,nan" + ",0" * 783, "found pixel 1 nan, expected"),
    "infinite": ("7,inf" + ",0" * 783, "found pixel 1 inf, expected"),
    "huge": ("7,1e999" + ",0" * 783, "found pixel 1 1e999, expected"),
    "label": ("10" + ROW[1:], "found label 10, expected a label that other rows have, too"),
    "label letter": ("a" + ROW[1:], "found label 'a', expected a label that other rows have, too"),
    "comment": ("#" + ROW, "found label '#7', expected"),
    "comment at the end": (ROW + "#1", "found label '0#1', expected"),
    "endless": ("7" * 70_000, "found more than 65,536 bytes"),
}


@pytest.mark.parametrize("where", [1, 2, 40])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_csv_row_is_named_by_its_number(tmp_path, monkeypatch, case, where):
    monkeypatch.setattr(csv_file, "BLOCK", 16)
    bad, expected = BAD_ROWS[case]
    path = tmp_path / "d.csv"
    path.write_text("\n".join([ROW] * (where - 1) + [bad] + [ROW] * 3))
    line = refusal(path)
    assert line.startswith(f"{path}: row {where}: found ")
    assert expected in line


def test_the_header_and_blank_lines_count_as_rows(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(HEADER + ROW + "\n\n" + ROW + ",0\n")
    assert f"{path}: row 4: found 786 columns" in refusal(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "found an empty file"),
        ("\n\n", "found no rows"),
        (HEADER, "found no rows, expected rows of 785 columns"),
        ("," + HEADER + "0," + ROW, "found the column 'label' as number 2 of 786, expected 785 columns"),
        (HEADER.replace("label,1x1", "1x1,label"), "found the column 'label' as number 2 of 785"),
        (HEADER.replace("label", "id") + ROW, "found the column 'id' before the pixels, which is no label"),
        (HEADER + ROW, "found 1 of 1 pictures without ink (number 1)"),
    ],
)
def test_a_csv_without_samples_or_with_the_label_elsewhere(tmp_path, content, expected):
    (tmp_path / "d.csv").write_text(content)
    assert expected in refusal(tmp_path / "d.csv")


def test_csv_files_of_unclear_roles_are_named(tmp_path):
    (tmp_path / "train.csv").write_text(ROW)
    (tmp_path / "a_test.csv").write_text(ROW)
    (tmp_path / "b_test.csv").write_text(ROW)
    assert "found the CSV files a_test.csv, b_test.csv, train.csv" in refusal(tmp_path)


# ---- folders of pictures


def write_pictures(folder, split):
    for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{number:05}.png")


def by_class(split):
    order = np.argsort(split.labels, kind="stable")
    return Split(split.images[order], split.labels[order])


@pytest.mark.parametrize("names", [("train", "test"), ("training", "testing")])
def test_pictures_in_train_and_test_folders(tmp_path, small, names):
    write_pictures(tmp_path / names[0], small.train)
    write_pictures(tmp_path / names[1], small.test)
    (tmp_path / names[0] / ".DS_Store").write_bytes(b"")
    (tmp_path / names[0] / "3" / "Thumbs.db").write_bytes(b"")
    data = load_dataset(tmp_path, progress=False)
    for split, original, key in ((data.train, small.train, "train"), (data.test, small.test, "test")):
        expected = by_class(original)
        assert same(split, expected)
        assert data.digests[key] == sha256(expected.images.tobytes() + expected.labels.tobytes())


def test_pictures_in_class_folders_alone_are_split(tmp_path, mnist):
    split = some(mnist.train, 200)
    write_pictures(tmp_path, split)
    data = load_dataset(str(tmp_path), progress=False)
    held_out = {digit: count // 6 for digit, count in enumerate(np.bincount(split.labels))}
    assert {digit: int((data.test.labels == digit).sum()) for digit in range(10)} == held_out
    assert len(data.train) + len(data.test) == 200
    assert list(data.digests) == ["all"]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.convert("RGB"),
        lambda image: image.convert("P"),
        lambda image: Image.merge("RGBA", [*image.convert("RGB").split(), Image.new("L", image.size, 255)]),
        lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257),
        lambda image: Image.fromarray(255 - np.asarray(image)),  # a dark digit on white
        lambda image: Image.merge("LA", [Image.new("L", image.size), image]),  # black ink on a transparent ground
    ],
)
def test_a_picture_of_28x28_keeps_its_pixels_in_every_mode_and_polarity(tmp_path, mnist, change):
    image = mnist.train.images[0]
    change(Image.fromarray(image)).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), image)


def test_no_mnist_image_would_be_taken_for_dark_ink(mnist):
    ring = np.ones((28, 28), dtype=bool)
    ring[1:-1, 1:-1] = False
    assert max(float(split.images[:, ring].mean(axis=1).max()) for split in (mnist.train, mnist.test)) < 100


def test_a_picture_of_another_size_is_brought_to_mnists_form(tmp_path, mnist):
    image = mnist.train.images[0]
    large = np.kron(np.pad(255 - image, 9, constant_values=255), np.ones((5, 5), np.uint8))
    Image.fromarray(large).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png").astype(float)
    assert found.shape == (28, 28)
    assert np.corrcoef(found.ravel(), image.ravel().astype(float))[0, 1] > 0.9


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (
            lambda bad: bad.write_text("not a picture at all"),
            "found not an image, expected an image file (PNG, JPEG",
        ),
        (lambda bad: bad.write_bytes(b""), "found an empty file"),
        (lambda bad: bad.mkdir(), "found a folder, expected pictures only"),
        (lambda bad: bad.write_bytes(noise_png()[:400]), "found a damaged image ("),
        (lambda bad: bad.write_bytes(png_that_claims(20_000, 20_000)), "bad.png: found "),
        (
            lambda bad: bad.write_bytes(png_that_claims(12_000, 12_000)),
            "found too many pixels, expected at most 60,000,000",
        ),
    ],
)
def test_what_is_not_a_picture_is_named(tmp_path, small, prepare, expected):
    write_pictures(tmp_path, small.train)
    bad = tmp_path / "4" / "bad.png"
    prepare(bad)
    line = refusal(tmp_path)
    assert line.startswith(f"{bad}: found ")
    assert expected in line


def noise_png():
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def png_that_claims(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + checksum + noise_png()[33:]


def test_folders_of_unclear_classes_are_named(tmp_path, small):
    write_pictures(tmp_path / "train", small.train)
    (tmp_path / "test").mkdir()
    assert f"{tmp_path / 'test'}: found no class folders, expected folders named by class" in refusal(tmp_path)
    (tmp_path / "test" / "0").mkdir()
    assert "found class folders without a file in them" in refusal(tmp_path)
    write_pictures(tmp_path / "test", small.test)
    (tmp_path / "train" / "originals").mkdir()
    assert f"{tmp_path / 'train/originals'}: found the class 'originals' beside '0'" in refusal(tmp_path)
    (tmp_path / "train" / "originals").rename(tmp_path / "originals")
    assert f"{tmp_path / 'originals'}: found a folder beside test, train" in refusal(tmp_path)


# ---- paths that are nothing


def test_a_path_of_no_known_form(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert "found no idx files, no CSV files and no class folders" in refusal(tmp_path)
    assert "found a file of no known form, expected idx files, CSV, .npz" in refusal(tmp_path / "notes.txt")
    (tmp_path / "sub").mkdir()
    assert "found an empty folder" in refusal(tmp_path / "sub")
    for source in (tmp_path / "none", "mnits", "", "a\0b"):
        assert "found no such file or folder, expected mnist, emnist-digits, pendigits or a path" in refusal(source)


def test_data_dir_beside_a_path_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="expected it only with mnist or emnist-digits"):
        load_dataset(tmp_path, data_dir=tmp_path)


# ---- the values themselves


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (GOOD.astype(np.float32), np.zeros(3, np.uint8), "images: found float32 with 3 dimensions"),
        (GOOD, np.zeros(3, np.int64), "labels: found int64 with 1 dimensions, expected uint8"),
        (GOOD.reshape(3, 784), np.zeros(3, np.uint8), "images: found uint8 with 2 dimensions"),
        (GOOD[:, :, :27], np.zeros(3, np.uint8), "images: found 28x27 pixels each, expected 28x28"),
        (GOOD, np.zeros(2, np.uint8), "found 3 images but 2 labels"),
        (GOOD[:0], np.zeros(0, np.uint8), "images: found none"),
        (GOOD, np.array([0, 9, 10], np.uint8), "labels: found label 10 at position 2"),
        (GOOD.tolist(), np.zeros(3, np.uint8), "images: found list, expected a NumPy array"),
    ],
)
def test_a_split_is_validated(images, labels, expected):
    with pytest.raises(DataError) as error:
        Split(images, labels)
    assert expected in str(error.value)


def test_splits_are_frozen_contiguous_and_print_briefly():
    split = Split(GOOD.transpose(0, 2, 1), np.zeros(3, np.uint8))
    assert split.images.flags.c_contiguous
    assert repr(split) == "Split(3 images)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.images = GOOD


def test_reading_mnist_imports_no_package_it_does_not_need():
    program = (
        "import sys, lenet_gpu.datasets as d; d.load_dataset(progress=False, data_dir=sys.argv[1]); "
        "print({'PIL', 'tqdm', 'platformdirs', 'matplotlib', 'cupy', 'http.client'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, SHIPPED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
