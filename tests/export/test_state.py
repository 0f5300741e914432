"""Parameters that come back in by names and shapes; what does not fit is listed."""

import contextlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import KINDS, network

from lenet_gpu import LeNet5
from lenet_gpu.errors import InputError, LenetError
from lenet_gpu.export import export_network, read_state
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.export.tensors import torch_state
from lenet_gpu.paper import BACKGROUND, INK


def state_of(model):
    return {name: np.array(view) for name, view in model.views.items()} | {
        "background": np.float32(model.background),
        "ink": np.float32(model.ink),
    }


@pytest.fixture
def state():
    return state_of(LeNet5(seed=9))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape", [state_of, lambda model: torch_state(PlainNetwork.of(model))], ids=["ours", "torch"]
)
def test_parameters_come_back_bit_for_bit(kind, shape, mnist):
    model = network(kind, mnist)
    variant = None if shape is not state_of else model.variant
    back = LeNet5.from_state(shape(model), variant=variant, class_labels=model.class_labels)
    assert np.array_equal(back.host_parameters(), model.host_parameters())
    assert (back.variant, back.classes, back.class_labels) == (model.variant, model.classes, model.class_labels)
    assert (back.background, back.ink) == (model.background, model.ink)
    assert np.array_equal(back.predict(mnist.test.images[:20]), model.predict(mnist.test.images[:20]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s.pop("f6.bias"), "found no f6.bias, expected the parameters of LeNet-5"),
        (lambda s: (s.pop("f6.bias"), s.pop("c1.weight")), "found no c1.weight, no f6.bias"),
        (
            lambda s: s.update({"conv.weight": np.zeros((6, 1, 5, 5))}),
            "conv.weight (6, 1, 5, 5), which LeNet-5 has not",
        ),
        (lambda s: s.update({"c1.weight": np.zeros((6, 3, 5, 5))}), "c1.weight (6, 3, 5, 5) instead of (6, 1, 5, 5)"),
        (lambda s: s.update({"c1.weight": s["c1.weight"].reshape(6, 25)}), "c1.weight (6, 25) instead of"),
        (lambda s: s.update({"f6.weight": s["f6.weight"].T}), "f6.weight (120, 84) instead of (84, 120)"),
        (lambda s: s.update({"c3.weight": np.ones((16, 6, 5, 5))}), "c3.weight with weights where Table I has no"),
        (lambda s: s.update({"c5.bias": np.full(120, np.nan)}), "c5.bias with NaN or infinity"),
        (lambda s: s.update({"c5.bias": np.full(120, 1e300)}), "c5.bias with values beyond float32"),
        (lambda s: s.update({"codes": np.zeros((10, 84))}), "other codes than the paper's"),
        (lambda s: s.update({"ink": np.zeros(3)}), "state, ink: found shape (3,), expected one number"),
        (lambda s: s.update({"c1.bias": ["a"] * 6}), "state, c1.bias: found list"),
        (lambda s: s.update({"ink": np.float32(-0.1)}), "background and ink: found -0.1 and -0.1"),
        (
            lambda s: s.update({"output.weight": np.zeros((1, 84))}),
            "classes: found 1, expected a whole number from 2",
        ),
        (lambda s: s.clear(), "found no c1.weight"),
    ],
)
def test_what_does_not_fit_is_listed(state, change, expected):
    change(state)
    with pytest.raises(InputError) as error:
        LeNet5.from_state(state)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_a_common_prefix_other_dtypes_and_lists_are_taken(state):
    strange = {f"module.net.{name}": value.astype(np.float64) for name, value in state.items()}
    strange["module.net.c1.bias"] = state["c1.bias"].tolist()
    strange["module.net.c5.weight"] = state["c5.weight"].reshape(120, 400)
    back = LeNet5.from_state(strange)
    assert np.array_equal(back.views["c5.weight"], state["c5.weight"])
    assert np.array_equal(back.views["c1.bias"], state["c1.bias"])


def test_unknown_scaling_of_pixels_is_said(state, caplog):
    del state["ink"], state["background"]
    model = LeNet5.from_state(state)
    assert (model.background, model.ink) == (BACKGROUND, INK)
    assert "nothing says how pixels are scaled" in caplog.text
    caplog.clear()
    assert LeNet5.from_state(state, background=0.0, ink=1.0).ink == 1.0
    assert not caplog.text


