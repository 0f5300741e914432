"""Downloads against a real web server on loopback that cuts, stalls, lies and dies, and real processes."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from http_server import LoopbackServer, Page

from lenet_gpu import __version__
from lenet_gpu.datasets import load_dataset, locations
from lenet_gpu.datasets.download import fetch
from lenet_gpu.datasets.mirrors import COLLECTIONS, MNIST, Collection, Member
from lenet_gpu.datasets.named import load_collection
from lenet_gpu.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
NAMES = {part: member.name for part, member in MNIST.members.items()}
CHILD = """
import json, sys
from pathlib import Path
from lenet_gpu.datasets.mirrors import Collection, Member
from lenet_gpu.datasets.named import load_collection
from lenet_gpu.errors import LenetError
url, cache, members, limit = json.loads(sys.argv[1])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
collection = Collection("mnist", (url,), {part: Member(**member) for part, member in members.items()})
try:
    data = load_collection(collection, folders=[Path(cache)], timeout=20)
except LenetError as error:
    sys.exit(str(error))
print(json.dumps(data.digests))
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with LoopbackServer() as running:
        yield running


def idx(values):
    magic = 0x800 + values.ndim
    return struct.pack(f">{1 + values.ndim}I", magic, *values.shape) + values.tobytes()


def contents():
    """Small files of exactly the MNIST form, whose pixels gzip can't shrink (so they come in many pieces)."""
    noise = np.random.default_rng(5)
    files = {}
    for part, count in (("train", 300), ("test", 60)):
        files[f"{part}-images"] = idx(noise.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        files[f"{part}-labels"] = idx(noise.integers(0, 10, count, dtype=np.uint8))
    return files


def collection_of(files, *mirrors):
    return Collection(
        "mnist",
        mirrors,
        {
            part: Member(NAMES[part], content_sha256=hashlib.sha256(data).hexdigest(), size=len(data))
            for part, data in files.items()
        },
    )


def serve(server, files, folder=""):
    """Offer the files, gzipped, and return the pages by part."""
    pages = {part: Page(gzip.compress(data, mtime=0)) for part, data in files.items()}
    for part, page in pages.items():
        server.pages[f"/{folder}{NAMES[part]}.gz"] = page
    return pages


def load(server, files, cache, *mirrors, timeout=20.0):
    collection = collection_of(files, *(mirrors or (server.url,)))
    return load_collection(collection, folders=[cache], progress=False, timeout=timeout)


def assert_clean(cache):
    """All four files lie there and nothing else: no piece, no lock."""
    assert sorted(os.listdir(cache)) == sorted(f"{name}.gz" for name in NAMES.values())


def one_line(error):
    line = str(error.value)
    assert "\n" not in line
    return line


@pytest.fixture
def start(server):
    """Start a process that downloads; whatever the test's outcome, none outlives it."""
    children = []

    def launch(files, cache, limit=0):
        members = {
            part: {"name": member.name, "content_sha256": member.content_sha256, "size": member.size}
            for part, member in collection_of(files).members.items()
        }
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CHILD, json.dumps([server.url, str(cache), members, limit])],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield launch
    for child in children:
        with child:  # waits and closes the pipes
            child.kill()


@contextlib.contextmanager
def meanwhile(step):
    """Repeat a step in a thread while the block runs."""
    done = threading.Event()

    def repeat():
        while not done.is_set():
            step()
            time.sleep(0.001)

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited 30 s in vain"
        time.sleep(0.005)


def raw_fetch(server, tmp_path, page, expected, timeout=20.0):
    """Fetch one page called file, which must turn out to be `expected`."""
    server.pages["/file"] = page

    def check(path):
        if path.read_bytes() != expected:
            raise DataError(path, found="other bytes")

    fetch(
        [f"{server.url}file"],
        tmp_path / "file",
        check=check,
        most_bytes=len(expected),
        progress=False,
        timeout=timeout,
    )
    return (tmp_path / "file").read_bytes()


# ---- what must work


