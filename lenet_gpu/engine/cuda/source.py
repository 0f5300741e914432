"""The CUDA C++ source of the kernels as one text, and the sizes that host and device share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from lenet_gpu.paper import CODES, RUBBISH_PENALTY

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

HEAD, CODES_HEADER = "head.cuh", "codes.cuh"
"""Included headers for which there is no file of that name; see `kernel_source`."""

_INCLUDE = re.compile(r'^#include "([\w.]+)"$')
_ASSERTED = re.compile(r"^static_assert\((\w+|sizeof\(Memory\)) == (\d+)\b", re.MULTILINE)
_DEFINED = re.compile(r"^constexpr int (\w*THREADS) = (\d+),", re.MULTILINE)


@cache
def kernel_source(variant: str = "modern") -> str:
    """Return all kernels as one translation unit.

    CuPy keys its cache of compiled kernels by the text it is handed, so headers are put in here and not left
    to the compiler: a change of one of them must change the text. Two headers are not files of that name:
    "head.cuh" is one of `HEADS`, and "codes.cuh" is written here, from paper.py.

    Args:
        variant: The network, one of `HEADS`.

    Returns:
        The text; `#line` directives let compiler messages name the files as they are.
    """
    lines: list[str] = []
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done:
            return
        done.add(name)
        lines.append(f'#line 1 "{name}"')
        text = _codes() if name == CODES_HEADER else (KERNEL_FOLDER / name).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            include = _INCLUDE.match(line)
            if include:
                add(HEADS[variant] if include.group(1) == HEAD else include.group(1))
                lines.append(f'#line {number + 1} "{name}"')
            elif line != "#pragma once":
                lines.append(line)
            else:
                lines.append("")

    for name in KERNEL_FILES:
        add(name)
    return "\n".join(lines) + "\n"


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


@cache
def sizes(variant: str = "modern") -> dict[str, int]:
    """Return the sizes that the host must know, as the source states them. Only PARAMETERS depends on the network.

    Args:
        variant: The network, one of `HEADS`.

    Returns:
        "PARAMETERS": floats of the network; "PARTIALS": floats of an image's partials; "sizeof(Memory)": shared
        memory of a block in bytes; "THREADS": threads of a block of the two kernels that work on images;
        "UPDATE_THREADS": threads of a block of the update kernel.
    """
    text = kernel_source(variant)
    return {name: int(value) for name, value in (*_ASSERTED.findall(text), *_DEFINED.findall(text))}
