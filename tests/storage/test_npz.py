"""Whatever is in an .npz file, reading it gives plain arrays or one error."""

import io
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet_gpu.datasets.pendigits import read_npz
from lenet_gpu.errors import DataError
from lenet_gpu.storage.npz import NpzError, read_arrays

ARRAYS = {
    "points": np.arange(12, dtype=np.float32).reshape(6, 2),
    "stroke": np.array([0, 3, 6]),
    "digit": np.array([0, 1, 2]),
    "label": np.array([3, 4], np.uint8),
}


def packed(entries=None, **arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, content in (entries or {}).items():
            archive.writestr(name, content)
    return stream.getvalue()


def twice(*names):
    """Zip members with the same name, or with names that NumPy takes for the same."""
    array, stream = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros(3))
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile would rather not write such a file
        for name in names:
            archive.writestr(name, array.getvalue())
    return stream.getvalue()


GOOD = packed(**ARRAYS)


def test_arrays_come_back():
    found = read_arrays(io.BytesIO(GOOD), 10_000)
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a zip"),
        (GOOD[: len(GOOD) // 2], "not a zip"),
        (packed({"points.npy": b"no array at all"}), "entry points is no array"),
        (packed({"points.npy": b"\x93NUMPY\x01\x00\x05\x00rubbish"}), "."),
        (packed(points=np.array([{}, []], dtype=object)), "pickle"),
        (packed(points=np.zeros(2000)), "entry points.npy claims 16,128 bytes"),
        (np.lib.format.magic(1, 0) + b"\0" * 100, "not a zip"),
        (twice("points.npy", "points.npy"), "two members called points.npy"),
        (twice("points.npy", "points"), "two entries called points"),
        (packed(**{name: np.zeros(200) for name in "abcdefgh"}), "claims"),
    ],
)
def test_everything_else_is_one_error(content, words):
    with pytest.raises(NpzError, match=words):
        read_arrays(io.BytesIO(content), 10_000)


def test_an_unknown_compression_is_an_error_too(tmp_path):
    content = bytearray(GOOD)
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 10] = 99  # the method, in the central directory
        at = content.find(b"PK\x01\x02", at + 1)
    with pytest.raises(NpzError, match="compression"):
        read_arrays(io.BytesIO(content), 10_000)
    path = tmp_path / "pendigits-train.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="found a damaged file"):
        read_npz(path)


def test_what_the_system_refuses_is_not_called_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz", 10_000)


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=5),
    end=st.integers(len(GOOD) // 2, len(GOOD)),
)
def test_damaged_bytes_never_end_in_anything_else(tmp_path_factory, changes, end):
    content = bytearray(GOOD)
    for at, value in changes:
        content[at] = value
    path = tmp_path_factory.mktemp("npz") / "pendigits-train.npz"
    path.write_bytes(content[:end])
    try:
        digits, _ = read_npz(path)
    except DataError:
        return
    assert set(digits.labels.tolist()) <= set(range(10))
