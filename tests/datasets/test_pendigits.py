"""Pendigits: the reader against files of the published form, written here, and a web server on loopback."""

import hashlib
import io
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from http_server import LoopbackServer, Page

from lenet_gpu import load_dataset
from lenet_gpu.datasets import Dataset, Split, pendigits, split_writers
from lenet_gpu.datasets.lzw import uncompress
from lenet_gpu.datasets.mirrors import Archive
from lenet_gpu.datasets.pendigits import Published, load_pendigits
from lenet_gpu.datasets.unipen import read_unipen
from lenet_gpu.errors import DataError, InputError
from lenet_gpu.ink.preprocess import strokes_to_mnist

HEADER = ' .INCLUDE dene.doc\n.LEXICON "0" "1" "2" "3" "4" "5" "6" "7" "8" "9"\n.HIERARCHY DIGIT\n\n'


def compress(data, longest=16, clear_after=None):
    """What the program compress writes; it clears its table after `clear_after` codes, if given."""
    singles = {bytes((value,)): value for value in range(256)}
    table, bits, emitted, group = dict(singles), 9, 0, []
    out = bytearray(b"\x1f\x9d" + bytes((0x80 | longest,)))

    def write(padded):
        number = sum(code << (bits * k) for k, code in enumerate(group))
        out.extend(number.to_bytes(bits if padded else -(-len(group) * bits // 8), "little") if group else b"")
        group.clear()

    word = b""
    for value in data:
        if word + bytes((value,)) in table:
            word += bytes((value,))
            continue
        group.append(table[word])
        emitted += 1
        if len(table) + 1 < 1 << longest:
            table[word + bytes((value,))] = len(table) + 1  # 256 clears the table
        word = bytes((value,))
        if len(group) == 8:
            write(True)
        if emitted == clear_after:
            group.append(256)
            write(True)
            table, bits, emitted = dict(singles), 9, 0
        elif 256 + emitted == 1 << bits and bits < longest:  # as many entries as the reader has by now
            write(True)
            bits += 1
    if word:
        group.append(table[word])
    write(False)
    return bytes(out)


def drawn(rng, n):
    """n digits: their strokes (integers, y upwards as on the tablet), labels and writers."""
    strokes = [
        [rng.integers(0, 500, (rng.integers(1, 40), 2)).tolist() for _ in range(rng.integers(1, 4))] for _ in range(n)
    ]
    return strokes, rng.integers(0, 10, n).tolist(), (np.arange(n) * 7 % 6 + 11).tolist()


def unipen(strokes, labels, writers):
    """The text of a file as it is published."""
    lines, first = [HEADER], 0
    for k, (digit, label, writer) in enumerate(zip(strokes, labels, writers, strict=True)):
        last = first + len(digit) - 1
        lines.append(f'.SEGMENT DIGIT {first}{f"-{last}" if last > first else ""} ? "{label}"\n')
        lines.append(f".COMMENT {label} {writer} {k}\n")
        for stroke in digit:
            lines.append(".PEN_DOWN\n" + "".join(f" {x}  {y}\n" for x, y in stroke) + ".PEN_UP\n.DT 100\n")
        first = last + 1
    return "".join(lines)


@pytest.fixture
def real(rng):
    """Two small files of the published form, the strokes of the first and what would be published of them."""
    train, test = drawn(rng, 90), drawn(rng, 40)
    files = {"pendigits-orig.tra": unipen(*train).encode(), "pendigits-orig.tes": unipen(*test).encode()}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("pendigits-orig.names", "about it")
        for name, content in files.items():
            packed.writestr(f"{name}.Z", compress(content))
    whole = archive.getvalue()
    counts = tuple(tuple(np.bincount(labels, minlength=10).tolist()) for _, labels, _ in (train, test))
    published = Published(
        ("http://nowhere.invalid/",),
        Archive("digits+drawn.zip", len(whole), hashlib.sha256(whole).hexdigest()),
        tuple(files),
        counts,
    )
    return train, files, whole, published


def check_it_is(data, train, files):
    strokes, labels, writers = train
    assert data.name == "pendigits"
    assert len(data.train) == 90
    assert len(data.test) == 40
    np.testing.assert_array_equal(data.train.labels, labels)
    np.testing.assert_array_equal(data.train.writers, writers)
    assert data.digests == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for k in (0, 1, 45, 89):
        upright = [np.array(stroke) * [1, -1] for stroke in strokes[k]]
        assert len(data.train.drawings[k]) == len(upright)
        for ours, theirs in zip(data.train.drawings[k], upright, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(data.train.images[k], strokes_to_mnist(upright))


# ---- the .Z format


@pytest.mark.parametrize("longest", [10, 12, 16])
@pytest.mark.parametrize("clear_after", [None, 300, 1000, 1003])
def test_uncompress_gives_back_what_was_compressed(longest, clear_after, rng):
    text = "".join(f"{x} {y}\n" for x, y in rng.integers(0, 500, (9000, 2))).encode()
    for data in (text, b"", b"a", b"a" * 70000, rng.integers(0, 256, 5000, dtype=np.uint8).tobytes()):
        assert uncompress(compress(data, longest, clear_after), "file.Z", 1 << 20) == data


def test_uncompress_reads_a_file_made_by_hand():
    """Without the compressor above: codes 97, 98, 257 (ab), 259 (aba, not defined before it is used)."""
    codes = (97, 98, 257, 259)
    number = sum(code << 9 * k for k, code in enumerate(codes))
    assert uncompress(b"\x1f\x9d\x90" + number.to_bytes(5, "little"), "file.Z", 99) == b"abababa"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1f\x9d", b"\x1f\x8b\x08rest", b"\x1f\x9d\x88xx", b"\x1f\x9d\x90" + (300).to_bytes(2, "little")],
)
def test_damaged_z_files_are_refused(data):
    with pytest.raises(DataError, match=r"file\.Z"):
        uncompress(data, "file.Z", 1000)


def test_a_z_file_that_grows_too_long_is_refused():
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        uncompress(compress(b"a" * 5000), "file.Z", 1000)


# ---- the UNIPEN form


def test_writers_may_be_unknown(rng):
    text = "".join(line for line in unipen(*drawn(rng, 9)).splitlines(True) if not line.startswith(".COMMENT"))
    assert len(read_unipen(text, "file").writers) == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (".PEN_UP\n", "", "line 10"),
        ('.SEGMENT DIGIT 0-1 ? "4"', '.SEGMENT DIGIT 0-2 ? "4"', "its 3 strokes"),
        ('.SEGMENT DIGIT 2 ? "1"', '.SEGMENT DIGIT 3 ? "1"', "from 2 on"),
        ('? "4"', '? "x"', "SEGMENT"),
        (" 3  4\n", " 3 4 5\n", "two numbers"),
        (" 3  4\n", " 3 nan\n", "two numbers"),
        (" 3  4\n", "", "a point"),
        (".DT 100\n", ".WHAT\n", "WHAT"),
        (".COMMENT 4 12 1\n", "", "of none"),
    ],
)
def test_damaged_unipen_is_refused_with_its_line(old, new, words):
    text = unipen([[[[3, 4]], [[5, 6], [7, 8]]], [[[1, 1]]]], [4, 1], [12, 13]).replace(
        ".COMMENT 4 12 0", ".COMMENT 4 12 1"
    )
    read_unipen(text, "file")
    assert old in text
    with pytest.raises(DataError, match=words) as error:
        read_unipen(text.replace(old, new, 1), "file")
    assert str(error.value).startswith("file, line")


def test_no_digits_at_all_is_refused():
    with pytest.raises(DataError, match="no digits"):
        read_unipen(HEADER, "file")


# ---- the data set in all its forms


@pytest.mark.parametrize("form", ["zip", "Z", "bare"])
def test_it_is_read_from_a_folder(form, real, tmp_path):
    train, files, whole, published = real
    if form == "zip":
        (tmp_path / published.archive.name).write_bytes(whole)
    for name, content in files.items():
        if form != "zip":
            path = tmp_path / (f"{name}.Z" if form == "Z" else name)
            path.write_bytes(compress(content) if form == "Z" else content)
    check_it_is(load_pendigits(published, data_dir=tmp_path), train, files)


def test_it_is_downloaded_once_and_kept(real, tmp_path, monkeypatch):
    train, files, whole, published = real
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with LoopbackServer() as server:
        served = replace(published, mirrors=(f"{server.url}dead/", server.url))
        server.pages["/digits+drawn.zip"] = Page(whole)
        for _ in range(2):
            data = load_pendigits(served, folders=[tmp_path / "none", tmp_path / "cache"], progress=False)
            check_it_is(data, train, files)
        assert [asked.path for asked in server.asked] == ["/dead/digits+drawn.zip", "/digits+drawn.zip"]
        assert os.listdir(tmp_path / "cache") == ["digits+drawn.zip"]

        (tmp_path / "cache/digits+drawn.zip").write_bytes(whole[:-1] + b"?")  # ours to fetch again
        check_it_is(load_pendigits(served, folders=[tmp_path / "cache"], progress=False), train, files)

        server.pages["/digits+drawn.zip"] = Page(whole[:-1] + b"?")
        with pytest.raises(DataError, match="SHA-256"):
            load_pendigits(served, folders=[tmp_path / "other"], progress=False)
        assert os.listdir(tmp_path / "other") == []


def test_altered_or_missing_files_are_refused(real, tmp_path):
    _, files, whole, published = real
    with pytest.raises(DataError, match=r"pendigits-train\.npz"):
        load_pendigits(published, data_dir=tmp_path)
    with pytest.raises(DataError, match="no copy"):
        load_pendigits(published, folders=[tmp_path], download=False)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "pendigits-orig.tes").write_bytes(files["pendigits-orig.tra"])
    with pytest.raises(DataError, match="published 40"):
        load_pendigits(published, data_dir=tmp_path)
    (tmp_path / "pendigits-orig.tes").unlink()
    with pytest.raises(DataError, match=r"tes"):
        load_pendigits(published, data_dir=tmp_path)
    (tmp_path / published.archive.name).write_bytes(whole[:-1] + b"?")
    with pytest.raises(DataError, match="SHA-256"):
        load_pendigits(published, data_dir=tmp_path)


