"""ONNX Runtime as a contender, for inference: the folded network as an ONNX graph.

Layout "pool": subsampling as AveragePool, Mul, Add; "depthwise": as one grouped convolution of stride 2.
"""

from __future__ import annotations

import network
import numpy as np
import onnx
import onnxruntime
from contender import Contender
from onnx import TensorProto, helper, numpy_helper


class OnnxRuntime(Contender):
    """All graph optimisations on; `threads` are the intra-operator threads."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def load(self, images, labels, views) -> None:
        self._views = views

    def reset(self) -> None:
        """The weights are constants."""

    def ready_inference(self, sizes: tuple[int, ...]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        graph = build(network.inference_weights(self._views), self.layout)
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, images):
        return self._session.run(None, {"images": images})[0]


def build(weights: dict[str, np.ndarray], layout: str) -> onnx.ModelProto:
    """The network: images (n, 28, 28) uint8 -> probabilities (n, 10)."""
    nodes, constants = [], {"shape": np.array([-1, 1, 28, 28])}

    def node(kind: str, inputs: list[str], output: str, **attributes) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, value: np.ndarray) -> str:
        constants[name] = value
        return name

    def tanh_of(x: str, name: str) -> str:
        return node("Tanh", [x], f"{name}.tanh")

    def convolution(x: str, name: str, **attributes) -> str:
        inputs = [x, *(constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias"))]
        return tanh_of(node("Conv", inputs, name, **attributes), name)

    def subsampling(x: str, name: str) -> str:
        coefficient, bias = weights[f"{name}.coefficient"], weights[f"{name}.bias"]
        if layout == "depthwise":
            kernel = np.broadcast_to((coefficient / 4)[:, None, None, None], (len(bias), 1, 2, 2)).copy()
            inputs = [x, constant(f"{name}.weight", kernel), constant(f"{name}.bias", bias)]
            return tanh_of(node("Conv", inputs, name, strides=[2, 2], group=len(bias)), name)
        x = node("AveragePool", [x], f"{name}.mean", kernel_shape=[2, 2], strides=[2, 2])
        x = node("Mul", [x, constant(f"{name}.coefficient", coefficient[:, None, None])], f"{name}.scaled")
        return tanh_of(node("Add", [x, constant(f"{name}.bias", bias[:, None, None])], name), name)

    def dense(x: str, name: str) -> str:
        inputs = [x, *(constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias"))]
        return node("Gemm", inputs, name, transB=1)

    weights = {**weights, "c5.weight": weights["c5.weight"].reshape(120, 400)}
    x = node("Cast", ["images"], "float", to=TensorProto.FLOAT)
    x = node("Reshape", [x, "shape"], "field")
    x = subsampling(convolution(x, "c1", pads=[2, 2, 2, 2]), "s2")
    x = subsampling(convolution(x, "c3"), "s4")
    x = tanh_of(dense(node("Flatten", [x], "flat"), "c5"), "c5")
    x = dense(tanh_of(dense(x, "f6"), "f6"), "output")
    node("Softmax", [x], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes,
        "lenet5",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
