"""MNN as a contender, for inference: reads what `lenet-gpu export --to onnx` writes, converted to its own format."""

from __future__ import annotations

import tempfile
from pathlib import Path

import _tools  # MNN's converter itself: the program `mnnconvert` around it installs a package and reports its use
import MNN
import MNN.expr
import MNN.nn
from contender import Contender

from lenet_gpu.export.onnx_graph import onnx_model
from lenet_gpu.export.plain import PlainNetwork


class Mnn(Contender):
    """In float32 ("high" precision); `threads` compute it. Layouts as for ONNX Runtime."""

    def __init__(self, implementation: str, layout: str, threads: int) -> None:
        super().__init__(layout, threads)

    def versions(self) -> dict[str, str]:
        return {"mnn": MNN.version()}

    def load(self, images, labels, views) -> None:
        """The weights come with `ready_inference`."""

    def reset(self) -> None:
        """The weights are constants."""

    def ready_inference(self, sizes: tuple[int, ...], views) -> None:
        graph = onnx_model(PlainNetwork("modern", views), self.layout)
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "network.onnx"), Path(folder, "network.mnn")
            given.write_bytes(graph.SerializeToString())
            files = ["--modelFile", str(given), "--MNNModel", str(made)]
            _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "lenet"])
            settings = {"backend": "CPU", "precision": "high", "numThread": self.threads}
            manager = MNN.nn.create_runtime_manager((settings,))
            self._module = MNN.nn.load_module_from_file(
                str(made), ["images"], ["probabilities"], runtime_manager=manager
            )

    def probabilities(self, images):
        given = MNN.expr.const(images, list(images.shape), MNN.expr.NCHW, MNN.expr.uint8)
        return self._module.forward([given])[0].read()