def compact(rng, path, **changed):
    strokes, labels, _ = drawn(rng, 120)
    flat = [np.array(stroke) for digit in strokes for stroke in digit]
    arrays = {
        "points": np.concatenate(flat).astype(np.float32) * [1, -1],
        "stroke": np.cumsum([0, *map(len, flat)]),
        "digit": np.cumsum([0, *map(len, strokes)]),
        "label": np.array(labels),
        **changed,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return arrays


def test_the_compact_form_is_split_as_any_single_set_is(rng, tmp_path):
    arrays = compact(rng, tmp_path / "pendigits-train.npz", writer=np.arange(120) % 12)
    data = load_dataset("pendigits", data_dir=tmp_path)
    assert len(data.train) + len(data.test) == 120
    sixth = np.flatnonzero(arrays["label"] == 3)[5::6]
    assert (data.test.labels == 3).sum() == len(sixth) > 0
    index = np.flatnonzero(data.test.labels == 3)[0]
    assert data.test.writers[index] == sixth[0] % 12
    strokes = data.test.drawings[index]
    begin = arrays["stroke"][arrays["digit"][sixth[0]]]
    np.testing.assert_array_equal(strokes[0], arrays["points"][begin : begin + len(strokes[0])])
    np.testing.assert_array_equal(data.test.images[index], strokes_to_mnist(strokes))

    compact(rng, tmp_path / "pendigits-test.npz")
    assert (len(data.train), len(load_dataset("pendigits", data_dir=tmp_path).test)) != (120, 120)
    assert len(load_dataset("pendigits", data_dir=tmp_path).train) == 120


@pytest.mark.parametrize(
    "changed",
    [
        {"label": None},
        {"label": np.zeros(7, int)},
        {"label": np.full(120, 11)},
        {"stroke": np.array([0, 5])},
        {"digit": np.arange(3)},
        {"points": np.zeros((5, 3))},
        {"writer": np.zeros(3, int)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_compact_file_that_does_not_fit_is_refused(changed, rng, tmp_path):
    compact(rng, tmp_path / "pendigits-train.npz", **changed)
    with pytest.raises(DataError, match=r"pendigits-train\.npz"):
        load_dataset("pendigits", data_dir=tmp_path)


def test_a_damaged_compact_file_is_refused(tmp_path):
    (tmp_path / "pendigits-train.npz").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(DataError, match="damaged"):
        load_dataset("pendigits", data_dir=tmp_path)


def test_published_facts():
    """30 and 14 writers' 7,494 and 3,498 digits."""
    assert [sum(counts) for counts in pendigits.PENDIGITS.counts] == [7494, 3498]
    assert len(pendigits.PENDIGITS.archive.sha256) == 64


# ---- splitting by writer


def numbered(n, writers):
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(n)
    return Dataset(
        "set", Split(images, np.zeros(n, np.uint8), writers=writers), Split(images, np.ones(n, np.uint8)), {}
    )


def test_the_last_third_of_the_writers_is_held_out():
    writers = np.arange(120) * 7 % 30 + 5
    split = split_writers(numbered(120, writers))
    assert set(split.train.writers) == set(range(5, 25))
    assert set(split.test.writers) == set(range(25, 35))
    np.testing.assert_array_equal(split.test.images[:, 0, 0], np.flatnonzero(writers >= 25))


def test_unknown_writers_are_runs_of_digits():
    split = split_writers(numbered(90, None))
    np.testing.assert_array_equal(split.train.images[:, 0, 0], np.arange(60))
    np.testing.assert_array_equal(split.test.images[:, 0, 0], np.arange(60, 90))


@pytest.mark.parametrize("share", [0.0, 1.0, 0.01])
def test_a_split_that_leaves_nothing_is_refused(share):
    with pytest.raises(InputError, match="held_out"):
        split_writers(numbered(60, np.arange(60) % 5), share)


def test_strokes_and_writers_must_be_as_many_as_images():
    with pytest.raises(DataError, match="writers"):
        Split(np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8), writers=np.zeros(4, int))
