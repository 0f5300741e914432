"""Networks and recognisers can be copied, and sent to other processes."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from lenet_gpu import LeNet5, Recognizer

MAKERS = {"Recognizer": Recognizer, "LeNet5": lambda: LeNet5.load("mnist")}
WAYS = {"deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


def answers(reader, images):
    if isinstance(reader, Recognizer):
        return np.array([reader.read(image).probabilities for image in images])
    return reader.forward(images)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MAKERS)
def test_a_copy_answers_alike_and_shares_nothing(kind, way, mnist):
    images = mnist.test.images[:20]
    original = MAKERS[kind]()
    expected = answers(original, images)
    other = WAYS[way](original)
    np.testing.assert_array_equal(answers(other, images), expected)
    network = other.network if kind == "Recognizer" else other
    network.set_parameters(np.zeros_like(network.host_parameters()))
    if kind == "Recognizer":
        other.refresh()
    assert (answers(other, images) != expected).any()
    np.testing.assert_array_equal(answers(original, images), expected)


CHILD = """
import pickle, sys
reader, images = pickle.load(sys.stdin.buffer)
found = reader.read(images[0]).probabilities if hasattr(reader, "read") else reader.forward(images)
pickle.dump(found, sys.stdout.buffer)
"""


@pytest.mark.parametrize("kind", MAKERS)
def test_another_process_answers_alike(kind, mnist):
    original, images = MAKERS[kind](), mnist.test.images[:1]
    sent = pickle.dumps((original, images))
    ended = subprocess.run([sys.executable, "-c", CHILD], input=sent, capture_output=True, timeout=120, check=True)
    found = np.reshape(pickle.loads(ended.stdout), (1, -1))
    np.testing.assert_allclose(found, answers(original, images), rtol=1e-5)  # BLAS may round otherwise there
