"""LeNet-5 as an ONNX graph: uint8 images in, probabilities out, of operators that every runtime has."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.paper import CODES, SQUASH_A

OPSET, IR_VERSION = 13, 8
"""Version of the operators, and of the file: old enough for the runtimes of 2021."""

SUBSAMPLINGS = ("depthwise", "pool")
"""Ways to write S2 and S4: one convolution of each map by itself, or AveragePool, Mul and Add."""


def onnx_bytes(plain: PlainNetwork) -> bytes:
    """Make the content of an ONNX file.

    Args:
        plain: The network.

    Returns:
        The serialised model, checked by ONNX's own checker.

    Raises:
        InputError: The package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise InputError(
            "export to onnx", found="no package onnx", expected="it, to write the file",
            remedy="pip install onnx",
        ) from None  # fmt: skip
    model = onnx_model(plain)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def onnx_model(plain: PlainNetwork, subsampling: str = "depthwise") -> Any:
    """Build the model.

    Args:
        plain: The network.
        subsampling: One of `SUBSAMPLINGS`.

    Returns:
        An `onnx.ModelProto`: "images" (n, 28, 28) uint8 -> "probabilities" (n, classes) float32. Its metadata are
        `PlainNetwork.facts`, each as JSON.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = {name: array.astype(np.float32) for name, array in plain.folded().items()}
    nodes: list[Any] = []
    constants: dict[str, np.ndarray] = {}

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(name: str, value: np.ndarray) -> str:
        constants[name] = np.ascontiguousarray(value)
        return name

    def tanh(x: str) -> str:
        return node("Tanh", [x], f"{x}.tanh")

    def convolution(x: str, name: str, weight: np.ndarray, **attributes: Any) -> str:
        inputs = [x, constant(f"{name}.weight", weight), constant(f"{name}.bias", weights[f"{name}.bias"])]
        return tanh(node("Conv", inputs, name, kernel_shape=list(weight.shape[2:]), **attributes))

    def subsample(x: str, name: str) -> str:
        coefficient, bias = weights[f"{name}.coefficient"], weights[f"{name}.bias"]
        if subsampling == "depthwise":
            kernel = np.broadcast_to(coefficient[:, None, None, None], (len(bias), 1, 2, 2))
            return convolution(x, name, kernel, strides=[2, 2], group=len(bias))
        mean = node("AveragePool", [x], f"{name}.mean", kernel_shape=[2, 2], strides=[2, 2])
        factor = constant(f"{name}.coefficient", 4.0 * coefficient[:, None, None])  # float32: (maps, 1, 1)
        scaled = node("Mul", [mean, factor], f"{name}.scaled")
        return tanh(node("Add", [scaled, constant(f"{name}.bias", bias[:, None, None])], name))

    def dense(x: str, name: str) -> str:
        weight = weights[f"{name}.weight"]
        inputs = [x, constant(f"{name}.weight", weight.reshape(len(weight), -1)),
                  constant(f"{name}.bias", weights[f"{name}.bias"])]  # fmt: skip
        return node("Gemm", inputs, name, transB=1)

    x = node("Cast", ["images"], "pixels", to=TensorProto.FLOAT)  # (n, 28, 28)
    x = node("Reshape", [x, constant("field", np.array([-1, 1, 28, 28]))], "input")  # (n, 1, 28, 28)
    x = subsample(convolution(x, "c1", weights["c1.weight"], pads=[2, 2, 2, 2]), "s2")  # (n, 6, 14, 14)
    x = subsample(convolution(x, "c3", plain.dense_c3(weights["c3.weight"])), "s4")  # (n, 16, 5, 5)
    x = tanh(dense(node("Flatten", [x], "flat"), "c5"))  # (n, 120)
    x = tanh(dense(x, "f6"))  # (n, 84)
    if plain.variant == "paper":
        x = node("Mul", [x, constant("amplitude", np.array([SQUASH_A], np.float32))], "f6.output")
        x = node("Reshape", [x, constant("units", np.array([-1, 1, 84]))], "f6.units")  # (n, 1, 84)
        x = node("Sub", [x, constant("codes", np.array(CODES, np.float32)[None])], "difference")  # (n, 10, 84)
        x = node("Mul", [x, x], "squares")
        x = node("ReduceSum", [x, constant("axis", np.array([2]))], "output", keepdims=0)  # (n, 10)
        x = node("Neg", [x], "scores")
    else:
        x = dense(x, "output")  # (n, classes)
    node("Softmax", [x], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes,
        "lenet5",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", plain.classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="lenet-gpu",
        producer_version=plain.facts["package_version"],
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {name: json.dumps(value) for name, value in plain.facts.items()})
    return model
