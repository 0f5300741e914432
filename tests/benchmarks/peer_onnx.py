"""ONNX Runtime as a contender, for inference: what `lenet-gpu export --to onnx` writes.

Layout "pool": subsampling as AveragePool, Mul, Add; "depthwise": as one grouped convolution of stride 2.
"""

from __future__ import annotations

import onnx
import onnxruntime
from contender import Contender

from lenet_gpu.export.onnx_graph import onnx_model
from lenet_gpu.export.plain import PlainNetwork


class OnnxRuntime(Contender):
    """All graph optimisations on; `threads` are the intra-operator threads."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def load(self, images, labels, views) -> None:
        """The weights come with `ready_inference`."""

    def reset(self) -> None:
        """The weights are constants."""

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        graph = onnx_model(PlainNetwork("modern", views), self.layout)
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, images):
        return self._session.run(None, {"images": images})[0]
