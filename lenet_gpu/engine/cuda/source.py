"""The CUDA C++ source of the kernels as one text, and the sizes that host and device share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lenet_gpu.paper import CLASSES, CODES, PAPER_PARAMETERS, RUBBISH_PENALTY

KERNEL_FOLDER = Path(__file__).parent / "kernels"

KERNEL_FILES = ("train_images.cu", "update.cu", "infer.cu")
"""One kernel each."""

HEADS = {"modern": "head_softmax.cuh", "paper": "head_rbf.cuh"}
"""Files of the output layer and its loss, by the network's variant; they stand in for "head.cuh"."""

WORD = 32
"""Components of a code in one number, a bit each."""

TRAIN_IMAGES = "lenet5_train_images"
UPDATE = "lenet5_update"
INFER = "lenet5_infer"
"""The kernels' names."""

OPTIONS = ("-std=c++17",)
"""Options for NVRTC."""

THREADS = 512
"""Threads of a block of the two kernels that work on images."""

UPDATE_THREADS = 256
"""Threads of a block of the update kernel."""

_INCLUDE = re.compile(r'^#include "([\w.]+)"$')


class Sizes(NamedTuple):
    """Sizes that the host and the kernels of a network must agree on; `kernel_source` lets the compiler assert them.

    Attributes:
        parameters: Floats of the network.
        partials: Floats of an image's partial gradients.
        shared_bytes: Shared memory of a block of the two kernels that work on images.
    """

    parameters: int
    partials: int
    shared_bytes: int


def sizes(variant: str = "modern", classes: int = CLASSES) -> Sizes:
    """Return the sizes of a network's kernels.

    Args:
        variant: The network, one of `HEADS`.
        classes: Number of classes, 2 to 64.
    """
    weights = classes * (84 + 1) if variant == "modern" else 0  # of the output layer
    # Gradient of C1 to S4; y of S4; y and dE/da of C5 and F6; dE/da of the output; loss and right answer.
    partials = _multiple_of_4(1716 + 400 + 2 * (120 + 84) + classes + 2)
    # All of the partials but the gradient; the output; everything else does not depend on the classes.
    shared = partials - 1716 + _multiple_of_4(classes) + 12848
    return Sizes(PAPER_PARAMETERS + weights, partials, 4 * shared)


def _multiple_of_4(floats: int) -> int:
    """Round up to whole float4."""
    return -(-floats // 4) * 4


@cache
def kernel_source(variant: str = "modern", classes: int = CLASSES) -> str:
    """Return all kernels as one translation unit.

    CuPy keys its cache of compiled kernels by the text it is handed, so headers are put in here and not left
    to the compiler: a change of one of them must change the text. Three headers are not files of that name:
    "head.cuh" is one of `HEADS`; "classes.cuh" (the number of classes) and "codes.cuh" (from paper.py) are
    written here.

    Args:
        variant: The network, one of `HEADS`.
        classes: Number of classes, 2 to 64; 10 of "paper".

    Returns:
        The text; `#line` directives let compiler messages name the files as they are.
    """
    written = {"classes.cuh": f"constexpr int CLASSES = {classes};", "codes.cuh": _codes()}
    lines: list[str] = []
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done:
            return
        done.add(name)
        lines.append(f'#line 1 "{name}"')
        text = written.get(name) or (KERNEL_FOLDER / name).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            include = _INCLUDE.match(line)
            if include:
                add(HEADS[variant] if include.group(1) == "head.cuh" else include.group(1))
                lines.append(f'#line {number + 1} "{name}"')
            elif line != "#pragma once":
                lines.append(line)
            else:
                lines.append("")

    for name in KERNEL_FILES:
        add(name)
    lines += ['#line 1 "sizes of the host"', *_assertions(sizes(variant, classes))]
    return "\n".join(lines) + "\n"


def _assertions(host: Sizes) -> list[str]:
    """Return CUDA C++ that does not compile if the kernels' sizes are not the host's."""
    expected = {
        "PARAMETERS": host.parameters,
        "PARTIALS": host.partials,
        "sizeof(Memory)": host.shared_bytes,
        "THREADS": THREADS,
        "UPDATE_THREADS": UPDATE_THREADS,
    }
    return [f'static_assert({name} == {value}, "the host says otherwise");' for name, value in expected.items()]


def _codes() -> str:
    """Return the paper's constants of the RBF output as CUDA C++."""
    starts = range(0, len(CODES[0]), WORD)
    words = [[code[start : start + WORD] for start in starts] for code in CODES]
    rows = [[sum((cell > 0) << bit for bit, cell in enumerate(word)) for word in row] for row in words]
    return "\n".join(
        [
            "// Component k of digit i's code is bit k % 32 of CODES[i][k / 32]: 1 stands for +1, 0 for -1.",
            f"__constant__ const unsigned CODES[{len(rows)}][{len(starts)}] = {{",
            *("    {" + ", ".join(f"{word:#010x}u" for word in row) + "}," for row in rows),
            "};",
            f"constexpr float RUBBISH_PENALTY = {RUBBISH_PENALTY}f;  // j of equation 9",
        ]
    )