def test_the_real_mnist_is_downloaded_checked_kept_and_not_asked_for_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(locations, "CLONE", tmp_path / "no-clone")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LENET_GPU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(COLLECTIONS, "mnist", replace(MNIST, mirrors=(f"{server.url}dead/", server.url)))
    for name in NAMES.values():
        server.pages[f"/{name}.gz"] = Page((ROOT / "data/mnist" / f"{name}.gz").read_bytes())
    data = load_dataset("mnist", progress=False)
    assert data.train.images.shape == (60000, 28, 28)
    assert data.digests[NAMES["test-labels"]] == MNIST.members["test-labels"].content_sha256
    assert_clean(tmp_path / "cache/mnist")
    assert {asked.user_agent for asked in server.asked} == {f"lenet-gpu/{__version__}"}
    assert locations.locate_mnist() == tmp_path / "cache/mnist"
    before = len(server.asked)
    assert load_dataset("mnist", download=False).digests == data.digests
    assert len(server.asked) == before


def test_a_mirror_that_sends_it_unpacked_under_the_gz_name_is_as_good(server, tmp_path):
    files = contents()
    for part, page in serve(server, files).items():
        page.body = files[part]
    data = load(server, files, tmp_path)
    assert data.train.images.tobytes() == files["train-images"][16:]


def test_without_a_length_announced_the_digest_decides(server, tmp_path):
    files = contents()
    for page in serve(server, files).values():
        page.length = False
    load(server, files, tmp_path)
    assert_clean(tmp_path)


def test_the_progress_bar_goes_to_standard_error_and_can_be_silenced(server, tmp_path, capsys):
    files = contents()
    serve(server, files)
    load_collection(collection_of(files, server.url), folders=[tmp_path / "a"], progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(name in shown.err for name in NAMES.values())
    load_collection(collection_of(files, server.url), folders=[tmp_path / "b"], progress=False)
    assert capsys.readouterr() == ("", "")


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    files = contents()
    for part, page in serve(server, files).items():
        server.pages[f"http://mirror.invalid/{NAMES[part]}.gz"] = page
    load(server, files, tmp_path, "http://mirror.invalid/")
    assert {asked.path.split("/")[2] for asked in server.asked} == {"mirror.invalid"}


# ---- mirrors that fail


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"status": 404}, "HTTP 404"),
        ({"status": 503}, "HTTP 503"),
        ({"cut_at": 5000, "ranges": False}, "the connection ended after 5,000 of"),
        ({"hold_at": 5000, "ranges": False}, "stalled: no data for 0.5 s"),
        ({"body": b"<html>log in first</html>"}, "wrong content (magic number"),
        ({"body": gzip.compress(b"\0\0\x08\x03" + b"\0" * 99)}, "wrong content (images of 0x0"),
        ({"cut_at": 5000, "length": False, "ranges": False}, "wrong content (damaged gzip data"),
    ],
)
def test_a_bad_first_mirror_is_passed_over_and_named_if_there_is_no_other(server, tmp_path, trouble, reason):
    files = contents()
    serve(server, files, "good/")
    page = serve(server, files, "bad/")["train-images"]
    for name, value in trouble.items():
        setattr(page, name, value)
    bad, good = f"{server.url}bad/", f"{server.url}good/"
    with pytest.raises(DataError) as error:
        load(server, files, tmp_path / "bad", bad, timeout=0.5)
    assert f"{bad}{NAMES['train-images']}.gz: {reason}" in one_line(error)
    assert not (tmp_path / "bad" / f"{NAMES['train-images']}.gz").exists()
    load(server, files, tmp_path / "both", bad, good, timeout=0.5)
    assert_clean(tmp_path / "both")


def test_a_server_that_only_drips_counts_as_stalled(server, tmp_path):
    page = Page(os.urandom(20_000), hold_at=5000, drip=True, ranges=False)
    with pytest.raises(DataError, match=r"stalled: \d+ bytes in 0\.2 s"):
        raw_fetch(server, tmp_path, page, page.body, timeout=0.2)


def test_a_dead_first_mirror_is_passed_over(server, tmp_path):
    with LoopbackServer() as gone:
        dead = gone.url  # a port where nobody listens any more
    files = contents()
    serve(server, files)
    load(server, files, tmp_path, dead, server.url)
    assert_clean(tmp_path)
    with pytest.raises(DataError, match=r"connection refused.*check the network.*put it into"):
        load(server, files, tmp_path / "none", dead)