@pytest.mark.parametrize("labels", [["a"] * 10, ["a"], [1.5] * 10, [*range(9), "9"]])
def test_class_labels_must_fit(state, labels):
    with pytest.raises(InputError, match=r"class labels: found .* expected 10 different integers, or 10 texts"):
        LeNet5.from_state(state, class_labels=labels)


@pytest.mark.torch
def test_a_state_dict_of_tensors_is_taken(state, torch):
    tensors = {name: torch.tensor(value).requires_grad_() for name, value in state.items()}
    tensors["c5.weight"] = tensors["c5.weight"].to(torch.bfloat16)
    back = LeNet5.from_state(tensors)
    assert np.array_equal(back.views["f6.weight"], state["f6.weight"])
    assert np.allclose(back.views["c5.weight"], state["c5.weight"], rtol=0.01)


# ---- files


def test_npz_goes_out_and_in_again_by_the_command_line(mnist, tmp_path, lenet_gpu_command):
    model = network("pair", mnist)
    model.save(tmp_path / "model.npz")
    steps = (
        ("export", "model.npz", "--to", "npz", "--out", "plain.npz"),
        ("import", "plain.npz", "--out", "back.npz"),
    )
    for step in steps:
        done = lenet_gpu_command(*step, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert "2 classes, called groß, klein" in done.stdout
    back = LeNet5.load(tmp_path / "back.npz")
    assert np.array_equal(back.host_parameters(), model.host_parameters())
    assert (back.class_labels, back.record) == (model.class_labels, {"imported": "plain.npz"})
    again = lenet_gpu_command("import", "plain.npz", "--out", "back.npz", cwd=tmp_path)
    assert (again.returncode, "back.npz: found a file that exists" in again.stderr) == (2, True)
    misfit = lenet_gpu_command("import", "model.npz", "--out", "x.npz", cwd=tmp_path)
    assert (misfit.returncode, "found a model file of lenet-gpu" in misfit.stderr) == (2, True)


@pytest.mark.safetensors
@pytest.mark.parametrize("form", ["safetensors", "torch"])
def test_safetensors_go_out_and_in_again(form, mnist, tmp_path):
    model = network("letters", mnist)
    export_network(model, form, tmp_path / "x.safetensors")
    state, facts = read_state(tmp_path / "x.safetensors")
    back = LeNet5.from_state(state, class_labels=facts["class_labels"])
    assert np.array_equal(back.host_parameters(), model.host_parameters())
    assert back.class_labels == model.class_labels


def packed(entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tensors(header):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "found an empty file"),
        (b"hello, these are no parameters", "found neither of the two"),
        (packed({"archive/data.pkl": b"x"}), "found a pickle, as torch.save writes it"),
        (b"\x80\x02}q\x00.", "found a pickle"),
        (packed({"a.npy": b"x"}), "unreadable contents (entry a is no array)"),
        (struct.pack("<Q", 1 << 60) + b"{}" + bytes(9), "found neither of the two"),
    ],
)
def test_files_of_another_kind_are_one_line(content, expected, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(LenetError) as error:
        read_state(tmp_path / "x.safetensors")
    assert expected in str(error.value)
    with pytest.raises(LenetError, match="found no such file"):
        read_state(tmp_path / "none.npz")


@pytest.mark.safetensors
@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b'{"a": 1}',
        b"{" + b" " * 40,
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 99]}},
        {"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 64]}},
        {"a": {"dtype": "X", "shape": [16], "data_offsets": [0, 64]}},
    ],
)
def test_damaged_safetensors_are_one_line(header, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(tensors(header))
    with pytest.raises(LenetError, match="unreadable contents"):
        read_state(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "facts", [b"\xff", b"[]", b'{"class_labels": 3}', b'{"ink": "x"}', b'{"version": 9}', b'{"class_labels": [true]}']
)
def test_facts_of_another_type_are_one_line(facts, tmp_path):
    np.savez(tmp_path / "x.npz", meta=np.frombuffer(facts, np.uint8))
    with pytest.raises(LenetError, match="found facts"):
        read_state(tmp_path / "x.npz")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_file_is_parameters_or_one_line(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "x.npz"
    if not hasattr(test_any_change_of_a_file_is_parameters_or_one_line, "content"):
        export_network(LeNet5(classes=2), "npz", path, force=True)
        test_any_change_of_a_file_is_parameters_or_one_line.content = path.read_bytes()
    content = bytearray(test_any_change_of_a_file_is_parameters_or_one_line.content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    with contextlib.suppress(LenetError):
        state, facts = read_state(path)
        LeNet5.from_state(state, class_labels=facts.get("class_labels", ()))
