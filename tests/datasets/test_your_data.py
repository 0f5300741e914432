"""Users' own data in every form: read with the pixels and labels that they have, or refused in one clear line."""

import gzip
import io
import shutil
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lenet_gpu import load_dataset
from lenet_gpu.datasets.settle import looks_transposed
from lenet_gpu.errors import DataError, LenetError

HEADER = "label," + ",".join(f"pixel{k}" for k in range(784))
WORDS = np.array(["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"])


class Digits:
    """Some of MNIST's digits, to train, to validate and to test with; where a form has one set it is the first."""

    def __init__(self, mnist):
        self.train = mnist.train.images[:240], mnist.train.labels[:240]
        self.validation = mnist.train.images[240:300], mnist.train.labels[240:300]
        self.test = mnist.test.images[:90], mnist.test.labels[:90]


@pytest.fixture(scope="module")
def digits(mnist):
    return Digits(mnist)


def rows(images, labels, place=0, separator=",", header=None):
    """A CSV file's text; place None: without labels."""
    lines = [] if header is None else [header]
    for image, label in zip(images.reshape(len(images), -1).tolist(), labels.tolist(), strict=True):
        fields = {0: [label, *image], -1: [*image, label], None: image}[place]
        lines.append(separator.join(map(str, fields)))
    return "\n".join(lines) + "\n"


def idx(values):
    return struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def write_idx(folder, start, images, labels, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx(np.ascontiguousarray(values))
        (folder / f"{start}{name}-ubyte{suffix}").write_bytes(gzip.compress(content) if suffix else content)


def write_pictures(folder, images, names, change=lambda image: image):
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(change(image)).save(folder / str(name) / f"{number:05}.png")


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


# ---- forms that are read; each writes a source, and returns it


def kaggle_zip(d, folder):
    write_zip(
        folder / "digit-recognizer.zip",
        {
            "train.csv": rows(*d.train, header=HEADER),
            "test.csv": rows(*d.test, place=None, header=HEADER.removeprefix("label,")),
            "sample_submission.csv": "ImageId,Label\n1,0\n",
        },
    )
    return folder / "digit-recognizer.zip"


def kaggle_folder(d, folder):
    with zipfile.ZipFile(kaggle_zip(d, folder)) as archive:
        archive.extractall(folder)
    (folder / "digit-recognizer.zip").unlink()
    return folder


def csv_of(**options):
    def write(d, folder):
        images, labels = d.train
        change = options.get("change", lambda x: x)
        text = rows(change(images), labels, *options.get("columns", (0,)), header=options.get("header"))
        name = options.get("name", "d.csv")
        (folder / name).write_text(text)
        return folder / name

    return write


def savetxt(d, folder):
    images, labels = d.train
    table = np.column_stack([labels, images.reshape(-1, 784) / 255])
    np.savetxt(folder / "d.csv", table, delimiter=",")  # 7.000000000000000000e+00,...
    return folder / "d.csv"


def npz_of(names, change=lambda x: x, called="d.npz"):
    def write(d, folder):
        arrays = {}
        for name, (role, kind) in names.items():
            images, labels = getattr(d, role)
            arrays[name] = change(images) if kind == "x" else labels
        np.savez(folder / called, **arrays)
        return folder / called

    return write


def npy_pair(d, folder):
    np.save(folder / "images.npy", d.train[0])
    np.save(folder / "labels.npy", d.train[1].astype(np.int64))
    return folder / "images.npy"


def npy_folder(d, folder):
    for role, (images, labels) in (("train", d.train), ("test", d.test)):
        np.save(folder / f"X_{role}.npy", images.reshape(-1, 784))
        np.save(folder / f"y_{role}.npy", labels)
    return folder


def kmnist_pair(d, folder):
    np.savez(folder / "kmnist-train-imgs.npz", d.train[0])
    np.savez(folder / "kmnist-train-labels.npz", d.train[1])
    return folder


def torchvision(d, folder):
    for start, (images, labels) in (("train-", d.train), ("t10k-", d.test)):
        write_idx(folder / "MNIST/raw", start, images, labels, "")
        write_idx(folder / "MNIST/raw", start, images, labels)  # both forms lie there
    return folder


def idx_pair(d, folder):
    write_idx(folder, "train-", *d.train)
    return folder / "train-images-idx3-ubyte.gz"


def idx_pair_folder(d, folder):
    return idx_pair(d, folder).parent


def pictures(*roles, names=lambda labels: labels, change=lambda image: image, folders=None):
    def write(d, folder):
        for role, called in zip(roles, folders or roles, strict=True):
            images, labels = getattr(d, role)
            write_pictures(folder / called if len(roles) > 1 else folder, images, names(labels), change)
        return folder

    return write


def nested(inner="digits"):
    def write(d, folder):
        write_pictures(folder / inner, *d.train)
        return folder

    return write


def kaggle_pictures(d, folder):
    write_pictures(folder / "trainingSet/trainingSet", *d.train)
    write_pictures(folder / "testSet", d.test[0], ["testSet"] * len(d.test[0]))
    return folder


def zipped(write):
    def pack(d, folder):
        write(d, folder / "f")
        with zipfile.ZipFile(folder / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / "f").rglob("*")):
                archive.write(path, path.relative_to(folder / "f"))
            archive.writestr("__MACOSX/0/._a.png", b"x")
        return folder / "d.zip"

    return pack


