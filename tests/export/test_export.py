"""Exports say what the network says: every form, both variants, several numbers of classes."""

import io
import json
import sys

import numpy as np
import pytest
from networks import KINDS, exact, network

from lenet_gpu import LeNet5, Network
from lenet_gpu.errors import InputError
from lenet_gpu.export import FORMS, export_network
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.nn import Convolution, Dense, Flatten, Layer, ScaledTanh, Subsampling
from lenet_gpu.nn.lenet5 import hidden_layers

IMAGES = slice(0, 200)
CLOSE = 1e-5


@pytest.fixture(params=KINDS)
def model(request, mnist):
    return network(request.param, mnist)


def test_the_folded_network_is_the_network(model, mnist):
    """In float64, where only the formula can differ."""
    from lenet_gpu.export.quantize import _float_sums
    from lenet_gpu.nn.losses import softmax

    plain = PlainNetwork.of(model)
    images = mnist.test.images[IMAGES]
    scores = _float_sums(plain, plain.folded(), images)["output"]
    assert abs(softmax(np, scores) - exact(model, images)).max() < 1e-10


@pytest.mark.onnx
@pytest.mark.onnxruntime
@pytest.mark.parametrize("subsampling", ["depthwise", "pool"])
def test_onnx_runtime_gives_the_same_probabilities(model, mnist, subsampling):
    import onnx
    import onnxruntime

    from lenet_gpu.export.onnx_graph import onnx_model

    graph = onnx_model(PlainNetwork.of(model), subsampling)
    onnx.checker.check_model(graph, full_check=True)
    facts = {entry.key: json.loads(entry.value) for entry in graph.metadata_props}
    assert facts["class_labels"] == list(model.class_labels or range(model.classes))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    images = mnist.test.images[IMAGES]
    found = session.run(None, {"images": images})[0]
    assert found.shape == (len(images), model.classes)
    assert abs(found - exact(model, images)).max() < CLOSE
    assert (found.argmax(axis=1) == model.outputs(images).argmax(axis=1)).all()
    assert np.array_equal(session.run(None, {"images": images[:1]})[0].argmax(1), found[:1].argmax(1))


@pytest.mark.safetensors
def test_safetensors_hold_the_parameters_bit_for_bit(model, tmp_path):
    from safetensors import safe_open

    export_network(model, "safetensors", tmp_path / "state.safetensors")
    with safe_open(tmp_path / "state.safetensors", "np") as file:
        assert set(file.keys()) == set(model.shapes)
        for name in file.keys():  # noqa: SIM118  (it is no dictionary)
            assert np.array_equal(file.get_tensor(name), model.views[name])
        facts = json.loads(file.metadata()["lenet_gpu"])
    assert (facts["background"], facts["ink"]) == (model.background, model.ink)


def test_npz_holds_the_parameters_bit_for_bit(model, tmp_path):
    export_network(model, "npz", tmp_path / "plain.npz")
    with np.load(tmp_path / "plain.npz") as file:
        arrays = dict(file)
    facts = json.loads(arrays.pop("meta").tobytes())
    assert facts["variant"] == model.variant
    assert {name: array.tobytes() for name, array in arrays.items()} == {
        name: np.asarray(view).tobytes() for name, view in model.views.items()
    }


@pytest.mark.torch
@pytest.mark.safetensors
def test_the_torch_module_of_the_docs_gives_the_same_probabilities(model, mnist, tmp_path, torch):
    import re
    from pathlib import Path

    page = (Path(__file__).resolve().parents[2] / "docs/howto/deploy.md").read_text("utf-8")
    (module,) = re.findall(r"^```py\n(.*?)^```$", page.split("## PyTorch")[1], re.M | re.S)
    export_network(model, "torch", tmp_path / "state.safetensors")
    space = {"path": str(tmp_path / "state.safetensors")}
    exec(module, space)
    images = mnist.test.images[IMAGES]
    with torch.no_grad():
        found = space["net"](torch.tensor(images)).numpy()
    assert abs(found - exact(model, images)).max() < CLOSE
    back = LeNet5.from_state(space["net"].state_dict(), class_labels=model.class_labels)
    assert np.array_equal(back.host_parameters(), model.host_parameters())
    assert (back.background, back.ink) == (model.background, model.ink)


# ---- what can't be exported


