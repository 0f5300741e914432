"""The CUDA C++ source of the kernels as one text, and the sizes that host and device share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lenet_gpu.paper import CLASSES, CODES, PAPER_PARAMETERS, RUBBISH_PENALTY

KERNEL_FOLDER = Path(__file__).parent / "kernels"

FORMS = {
    "portable": ("portable/train_images.cu", "update.cu", "portable/infer.cu"),
    "throughput": ("throughput/train_images.cu", "throughput/update.cu", "throughput/infer.cu"),
    "cluster": ("cluster/train_images.cu", "update.cu"),
    "alone": ("cluster/train_alone.cu",),
}
"""Files of the kernels, by the form that they have. One kernel each; cluster/train_images.cu has `PACK`, too."""

EVALUATION_FILE = "evaluate.cu"
"""File of the kernel that evaluates scores, whatever the form of the others."""

_DIVISIONS = {"cluster": "three", "alone": "four"}
"""Blocks of a cluster, by the form."""

OUTPUTS = {"modern": "softmax", "paper": "rbf"}
"""The output layer and its loss, by the network's variant."""

WORD = 32
"""Components of a code in one number, a bit each."""

TRAIN_IMAGES = "lenet5_train_images"
UPDATE = "lenet5_update"
INFER = "lenet5_infer"
TRAIN_ALONE = "lenet5_train_alone"
PACK = "lenet5_pack"
EVALUATE = "lenet5_evaluate"
"""The kernels' names; `TRAIN_ALONE` is that of the form "alone", `PACK` that of the form "cluster"."""

OPTIONS = ("-std=c++17",)
"""Options for NVRTC."""

THREADS = 512
"""Threads of a block of the two kernels that work on images, in the portable form."""

CLUSTER, ALONE_CLUSTER = 3, 4
CLUSTER_THREADS, ALONE_THREADS = 512, 384
"""Blocks of a cluster, threads of a block: of `TRAIN_IMAGES` and `PACK` in the form "cluster"; of `TRAIN_ALONE`."""

GROUP = 1716
"""Trainable parameters of C1, S2, C3 and S4."""

UPDATE_THREADS = 256
"""Threads of a block of the update kernel."""

SPLIT_IMAGES, DENSE_SPLITS, VECTOR_SPLITS = 64, 7, 5
"""Images of a split of the batch at least, and splits at most, in the update kernel of the throughput form."""

EVALUATED = 256
"""Images of a group, whose losses the evaluation kernel adds up; as many threads has a block of it."""

EVALUATED_BYTES = 8 + EVALUATED
"""Bytes that the evaluation kernel writes for a group: a double, the sum of the losses, and an answer an image."""

_INCLUDE = re.compile(r'^#include "([\w./]+)"$')

_KERNEL = re.compile(r'extern "C" __global__[^;{]*?\b(lenet5_\w+)\(')


class Sizes(NamedTuple):
    """Sizes that the host and the kernels of a network must agree on; `kernel_source` lets the compiler assert them.

    Attributes:
        parameters: Floats of the network.
        group: Floats of what a group of images contributes to the gradient of C1 to S4.
        record: Floats of what an image contributes to the other gradients.
        shared_bytes: Shared memory of a block of the kernel that trains.
        inference_bytes: Shared memory of a block of the kernel that infers.
        threads: Threads of a block of those two kernels.
        group_images: Images of a group.
        update_tiles: Tiles of the update kernel, dense layers' and vectors', where it splits the batch; else none.
        split_sums: Floats of the splits' sums.
    """

    parameters: int
    group: int
    record: int
    shared_bytes: int
    inference_bytes: int
    threads: int = THREADS
    group_images: int = 1
    update_tiles: tuple[int, int] = (0, 0)
    split_sums: int = 0


