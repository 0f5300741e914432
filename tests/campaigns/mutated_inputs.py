"""Mutate valid files of every kind and see what becomes of them: an answer that is right, or one line.

    python tests/campaigns/mutated_inputs.py --in-process 20000 --command-line 500 --seed 0

Every mutant is made from the seed and its number, so that `--only N` repeats one. A mutant is accepted rightly if its
content says the same as before, or says something else that is valid: each kind has a check of its own. In process a
traceback is any error that is no LenetError; on the command line anything but status 0 or 2, or more than a line on
standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_files import rewrite

from app.samples import SampleStore
from app.settings import Settings
from lenet_gpu import LeNet5, Recognizer, Trainer, load_dataset
from lenet_gpu.commands.predict import read_strokes
from lenet_gpu.datasets.idx import read_idx
from lenet_gpu.datasets.pendigits import read_npz
from lenet_gpu.datasets.unipen import read_unipen
from lenet_gpu.errors import LenetError
from lenet_gpu.ink.image_files import read_gray
from lenet_gpu.training.checkpoint import Checkpoint

MOST_MEMORY = 1 << 30
MOST_SECONDS = 20.0
SHOWN = 250
"""Mutants between two lines about the progress."""


# ---- valid files


def _idx(values, magic):
    head = b"".join(int(n).to_bytes(4, "big") for n in (magic, *values.shape))
    return head + values.tobytes()


def _images(n, seed=0):
    rng = np.random.default_rng(seed)
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = rng.integers(60, 255, (n, 16, 4))
    return images


def valid_files(folder: Path) -> dict[str, Path]:
    """Write one valid file of every kind."""
    from PIL import Image

    files = {kind: folder / name for kind, name in NAMES.items()}
    LeNet5.load("mnist").save(files["model"])
    trainer = Trainer(LeNet5(seed=1), "fast")
    Checkpoint(
        parameters=trainer.model.host_parameters(), state=trainer.optimizer.state,
        architecture=trainer.model.architecture, recipe=trainer.recipe, seed=1, dataset="mnist",
        digests={"a": "0" * 64}, engine="layered", workers=1, own={},
        history=[{"epoch": 1, "loss": 0.5, "engine": "layered", "workers": 1}],
    ).save(files["checkpoint"])  # fmt: skip
    rewrite(files["checkpoint"])  # mutants of one with a digest never get further than that
    images, labels = _images(70), np.arange(70, dtype=np.uint8) % 10
    files["idx images"].write_bytes(_idx(images, 0x803))
    files["idx labels gz"].write_bytes(gzip.compress(_idx(labels, 0x801), mtime=0))
    rows = "".join(f"{k},{','.join(map(str, image.ravel()))}\n" for k, image in zip(labels, images, strict=True))
    files["csv"].write_text(rows)
    files["csv gz"].write_bytes(gzip.compress(rows.encode(), mtime=0))
    with zipfile.ZipFile(files["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("train", "test"):
            name = f"gzip/emnist-digits-{part}-"
            archive.writestr(f"{name}images-idx3-ubyte.gz", gzip.compress(_idx(images, 0x803), mtime=0))
            archive.writestr(f"{name}labels-idx1-ubyte.gz", gzip.compress(_idx(labels, 0x801), mtime=0))
    points = np.arange(24, dtype=np.float32).reshape(12, 2) ** 1.5
    with open(files["pendigits"], "wb") as file:
        np.savez_compressed(
            file,
            points=points,
            stroke=np.arange(0, 13, 3),
            digit=np.array([0, 1, 4]),
            label=np.array([3, 4], np.uint8),
        )
    files["unipen"].write_text(
        '.VERSION 1.0\n.SEGMENT DIGIT 0 ? "8"\n.COMMENT 8 12 1\n.PEN_DOWN\n 1 2\n 30 40\n.PEN_UP\n.DT 100\n'
        '.SEGMENT DIGIT 1-2 ? "4"\n.COMMENT 4 12 2\n.PEN_DOWN\n 3 4\n 5 90\n.PEN_UP\n.PEN_DOWN\n 7 7\n.PEN_UP\n'
    )
    picture = Image.fromarray(255 - _images(1)[0]).resize((60, 60))
    for kind in ("png", "jpeg", "tiff", "webp", "bmp", "gif"):
        picture.save(files[kind])
    strokes = [[[0, 0], [10.5, 40], [3, 80]], [[30, 0], [31, 90]]]
    files["strokes"].write_text(json.dumps(strokes))
    sample = {"label": 3, "predicted": 5, "strokes": strokes}
    files["samples"].write_text("".join(json.dumps({**sample, "label": k}) + "\n" for k in range(6)))
    files["settings"].write_text(json.dumps({"pen_width": 3.0, "language": "de", "live": False, "model": "touch"}))
    return files


NAMES = {
    **{"model": "model.npz", "checkpoint": "checkpoint.npz", "idx images": "images", "idx labels gz": "labels.gz"},
    **{"csv": "digits.csv", "csv gz": "digits.csv.gz", "zip": "digits.zip", "pendigits": "pendigits-train.npz"},
    **{"unipen": "digits.tra", "png": "a.png", "jpeg": "a.jpg", "tiff": "a.tif", "webp": "a.webp", "bmp": "a.bmp"},
    **{"gif": "a.gif", "strokes": "strokes.json", "samples": "samples.jsonl", "settings": "settings.json"},
}


# ---- mutations


def mutate(content: bytes, rng: random.Random, kind: str) -> bytes:
    """Change a file: bits, length, splices, numbers in headers, members of a zip."""
    data = bytearray(content)
    ways = [flip, flip, cut, splice, number, nonsense]
    if content[:2] == b"PK":
        ways += [members, members, members]
    if kind in TEXT:
        ways += [words, words, words]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = bytearray(rng.choice(ways)(data, rng))
    return bytes(data)


TEXT = ("csv", "unipen", "strokes", "samples", "settings")


def flip(data, rng):
    for _ in range(rng.choice((1, 1, 3, 20))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def cut(data, rng):
    at = rng.randrange(len(data) + 1)
    return rng.choice((data[:at], data[at:], data + data[:at]))


def splice(data, rng):
    a, b, c = (rng.randrange(len(data) + 1) for _ in range(3))
    n = rng.choice((1, 8, 64, 1000))
    data[a : a + n] = data[b : b + rng.choice((0, n, c % 64))]
    return data


def number(data, rng):
    """Write a large or odd number somewhere, near the beginning or the end as a rule: where headers are."""
    size = rng.choice((2, 4, 8))
    value = rng.choice(
        (0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1), 1 << (8 * size - 2), rng.getrandbits(8 * size))
    )
    ranges = (range(min(64, len(data))), range(max(0, len(data) - 200), len(data)), range(len(data)))
    places = rng.choice(ranges) or range(1)
    at = rng.choice(places)
    data[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))
    return data


def nonsense(data, rng):
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice((b"\0" * 9, b"NaN", b"-1", b"1e999", b"\xff\xfe", b"[" * 2000, b"1_0", "٣".encode()))
    return data


def words(data, rng):
    """Replace a number or word of a text by another."""
    text = data.decode("utf-8", "replace")
    pieces = text.replace(",", " , ").replace("[", " [ ").replace("]", " ] ").split(" ")
    odd = (
        "NaN",
        "1e400",
        "-5",
        "+5",
        "0x10",
        "1_0",
        "٣",
        "null",
        "true",
        "{}",
        "[]",
        '"7"',
        "1e0",
        "",
        "9" * 400,
        "300",
    )
    pieces[rng.randrange(len(pieces))] = rng.choice(odd)
    return bytearray(" ".join(pieces).encode().replace(b" , ", b",").replace(b" [ ", b"[").replace(b" ] ", b"]"))


def members(data, rng):
    """Write the zip anew with members changed, doubled, left out, or packed in another way."""
    try:
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            content = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except Exception:  # what an earlier mutation has left of it
        return data
    if not content:
        return data
    at = rng.randrange(len(content))
    name, value = content[at]
    way = rng.randrange(8)
    if way == 0:
        content.append((name, value))
    elif way == 1:
        del content[at]
    elif way == 2:
        content[at] = (name, bytes(flip(bytearray(value), rng)))
    elif way == 3:
        content[at] = (name, value[: rng.randrange(len(value) + 1)])
    elif way == 4:
        content[at] = (name, b"\0" * rng.choice((0, 1000, 1 << 24)))
    elif way == 5:
        odd = rng.choice(
            (np.zeros(3), np.full(1, np.nan, np.float32), np.array(["x"]), np.array(2), np.zeros((0, 2)))
        )
        stream = io.BytesIO()
        np.save(stream, odd)
        content[at] = (name, stream.getvalue())
    elif way == 6:
        content[at] = (name, re_meta(value, rng))
    packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", packing) as archive:
        warnings.simplefilter("ignore")  # two members of one name, on purpose
        for name, value in content:
            archive.writestr(name, value)
    return bytearray(stream.getvalue())


def re_meta(value, rng):
    """Change a fact of a model's or checkpoint's JSON."""
    start = value.find(b"{", 64)
    try:
        meta = json.loads(value[start:])
    except ValueError:
        return value
    holder = meta
    while True:
        key = rng.choice(sorted(holder))
        if isinstance(holder[key], dict) and holder[key] and rng.random() < 0.8:
            holder = holder[key]
            continue
        odd = (None, True, -1, 0, float("nan"), "x", [], {}, [1], 1 << 70, 1e308, {"a": 1}, "٣")
        holder[key] = rng.choice(odd)
        break
    stream = io.BytesIO()
    np.save(stream, np.frombuffer(json.dumps(meta).encode(), np.uint8))
    return stream.getvalue()


# ---- what a reader may say


def try_file(kind: str, path: Path) -> str:
    """Read a mutant. Returns "refused" or "accepted"; raises AssertionError for accepted nonsense."""
    try:
        READERS[kind](path)
    except LenetError as error:
        check_line(str(error))
        return "refused"
    return "accepted"


def check_line(line: str) -> None:
    """Demand that an error is one line, and no long one."""
    assert "\n" not in line, "more than one line"
    assert len(line) < 3000, f"a line of {len(line)} characters"


def _model(path):
    network = LeNet5.load(path)
    assert np.isfinite(network.host_parameters()).all()
    reader = Recognizer(path)
    prediction = reader.read(_images(1)[0])
    assert np.isfinite(prediction.probabilities).all()
    assert abs(prediction.probabilities.sum() - 1.0) < 1e-3
    with zipfile.ZipFile(path) as archive:
        assert len(set(archive.namelist())) == len(archive.namelist()), "two members of one name"


def _checkpoint(path):
    trainer = Trainer.resume(path)
    assert trainer.epochs_done == len(Checkpoint.load(path).history)
    assert np.isfinite(trainer.model.host_parameters()).all()


def _dataset(path):
    data = load_dataset(path, progress=False)
    for split in (data.train, data.test):
        assert split.images.dtype == np.uint8
        assert set(split.labels.tolist()) <= set(range(10))
    if ".csv" in path.name:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig", "replace")
        assert not set("_+xeE") & set(text.partition("\n")[2]), "a number that is not plain"
        assert text.partition("\n")[2].isascii(), "digits of another alphabet"


def _idx_images(path):
    assert read_idx(path, "images").values.nbytes + 16 == path.stat().st_size


def _idx_labels(path):
    assert set(read_idx(path, "labels").values.tolist()) <= set(range(10))


def _pendigits(path):
    digits, _ = read_npz(path)
    assert set(digits.labels.tolist()) <= set(range(10))
    assert np.isfinite(digits.drawings.points).all()


def _unipen(path):
    digits = read_unipen(path.read_bytes().decode("utf-8", "replace"), path.name)
    assert len(digits.labels) == len(digits.drawings)
    assert np.isfinite(digits.drawings.points).all()


def _picture(path):
    gray = read_gray(path)
    assert gray.dtype == np.uint8
    RECOGNIZER.predict_image(gray)


def _strokes(path):
    RECOGNIZER.predict_number(read_strokes(path))


def _samples(path):
    for sample in SampleStore(path.parent):
        assert 0 <= sample.label <= 9
        sample.image()
    for file in path.parent.glob("samples.jsonl*"):
        file.unlink()


def _settings(path):
    settings = Settings.load(path.parent)
    assert 1.0 <= settings.pen_width <= 4.0
    for file in path.parent.glob("settings.json*"):
        file.unlink()


RECOGNIZER = Recognizer("mnist")
PICTURES = ("png", "jpeg", "tiff", "webp", "bmp", "gif")
READERS = {
    **{"model": _model, "checkpoint": _checkpoint, "idx images": _idx_images, "idx labels gz": _idx_labels},
    **{"csv": _dataset, "csv gz": _dataset, "zip": _dataset, "pendigits": _pendigits, "unipen": _unipen},
    **dict.fromkeys(PICTURES, _picture),
    **{"strokes": _strokes, "samples": _samples, "settings": _settings},
}


def command(kind: str, path: Path) -> list[str] | None:
    """The command that reads a file of a kind, or None if there is none."""
    if kind == "model":
        strokes = path.parent / "sure.json"
        strokes.write_text("[[[0, 0], [0, 90]]]")
        return ["predict", str(path), str(strokes)]
    if kind in (*PICTURES, "strokes"):
        return ["predict", "mnist", str(path)]
    if kind in ("csv", "csv gz", "zip"):
        return ["evaluate", "mnist", "--no-picture", "--backend", "cpu", "--dataset", str(path)]
    if kind == "pendigits":
        return ["evaluate", "mnist", "--no-picture", "--dataset", "pendigits", "--data-dir", str(path.parent)]
    if kind == "checkpoint":
        return ["train", "--resume", str(path.parent), "--backend", "cpu", "--dataset", "none/such"]
    return None


def run_command(kind: str, path: Path) -> str:
    """Read a mutant through the command line, with its address space bounded."""

    def bound():
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # a machine that is busy with other things is no failure

    done = subprocess.run(
        [sys.executable, "-m", "lenet_gpu", *command(kind, path)],
        capture_output=True, text=True, timeout=900, check=False, preexec_fn=bound, cwd=path.parent,
        env={"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode in (0, 2), f"status {done.returncode}: {done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    most = 1 if done.returncode else 0
    ours = "lenet-gpu: "  # what is said of a set without a test set, say
    lines = [line for line in done.stderr.strip().splitlines() if done.returncode or not line.startswith(ours)]
    assert len(lines) <= most, f"noise on standard error: {done.stderr[:1000]}"
    return "refused" if done.returncode else "accepted"


def _seconds(attempt: Callable[[str, Path], str]) -> float:
    """Give the processor's time that this process, or its children, have had: whatever else the machine does."""
    times = os.times()
    return times.user + times.system if attempt is try_file else times.children_user + times.children_system


