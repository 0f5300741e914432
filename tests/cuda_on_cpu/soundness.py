"""Broken kernels: a barrier left out, other faults, and accesses beyond an array."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import harness
from .cases import digits, everything, make_steps, permutation
from .steps import KERNELS

BARRIER = "__syncthreads();"


class Faults:
    """Kernels with faults, one of which or none is there while they run.

    Args:
        source: The kernels.
        kernels: Their names.
        faults: What stands in the source once, and what is there instead: FAULT is 1 in that fault's turn, else 0.
    """

    def __init__(self, source: str, kernels: Sequence[str], faults: Sequence[tuple[str, str]]) -> None:
        for k, (old, new) in enumerate(faults):
            assert source.count(old) == 1
            source = source.replace(old, new.replace("FAULT", f"(fault == {k})"))
        self.library = harness.build(f'extern "C" int fault;\nint fault = -1;\n{source}', kernels)

    @contextmanager
    def present(self, number: int) -> Iterator[None]:
        """Run the kernels with this fault."""
        fault = ctypes.c_int.in_dll(ctypes.CDLL(str(self.library)), "fault")
        fault.value = number
        try:
            yield
        finally:
            fault.value = -1


class Barriers:
    """Kernels with every barrier numbered, so that a test can leave one out.

    Args:
        source: The kernels.
        form: The form that they have.

    Attributes:
        files: Name of the file of each barrier.
        lines: The line before each barrier.
    """

    def __init__(self, source: str, form: str = "portable") -> None:
        parts = source.split(BARRIER)
        before = [BARRIER.join(parts[: k + 1]) for k in range(len(parts) - 1)]
        self.files = [re.findall(r'^#line \d+ "(.*)"$', text, re.MULTILINE)[-1] for text in before]
        self.lines = [text.rstrip().splitlines()[-1].strip() for text in before]
        numbered = "".join(f"if (left_out != {k}) {BARRIER}{part}" for k, part in enumerate(parts[1:]))
        text = f'extern "C" int left_out;\nint left_out = -1;\n{parts[0]}{numbered}'
        self._library, self._form = harness.build(text, KERNELS), form

    def of_files(self, *ends: str) -> set[int]:
        """Numbers of the barriers in files whose names end so."""
        return {k for k, name in enumerate(self.files) if name.endswith(ends)}

    def needed_for_training(self, loss: str, images: int = 2) -> set[int]:
        """Numbers of the barriers without which a step ends elsewhere, in one of both orders of the threads.

        One block for all images of the step: also what one leaves behind for the next must be waited for.
        """

        def result(backwards: bool) -> bytes:
            options = {**everything(permutation(images)), "form": self._form, "grids": (1, 2), "backwards": backwards}
            steps = make_steps(permutation(images), images, loss, **options)
            steps.library = self._library
            return steps.run().tobytes() + steps.losses.tobytes()

        return self._needed(result)

    def needed_for_inference(self, images: int = 2) -> set[int]:
        """The same for the scores of images, by one block."""

        def result(backwards: bool) -> bytes:
            steps = make_steps(permutation(1), 1, form=self._form, backwards=backwards)
            steps.library = self._library
            return steps.infer(digits()[0][:images], 1).tobytes()

        return self._needed(result)

    def _needed(self, result) -> set[int]:
        left_out = ctypes.c_int.in_dll(ctypes.CDLL(str(self._library)), "left_out")
        right, found = result(False), set()
        assert right == result(True)
        try:
            for k in range(len(self.files)):
                left_out.value = k
                if any(result(backwards) != right for backwards in (False, True)):
                    found.add(k)
        finally:
            left_out.value = -1
        return found


def sanitized(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run steps.py with AddressSanitizer, in a process of its own.

    Args:
        source: The kernels.
        arguments: Those of steps.py behind the library.
    """
    built = harness.build(source, KERNELS, sanitize=True)
    runtime = subprocess.run(
        [harness.COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    environment = {**os.environ, "LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    command = [sys.executable, str(Path(__file__).with_name("steps.py")), str(built), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)
