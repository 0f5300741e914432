"""Trained networks for other programs: ONNX, safetensors, PyTorch, C and plain arrays, and back in again.

`export_network` is the one way out, `read_state` with `LeNet5.from_state` the one way in. Each form takes
(n, 28, 28) uint8 images to the probabilities of `Network.forward`; what it needs is in `plain.py`.
"""

from lenet_gpu.export.forms import FORMS, export_network
from lenet_gpu.export.state_file import read_state

__all__ = ["FORMS", "export_network", "read_state"]