TRAIN, TEST, VALID = ("train", "test", "validation")
FORMS = {
    # name: (writer, roles, words that are said)
    "pictures, one set": (pictures(TRAIN), (TRAIN,), ["has no test set: 35 of its 240"]),
    "pictures, train and test": (pictures(TRAIN, TEST), (TRAIN, TEST), []),
    "pictures, train, valid, test": (
        pictures(TRAIN, VALID, TEST, folders=("Train", "val", "test")),
        (TRAIN, VALID, TEST),
        [],
    ),
    "pictures, train and valid": (
        pictures(TRAIN, VALID, folders=("train", "valid")),
        (TRAIN, VALID),
        ["has no test set"],
    ),
    "pictures, dark on light": (pictures(TRAIN, change=lambda x: 255 - x), (TRAIN,), []),
    "pictures, white on transparent": (
        pictures(TRAIN, change=lambda x: np.dstack([np.full((*x.shape, 3), 255, np.uint8), x])),
        (TRAIN,),
        [],
    ),
    "pictures, classes by words": (pictures(TRAIN, names=lambda y: WORDS[y]), (TRAIN,), ["10 classes, acht, drei"]),
    "pictures, classes from 5 on": (pictures(TRAIN, names=lambda y: y.astype(int) + 5), (TRAIN,), ["classes, 5, 6"]),
    "pictures, a folder in a folder": (nested(), (TRAIN,), ["has no test set"]),
    "pictures, a zip": (zipped(pictures(TRAIN)), (TRAIN,), ["has no test set: 35 of its 240"]),
    "pictures, a zip with a folder": (zipped(nested()), (TRAIN,), []),
    "pictures, a zip of train and test": (zipped(pictures(TRAIN, TEST)), (TRAIN, TEST), []),
    "pictures, a zip of Kaggle's": (zipped(kaggle_pictures), (TRAIN,), ["testSet: 90 pictures without labels"]),
    "csv, label first": (csv_of(), (TRAIN,), ["has no test set"]),
    "csv, label first, header": (csv_of(header=HEADER), (TRAIN,), []),
    "csv, label last": (csv_of(columns=(-1,)), (TRAIN,), []),
    "csv, label last, header": (csv_of(columns=(-1,), header=HEADER[6:] + ",class"), (TRAIN,), []),
    "csv, semicolons": (csv_of(columns=(0, ";")), (TRAIN,), []),
    "csv, blanks": (csv_of(columns=(-1, " ")), (TRAIN,), []),
    "csv, tabs": (csv_of(columns=(-1, "\t"), name="d.tsv"), (TRAIN,), []),
    "csv, dark on light": (csv_of(change=lambda x: 255 - x), (TRAIN,), ["all pictures are dark on light"]),
    "csv, dark on light, label last": (csv_of(change=lambda x: 255 - x, columns=(-1,)), (TRAIN,), ["dark on light"]),
    "csv, half dark on light": (
        csv_of(change=lambda x: np.where((np.arange(len(x)) % 2 == 0)[:, None, None], 255 - x, x)),
        (TRAIN,),
        ["120 of 240 pictures are dark on light"],
    ),
    "csv, decimals from 0 to 1": (
        csv_of(change=lambda x: x / 255.0, columns=(-1,)), (TRAIN,), ["from 0 to 1, which are multiplied"]
    ),
    "csv, decimals from 0 to 255": (
        csv_of(change=lambda x: x * 0.999, header=HEADER), (TRAIN,), ["from 0 to 255, which are rounded"]
    ),
    "csv, numpy.savetxt's": (savetxt, (TRAIN,), ["decimal pixels from 0 to 1"]),
    "csv, EMNIST's by name": (
        csv_of(change=lambda x: x.transpose(0, 2, 1), name="emnist-digits-train.csv"),
        (TRAIN,),
        [],
    ),
    "csv, EMNIST's by sight": (
        csv_of(change=lambda x: x.transpose(0, 2, 1), columns=(-1,)),
        (TRAIN,),
        ["pictures lie on their side, as EMNIST's do"],
    ),
    "csv, named EMNIST but upright": (csv_of(name="emnist.csv"), (TRAIN,), ["these stand upright"]),
    "Kaggle's folder": (kaggle_folder, (TRAIN,), ["90 pictures without labels, which are left for predict"]),
    "Kaggle's zip": (kaggle_zip, (TRAIN,), ["without labels", "has no test set"]),
    "npz, Keras'": (
        npz_of({"x_train": (TRAIN, "x"), "y_train": (TRAIN, "y"), "x_test": (TEST, "x"), "y_test": (TEST, "y")}),
        (TRAIN, TEST),
        [],
    ),
    "npz, MedMNIST's": (
        npz_of(
            {f"{short}_{kind}s": (role, "x" if kind == "image" else "y")
             for short, role in (("train", TRAIN), ("val", VALID), ("test", TEST)) for kind in ("image", "label")}
        ),
        (TRAIN, VALID, TEST),
        [],
    ),
    "npz, names without a set": (npz_of({"images": (TRAIN, "x"), "labels": (TRAIN, "y")}), (TRAIN,), []),
    "npz, no names": (npz_of({"arr_0": (TRAIN, "x"), "arr_1": (TRAIN, "y")}), (TRAIN,), []),
    "npz, float 0..1": (npz_of({"X": (TRAIN, "x"), "y": (TRAIN, "y")}, lambda x: x / np.float32(255)), (TRAIN,), []),
    "npz, float 0..255": (npz_of({"X": (TRAIN, "x"), "y": (TRAIN, "y")}, lambda x: x.astype(float)), (TRAIN,), []),
    "npz, flat, channels": (npz_of({"X": (TRAIN, "x"), "y": (TRAIN, "y")}, lambda x: x[..., None]), (TRAIN,), []),
    "npy, a pair": (npy_pair, (TRAIN,), ["has no test set"]),
    "npy, four in a folder": (npy_folder, (TRAIN, TEST), []),
    "npz, KMNIST's pair": (kmnist_pair, (TRAIN,), []),
    "idx, torchvision's": (torchvision, (TRAIN, TEST), []),
    "idx, a pair by one of its files": (idx_pair, (TRAIN,), ["has no test set"]),
    "idx, a pair alone in a folder": (idx_pair_folder, (TRAIN,), ["has no test set"]),
}  # fmt: skip