def test_a_file_with_one_bit_changed_is_never_kept(server, tmp_path):
    files = contents()
    altered = bytearray(files["train-images"])
    altered[5000] ^= 1
    serve(server, files)["train-images"].body = gzip.compress(bytes(altered))
    with pytest.raises(DataError) as error:
        load(server, files, tmp_path)
    assert f"wrong content (SHA-256 {hashlib.sha256(altered).hexdigest()}" in one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_without_end_is_stopped(server, tmp_path):
    with pytest.raises(DataError, match="more than the 1,000 bytes it can have"):
        raw_fetch(server, tmp_path, Page(b"x" * 9000, length=False), b"y" * 1000)
    with pytest.raises(DataError, match="announced 9,000 bytes, more than the 1,000"):
        raw_fetch(server, tmp_path, Page(b"x" * 9000), b"y" * 1000)
    assert list(tmp_path.iterdir()) == []


# ---- resuming


def test_a_cut_connection_is_resumed_where_it_ended(server, tmp_path):
    body = os.urandom(20_000)
    page = Page(body, cut_at=7000)
    server.pages["/file"] = page
    with pytest.raises(DataError, match="the connection ended after 7,000 of 20,000 bytes"):
        raw_fetch(server, tmp_path, page, body)  # asks again at once, gets nothing more, gives up
    assert (tmp_path / "file.part").read_bytes() == body[:7000]
    page.cut_at = None
    assert raw_fetch(server, tmp_path, page, body) == body
    assert [asked.range for asked in server.asked] == [None, "bytes=7000-", "bytes=7000-"]
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (lambda body: body[:7000], {"ranges": False}),  # the server sends the whole again
        (lambda body: b"?" * 7000, {}),  # a piece of another file
        (lambda body: body + b"more", {}),  # longer than the file: the server answers 416
        (lambda body: body[:7000], {"whole_as_range": True}),  # a range nobody asked for
        (lambda body: b"", {}),
    ],
)
def test_a_useless_piece_does_no_harm(server, tmp_path, part, changes):
    body = os.urandom(20_000)
    (tmp_path / "file.part").write_bytes(part(body))
    assert raw_fetch(server, tmp_path, Page(body, **changes), body) == body
    assert os.listdir(tmp_path) == ["file"]


def test_a_whole_piece_needs_no_network(server, tmp_path):
    body = os.urandom(2000)
    (tmp_path / "file.part").write_bytes(body)
    assert raw_fetch(server, tmp_path, Page(body), body) == body
    assert server.asked == []


def test_the_second_mirror_goes_on_where_the_first_one_broke_off(server, tmp_path):
    files = contents()
    serve(server, files, "good/")
    serve(server, files, "bad/")["train-images"].cut_at = 9000
    load(server, files, tmp_path, f"{server.url}bad/", f"{server.url}good/")
    resumed = [asked for asked in server.asked if asked.path.startswith("/good/") and asked.range]
    assert [asked.range for asked in resumed] == ["bytes=9000-"]


# ---- the cache


def test_a_damaged_file_in_the_cache_is_fetched_again_but_the_others_are_not(server, tmp_path):
    files = contents()
    serve(server, files)
    load(server, files, tmp_path)
    (tmp_path / f"{NAMES['test-labels']}.gz").write_bytes(b"")
    (tmp_path / NAMES["train-labels"]).write_bytes(b"damaged, and found before the .gz")
    server.asked.clear()
    load(server, files, tmp_path)
    assert [asked.path for asked in server.asked] == [f"/{NAMES['test-labels']}.gz"]
    assert_clean(tmp_path)


def test_a_damaged_file_outside_the_cache_is_an_error_not_a_reason_to_download(server, tmp_path):
    files = contents()
    serve(server, files)
    load(server, files, tmp_path / "mine")
    (tmp_path / "mine" / f"{NAMES['test-labels']}.gz").write_bytes(b"")
    server.asked.clear()
    with pytest.raises(DataError, match=f"{NAMES['test-labels']}.gz: found an empty file"):
        load_collection(
            collection_of(files, server.url), folders=[tmp_path / "mine", tmp_path / "cache"], progress=False
        )
    assert server.asked == []


