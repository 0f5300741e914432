"""``lenet-gpu export``: a trained network for other programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lenet_gpu.commands.options import add_command, add_data_options, path
from lenet_gpu.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from lenet_gpu.nn.network import Network

FORMS = ("onnx", "safetensors", "torch", "c", "npz", "html")

EXAMPLES = """\
  lenet-gpu export mnist --to onnx --out digits.onnx      for ONNX Runtime, OpenVINO, MNN ...
  lenet-gpu export runs/one --to c --out digits.c         C99 in float, and digits.h beside it
  lenet-gpu export mnist --to c --int8 --out digits.c     8-bit weights, calibrated on training digits
  lenet-gpu export runs/one --to torch --out state.safetensors
  lenet-gpu export touch --to html --out page.html        one page that reads what is drawn on it, offline
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    summary = "write a trained network for other programs: from uint8 images to probabilities"
    parser = add_command(subparsers, "export", summary, EXAMPLES, run)
    parser.add_argument("model", metavar="MODEL", help="model file, folder of a run, or name of a shipped model")
    forms = (
        "onnx: a graph; safetensors, npz: the parameters by name; torch: a state_dict() for a LeNet-5 "
        "written in PyTorch; c: a C99 source file and its header; html: a page that reads what is drawn on it"
    )
    parser.add_argument("--to", choices=FORMS, required=True, help=forms)
    out = "the file: .onnx, .safetensors (also for torch), .c, .npz or .html"
    parser.add_argument("--out", type=path, metavar="FILE", required=True, help=out)
    int8 = "with --to c: 8-bit weights, whole-number arithmetic; calibrated on training images, by default MNIST's"
    parser.add_argument("--int8", action="store_true", help=int8)
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    add_data_options(parser)


def run(options: argparse.Namespace) -> int:
    """Export; see the parser for the options."""
    from lenet_gpu.export.forms import check_output, export_network
    from lenet_gpu.export.plain import PlainNetwork
    from lenet_gpu.nn.network import Network

    if options.int8 and options.to != "c":
        raise InputError("--int8", found=f"--to {options.to}", expected="--to c", remedy="leave it out")
    check_output(options.to, options.out, force=options.force)
    network = Network.load(options.model)
    PlainNetwork.of(network)  # what can't be exported is named before data are loaded
    calibration = _calibration(options, network) if options.int8 else None
    written = export_network(
        network, options.to, options.out, int8=options.int8, calibration=calibration, force=options.force
    )
    print("wrote     " + ", ".join(f"{file} ({file.stat().st_size:,} bytes)" for file in written))
    return 0


def _calibration(options: argparse.Namespace, network: Network) -> np.ndarray:
    """Load the images that int8 is calibrated on: training images of what the network reads."""
    from lenet_gpu.datasets import load_dataset

    is_of_digits = network.classes == 10 and not network.class_labels
    if options.dataset is None and not is_of_digits:
        raise InputError(
            "--int8",
            found=f"a network of {network.classes} classes that are not the digits",
            expected="images of its own to calibrate on",
            remedy="name them with --dataset",
        )
    source = "mnist" if options.dataset is None else options.dataset
    return load_dataset(source, data_dir=options.data_dir, download=not options.no_download).train.images
