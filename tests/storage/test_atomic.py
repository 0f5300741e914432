"""Where files may be written, what is kept of the old one, and what killed writers leave behind."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest

from lenet_gpu import LeNet5
from lenet_gpu.errors import InputError
from lenet_gpu.storage.atomic import SUFFIX, remove_leftovers, write_atomically


def write(path, content=b"new"):
    write_atomically(path, lambda file: file.write(content))


def make_device(path):
    """A null device of our own where that is allowed; else a link to the system's, which we could not replace."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        path.symlink_to("/dev/null")


def make_socket(path):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(path))


NO_FILES = {
    "a device": make_device,
    "a named pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a socket": make_socket,
}


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_regular_file_is_refused_and_stays(kind, through_a_link, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    path = tmp_path / "thing"
    NO_FILES[kind](path.relative_to(tmp_path))
    before = path.stat()
    named = path
    if through_a_link:
        named = tmp_path / "link"
        named.symlink_to(path)
    for action in (write, LeNet5().save):
        with pytest.raises(InputError, match=f"found {kind}"):
            action(named)
    after = path.stat()
    assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)
    assert named.is_symlink() is through_a_link


@pytest.mark.parametrize("exists", [False, True])
def test_a_link_stays_and_its_target_is_written(exists, tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far/file", tmp_path / "link"
    link.symlink_to("far/file")
    if exists:
        target.write_bytes(b"old")
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "file", "link"]


def test_a_link_to_itself_is_one_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="symbolic links"):
        write(tmp_path / "loop")


def test_permissions_stay(tmp_path):
    path = tmp_path / "file"
    path.touch(0o600)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 120, "a\0b", "n" * 300])
def test_odd_names_are_written_or_refused_in_one_line(name, tmp_path):
    if len(name.encode()) > 255 or "\0" in name:
        with pytest.raises(InputError, match=r"^[^\n]+$"):
            write(tmp_path / name)
        assert not list(tmp_path.iterdir())
    else:
        write(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]


WRITER = """
import sys, time
from lenet_gpu.storage.atomic import write_atomically
def write(file):
    file.write(b"half")
    print("writing", flush=True)
    time.sleep(600)
write_atomically(sys.argv[1], write)
"""


def start_writing(path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_writer_leaves_goes_and_what_a_living_one_writes_stays(tmp_path):
    living, dead = start_writing(tmp_path / "one"), start_writing(tmp_path / "two")
    try:
        dead.kill()
        dead.communicate()
        for name in (".notes.part", f"notes{SUFFIX}"):  # of other programs
            (tmp_path / name).touch()
        assert len(list(tmp_path.iterdir())) == 4
        remove_leftovers(tmp_path)
        names = {path.name for path in tmp_path.iterdir()}
        assert {".notes.part", f"notes{SUFFIX}"} < names
        (left,) = names - {".notes.part", f"notes{SUFFIX}"}
        assert left.startswith(".one.")
    finally:
        living.send_signal(signal.SIGKILL)
        living.communicate()
    write(tmp_path / "three")  # the first write of this process to the folder looks for leftovers
    assert {path.name for path in tmp_path.iterdir()} == {".notes.part", f"notes{SUFFIX}", "three"}
