"""NVRTC by ctypes: compile CUDA C++ for any architecture, without a driver or a GPU.

Run as a program it compiles a network's kernels for the architectures named and prints what they take, as JSON:

    python tests/cuda_on_cpu/nvrtc.py modern 10 75 90                (ten classes, sm_75 and sm_90)
    python tests/cuda_on_cpu/nvrtc.py modern 10 throughput 90        (in another form than the portable one)
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DISTRIBUTION = "nvidia-cuda-nvrtc"

CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
"""What CuPy adds to the options of a module."""

RESOURCES = re.compile(
    r"Function properties for (?P<kernel>lenet5_\w+)\s+"
    r"(?:ptxas\s+\.\s+)?(?P<stack>\d+) bytes stack frame, (?P<spill_stores>\d+) bytes spill stores, "
    r"(?P<spill_loads>\d+) bytes spill loads\s+.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


@functools.cache
def library() -> ctypes.CDLL:
    """The compiler's library, from its wheel."""
    files = importlib.metadata.files(DISTRIBUTION) or []
    found = [file for file in files if re.search(r"libnvrtc\.so\.\d+$|nvrtc64_\d+_0\.dll$", str(file))]
    if not found:
        raise FileNotFoundError(f"{DISTRIBUTION}: no library in the wheel; pip install --upgrade {DISTRIBUTION}")
    return ctypes.CDLL(str(found[0].locate()))


def compile_source(source: str, architecture: str, options: tuple[str, ...]) -> tuple[bytes, str]:
    """Compile.

    Args:
        source: CUDA C++.
        architecture: "sm_90", ...
        options: Further options.

    Returns:
        The machine code (cubin) and the compiler's log.

    Raises:
        RuntimeError: The compiler refuses; with its log.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"lenet5.cu", 0, None, None)
    arguments = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", *options]
    status = nvrtc.nvrtcCompileProgram(
        program, len(arguments), (ctypes.c_char_p * len(arguments))(*[a.encode() for a in arguments])
    )
    log = _read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode().rstrip("\0")
    if status:
        raise RuntimeError(f"NVRTC, {architecture}: status {status}\n{log}")
    cubin = _read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return cubin, log


def _read(size_of: object, read: object, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))  # type: ignore[operator]
    buffer = ctypes.create_string_buffer(size.value)
    read(program, buffer)  # type: ignore[operator]
    return buffer.raw


def resources(log: str) -> dict[str, dict[str, int]]:
    """Registers a thread, static shared memory a block, stack and spills in bytes, kernel by kernel."""
    found: dict[str, dict[str, int]] = {}
    for match in RESOURCES.finditer(log):
        shared = re.search(r"(\d+) bytes smem", match["rest"])
        found[match["kernel"]] = {
            "registers": int(match["registers"]),
            "static_shared": int(shared.group(1)) if shared else 0,
            "stack": int(match["stack"]),
            "spills": int(match["spill_stores"]) + int(match["spill_loads"]),
        }
    return found


def machine_code(cubin: bytes) -> dict[str, list[str]]:
    """Machine instructions (SASS) of each kernel, by NVIDIA's disassembler from its wheel."""
    files = importlib.metadata.files("nvidia-cuda-nvdisasm") or []
    program = next(f.locate() for f in files if Path(str(f)).stem == "nvdisasm")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernels.cubin")
        path.write_bytes(cubin)
        done = subprocess.run([str(program), "-c", str(path)], capture_output=True, text=True, check=True)
    kernels: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        section = re.match(r"\s*\.section\s+\.text\.(\w+)", line)
        if section:
            kernels[section.group(1)] = []
        instruction = re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][\w.]*)", line)
        if instruction and kernels:
            kernels[list(kernels)[-1]].append(instruction.group(1))
    return kernels


def main(variant: str, classes: str, *architectures: str) -> None:
    """Compile a network's kernels for the architectures and print what they take."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from lenet_gpu.engine.cuda.source import FORMS, OPTIONS, kernel_source

    form = next((word for word in architectures if word in FORMS), "portable")
    source, options = kernel_source(variant, int(classes), form), (*OPTIONS, *CUPY_OPTIONS)
    for number in architectures:
        if number == form:
            continue
        cubin, log = compile_source(source, f"sm_{number}", options)
        print(json.dumps({"architecture": number, "bytes": len(cubin), "log": log, "kernels": resources(log)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
