"""OpenVINO as a contender, for inference: reads what `lenet-gpu export --to onnx` writes."""

from __future__ import annotations

import openvino
from contender import Contender

from lenet_gpu.export.onnx_graph import onnx_model
from lenet_gpu.export.plain import PlainNetwork


class OpenVino(Contender):
    """One stream, in float32, tuned for latency; `threads` compute it. Layouts as for ONNX Runtime."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)

    def versions(self) -> dict[str, str]:
        return {"openvino": openvino.__version__}

    def load(self, images, labels, views) -> None:
        """The weights come with `ready_inference`."""

    def reset(self) -> None:
        """The weights are constants."""

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        core = openvino.Core()
        graph = onnx_model(PlainNetwork("modern", views), self.layout)
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._model = core.compile_model(core.read_model(graph.SerializeToString()), "CPU", settings)

    def probabilities(self, images):
        return self._model([images])[0]
