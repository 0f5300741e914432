"""Every export against the network on MNIST's 10,000 test digits: python tests/campaigns/exports.py [MODEL ...]

Prints a table for each model: the largest difference of a probability from the network's own answer in float32 and
from the exact one in float64, how many answers are the same, errors, bytes, and microseconds of processor time a
digit, one digit at a time. Runtimes that are not installed are left out. Ends with status 1 where an export is too
far off.
"""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lenet_gpu import LeNet5, Network, load_dataset
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.export import export_network
from lenet_gpu.nn.losses import softmax

AT_ONCE = 500
TIMED = 1000
ROOT = Path(__file__).resolve().parents[2]

Read = Callable[[np.ndarray], np.ndarray]


def prepared(model: LeNet5) -> tuple[Read, int]:
    """Give the plan that a `Recognizer` reads with: the parameters are known to stay as they are."""
    plan = CpuPlan.of(model)
    plan.refresh()
    return lambda images: softmax(np, plan.outputs(images, refresh=False)), 0


def onnx_runtime(model: Network, folder: Path) -> tuple[Read, int]:
    import onnxruntime

    (path,) = export_network(model, "onnx", folder / "ort.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0], path.stat().st_size


def open_vino(model: Network, folder: Path) -> tuple[Read, int]:
    import openvino

    (path,) = export_network(model, "onnx", folder / "openvino.onnx")
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda images: np.array(request.infer({"images": images})["probabilities"]), path.stat().st_size


def mnn(model: Network, folder: Path) -> tuple[Read, int]:
    import MNN.nn
    from MNN import expr

    (path,) = export_network(model, "onnx", folder / "mnn.onnx")
    converted = folder / "mnn.mnn"
    # The compiled converter by itself: the script around it, MNN.tools.mnnconvert, runs pip and reports its use.
    program = "import sys, _tools; _tools.mnnconvert(sys.argv)"
    arguments = ["mnnconvert", "-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(converted)]
    subprocess.run([sys.executable, "-c", program, *arguments[1:]], capture_output=True, timeout=120, check=False)
    if not converted.exists():
        raise RuntimeError("MNN does not convert it")
    settings = {"precision": "high", "backend": 0, "numThread": 1}
    runtime = MNN.nn.create_runtime_manager((settings,))
    net = MNN.nn.load_module_from_file(str(converted), ["images"], ["probabilities"], runtime_manager=runtime)

    def read(images: np.ndarray) -> np.ndarray:
        given = expr.const(np.ascontiguousarray(images), list(images.shape), expr.NCHW, expr.uint8)
        return np.array(expr.convert(net.forward([given])[0], expr.NCHW).read())

    return read, converted.stat().st_size


def torch_module(model: Network, folder: Path) -> tuple[Read, int]:
    import re

    import torch

    torch.set_num_threads(1)
    page = (ROOT / "docs/howto/deploy.md").read_text("utf-8")
    (path,) = export_network(model, "torch", folder / "torch.safetensors")
    space = {"path": str(path)}
    exec(re.findall(r"^```py\n(.*?)^```$", page.split("## PyTorch")[1], re.M | re.S)[0], space)
    net = space["net"]

    def read(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.tensor(images)).numpy()

    return read, path.stat().st_size


def c_library(
    model: Network, folder: Path, calibration: np.ndarray | None, flags: tuple[str, ...]
) -> tuple[Read, int]:
    int8 = calibration is not None
    name = f"int8{len(flags)}" if int8 else f"float{len(flags)}"
    source, header = export_network(model, "c", folder / f"{name}.c", int8=int8, calibration=calibration)
    library = folder / f"{name}.so"
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
    subprocess.run(["gcc", *strict, *flags, "-shared", "-fPIC", source, "-o", library, "-lm"], check=True)
    predict = ctypes.CDLL(str(library)).lenet5_predict
    size = int(header.read_text().split("stack; ")[1].split(" ")[0].replace(",", ""))

    def read(images: np.ndarray) -> np.ndarray:
        found = np.empty((len(images), model.classes), np.float32)
        image, to = images.ctypes.data, found.ctypes.data
        for k in range(len(images)):
            predict(ctypes.c_void_p(image + 784 * k), ctypes.c_void_p(to + 4 * model.classes * k))
        return found

    return read, size


def microseconds(read: Read, images: np.ndarray) -> float:
    """Processor time of one call with one digit; the best of five."""
    for _ in range(20):
        read(images[:1])
    times = []
    for _ in range(5):
        start = time.process_time()
        for k in range(TIMED // 5):
            read(images[k : k + 1])
        times.append((time.process_time() - start) / (TIMED // 5))
    return 1e6 * min(times)


def campaign(name: str, folder: Path) -> bool:
    """Measure all exports of a model; tell if they are near enough."""
    data = load_dataset(download=False, progress=False)
    images, labels = data.test.images, data.test.labels
    model = LeNet5.load(name)
    ours = model.forward(images)
    witness = Network([*model.layers], dtype="float64", background=model.background, ink=model.ink)
    exact = softmax(np, witness.readable_outputs(images))
    kinds: dict[str, Callable[[], tuple[Read, int]]] = {
        "ours, the Recognizer's plan": lambda: prepared(model),
        "ours, `model.forward`": lambda: (model.forward, 0),
        "ours, layer by layer": lambda: (lambda x: softmax(np, model.readable_outputs(x)), 0),
        "ONNX Runtime": lambda: onnx_runtime(model, folder),
        "OpenVINO": lambda: open_vino(model, folder),
        "MNN": lambda: mnn(model, folder),
        "PyTorch": lambda: torch_module(model, folder),
        "C float -O2": lambda: c_library(model, folder, None, ("-O2",)),
        "C float -O3 -march=native": lambda: c_library(model, folder, None, ("-O3", "-march=native")),
        "C int8 -O2": lambda: c_library(model, folder, data.train.images, ("-O2",)),
        "C int8 -O3 -march=native": lambda: c_library(model, folder, data.train.images, ("-O3", "-march=native")),
    }
    needs = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "MNN": "MNN", "PyTorch": "torch"}
    print(f"\n{name}: {model.variant}, {(ours.argmax(1) != labels).sum()} errors\n")
    print("| export | from ours | from exact | same answers | errors | bytes | µs a digit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    passed = True
    for kind, make in kinds.items():
        if kind in needs and importlib.util.find_spec(needs[kind]) is None:
            continue
        try:
            read, size = make()
            found = np.concatenate([read(images[k : k + AT_ONCE]) for k in range(0, len(images), AT_ONCE)])
        except Exception as error:
            print(f"| {kind} | {type(error).__name__}: {str(error)[:300]} |")
            continue
        best = found.argmax(axis=1)
        same, errors = int((best == ours.argmax(1)).sum()), int((best != labels).sum())
        print(
            f"| {kind} | {abs(found - ours).max():.1e} | {abs(found - exact).max():.1e} | {same:,} | {errors} "
            f"| {size:,} | {microseconds(read, images):.1f} |",
            flush=True,
        )
        if "int8" in kind:
            passed &= abs(errors - int((ours.argmax(1) != labels).sum())) <= 5 and size <= 65_536
        else:
            most = 2e-3 if kind == "MNN" else 2e-5  # MNN approximates tanh and exp
            passed &= bool(abs(found - exact).max() < most) and same == len(images)
    return passed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        good = []
        for number, model_name in enumerate(sys.argv[1:] or ["mnist", "touch"]):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            good.append(campaign(model_name, folder))
    sys.exit(0 if all(good) else 1)
