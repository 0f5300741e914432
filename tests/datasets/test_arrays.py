"""Data sets made of arrays and lists: every form that is documented works, everything else is one clear line."""

import hashlib

import numpy as np
import pytest

from lenet_gpu.datasets import Dataset, Split, load_dataset
from lenet_gpu.errors import DataError, InputError, LenetError
from lenet_gpu.nn.inputs import check_images


@pytest.fixture(scope="module")
def digits(mnist):
    """300 digits of MNIST: (n, 28, 28) uint8 and (n,) uint8."""
    return mnist.train.images[:300], mnist.train.labels[:300]


def refusal(*args, **options):
    with pytest.raises(DataError) as error:
        Dataset.from_arrays(*args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- images

FORMS = {
    "uint8": lambda x: x,
    "flat": lambda x: x.reshape(-1, 784),
    "channels last": lambda x: x[..., None],
    "channels first": lambda x: x[:, None],
    "lists": lambda x: x.tolist(),
    "int64": lambda x: x.astype(np.int64),
    "big endian": lambda x: x.astype(">i4"),
    "float32": lambda x: x.astype(np.float32) / np.float32(255),
    "float64": lambda x: x / 255.0,
    "float16": lambda x: (x / 255.0).astype(np.float16),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.uint8).reshape(x.shape),
    "strided": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_images_gives_the_same_pixels(digits, form):
    images, labels = digits
    data = Dataset.from_arrays(FORMS[form](images), labels)
    assert data.train.images.dtype == np.uint8
    assert np.array_equal(data.train.images, images)
    assert np.array_equal(data.train.labels, labels)


def test_floats_are_rounded_to_the_nearest_of_256_levels():
    shares = np.linspace(0.0, 1.0, 2 * 784).reshape(2, 784)
    data = Dataset.from_arrays(shares, [0, 1])
    assert abs(data.train.images.reshape(-1) - 255 * shares.reshape(-1)).max() <= 0.5


def test_bool_images_are_black_and_white(digits):
    images, labels = digits
    assert np.array_equal(Dataset.from_arrays(images > 99, labels).train.images, np.where(images > 99, 255, 0))


def test_the_arrays_of_the_user_are_not_shared(digits):
    images = digits[0].copy()
    data = Dataset.from_arrays(images, digits[1])
    images[:] = 7
    assert np.array_equal(data.train.images, digits[0])


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.zeros((4, 28, 27)), "images: found shape (4, 28, 27), expected (n, 28, 28), (n, 784)"),
        (np.zeros((4, 32, 32)), "bring pictures of other sizes to 28x28"),
        (np.zeros((4, 28, 28, 3)), "found shape (4, 28, 28, 3)"),
        (np.zeros((28, 28)), "found shape (28, 28)"),
        (np.zeros((0, 28, 28)), "images: found none, expected at least one"),
        (np.zeros(784), "found shape (784,)"),
        ([[1, 2], [3]], "found lists of different lengths"),
        (np.full((4, 784), 2.0), "found values 2 to 2, expected float in 0 to 1; divide by"),
        (np.full((4, 784), np.nan), "found values nan to nan"),
        (np.full((4, 784), -0.1), "found values -0.1 to -0.1"),
        (np.full((4, 784), 256), "found integers 256 to 256, expected 0 to 255"),
        (np.full((4, 784), -1), "found integers -1 to -1"),
        (np.eye(4, 784, dtype=np.int64), "found the integers 0 and 1 alone, expected 0 to 255; multiply by 255"),
        (np.zeros((4, 784), complex), "found dtype complex128"),
        (np.zeros((4, 784), "U3"), "found dtype <U3"),
        ("pictures", "found shape ()"),
        (None, "found shape ()"),
    ],
)
def test_images_of_another_form_are_one_line(images, expected):
    assert expected in refusal(images, [0, 1, 2, 3])


# ---- labels


def test_digits_keep_their_numbers(digits):
    data = Dataset.from_arrays(*digits)
    assert (data.classes, data.class_labels) == (10, tuple(range(10)))
    assert data.class_names == tuple("0123456789")
    assert (data.validation, data.test, data.name) == (None, None, "arrays")
    expected = hashlib.sha256(data.train.images.tobytes() + data.train.labels.tobytes()).hexdigest()
    assert dict(data.digests) == {"train": expected}


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ([3, 7, 3, 7], (3, 7)),
        ([-5, 10**12, 0, -5], (-5, 0, 10**12)),
        (["b", "a", "b", "c"], ("a", "b", "c")),
        (np.array(["dog", "cat", "dog", "cat"]), ("cat", "dog")),
        (np.array(["dog", "cat", "dog", "cat"], dtype=object), ("cat", "dog")),
        (np.array([2, 1, 0, 2], dtype=np.uint64), (0, 1, 2)),
        ([np.int8(4), 9, np.uint16(300), 4], (4, 9, 300)),
    ],
)
def test_any_labels_are_numbered_in_ascending_order(labels, known):
    data = Dataset.from_arrays(np.zeros((4, 784)), labels)
    assert data.class_labels == known
    assert data.classes == data.train.classes == len(known)
    assert data.class_names == tuple(map(str, known))
    assert [data.class_labels[k] for k in data.train.labels] == [np.asarray(x).item() for x in labels]