def sizes(variant: str = "modern", classes: int = CLASSES, form: str = "portable") -> Sizes:
    """Return the sizes of a network's kernels.

    Args:
        variant: The network, one of `OUTPUTS`.
        classes: Number of classes, 2 to 64.
        form: One of `FORMS`.
    """
    weights = classes * (84 + 1) if variant == "modern" else 0  # of the output layer
    parameters = PAPER_PARAMETERS + weights
    # y of S4; y and dE/da of C5 and F6; dE/da of the output; loss and right answer.
    record = _multiple_of_4(400 + 2 * (120 + 84) + classes + 2)
    scores = _multiple_of_4(classes)
    if form == "throughput":
        # C1 to S4 and the output, whose weights are kept if they are not too many; two images (dE/da, too), or four.
        kept = 1920 + (classes * 84 if classes <= 26 else 4) + scores
        trained = kept + 2 * 10006 + 2448 + 2 * (400 + 2 * (120 + 84) + 2 * scores) + 20
        scored = kept + 4 * (3332 + 400 + 120 + 84 + scores)
        trained_output = variant == "modern"
        dense = 25 + 6 + (-(-classes // 16) if trained_output else 0)
        vectors = -(-(GROUP + 120 + 84 + (scores if trained_output else 0)) // 256)
        split_sums = dense * DENSE_SPLITS * 2048 + vectors * VECTOR_SPLITS * 256
        return Sizes(parameters, GROUP, record, 4 * trained, 4 * scored, 256, 2, (dense, vectors), split_sums)
    # The record; the output; everything else does not depend on the classes.
    shared = 4 * (record + scores + 15444)
    return Sizes(parameters, GROUP, record, shared, shared)


class ClusterSizes(NamedTuple):
    """Sizes that the host and the kernels of clusters must agree on, apart from those of `Sizes`.

    Attributes:
        part: Floats of a block's part of the parameters, in the form "cluster"; the packed copy has `CLUSTER` of
            them.
        shared_bytes: Shared memory of a block of `TRAIN_IMAGES` in that form.
        alone_shared_bytes: Shared memory of a block of `TRAIN_ALONE`.
    """

    part: int
    shared_bytes: int
    alone_shared_bytes: int


def cluster_sizes(variant: str = "modern", classes: int = CLASSES) -> ClusterSizes:
    """Return the sizes of a network's kernels of clusters.

    Args:
        variant: The network, one of `OUTPUTS`.
        classes: Number of classes, 2 to 64.
    """
    padded = _multiple_of_4(classes)
    output = classes * 84 + padded if variant == "modern" else 4
    # C1 and S2, C3 and S4, C5, F6, biases; then what else does not depend on the classes.
    three = 188 + 20 * 28 + 20 + 120 * 152 + 84 * 44 + 40 + 84 + output
    four = 188 + 15 * 28 + 12 + 120 * 100 + 84 * 30 + 32 + 84 + output
    return ClusterSizes(three, 4 * (three + 2 * padded + 13584), 4 * (2 * four + 2 * padded + 12316))


def _multiple_of_4(floats: int) -> int:
    """Round up to whole float4."""
    return -(-floats // 4) * 4


@cache
def kernel_source(variant: str = "modern", classes: int = CLASSES, form: str = "portable") -> str:
    """Return all kernels of a form as one translation unit.

    CuPy keys its cache of compiled kernels by the text it is handed, so headers are put in here and not left
    to the compiler: a change of one of them must change the text. Some headers are not files of that name:
    "form.cuh", "head.cuh", "output.cuh" and "division.cuh" stand for those of the form and the network;
    "classes.cuh" (the number of classes) and "codes.cuh" (from paper.py) are written here.

    Args:
        variant: The network, one of `OUTPUTS`.
        classes: Number of classes, 2 to 64; 10 of "paper".
        form: One of `FORMS`.

    Returns:
        The text; `#line` directives let compiler messages name the files as they are.
    """
    written = {"classes.cuh": f"constexpr int CLASSES = {classes};", "codes.cuh": _codes()}
    output, folder = OUTPUTS[variant], "cluster" if form in _DIVISIONS else form
    chosen = {
        "form.cuh": f"{folder}/form.cuh",
        "head.cuh": f"{folder}/head_{output}.cuh",
        "output.cuh": f"output_{output}.cuh",
        "division.cuh": f"cluster/{_DIVISIONS.get(form)}.cuh",
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
    lines += ['#line 1 "sizes of the host"', *_assertions(_expected(variant, classes, form))]
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


def kernel_names(source: str) -> list[str]:
    """Return the names of the kernels in a source, in its order."""
    return _KERNEL.findall(source)


def _assertions(expected: dict[str, int]) -> list[str]:
    """Return CUDA C++ that does not compile if the kernels' sizes are not the host's."""
    return [f'static_assert({name} == {value}, "the host says otherwise");' for name, value in expected.items()]


def _expected(variant: str, classes: int, form: str) -> dict[str, int]:
    """Name the kernels' sizes that must be the host's."""
    host = sizes(variant, classes, form)
    own = cluster_sizes(variant, classes)
    expected = {
        "PARAMETERS": host.parameters,
        "GROUP": host.group,
        "RECORD": host.record,
        "IMAGES_A_GROUP": host.group_images,
    }
    if form == "alone":
        expected |= {
            "CLUSTER": ALONE_CLUSTER,
            "ALONE_THREADS": ALONE_THREADS,
            "sizeof(AloneMemory)": own.alone_shared_bytes,
        }
    elif form == "cluster":
        expected |= {
            "CLUSTER": CLUSTER,
            "THREADS": CLUSTER_THREADS,
            "PART": own.part,
            "sizeof(Memory)": own.shared_bytes,
        }
    else:
        expected |= {"THREADS": host.threads, "sizeof(Memory)": host.shared_bytes}
    if form != "alone":
        expected["UPDATE_THREADS"] = UPDATE_THREADS
    if form == "throughput":
        dense, vectors = host.update_tiles
        expected |= {
            "sizeof(ScoringMemory)": host.inference_bytes,
            "DENSE_TILES": dense,
            "VECTOR_TILES": vectors,
            "SPLIT_IMAGES": SPLIT_IMAGES,
            "DENSE_SPLITS": DENSE_SPLITS,
            "VECTOR_SPLITS": VECTOR_SPLITS,
            "SPLIT_SUMS": host.split_sums,
        }
    return expected


def update_jobs(host: Sizes, batch_size: int) -> int:
    """Return the jobs of a step's update in the throughput form, each best a block's."""
    splits = -(-batch_size // SPLIT_IMAGES)
    dense, vectors = host.update_tiles
    return dense * min(splits, DENSE_SPLITS) + vectors * min(splits, VECTOR_SPLITS)


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
