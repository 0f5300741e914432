"""Build CUDA kernels for the CPU and launch them on NumPy arrays; see cuda_on_cpu.h."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np

HERE = Path(__file__).parent
COMPILER = os.environ.get("CXX", "g++")
NICE = ("nice", "-n", "10") if shutil.which("nice") else ()
OPTIONS = ("-std=c++20", "-O1", "-fPIC", "-fno-strict-aliasing", "-Wall", "-Wno-unknown-pragmas")
SANITIZE = ("-fsanitize=address", "-g1")
STANDARD = "standard.h"
"""The header of the standard library's headers, which are compiled once for all kernels."""

CLUSTERS = re.compile(r"__cluster_dims__\((\w+), 1, 1\) __launch_bounds__\([^)]*\)\s+(\w+)\(")
"""A kernel's cluster size, and its name."""


class KernelError(Exception):
    """A kernel did what would be undefined on a device: divergent barriers, or a deadlock."""


FOLDER = "LENET_GPU_TEST_KERNELS"
"""Environment variable: where built libraries lie, for all processes that run a part of the tests."""


@functools.cache
def share_folder() -> tempfile.TemporaryDirectory[str]:
    """Make the folder of the libraries, for this process and those that it starts; it goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="lenet-gpu-kernels-")
    os.environ[FOLDER] = folder.name
    return folder


def folder() -> Path:
    """Return where built libraries lie."""
    if FOLDER not in os.environ:
        share_folder()
    return Path(os.environ[FOLDER])


def build(source: str, kernels: Sequence[str], *, sanitize: bool = False, worst_case: float = 0.0) -> Path:
    """Compile kernels into a shared library; the same source is compiled once.

    Args:
        source: CUDA C++.
        kernels: Names of the kernels to export.
        sanitize: With AddressSanitizer.
        worst_case: How much of the largest documented error the approximate functions have.

    Returns:
        The library.

    Raises:
        RuntimeError: The compiler refuses; with its messages.
    """
    clusters = {name: size for size, name in CLUSTERS.findall(source)}
    exports = "\n".join(
        f"CUDA_ON_CPU_EXPORT{f'_CLUSTERS({name}, {clusters[name]})' if name in clusters else f'({name})'}"
        for name in kernels
    )
    header = "clusters.h" if clusters else "cuda_on_cpu.h"
    text = f'#include "{STANDARD}"\n#define WORST_CASE {worst_case}f\n#include "{header}"\n{source}\n{exports}\n'
    key = hashlib.sha256(f"{sanitize}{text}".encode()).hexdigest()[:16]
    library = folder() / f"{key}.so"
    with filelock.FileLock(library.with_suffix(".lock")):  # a thread or another process may be building it
        if library.exists():
            return library
        path = library.with_suffix(".cpp")
        path.write_text(text)
        _compile([f"-I{_standard(sanitize)}", f"-I{HERE}", "-shared", str(path), "-o", str(library)], sanitize)
    return library


def _standard(sanitize: bool) -> Path:
    """Return the folder of the compiled header, which goes before its source's."""
    made = folder() / f"standard{'-sanitize' * sanitize}"
    with filelock.FileLock(made.with_suffix(".lock")):
        if not made.exists():
            making = made.with_suffix(".making")
            making.mkdir(exist_ok=True)
            _compile(["-x", "c++-header", str(HERE / STANDARD), "-o", str(making / f"{STANDARD}.gch")], sanitize)
            making.rename(made)
    return made


def _compile(arguments: Sequence[str], sanitize: bool) -> None:
    command = [*NICE, COMPILER, *OPTIONS, *(SANITIZE if sanitize else ()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{COMPILER} refuses the kernels:\n{done.stderr}")


class Kernel:
    """A kernel that runs on the CPU, launched like a kernel of CuPy.

    Args:
        library: What `build` returned.
        name: The kernel's name.
        backwards: Run the threads of a block from the last to the first, and the blocks too; of a kernel of clusters
            the number of an order, see clusters.h.
    """

    def __init__(self, library: Path, name: str, *, backwards: int = False) -> None:
        self.name, self.backwards = name, backwards
        code = ctypes.CDLL(str(library))
        self._launch = getattr(code, f"{name}_launch")
        letters = getattr(code, f"{name}_parameters")
        letters.restype = ctypes.c_char_p
        self.parameters: str = letters().decode()

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0
    ) -> None:
        """Run the grid.

        Args:
            grid: Blocks along x, y, z.
            block: Threads of a block along x, y, z.
            arguments: C-contiguous arrays for pointers, np.int32 and np.float32 for numbers: nothing else, for
                a device would take whatever bytes it is given.
            shared_mem: Dynamic shared memory in bytes.

        Raises:
            TypeError: Arguments that don't fit the kernel's parameters.
            KernelError: See `KernelError`.
        """
        if len(arguments) != len(self.parameters):
            raise TypeError(f"{self.name}: {len(arguments)} arguments for {len(self.parameters)} parameters")
        values = [self._value(k, argument) for k, argument in enumerate(arguments)]
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        message = ctypes.create_string_buffer(512)
        sizes = [(ctypes.c_uint * 3)(*[*shape, 1, 1][:3]) for shape in (grid, block)]
        if self._launch(
            *sizes, ctypes.c_size_t(shared_mem), int(self.backwards), pointers, message, ctypes.c_size_t(512)
        ):
            raise KernelError(f"{self.name}: {message.value.decode()}")

    def _value(self, k: int, argument: Any) -> Any:
        letter = self.parameters[k]
        if letter == "P" and isinstance(argument, np.ndarray) and argument.flags.c_contiguous:
            return ctypes.c_void_p(argument.ctypes.data)
        if letter == "i" and isinstance(argument, np.int32):
            return ctypes.c_int(int(argument))
        if letter == "f" and isinstance(argument, np.float32):
            return ctypes.c_float(float(argument))
        raise TypeError(f"{self.name}: argument {k} is a {type(argument).__name__}, the kernel expects {letter!r}")
