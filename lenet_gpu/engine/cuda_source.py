"""The CUDA C++ source of the kernels as one text, and the sizes that host and device share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

KERNEL_FOLDER = Path(__file__).parent / "kernels"

KERNEL_FILES = ("train_images.cu", "update.cu", "infer.cu")
"""One kernel each."""

TRAIN_IMAGES = "lenet5_train_images"
UPDATE = "lenet5_update"
INFER = "lenet5_infer"
"""The kernels' names."""

OPTIONS = ("-std=c++17",)
"""Options for NVRTC."""

_INCLUDE = re.compile(r'^#include "([\w.]+)"$')
_ASSERTED = re.compile(r"^static_assert\((\w+|sizeof\(Memory\)) == (\d+)\b", re.MULTILINE)
_DEFINED = re.compile(r"^constexpr int (\w*THREADS) = (\d+),", re.MULTILINE)


@cache
def source() -> str:
    """All kernels as one translation unit.

    CuPy keys its cache of compiled kernels by the text it is handed, so headers are put in here and not left
    to the compiler, which would not see that one of them has changed.

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
        for number, line in enumerate((KERNEL_FOLDER / name).read_text(encoding="utf-8").splitlines(), 1):
            include = _INCLUDE.match(line)
            if include:
                add(include.group(1))
                lines.append(f'#line {number + 1} "{name}"')
            elif line != "#pragma once":
                lines.append(line)
            else:
                lines.append("")

    for name in KERNEL_FILES:
        add(name)
    return "\n".join(lines) + "\n"


@cache
def sizes() -> dict[str, int]:
    """Sizes that the host must know, as the source itself states them.

    Returns:
        "PARAMETERS": floats of the network; "RECORD": floats an image leaves behind; "sizeof(Memory)": shared
        memory of a block in bytes; "THREADS": threads of a block of the two kernels that work on images;
        "UPDATE_THREADS": threads of a block of the update kernel.
    """
    return {name: int(value) for name, value in (*_ASSERTED.findall(source()), *_DEFINED.findall(source()))}
