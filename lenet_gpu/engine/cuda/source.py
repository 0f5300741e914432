"""The CUDA C++ source of the kernels as one text, and the sizes that host and device share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lenet_gpu.paper import CLASSES, CODES, PAPER_PARAMETERS, RUBBISH_PENALTY

KERNEL_FOLDER = Path(__file__).parent / "kernels"

FORMS = {"portable": ("portable/train_images.cu", "update.cu", "portable/infer.cu")}
"""Files of the kernels, by the form that they have; one kernel each."""

EVALUATION_FILE = "evaluate.cu"
"""File of the kernel that evaluates scores, whatever the form of the others."""

OUTPUTS = {"modern": "softmax", "paper": "rbf"}
"""The output layer and its loss, by the network's variant."""

WORD = 32
"""Components of a code in one number, a bit each."""

TRAIN_IMAGES = "lenet5_train_images"
UPDATE = "lenet5_update"
INFER = "lenet5_infer"
EVALUATE = "lenet5_evaluate"
"""The kernels' names."""

OPTIONS = ("-std=c++17",)
"""Options for NVRTC."""

THREADS = 512
"""Threads of a block of the two kernels that work on images, in the portable form."""

GROUP = 1716
"""Trainable parameters of C1, S2, C3 and S4."""

UPDATE_THREADS = 256
"""Threads of a block of the update kernel."""

EVALUATED = 256
"""Images of a group, whose losses the evaluation kernel adds up; as many threads has a block of it."""

EVALUATED_BYTES = 8 + EVALUATED
"""Bytes that the evaluation kernel writes for a group: a double, the sum of the losses, and an answer an image."""

_INCLUDE = re.compile(r'^#include "([\w./]+)"$')


class Sizes(NamedTuple):
    """Sizes that the host and the kernels of a network must agree on; `kernel_source` lets the compiler assert them.

    Attributes:
        parameters: Floats of the network.
        group: Floats of what a group of images contributes to the gradient of C1 to S4.
        record: Floats of what an image contributes to the other gradients.
        shared_bytes: Shared memory of a block of the two kernels that work on images.
    """

    parameters: int
    group: int
    record: int
    shared_bytes: int


def sizes(variant: str = "modern", classes: int = CLASSES) -> Sizes:
    """Return the sizes of a network's kernels.

    Args:
        variant: The network, one of `OUTPUTS`.
        classes: Number of classes, 2 to 64.
    """
    weights = classes * (84 + 1) if variant == "modern" else 0  # of the output layer
    # y of S4; y and dE/da of C5 and F6; dE/da of the output; loss and right answer.
    record = _multiple_of_4(400 + 2 * (120 + 84) + classes + 2)
    # The record; the output; everything else does not depend on the classes.
    shared = record + _multiple_of_4(classes) + 12848
    return Sizes(PAPER_PARAMETERS + weights, GROUP, record, 4 * shared)


def _multiple_of_4(floats: int) -> int:
    """Round up to whole float4."""
    return -(-floats // 4) * 4


@cache
def kernel_source(variant: str = "modern", classes: int = CLASSES, form: str = "portable") -> str:
    """Return all kernels of a form as one translation unit.

    CuPy keys its cache of compiled kernels by the text it is handed, so headers are put in here and not left
    to the compiler: a change of one of them must change the text. Some headers are not files of that name:
    "form.cuh", "head.cuh" and "output.cuh" stand for those of the form and the network; "classes.cuh" (the
    number of classes) and "codes.cuh" (from paper.py) are written here.

    Args:
        variant: The network, one of `OUTPUTS`.
        classes: Number of classes, 2 to 64; 10 of "paper".
        form: One of `FORMS`.

    Returns:
        The text; `#line` directives let compiler messages name the files as they are.
    """
    written = {"classes.cuh": f"constexpr int CLASSES = {classes};", "codes.cuh": _codes()}
    output = OUTPUTS[variant]
    chosen = {
        "form.cuh": f"{form}/form.cuh",
        "head.cuh": f"{form}/head_{output}.cuh",
        "output.cuh": f"output_{output}.cuh",
    }
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
                add(chosen.get(include.group(1), include.group(1)))
                lines.append(f'#line {number + 1} "{name}"')
            elif line != "#pragma once":
                lines.append(line)
            else:
                lines.append("")

    for name in FORMS[form]:
        add(name)
    lines += ['#line 1 "sizes of the host"', *_assertions(_expected(sizes(variant, classes)))]
    return "\n".join(lines) + "\n"


@cache
def evaluation_source(classes: int = CLASSES) -> str:
    """Return the kernel that scores are evaluated with; it knows neither the network nor the form of its kernels.

    Args:
        classes: Number of classes, 2 to 64.

    Returns:
        The text, a translation unit of its own.
    """
    lines = (KERNEL_FOLDER / EVALUATION_FILE).read_text(encoding="utf-8").splitlines()
    place = lines.index('#include "classes.cuh"')
    lines[place] = f"constexpr int CLASSES = {classes};"
    host = {"EVALUATED": EVALUATED, "sizeof(Evaluated)": EVALUATED_BYTES}
    return "\n".join([f'#line 1 "{EVALUATION_FILE}"', *lines, *_assertions(host)]) + "\n"


def _assertions(expected: dict[str, int]) -> list[str]:
    """Return CUDA C++ that does not compile if the kernels' sizes are not the host's."""
    return [f'static_assert({name} == {value}, "the host says otherwise");' for name, value in expected.items()]


def _expected(host: Sizes) -> dict[str, int]:
    """Name the kernels' sizes that must be the host's."""
    return {
        "PARAMETERS": host.parameters,
        "GROUP": host.group,
        "RECORD": host.record,
        "sizeof(Memory)": host.shared_bytes,
        "THREADS": THREADS,
        "UPDATE_THREADS": UPDATE_THREADS,
    }


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