def test_a_cache_that_cannot_be_made_is_one_clear_line(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"found not a directory, expected a folder.*LENET_GPU_CACHE"):
        load(server, contents(), tmp_path / "file" / "mnist")


# ---- full disks


def test_a_disk_too_full_is_refused_before_the_download(server, tmp_path, monkeypatch):
    files = contents()
    serve(server, files)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError) as error:
        load(server, files, tmp_path)
    assert f"{tmp_path}: found {os.strerror(errno.ENOSPC).lower()}, expected room for" in one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_on_the_way_is_one_clear_line_and_no_rubbish(server, start, tmp_path):
    files = contents()
    serve(server, files)
    child = start(files, tmp_path, limit=100_000)  # the system refuses to write more: a real failure
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    assert f"{tmp_path}: found {os.strerror(errno.EFBIG).lower()}" in line
    assert "free some space, or set LENET_GPU_CACHE" in line
    assert list(tmp_path.iterdir()) == []


def test_a_rename_the_system_refuses_is_one_clear_line_and_no_rubbish(server, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)  # where a full disk shows first on some file systems
    files = contents()
    serve(server, files)
    with pytest.raises(DataError, match="no space left on device"):
        load(server, files, tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- several processes


def test_two_processes_at_once_both_get_it_and_each_file_is_fetched_once(server, start, tmp_path):
    files = contents()
    pages = serve(server, files)
    held = pages["train-images"]
    held.hold_at = 60_000
    target = tmp_path / f"{NAMES['train-images']}.gz"
    halves = []

    def watch():
        if target.exists() and target.read_bytes() != held.body:
            halves.append(target.stat().st_size)

    with meanwhile(watch):
        first = start(files, tmp_path)
        wait_for(lambda: target.with_name(f"{target.name}.part").exists())
        second = start(files, tmp_path)
        assert second.stderr.readline().startswith("waiting for another process")
        held.gate.set()
        outcomes = [child.communicate(timeout=60) for child in (first, second)]
    assert [child.returncode for child in (first, second)] == [0, 0], outcomes
    digests = {member.name: member.content_sha256 for member in collection_of(files).members.values()}
    assert [json.loads(out) for out, _ in outcomes] == [digests, digests]
    assert Counter(asked.path for asked in server.asked) == {f"/{name}.gz": 1 for name in NAMES.values()}
    assert halves == []
    assert_clean(tmp_path)


def test_kill_9_frees_who_waits_and_what_had_come_is_resumed(server, start, tmp_path):
    files = contents()
    held = serve(server, files)["train-images"]
    held.hold_at = 60_000
    part = tmp_path / f"{NAMES['train-images']}.gz.part"
    first = start(files, tmp_path)
    wait_for(lambda: part.exists() and part.stat().st_size == 60_000)
    second = start(files, tmp_path)
    assert second.stderr.readline().startswith("waiting for another process")
    first.kill()
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    held.gate.set()
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    asked = [request.range for request in server.asked if NAMES["train-images"] in request.path]
    assert asked == [None, "bytes=60000-"]
    assert_clean(tmp_path)


def test_four_processes_started_together_all_succeed(server, start, tmp_path):
    files = contents()
    serve(server, files)
    children = [start(files, tmp_path) for _ in range(4)]
    outcomes = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 4, outcomes
    assert len(server.asked) == 4
    assert_clean(tmp_path)


def test_a_file_system_without_locks_gets_names_of_its_own_for_the_pieces(server, tmp_path, monkeypatch):
    def no_locks(_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("lenet_gpu.storage.lock.try_lock", no_locks)
    files = contents()
    held = serve(server, files)["train-images"]
    held.hold_at = 60_000
    seen = set()

    def look():
        seen.update(name for name in os.listdir(tmp_path) if name.endswith(".part"))
        if seen:
            held.gate.set()

    with meanwhile(look):
        load(server, files, tmp_path)
    assert seen.isdisjoint(f"{name}.gz.part" for name in NAMES.values())
    assert_clean(tmp_path)