class Twice(Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Turned(LeNet5):
    def input_layer(self, images):
        return super().input_layer(images)[..., ::-1]


OTHERS = {
    "an own layer": (lambda: Network([*hidden_layers(), Twice(), Dense("output", 84, 10)]), "Twice"),
    "another table": (
        lambda: Network(
            [Convolution("c1", 1, 6), ScaledTanh(), Subsampling("s2", 6), Flatten(), Dense("o", 6 * 196, 10)]
        ),
        "layer 4 is Flatten(), not ScaledTanh",
    ),
    "an own input layer": (Turned, "Turned has another input_layer"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", OTHERS)
def test_another_network_is_refused_by_name(form, other, tmp_path):
    make, named = OTHERS[other]
    with pytest.raises(InputError, match=r"expected LeNet-5.*; keep it as a model file") as error:
        export_network(make(), form, tmp_path / f"out{FORMS[form].ending}")
    assert named in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_network_of_nan_is_refused(tmp_path):
    model = LeNet5()
    model.views["c5.weight"][3] = np.nan
    with pytest.raises(InputError, match="found parameters that are NaN"):
        export_network(model, "npz", tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("form", "package"), [("onnx", "onnx"), ("torch", "safetensors"), ("safetensors", "safetensors")]
)
def test_a_missing_package_is_one_line_with_its_remedy(form, package, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # what Python itself does where a package may not be imported
    with pytest.raises(InputError, match=f"found no package {package}, expected it.*; pip install {package}"):
        export_network(LeNet5(), form, tmp_path / f"x{FORMS[form].ending}")


def test_files_that_exist_stay_unless_told(tmp_path):
    kept = tmp_path / "x.h"
    kept.write_text("mine")
    with pytest.raises(InputError, match=r"x\.h: found a file that exists"):
        export_network(LeNet5(), "c", tmp_path / "x.c")
    assert [path.name for path in tmp_path.iterdir()] == ["x.h"]
    export_network(LeNet5(), "c", tmp_path / "x.c", force=True)
    assert kept.read_text().startswith("/* LeNet-5")


@pytest.mark.parametrize(
    ("form", "name", "expected"),
    [
        ("onnx", "x.npz", "a name that ends in .onnx; name it x.onnx"),
        ("c", "x", "a name that ends in .c"),
        ("c", 'a"b.c', "found a name that C does not include"),
        ("npz", "none/x.npz", "make the folder first"),
        ("tflite", "x.tflite", "form of export: found 'tflite', expected 'onnx' or"),
    ],
)
def test_a_wrong_name_is_one_line(form, name, expected, tmp_path):
    with pytest.raises(InputError) as error:
        export_network(LeNet5(), form, tmp_path / name)
    assert expected in str(error.value)


def test_int8_is_for_c_alone(tmp_path):
    with pytest.raises(InputError, match="int8: found the form 'npz', expected 'c'"):
        export_network(LeNet5(), "npz", tmp_path / "x.npz", int8=True)


def test_exports_are_the_same_bytes_again(model, tmp_path):
    from lenet_gpu.export.tensors import npz_bytes

    plain = PlainNetwork.of(model)
    assert npz_bytes(plain) == npz_bytes(plain)
    assert np.load(io.BytesIO(npz_bytes(plain)))["c1.bias"].shape == (6,)


def test_the_command_line_offers_every_form():
    from lenet_gpu.commands import export_model

    assert tuple(FORMS) == export_model.FORMS


def test_the_command_line_exports_and_refuses(mnist, tmp_path, monkeypatch, capsys):
    from lenet_gpu.cli import build_parser

    monkeypatch.chdir(tmp_path)
    network("letters", mnist).save("letters.npz")

    def run(*arguments):
        options = build_parser().parse_args(["export", "letters.npz", *arguments])
        return options.run(options)

    assert run("--to", "npz", "--out", "x.npz") == 0
    assert capsys.readouterr().out.startswith("wrote     x.npz (")
    for arguments, expected in (
        (("--to", "npz", "--out", "x.npz"), "x.npz: found a file that exists"),
        (("--to", "npz", "--out", "y.npz", "--int8"), "--int8: found --to npz, expected --to c"),
        (("--to", "c", "--out", "y.c", "--int8"), "26 classes that are not the digits, expected images of its own"),
    ):
        with pytest.raises(InputError) as error:
            run(*arguments)
        assert expected in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters.npz", "x.npz"]