def pairs(images, labels):
    return sorted((image.tobytes(), str(label)) for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_pixels_and_labels_that_it_has(form, digits, tmp_path, caplog):
    write, roles, said = FORMS[form]
    data = load_dataset(write(digits, tmp_path), progress=False)
    names = np.array(data.class_names)
    spoken = {
        "pictures, classes by words": lambda y: WORDS[y],
        "pictures, classes from 5 on": lambda y: y.astype(int) + 5,
    }
    expected = {
        role: pairs(x, spoken.get(form, lambda y: y)(y)) for role, (x, y) in vars(digits).items() if role in roles
    }
    found = {
        role: pairs(split.images, names[split.labels])
        for role, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
        if split is not None
    }
    if "test" not in roles:
        found["train"] = sorted(found["train"] + found.pop("test"))
    assert found.keys() == expected.keys()
    for role in expected:
        assert [label for _, label in found[role]] == [label for _, label in expected[role]]
        assert found[role] == expected[role]
    for words in said:
        assert words in caplog.text
    if not said and "test" in roles:
        assert not caplog.text


def test_pixels_of_0_and_1_become_0_and_255(digits, tmp_path, caplog):
    images, labels = digits.train
    two = (images > 127).astype(np.uint8)
    (tmp_path / "d.csv").write_text(rows(two, labels, -1))
    np.savez(tmp_path / "d.npz", X=two, y=labels)
    write_idx(tmp_path / "idx", "train-", two, labels)
    for source in ("d.csv", "d.npz", "idx"):
        data = load_dataset(tmp_path / source)
        both = np.concatenate([data.train.images, data.test.images])
        assert sorted(x.tobytes() for x in both) == sorted(x.tobytes() for x in two * np.uint8(255))
    assert "pixels go from 0 to 1; 1 was taken for 255" in caplog.text


@pytest.mark.parametrize("most", [3, 15, 16, 100])
@pytest.mark.parametrize("dark", [False, True])
def test_pixels_of_another_scale_become_0_to_255(most, dark, digits, tmp_path, caplog):
    images, labels = digits.train
    images = 255 - images if dark else images
    (tmp_path / "d.csv").write_text(rows(np.rint(images * (most / 255)).astype(int), labels))
    data = load_dataset(tmp_path / "d.csv")
    assert f"pixels go from 0 to {most}; {most} was taken for 255" in caplog.text
    both = np.concatenate([data.train.images, data.test.images])
    assert both.max() == 255
    assert abs(both.mean() - digits.train[0].mean()) < 2


@pytest.mark.parametrize("ground", [20, 90, 180])
def test_a_gray_ground_becomes_black(ground, digits, tmp_path, caplog):
    images, labels = digits.train
    ink = 250 if ground < 128 else 5
    gray = np.rint(ground + (ink - ground) * (images / 255.0)).astype(np.uint8)
    (tmp_path / "d.csv").write_text(rows(gray, labels))
    write_pictures(tmp_path / "f", gray, labels)
    for source in ("d.csv", "f"):
        data = load_dataset(tmp_path / source, progress=False)
        both = np.concatenate([data.train.images, data.test.images])
        assert (np.median(both, axis=(1, 2)) == 0).all()
        assert abs(both.mean() - images.mean()) < 2
    assert "all pictures have a gray ground, which was made black" in caplog.text


def test_pictures_of_0_and_1_become_0_and_255(digits, tmp_path):
    images, labels = digits.train
    write_pictures(tmp_path, (images <= 127).astype(np.uint8), labels)  # dark on light, too
    data = load_dataset(tmp_path, progress=False)
    both = np.concatenate([data.train.images, data.test.images])
    assert sorted(x.tobytes() for x in both) == sorted(x.tobytes() for x in (images > 127) * np.uint8(255))


def test_letters_and_other_classes_come_by_name(digits, tmp_path):
    images, labels = digits.train
    letters = np.array(list("KLMNOPQRST"))[labels]
    (tmp_path / "d.csv").write_text(rows(images, letters, -1))
    assert load_dataset(tmp_path / "d.csv").class_labels == tuple("KLMNOPQRST")
    write_idx(tmp_path / "EMNIST/raw", "emnist-letters-train-", images.transpose(0, 2, 1), labels + np.uint8(10))
    data = load_dataset(tmp_path / "EMNIST")
    assert data.class_labels == tuple(range(10, 20))
    assert pairs(data.test.images, data.test.labels)[0] in pairs(images, labels)
    mixed = np.array(list("0123456789"))[labels].astype("U1")
    mixed[::3] = "A"
    write_pictures(tmp_path / "mixed", images, mixed)
    assert load_dataset(tmp_path / "mixed", progress=False).class_labels == (*"0123456789", "A")


def test_looks_tell_digits_on_their_side(mnist):
    images, labels = mnist.test.images[:500], mnist.test.labels[:500]
    side = images.transpose(0, 2, 1)
    assert looks_transposed(images, labels) is False
    assert looks_transposed(side, labels) is True
    assert looks_transposed(side, labels + np.uint8(1)) is None
    assert looks_transposed(side[:5], labels[:5]) is None
    for digit in (1, 3, 7):
        assert looks_transposed(images[labels == digit], labels[labels == digit]) is False


# ---- warnings, and errors where most of a set is so


def test_pictures_without_ink_are_left_out_and_named(digits, tmp_path, caplog):
    images, labels = (values.copy() for values in digits.train)
    images[10:13] = 77
    (tmp_path / "d.csv").write_text(rows(images, labels))
    data = load_dataset(tmp_path / "d.csv")
    assert len(data.train) + len(data.test) == 237
    assert "no ink in 3 of 240 pictures, which are left out: number 11, number 12, number 13" in caplog.text
    write_pictures(tmp_path / "f", images[:40], labels[:40])
    load_dataset(tmp_path / "f", progress=False)
    assert f"which are left out: {labels[10]}/00010.png" in caplog.text
    images[:130] = 77
    (tmp_path / "d.csv").write_text(rows(images, labels))
    assert "found 130 of 240 pictures without ink (number 1, number 2, number 3 ...)" in refusal(tmp_path / "d.csv")


def test_pictures_that_are_all_alike_are_named(digits, tmp_path, caplog):
    images, labels = (values.copy() for values in digits.train)
    images[20:50] = images[0]
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    load_dataset(tmp_path / "d.npz")
    assert "31 of 240 pictures are all alike: number 1, number 21, number 22 ..." in caplog.text
    images[:] = images[0]
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    assert "found 240 of 240 pictures that are all alike" in refusal(tmp_path / "d.npz")


def test_a_few_pictures_light_at_the_rim_are_said(digits, tmp_path, caplog):
    images, labels = (values.copy() for values in digits.train)
    images[3:6] = 255 - images[3:6]
    (tmp_path / "d.csv").write_text(rows(images, labels))
    data = load_dataset(tmp_path / "d.csv")
    assert "3 of 240 pictures are light at the rim, the first is number 4; left as they are" in caplog.text
    assert sum(image.mean() > 128 for image in (*data.train.images, *data.test.images)) == 3


def test_an_empty_class_folder_is_named(digits, tmp_path, caplog):
    write_pictures(tmp_path, *digits.train)
    shutil.rmtree(tmp_path / "7")
    (tmp_path / "7").mkdir()
    load_dataset(tmp_path, progress=False)
    assert "no pictures in 7" in caplog.text


# ---- what is refused


def refusal(source):
    with pytest.raises(DataError) as error:
        load_dataset(source, progress=False)
    line = str(error.value)
    assert "\n" not in line
    return line


def one_class(d, folder):
    images, labels = d.train
    (folder / "d.csv").write_text(rows(images[labels == 3], labels[labels == 3]))
    return folder / "d.csv"


def unlabelled(d, folder):
    (folder / "d.csv").write_text(rows(*d.train, place=None))
    return folder / "d.csv"


def either_column(d, folder):
    images, labels = (values.copy() for values in d.train)
    images[:, -1, -1] = np.arange(len(images)) % 10
    (folder / "d.csv").write_text(rows(images, labels))
    return folder / "d.csv"


def label_in_the_middle(d, folder):
    lines = [line.split(",") for line in rows(*d.train).splitlines()]
    (folder / "d.csv").write_text("\n".join(",".join([*line[1:400], line[0], *line[400:]]) for line in lines))
    return folder / "d.csv"


def with_index(d, folder):
    text = rows(*d.train).splitlines()
    (folder / "d.csv").write_text("\n".join([f",{HEADER}", *(f"{k},{line}" for k, line in enumerate(text))]))
    return folder / "d.csv"


def one_share(d, folder):
    lines = rows(*d.train).splitlines()
    lines[5] = f"7,0.5,{lines[5].split(',', 2)[2]}"
    (folder / "d.csv").write_text("\n".join(lines))
    return folder / "d.csv"


def decimals(change, label=lambda y: y, at=slice(None)):
    def write(d, folder):
        images = d.train[0] / 255.0
        images[at] = change(images[at])
        (folder / "d.csv").write_text(rows(images, label(d.train[1])))
        return folder / "d.csv"

    return write


def arrays(**named):
    def write(d, folder):
        np.savez(folder / "d.npz", **{name: make(d) for name, make in named.items()})
        return folder / "d.npz"

    return write


def pickled(d, folder):
    np.savez(folder / "d.npz", X=d.train[0], y=np.array([{"a": 1}] * 240, dtype=object))
    return folder / "d.npz"


def alone_npy(d, folder):
    np.save(folder / "images.npy", d.train[0])
    return folder / "images.npy"


def two_sets_of_torchvision(d, folder):
    for name in ("MNIST", "FashionMNIST"):
        write_idx(folder / name / "raw", "train-", *d.train)
    return folder


def idx_without_labels(d, folder):
    path = idx_pair(d, folder)
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    return path


def another_label_to_test_with(d, folder):
    pictures(TRAIN, TEST, names=lambda y: WORDS[y])(d, folder)
    (folder / "test/acht").rename(folder / "test/hundert")
    return folder


def zip_of(members):
    def write(d, folder):
        write_zip(folder / "d.zip", members)
        return folder / "d.zip"

    return write


def x(d):
    return d.train[0]


def y(d):
    return d.train[1]


REFUSED = {
    "one class": (one_class, "found one class alone (3), expected two or more"),
    "no labels": (unlabelled, "found pictures without labels, expected a label for each; name labelled data here"),
    "either column": (either_column, "a first and a last column that may both be the label"),
    "a label in the middle": (label_in_the_middle, "found 0 in all of the first column, and 0 in all of the last"),
    "an index before the label": (with_index, "found the column 'label' as number 2 of 786"),
    "one decimal": (one_share, "row 6: found pixel 1 0.5, expected a whole number 0..255 in plain digits; mend"),
    "standardised decimals": (
        decimals(lambda x: x * 3.2 - 0.4),
        "row 1: found pixel 1 -0.4, expected pixels from 0 to 1 or from 0 to 255; scale the pixels to 0 to 1",
    ),
    "decimals beyond": (decimals(lambda x: x * 255, at=200), "row 201: found pixel"),
    "decimal labels": (decimals(lambda x: x, lambda y: y + 0.5), "row 1: found label"),
    "other sizes": (arrays(X=lambda d: x(d)[:, :20, :20], y=y), "found shape (240, 20, 20), expected (n, 28, 28)"),
    "colour": (arrays(X=lambda d: np.stack([x(d)] * 3, -1), y=y), "found shape (240, 28, 28, 3)"),
    "standardised": (arrays(X=lambda d: x(d) / 127.5 - 1.0, y=y), "found values -1 to 1, expected float in 0 to 1"),
    "16 bits": (
        arrays(X=lambda d: x(d).astype(np.uint16) * 257, y=y),
        "found integers 0 to 65535, expected 0 to 255",
    ),
    "one-hot": (arrays(X=x, y=lambda d: np.eye(10)[y(d)]), "pass the number of each image's class"),
    "too few labels": (arrays(X=x, y=lambda d: y(d)[:-1]), "found 240 images but 239 labels"),
    "no array of labels": (arrays(X=x), "d.npz:X without labels"),
    "a strange array": (
        arrays(X=x, y=y, weights=lambda d: np.zeros((3, 3))),
        "found the array weights, float64 (3, 3)",
    ),
    "two of a kind": (arrays(x_train=x, train_images=x, y_train=y), "both images to train with"),
    "objects": (pickled, "holds objects, which need pickle"),
    "one .npy": (alone_npy, "images.npy without labels"),
    "65 classes": (arrays(X=x, y=lambda d: np.arange(240) % 65), "found 65 classes, expected 2 to 64"),
    "two sets of torchvision": (two_sets_of_torchvision, "found the data sets FashionMNIST, MNIST, expected one"),
    "an idx file alone": (
        idx_without_labels,
        "found no file of its labels beside it, expected train-labels-idx1-ubyte",
    ),
    "a label only to test with": (another_label_to_test_with, "found label 'hundert' at position"),
    "a zip of damaged pictures": (zip_of({"0/a.png": b"x", "1/b.png": b"x"}), "d.zip:0/a.png: found "),
    "a zip of pictures alone": (
        zip_of({"a.png": b"x"}),
        "found a zip without CSV files, idx files and class folders",
    ),
    "a zip with a word beside digits": (zip_of({"0/a.png": b"x", "one/b.png": b"x"}), "found the class"),
    "a zip that unpacks to too much": (
        zip_of({"0/a.bmp": bytes(70 << 20), "1/b.bmp": b"x"}),
        "found 73,400,321 bytes once it is unpacked",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_one_line(case, digits, tmp_path):
    write, expected = REFUSED[case]
    assert expected in refusal(write(digits, tmp_path))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_an_npz_is_data_or_one_line(data, digits, tmp_path_factory):
    stream = io.BytesIO()
    np.savez(stream, x_train=digits.train[0][:30], y_train=digits.train[1][:30])
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("npz") / "d.npz"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 100]))])
    try:
        load_dataset(path)
    except LenetError as error:
        assert "\n" not in str(error)  # noqa: PT017


@settings(max_examples=60, deadline=None)
@given(
    fields=st.lists(st.sampled_from(["0", "7", "255", "a", "", "1.0", "-1", '"3"', "label", "1e9", "é"]), max_size=6),
    place=st.integers(0, 784),
    separator=st.sampled_from([",", ";", "\t"]),
)
def test_any_row_of_csv_is_data_or_one_line(fields, place, separator, tmp_path_factory):
    row = ["0"] * 785
    row[place : place + len(fields)] = fields
    path = tmp_path_factory.mktemp("csv") / "d.csv"
    path.write_text("\n".join([separator.join(row)] * 3 + [separator.join(["1"] + ["9"] * 784)]), encoding="utf-8")
    try:
        load_dataset(path)
    except LenetError as error:
        assert "\n" not in str(error)  # noqa: PT017
