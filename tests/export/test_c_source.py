"""The C files compile without a warning and answer as the network does; the whole-number form to the last bit."""

import ctypes
import re
import subprocess

import numpy as np
import pytest
from networks import exact, network

from lenet_gpu import LeNet5
from lenet_gpu.export import export_network
from lenet_gpu.export.c_source import c_files
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.export.quantize import LAYERS, quantize
from lenet_gpu.nn.losses import softmax

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
IMAGES = slice(0, 200)


def compiled(folder, plain, calibration=None, *, int8=False, flags=()):
    """The library made of the two files."""
    for path, content in c_files(plain, folder / "digits.c", calibration, int8=int8).items():
        path.write_bytes(content)
    command = ["gcc", *STRICT, *flags, "-shared", "-fPIC", folder / "digits.c", "-o", folder / "digits.so", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "digits.so"))


def answers(library, images, classes):
    """Classes and probabilities, image by image."""
    found, best = np.empty((len(images), classes), np.float32), np.empty(len(images), int)
    for k, image in enumerate(images):
        best[k] = library.lenet5_predict(
            image.ctypes.data_as(ctypes.c_void_p), found[k].ctypes.data_as(ctypes.c_void_p)
        )
    return best, found


@pytest.mark.parametrize("kind", ["paper", "pair"])
def test_float_agrees_with_the_network(kind, mnist, tmp_path):
    model, images = network(kind, mnist), mnist.test.images[IMAGES]
    library = compiled(tmp_path, PlainNetwork.of(model))
    best, found = answers(library, images, model.classes)
    assert abs(found - exact(model, images)).max() < 1e-5
    assert (best == model.outputs(images).argmax(axis=1)).all()
    labels = (ctypes.c_char_p * model.classes).in_dll(library, "lenet5_labels")
    assert [label.decode() for label in labels] == [str(x) for x in model.class_labels or range(model.classes)]


@pytest.mark.parametrize("kind", ["paper", "letters"])
def test_whole_numbers_are_those_of_the_oracle(kind, mnist, tmp_path):
    model, images = network(kind, mnist), mnist.test.images[IMAGES]
    plain, calibration = PlainNetwork.of(model), mnist.train.images[:60]
    best, found = answers(compiled(tmp_path, plain, calibration, int8=True), images, model.classes)
    scores = quantize(plain, calibration).scores(images)
    assert abs(found - softmax(np, scores)).max() < 1e-6
    assert (best == scores.argmax(axis=1)).all()


def test_whole_numbers_of_the_shipped_model(mnist, tmp_path):
    """Weights, scales and tables fit 65,536 bytes, and hardly an answer changes."""
    model, images = LeNet5.load("mnist"), mnist.test.images[:600]
    plain, calibration = PlainNetwork.of(model), mnist.train.images[:100]
    best, _ = answers(compiled(tmp_path, plain, calibration, int8=True), images, 10)
    assert (best != model.predict(images)).sum() <= 1
    header = (tmp_path / "digits.h").read_text()
    (size,) = re.findall(r"stack; ([\d,]+) bytes of constants", header)
    assert int(size.replace(",", "")) <= 65_536


def test_calibration_brings_the_layers_nearer(mnist):
    plain, images = PlainNetwork.of(LeNet5.load("mnist")), mnist.train.images[:100]
    exact_scores = LeNet5.load("mnist").readable_outputs(images)

    def error(network):
        scores = network.scores(images)
        return abs((scores - exact_scores).mean(axis=0)).max()

    assert error(quantize(plain, images)) < 0.5 * error(quantize(plain))


@pytest.mark.parametrize(("scale", "kind"), [(0.0, "modern"), (1e-20, "paper"), (1e6, "modern")])
def test_weights_of_any_size_overflow_nowhere(scale, kind, mnist, tmp_path):
    """Undefined behaviour would end the program: the sanitiser is on."""
    model = LeNet5(kind, seed=2)
    for name in LAYERS[:-1]:
        model.views[f"{name}.weight"][...] *= np.float32(scale)
        model.views[f"{name}.bias"][...] = np.float32(3.0 * scale)
        model.views["s2.coefficient"][0] = -1e4
        model.views["s4.bias"][...] = 1e9
    plain = PlainNetwork.of(model)
    for path, content in c_files(plain, tmp_path / "digits.c", mnist.train.images[:20], int8=True).items():
        path.write_bytes(content)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "digits.h"\nint main(void) { unsigned char image[784]; float p[10];'
        'while (fread(image, 1, 784, stdin) == 784) printf("%d\\n", lenet5_predict(image, p)); return 0; }'
    )
    command = ["gcc", *STRICT, "-fsanitize=undefined", "-fno-sanitize-recover", "digits.c", "main.c", "-lm"]
    subprocess.run([*command, "-o", "run"], cwd=tmp_path, check=True)
    images = np.concatenate([mnist.test.images[:5], np.full((1, 28, 28), 255, np.uint8)])
    done = subprocess.run([tmp_path / "run"], input=images.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    expected = quantize(plain, mnist.train.images[:20]).scores(images).argmax(axis=1)
    assert [int(line) for line in done.stdout.split()] == expected.tolist()


def test_c_files_are_plain_and_may_be_included_twice(mnist, tmp_path):
    export_network(network("pair", mnist), "c", tmp_path / "two.c")
    source = (tmp_path / "two.c").read_text("ascii")
    assert "malloc" not in source
    assert max(map(len, source.splitlines())) <= 120
    assert '"klein \\0421\\042"' in source
    (tmp_path / "twice.c").write_text(
        '#include "two.h"\n#include "two.h"\nint main(void) { return LENET5_CLASSES - 2; }\n'
    )
    subprocess.run(["gcc", *STRICT, "twice.c", "-o", "twice"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "twice"], check=False).returncode == 0
