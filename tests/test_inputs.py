"""Whatever is in a file that a user names, it is read or refused in one line, within the bounds that are stated."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.samples import FILE as SAMPLES
from app.samples import Sample, SampleStore
from app.settings import FILE as SETTINGS
from app.settings import Settings
from lenet_gpu import LeNet5, Network, Recognizer, Trainer, load_dataset
from lenet_gpu.commands.predict import read_strokes
from lenet_gpu.datasets.csv_file import read_csv
from lenet_gpu.datasets.idx import read_idx
from lenet_gpu.datasets.unipen import read_unipen
from lenet_gpu.errors import DataError, InputError, LenetError, ModelFileError
from lenet_gpu.export.state_file import read_state
from lenet_gpu.handwriting import draw_digits
from lenet_gpu.ink.image_files import read_gray
from lenet_gpu.ink.segmentation import CANDIDATES_AT_ONCE
from lenet_gpu.ink.stroke_row import PAIRS_AT_ONCE
from lenet_gpu.input_files import LEAST_LIMIT, unpacked_limit
from lenet_gpu.recognition import recognizer as recognizer_module
from lenet_gpu.storage import model_file
from lenet_gpu.storage.npz import NpzError, read_arrays
from lenet_gpu.training.checkpoint import Checkpoint

sys.path.insert(0, str(Path(__file__).parent / "campaigns"))
import mutated_inputs
from model_files import rewrite

LEAVES = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=4))
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("mnist")


def one_line(error):
    assert "\n" not in str(error)


def line_of(error):
    line = str(error.value)
    assert "\n" not in line
    assert error.value.remedy
    return line


# ---- models and checkpoints


def packed(path, meta=None, drop=(), **arrays):
    """The shipped model with facts and arrays changed."""
    shutil.copyfile(SHIPPED, path)
    facts, _ = model_file.read(path, "model")
    for name, value in (meta or {}).items():
        where = facts["architecture"] if name in ("ink", "background", "classes", "frozen", "class_labels") else facts
        where[name] = value
    rewrite(path, drop, facts, **arrays)
    return path


SHIPPED = Path(mutated_inputs.__file__).parents[2] / "lenet_gpu" / "weights" / "mnist.npz"
F32 = np.float32
NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calibration.temperature": np.array([NAN], F32)}, "NaN or infinity in calibration.temperature"),
        ({"calibration.temperature": np.zeros(1, F32)}, "0 as calibration.temperature"),
        ({"calibration.temperature": np.array([-1], F32)}, "-1 as calibration.temperature"),
        ({"calibration.temperature": np.ones(1)}, "float64 (1,) as calibration.temperature"),
        ({"calibration.temperature": np.ones((), F32)}, "float32 () as calibration.temperature"),
        ({"calibration.temperature": np.array(["1"])}, "not numbers"),
        ({"drop": ["rejection.limit"]}, "without rejection.limit"),
        ({"drop": ["rejection.means", "rejection.precision"]}, "without rejection.means and rejection.precision"),
        ({"rejection.means": np.zeros((9, 84), F32)}, "float32 (9, 84) as rejection.means"),
        ({"rejection.precision": np.zeros((84, 84))}, "float64 (84, 84) as rejection.precision"),
        ({"rejection.limit": np.zeros(1, F32)}, "no distances"),
        ({"meta": {"ink": NAN}}, "ink: found nan"),
        ({"meta": {"ink": 0.0}}, "background and ink"),
        ({"meta": {"background": 1.0, "ink": 1.2}}, "background and ink"),
        ({"meta": {"background": "0"}}, "background: found '0'"),
        ({"meta": {"ink": 10**400}}, "ink: found"),
        ({"meta": {"classes": 10**9}}, "parameters, where the file has"),
        ({"meta": {"classes": True}}, "classes"),
        ({"meta": {"frozen": "c1"}}, "frozen layers"),
        ({"meta": {"class_labels": 7}}, "class labels"),
        ({"meta": {"record": "text"}}, "str as record"),
        ({"meta": {"record": [1]}}, "list as record"),
    ],
)
def test_a_model_that_would_answer_wrongly_is_refused_on_load(tmp_path, change, words):
    path = packed(tmp_path / "m.npz", **change)
    with pytest.raises(ModelFileError) as error:
        Network.load(path)
    assert words in line_of(error)


def test_the_shipped_model_passes_unchanged(tmp_path):
    Network.load(packed(tmp_path / "m.npz"))


def test_a_description_of_a_giant_is_refused_before_anything_is_allocated(tmp_path):
    layers = [{"kind": "Flatten"}, {"kind": "Dense", "name": "out", "inputs": 1024, "units": 10**9}]
    facts, _ = model_file.read(packed(tmp_path / "m.npz"), "model")
    giant = {**facts["architecture"], "layers": layers, "classes": 10**9}
    del giant["variant"]
    facts = {"architecture": giant}
    model_file.write(tmp_path / "g.npz", "model", facts, {"out.bias": np.zeros(3, F32)})
    with pytest.raises(ModelFileError, match="1,025,000,000,000 parameters, where the file has 3"):
        Network.load(tmp_path / "g.npz")


@pytest.mark.parametrize("name", ["seed", "workers", "history", "digests", "engine", "dataset", "own", "recipe"])
@pytest.mark.parametrize("value", [None, True, "x", -1, [1], {"a": 1}, 1.5, 1 << 70])
def test_facts_of_a_checkpoint_of_another_type_are_refused(tmp_path, name, value):
    trainer = Trainer(LeNet5(), "fast")
    facts = {
        "architecture": trainer.model.architecture,
        "recipe": trainer.recipe.as_dict(),
        **{"seed": 0, "dataset": "mnist", "digests": {}, "engine": "layered", "workers": 1, "history": [], "own": {}},
    }
    arrays = {f"state.{key}": value for key, value in trainer.optimizer.state.items()}
    arrays["parameters"] = trainer.model.host_parameters()
    model_file.write(tmp_path / "checkpoint.npz", "checkpoint", facts, arrays)
    assert Checkpoint.load(tmp_path).seed == 0
    if type(value) is type(facts[name]) and value not in (-1, 1 << 70, [1], {"a": 1}):
        return
    if (name, value) in (("own", None),):
        return
    model_file.write(tmp_path / "checkpoint.npz", "checkpoint", {**facts, name: value}, arrays)
    with pytest.raises(ModelFileError, match="incomplete contents") as error:
        Trainer.resume(tmp_path)
    line_of(error)


@pytest.mark.parametrize("array", [np.zeros(60850), np.zeros(3, F32), np.zeros(60850, np.int32)])
def test_an_optimizers_state_of_another_shape_or_dtype_is_refused(tmp_path, array):
    path = mutated_inputs.valid_files(tmp_path)["checkpoint"]
    _, arrays = model_file.read(path, "checkpoint")
    Trainer.resume(path)
    name = next(name for name in arrays if name.startswith("state."))
    rewrite(path, **{name: array})
    with pytest.raises(ModelFileError, match="of the optimizer"):
        Trainer.resume(path)


def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(LEAST_LIMIT + 1))
    with pytest.raises(ModelFileError, match="the file may unpack to 67,108,864") as error:
        LeNet5.load(path)
    line_of(error)


def doubled():
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for value in (1.0, 2.0):
            content = io.BytesIO()
            np.save(content, np.array([value]))
            archive.writestr("a.npy", content.getvalue())
    return stream.getvalue()


def npy(header):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + b"12345678")
    return stream.getvalue()


def lzma():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", b"abc")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (doubled(), "two members called a.npy"),
        (lzma(), "compression that is not read"),
        (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"), "8 bytes for the shape"),
        (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 60,), }"), "no header of a plain array"),
        (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"1" * 9000 + b"x), }"), "no header"),
        (npy(b"[" * 5000), "no header"),
        (npy(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "no header"),
        (npy(b"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }"), "not numbers"),
        (npy(b"{'descr': '<f9', 'fortran_order': False, 'shape': (1,), }"), "unknown dtype"),
    ],
)
def test_entries_that_are_no_plain_arrays_are_one_error(content, words):
    with pytest.raises(NpzError, match=words):
        read_arrays(io.BytesIO(content), 1 << 20)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|u1", "<i8", "|b1"])
def test_arrays_come_back_as_numpy_reads_them(order, dtype):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    stream = io.BytesIO()
    np.savez(stream, a=array, scalar=array[0, 0, 0], none=array[:0])
    found = read_arrays(stream, 1 << 20)
    for name, value in {"a": array, "scalar": array[0, 0, 0], "none": array[:0]}.items():
        assert found[name].dtype == value.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], value)


# ---- what is no ordinary file


@pytest.mark.parametrize(
    "read",
    [
        lambda path: LeNet5.load(path),
        lambda path: Checkpoint.load(path),
        lambda path: read_csv(path),
        lambda path: read_idx(path, "images"),
        lambda path: load_dataset(path),
        lambda path: read_gray(path),
        lambda path: read_strokes(path),
    ],
    ids=["model", "checkpoint", "csv", "idx", "dataset", "picture", "strokes"],
)
@pytest.mark.parametrize("kind", ["pipe", "device", "empty", "long name", "loop", "long"])
def test_a_file_that_is_none_is_named_as_what_it_is(tmp_path, read, kind):
    path, words = tmp_path / "digits.csv", {"pipe": "a named pipe", "device": "a device", "empty": "an empty file"}
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "empty":
        path.touch()
    elif kind == "long name":
        path = tmp_path / ("x" * 300)
    elif kind == "loop":
        path.symlink_to(path)
    else:
        with open(path, "wb") as file:
            file.truncate(1 << 40)  # sparse: takes no room
    with pytest.raises(LenetError) as error:
        read(path)
    assert words.get(kind, "found") in line_of(error)


# ---- CSV


def csv_row(label="3", first="0"):
    return f"{label},{first}" + ",0" * 783 + "\n"


@pytest.mark.parametrize(
    "field", ["1_0", "٣", "+5", "1e0", "0x10", "1.5", "-0", "NaN", "²", "5 5", "256", "1e400", "٠.٠"]
)
@pytest.mark.parametrize("where", ["label", "first"])
def test_numbers_that_are_not_plain_are_refused(tmp_path, field, where):
    path = tmp_path / "d.csv"
    path.write_text(csv_row() + csv_row(**{where: field}), encoding="utf-8")
    with pytest.raises(DataError, match="row 2") as error:
        read_csv(path)
    line_of(error)


@pytest.mark.parametrize("field", ["5", "5.", "5.0", '"5"', " 5 ", "005", "5.000"])
def test_plain_numbers_are_read(tmp_path, field):
    path = tmp_path / "d.csv"
    path.write_text(csv_row(first=field))
    images, labels, _ = read_csv(path)
    assert (images[0, 0, 0], labels[0]) == (5, 3)


def test_a_packed_csv_without_end_is_given_up(tmp_path):
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress((b" " * 60_000 + b"\n") * (unpacked_limit(0) // 60_000 + 1)))
    with pytest.raises(DataError, match="more than 67,108,864 bytes once it is unpacked") as error:
        read_csv(path)
    line_of(error)


def test_empty_lines_without_end_are_given_up(tmp_path):
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(b"\n" * 1_000_002))
    with pytest.raises(DataError, match="row 1000001"):
        read_csv(path)


def test_a_line_stays_short_whatever_a_file_is_called(tmp_path):
    assert len(str(DataError("x", found="y" * 40_000, expected="z"))) < 700


# ---- zip and idx


def emnist(path, twice=None):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for part in ("train", "test"):
            for kind, magic, values in (
                ("images-idx3", 0x803, mutated_inputs._images(10)),
                ("labels-idx1", 0x801, np.arange(10, dtype=np.uint8)),
            ):
                archive.writestr(f"a/emnist-digits-{part}-{kind}-ubyte", mutated_inputs._idx(values, magic))
        if twice:
            archive.writestr(twice, b"another")
    return path


@pytest.mark.parametrize("name", ["a/emnist-digits-test-labels-idx1-ubyte", "b/emnist-digits-test-labels-idx1-ubyte"])
def test_two_members_of_one_name_are_refused(tmp_path, name):
    load_dataset(emnist(tmp_path / "good.zip"))
    with pytest.raises(DataError, match="emnist-digits-test-labels") as error:
        load_dataset(emnist(tmp_path / "two.zip", name))
    line_of(error)


def test_a_packed_idx_file_may_not_claim_more_than_its_length_allows(tmp_path):
    claims = b"\0\0\x08\x03" + (2_000_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (tmp_path / "i.gz").write_bytes(gzip.compress(claims + bytes(1 << 20)))
    with pytest.raises(DataError, match="2,000,000 images, expected at most 67,108,864 bytes"):
        read_idx(tmp_path / "i.gz", "images")


# ---- strokes and numbers


def written_number(rng, count):
    strokes, x = [], 0.0
    for drawing in draw_digits(rng, rng.integers(0, 10, count)):
        points = np.concatenate(drawing)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = 100.0 / max(high[1] - low[1], 1e-6)
        strokes += [(stroke - low) * scale + [x, 0.0] for stroke in drawing]
        x += (high - low)[0] * scale + 25.0
    return strokes


def test_ordinary_numbers_are_read():
    recognizer = Recognizer("touch")
    for seed in range(10):
        digits = "".join(map(str, np.random.default_rng(seed).integers(0, 10, 12)))
        assert recognizer.predict_number(written_number(np.random.default_rng(seed), 12)).text == digits


def test_more_candidates_than_are_read_at_once_change_nothing(recognizer, monkeypatch):
    from lenet_gpu.ink import segmentation, stroke_row

    strokes = written_number(np.random.default_rng(3), 30)
    assert len(strokes) < CANDIDATES_AT_ONCE
    assert 7 * len(strokes) < PAIRS_AT_ONCE
    whole = recognizer.predict_number(strokes)
    monkeypatch.setattr(segmentation, "CANDIDATES_AT_ONCE", 7)
    monkeypatch.setattr(stroke_row, "PAIRS_AT_ONCE", 11)
    parts = recognizer.predict_number(strokes)
    assert parts.text == whole.text
    for a, b in zip(whole.digits, parts.digits, strict=True):
        assert (a.strokes, a.box, a.is_digit, a.reason) == (b.strokes, b.box, b.is_digit, b.reason)
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.probabilities, b.probabilities)


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ([[[k, 0], [k, 1]] for k in range(recognizer_module.MOST_STROKES + 1)], "strokes of a number: found 1,001"),
        ([np.random.default_rng(0).normal(size=(recognizer_module.MOST_POINTS + 1, 2))], "points of a number"),
        ([np.zeros((200_001, 2))], "more than 200,000 points"),
    ],
)
def test_too_many_strokes_or_points_are_one_line(recognizer, strokes, words):
    with pytest.raises(InputError) as error:
        recognizer.predict_number(strokes)
    assert words in line_of(error)


def test_the_memory_for_a_number_grows_with_its_strokes_not_with_their_square(recognizer):
    import tracemalloc

    def peak(count):
        strokes = [np.array([[k, 0.0], [k + 0.3, 1.0]]) for k in range(count)]
        recognizer.predict_number(strokes[:2])
        tracemalloc.start()
        recognizer.predict_number(strokes)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(800) < 2.2 * peak(400)


@pytest.mark.parametrize("strokes", [[[[0, 0]], [[1, 1]]], [[[5, 5]], [[5, 5]]], [[[1e99, 0], [-1e99, 1]], [[0, 0]]]])
def test_dots_and_giants_are_read_without_a_warning(recognizer, strokes):
    assert set(recognizer.predict_number(strokes).text) <= set("0123456789?-.,\n")


@FEW
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=3)), st.lists, max_leaves=12
    )
)
@example([[[0, 0]], [[1, 1]]])
@example([[[1e308, 0], [-1e308, 0]]])
@example([[[10**400, 0]]])
def test_any_json_is_strokes_or_one_line(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("strokes") / "s.json"
    path.write_text(json.dumps(value))
    try:
        strokes = read_strokes(path)
    except InputError as error:
        one_line(error)
    else:
        mutated_inputs.RECOGNIZER.predict_number(strokes)


# ---- the app's files


@pytest.mark.parametrize(
    "strokes",
    [
        [[["1", "2"]]],
        [[[True, False]]],
        [[[1, True]]],
        [[[None, 1]]],
        [[[1e300, 0]]],
        [[[10**400, 0]]],
        [[[NAN, 0]]],
        [[]],
        [],
    ],
)
def test_strokes_of_a_sample_are_numbers(strokes):
    with pytest.raises(ValueError, match=r"stroke|coordinate|sample"):
        Sample.from_json({"label": 3, "predicted": None, "strokes": strokes})


@pytest.mark.parametrize("kind", ["pipe", "device", "long"])
@pytest.mark.parametrize(("name", "load"), [(SETTINGS, Settings.load), (SAMPLES, SampleStore)])
def test_the_apps_files_are_set_aside_where_they_are_none(tmp_path, kind, name, load):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    assert load(tmp_path).message
    assert not path.exists()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=4)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["label", "strokes", "a"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@FEW
@given(
    st.dictionaries(st.sampled_from(["pen_width", "language", "live", "model", "palette", "other"]), JSON),
    st.binary(max_size=30),
)
@example({"pen_width": 10**400}, b"")
def test_any_settings_start_the_app(tmp_path_factory, values, tail):
    folder = tmp_path_factory.mktemp("app")
    (folder / SETTINGS).write_bytes(json.dumps(values).encode() + tail)
    found = Settings.load(folder)
    assert 1.0 <= found.pen_width <= 4.0
    assert isinstance(found.live, bool)


@FEW
@given(st.lists(st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=40)), max_size=4))
def test_any_lines_are_samples_or_set_aside(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("app")
    (folder / SAMPLES).write_bytes(b"\n".join(lines))
    for sample in SampleStore(folder):
        sample.image()


# ---- any bytes


TEXTS = st.text(alphabet='.PEN_DOWNUSGMTICR 0123456789-"?\n', max_size=200)


@FEW
@given(TEXTS)
@example('.SEGMENT DIGIT 0-99999999999999 ? "3"\n')
def test_any_text_is_unipen_or_one_line(text):
    try:
        read_unipen(text, "file")
    except DataError as error:
        one_line(error)


@FEW
@given(st.binary(max_size=300), st.sampled_from(["images", "labels"]), st.booleans())
def test_any_bytes_are_idx_or_one_line(tmp_path_factory, content, kind, zipped):
    path = tmp_path_factory.mktemp("idx") / "file"
    head = b"\0\0\x08" + (b"\3" if kind == "images" else b"\1") + content
    path.write_bytes(gzip.compress(head) if zipped else head)
    try:
        read_idx(path, kind)
    except DataError as error:
        one_line(error)


SHORT_CAMPAIGN = """
from campaigns import mutated_inputs
tally = mutated_inputs.campaign(360, seed=1)
assert all(numbers["refused"] for kind, numbers in tally.items() if kind not in ("settings", "samples", "bmp")), tally
mutated_inputs.campaign(3, 2, mutated_inputs.run_command, ("model", "csv", "strokes"))
"""


def test_mutants_of_every_kind_are_read_rightly_or_refused():
    """The short form of the campaign, in a process of its own: it measures the memory. The module is the long one.

    A shell stands between: a process begins with the peak of the one that made it, which is that of all tests here.
    """
    through_a_shell = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, SHORT_CAMPAIGN]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(through_a_shell, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_memory_that_is_used_up_is_not_called_a_damaged_file(tmp_path, monkeypatch, mnist):
    """The files are sound: what is wrong is the machine, and the remedy is about it."""
    LeNet5().save(tmp_path / "m.npz")
    np.savez(tmp_path / "d.npz", x=mnist.test.images[:60], y=mnist.test.labels[:60])

    def nothing_left(*arguments, **named):
        raise MemoryError("Unable to allocate 375. KiB")

    for read, place in (
        (lambda: LeNet5.load(tmp_path / "m.npz"), "lenet_gpu.nn.stack.LayerStack.__init__"),
        (lambda: load_dataset(tmp_path / "d.npz"), "lenet_gpu.datasets.npy_files.read_arrays"),
        (lambda: read_state(tmp_path / "d.npz"), "lenet_gpu.export.state_file.read_arrays"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(place, nothing_left)
            with pytest.raises(MemoryError):
                read()