def campaign(
    count: int, seed: int, attempt=try_file, kinds=tuple(NAMES), only: int | None = None, keep: Path | None = None
) -> dict[str, dict[str, int]]:
    """Make and try mutants.

    Args:
        count: Number of mutants; the kinds take turns.
        seed: Of all of them.
        attempt: `try_file` or `run_command`.
        kinds: Kinds of files.
        only: The one mutant to try.
        keep: Folder for mutants that fail.

    Returns:
        For each kind the numbers of accepted, refused and failed mutants.

    Raises:
        AssertionError: A mutant failed, or the peak of memory is too high; after all were tried.
    """
    tally = {kind: {"accepted": 0, "refused": 0, "failed": 0} for kind in kinds}
    failures, slowest = [], 0.0
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would be noise on standard error
        base = Path(name)
        originals = {kind: path.read_bytes() for kind, path in valid_files(base).items() if kind in kinds}
        for kind, content in originals.items():
            (folder := base / "valid" / kind).mkdir(parents=True)
            (folder / NAMES[kind]).write_bytes(content)
            if attempt is try_file:
                READERS[kind](folder / NAMES[kind])
        for k in range(count) if only is None else [only]:
            kind = kinds[k % len(kinds)]
            content = mutate(originals[kind], random.Random(f"{seed} {k}"), kind)
            (folder := base / "mutants").mkdir(exist_ok=True)
            path = folder / NAMES[kind]
            path.write_bytes(content)
            start = _seconds(attempt)
            try:
                tally[kind][attempt(kind, path)] += 1
            except Exception as error:
                tally[kind]["failed"] += 1
                failures.append(f"mutant {k} ({kind}): {type(error).__name__}: {str(error)[:600]}")
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{k}-{NAMES[kind]}").write_bytes(content)
            took = _seconds(attempt) - start
            slowest = max(slowest, took)
            if took > MOST_SECONDS:
                failures.append(f"mutant {k} ({kind}) took {took:.1f} s")
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            if not (k + 1) % SHOWN:
                print(f"{k + 1} of {count}, {len(failures)} failures, slowest {slowest:.1f} s", file=sys.stderr)
    who = resource.RUSAGE_SELF if attempt is try_file else resource.RUSAGE_CHILDREN
    peak = resource.getrusage(who).ru_maxrss * 1024
    if peak > MOST_MEMORY:
        failures.append(f"peak memory {peak / 1e6:,.0f} MB")
    print(f"{count} mutants, slowest {slowest:.1f} s, peak memory {peak / 1e6:,.0f} MB")
    assert not failures, "\n".join(failures[:20]) + f"\n{len(failures)} failures"
    return tally


def main() -> int:
    """Run the campaign; status 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--in-process", type=int, default=20_000, metavar="N")
    parser.add_argument("--command-line", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="N", help="try this one mutant of those in process")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep mutants that fail here")
    options = parser.parse_args()
    status = 0
    for count, attempt in ((options.in_process, try_file), (options.command_line, run_command)):
        kinds = tuple(
            kind for kind in NAMES if attempt is try_file or command(kind, Path(tempfile.gettempdir()) / "x")
        )
        if not count:
            continue
        try:
            tally = campaign(count, options.seed, attempt, kinds, options.only, options.keep)
        except AssertionError as error:
            print(error)
            status = 1
        else:
            for kind, numbers in tally.items():
                print(f"  {kind:<15} " + "  ".join(f"{name} {number:5d}" for name, number in numbers.items()))
        if options.only is not None:
            break
    return status


if __name__ == "__main__":
    sys.exit(main())
