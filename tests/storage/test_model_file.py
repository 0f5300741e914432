"""Model files: the same bytes for the same contents, and one clear line for every damaged one."""

import io
import json
import os
import zipfile

import numpy as np
import pytest
from model_files import rewrite

from lenet_gpu import LeNet5
from lenet_gpu.errors import InputError, ModelFileError
from lenet_gpu.storage import model_file
from lenet_gpu.training.checkpoint import Checkpoint


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    model = LeNet5(seed=7)
    model.record = {"recipe": "classic", "test_accuracy": 0.5}
    model.save(path)
    return path


def change_meta(path, **changes):
    rewrite(path, facts=changes)


def test_round_trip(saved, mnist):
    model, again = LeNet5(seed=7), LeNet5.load(saved)
    np.testing.assert_array_equal(again.parameters, model.parameters)
    assert again.record == {"recipe": "classic", "test_accuracy": 0.5}
    assert (again.predict(mnist.test.images[:9]) == model.predict(mnist.test.images[:9])).all()


def test_same_contents_same_bytes(saved, tmp_path):
    model = LeNet5.load(saved)
    model.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_anyone_can_read_it_without_this_package(saved):
    with np.load(saved, allow_pickle=False) as file:
        assert file["c3.weight"].shape == (60, 5, 5)
        meta = json.loads(file["meta"].tobytes())
    assert meta["format"] == "lenet-gpu model"
    assert meta["version"] == 1
    assert meta["architecture"]["variant"] == "modern"


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def object_array(path):
    rewrite(path, **{"c1.bias": np.array([{}] * 6, dtype=object)})


def huge_entry(path):
    """A header that claims far more than the file holds."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.npy", header.getvalue())


DAMAGE = {
    "empty": (lambda path: path.write_bytes(b""), "an empty file"),
    "not a zip": (lambda path: path.write_bytes(b"hello" * 100), "unreadable"),
    "cut in half": (cut_in_half, "unreadable"),
    "flipped byte": (flip_a_byte, "unreadable"),
    "object array": (object_array, "unreadable"),
    "huge entry": (huge_entry, "found"),
    "newer version": (lambda path: change_meta(path, version=2), "version 2, expected version 1"),
    "other kind": (
        lambda path: change_meta(path, format="lenet-gpu checkpoint"),
        "a lenet-gpu checkpoint file",
    ),
    "unknown network": (lambda path: change_meta(path, architecture={"variant": "vgg"}), "architecture"),
    "no network": (lambda path: change_meta(path, architecture=None), "architecture None"),
    "wrong shape": (lambda path: rewrite(path, **{"c1.bias": np.zeros(7, np.float32)}), "(7,) as c1.bias"),
    "wrong type": (lambda path: rewrite(path, **{"c1.bias": np.zeros(6)}), "float64 (6,) as c1.bias"),
    "NaN": (
        lambda path: rewrite(path, **{"c1.bias": np.full(6, np.nan, np.float32)}),
        "NaN or infinity in c1.bias",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(name, saved):
    damage, words = DAMAGE[name]
    damage(saved)
    with pytest.raises(ModelFileError) as caught:
        LeNet5.load(saved)
    line = str(caught.value)
    assert str(saved) in line
    assert words in line
    assert "expected" in line
    assert "\n" not in line


def test_missing_array_is_named(saved):
    rewrite(saved, leave_out=["f6.bias"])
    with pytest.raises(ModelFileError, match=r"none as f6\.bias"):
        LeNet5.load(saved)


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        LeNet5.load(tmp_path / "none.npz")


def test_damaged_checkpoint_is_named(tmp_path):
    model_file.write(tmp_path / "checkpoint.npz", "checkpoint", {"seed": 1}, {})
    with pytest.raises(ModelFileError, match="incomplete contents"):
        Checkpoint.load(tmp_path)


def test_failed_write_keeps_the_old_file_and_leaves_nothing(saved, monkeypatch):
    """A disk that fills up in the middle of a write."""
    before = saved.read_bytes()

    def full(file, **arrays):
        file.write(b"half a file")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match="No space left on device"):
        LeNet5(seed=8).save(saved)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["model.npz"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file or directory"):
        LeNet5().save(tmp_path / "nowhere" / "model.npz")


def test_results_are_readable_by_others(saved):
    """Not the 0600 of temporary files."""
    umask = os.umask(0)
    os.umask(umask)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~umask


def keeping_the_digest(path, **changes):
    """Replace arrays as damage would: every entry with a good CRC, the digest as it was."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    with open(path, "wb") as file:
        np.savez(file, **{**arrays, **changes})


def test_contents_that_do_not_match_their_digest_are_refused(saved):
    with np.load(saved) as file:
        bias, meta = file["f6.bias"].copy(), file["meta"].tobytes()
    bias[3] += 1e-3
    for changes in (
        {"f6.bias": bias},
        {"meta": np.frombuffer(meta.replace(b'"test_accuracy": 0.5', b'"test_accuracy": 0.9'), np.uint8)},
        {"calibration.temperature": np.ones(1, np.float32)},
    ):
        LeNet5(seed=7).save(saved)
        model = LeNet5.load(saved)
        model.record = {"recipe": "classic", "test_accuracy": 0.5}
        model.save(saved)
        keeping_the_digest(saved, **changes)
        with pytest.raises(ModelFileError, match="do not match their SHA-256") as caught:
            LeNet5.load(saved)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_has_a_digest_too(tmp_path):
    model_file.write(tmp_path / "checkpoint.npz", "checkpoint", {"seed": 1}, {"parameters": np.zeros(3, np.float32)})
    keeping_the_digest(tmp_path / "checkpoint.npz", parameters=np.ones(3, np.float32))
    with pytest.raises(ModelFileError, match="do not match their SHA-256"):
        Checkpoint.load(tmp_path)


def test_a_file_of_an_earlier_version_has_no_digest_and_loads(saved):
    rewrite(saved)
    with np.load(saved) as file:
        assert b"sha256" not in file["meta"].tobytes()
    np.testing.assert_array_equal(LeNet5.load(saved).parameters, LeNet5(seed=7).parameters)


def test_a_record_of_another_type_is_named(saved):
    change_meta(saved, record=["classic"])
    with pytest.raises(ModelFileError, match="found list as record, expected an object"):
        LeNet5.load(saved)


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "a named pipe"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_refused_at_once(make, what, tmp_path):
    make(tmp_path / "checkpoint.npz")
    with pytest.raises(ModelFileError, match=what):
        Checkpoint.load(tmp_path / "checkpoint.npz" if make is os.mkfifo else tmp_path)


def test_an_empty_name_is_no_folder(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(saved.parent)  # which holds a model.npz
    with pytest.raises(ModelFileError, match="empty name"):
        LeNet5.load("")


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(saved):
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("extra.npy", "w") as entry:
        for _ in range(300):
            entry.write(bytes(1 << 20))
    assert saved.stat().st_size < 1_000_000
    with pytest.raises(ModelFileError, match=r"entry extra\.npy claims 314,572,800 bytes"):
        LeNet5.load(saved)