def test_two_to_64_classes_are_allowed():
    for count in (2, 64):
        data = Dataset.from_arrays(np.zeros((count, 784)), np.arange(count) * 3)
        assert data.classes == count
        assert data.train.labels.max() == count - 1
    assert "labels: found 65 classes, expected 2 to 64" in refusal(np.zeros((65, 784)), range(65))
    assert "labels: found 1 class, expected 2 to 64; add images of another" in refusal(np.zeros((3, 784)), [5, 5, 5])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, 2], "images and labels: found 4 images but 3 labels"),
        ([0, 1, 2, 0.5], "labels: found float and integer values, expected all integers, or all strings"),
        ([0, 1, "2", 3], "found integer and string values"),
        ([True, False, True, False], "found bool values"),
        ([0, 1, None, 3], "found NoneType and integer values"),
        (np.array([0.0, 1.0, 2.0, 3.0]), "labels: found dtype float64, expected integers or strings; convert"),
        (np.eye(4), "found shape (4, 4), expected 4 integers or strings, one an image; pass the number of each"),
        (np.zeros((4, 1), int), "found shape (4, 1)"),
        ([0, 1, 2, 10**30], "found integers beyond 64 bits"),
        (7, "found shape ()"),
    ],
)
def test_labels_of_another_form_are_one_line(labels, expected):
    assert expected in refusal(np.zeros((4, 784)), labels)


# ---- validation and test


def test_a_share_to_validate_with_is_drawn_from_each_class_by_the_seed(digits):
    images, labels = digits
    data = Dataset.from_arrays(images, labels, validation=0.2, seed=3)
    counts = np.bincount(labels)
    assert np.array_equal(np.bincount(data.validation.labels), np.rint(0.2 * counts))
    assert len(data.train) + len(data.validation) == 300
    both = np.concatenate([data.train.images, data.validation.images])
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in images)
    again = Dataset.from_arrays(images, labels, validation=0.2, seed=3)
    other = Dataset.from_arrays(images, labels, validation=0.2, seed=4)
    assert again.digests == data.digests
    assert other.digests["validation"] != data.digests["validation"]
    assert set(data.digests) == {"train", "validation"}
    # Shuffled: not simply the first or the last of each class.
    first = np.concatenate([np.flatnonzero(labels == k)[: round(0.2 * counts[k])] for k in range(10)])
    assert {i.tobytes() for i in data.validation.images} != {i.tobytes() for i in images[first]}


def test_every_class_keeps_an_image_to_train_with():
    data = Dataset.from_arrays(np.zeros((5, 784)), [0, 0, 1, 1, 2], validation=0.9)
    assert set(data.train.labels.tolist()) == {0, 1, 2}
    assert sorted(data.validation.labels.tolist()) == [0, 1]


def test_pairs_to_validate_and_to_test_with_use_the_same_numbers(digits):
    images, labels = digits
    names = np.array(list("abcdefghij"))[labels]
    data = Dataset.from_arrays(
        images[:200],
        names[:200],
        validation=(images[200:250], names[200:250]),
        test=[images[250:] / 255.0, names[250:]],
    )
    assert np.array_equal(data.validation.labels, labels[200:250])
    assert np.array_equal(data.test.labels, labels[250:])
    assert np.array_equal(data.test.images, images[250:])
    assert set(data.digests) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"validation": 1.0}, "validation: found 1, expected a share from 0 to below 1, or a pair"),
        ({"validation": -0.1}, "validation: found -0.1"),
        ({"validation": float("nan")}, "validation: found nan"),
        ({"validation": 0.01}, "a share of 0.01 of 4 images, which is not one of any class"),
        ({"validation": "0.1"}, "validation: found str, expected a pair (images, labels)"),
        ({"validation": True}, "validation: found bool"),
        ({"test": np.zeros((2, 784))}, "test: found ndarray, expected a pair"),
        ({"test": (np.zeros((2, 784)),)}, "test: found 1 values, expected a pair"),
        ({"test": (np.zeros((2, 784)), [0])}, "found 2 images but 1 labels"),
        ({"test": (np.zeros((2, 784)), [0, 9])}, "test labels: found label 9 at position 1, expected one of the 2"),
        ({"test": (np.zeros((2, 784)), ["0", "1"])}, "test labels: found dtype <U1"),
        ({"validation": (np.zeros((2, 783)), [0, 1])}, "validation images: found shape (2, 783)"),
    ],
)
def test_what_is_no_share_and_no_pair_is_one_line(options, expected):
    assert expected in refusal(np.zeros((4, 784)), [0, 1, 0, 1], **options)


# ---- splits and sets of several numbers of classes


def test_subsets_keep_the_number_of_classes():
    data = Dataset.from_arrays(np.zeros((26, 784)), list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert data.train.take(np.arange(3)).classes == 26
    with pytest.raises(DataError, match=r"label 26 at position 1, .* 0\.\.25; use data of the 26 classes"):
        Split(np.zeros((2, 28, 28), np.uint8), np.array([0, 26], np.uint8), classes=26)


def test_splits_of_one_data_set_agree_in_their_classes(mnist):
    letters = Split(mnist.train.images[:2], np.array([0, 25], np.uint8), classes=26)
    with pytest.raises(DataError, match="test: found 26 classes, expected 10, as the data set has"):
        Dataset("mixed", mnist.train, letters, {})


def test_named_data_sets_are_of_ten_classes(mnist):
    assert (mnist.classes, mnist.class_names, mnist.validation) == (10, tuple("0123456789"), None)
    assert load_dataset("mnist", download=False, progress=False).classes == 10


def test_the_checks_of_pixels_are_the_networks(digits):
    """One definition: what a network refuses, a data set refuses in the same words, and the other way round."""
    for bad in (np.full((2, 28, 28), 2.0), np.full((2, 28, 28), np.nan)):
        words = []
        for check in (check_images, lambda x: Dataset.from_arrays(x, [0, 1])):
            with pytest.raises(LenetError) as error:
                check(bad)
            words.append(str(error.value))
        assert words[0] == words[1]
    with pytest.raises(InputError):
        check_images(np.zeros((2, 28, 28), int))
