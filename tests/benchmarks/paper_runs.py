"""The training runs behind docs/explain/paper.md: what they are, and how those that are missing are made.

Every run is one of the command line, in a process of its own, into `FOLDER/GROUP-SEED`. One that is there is left
as it is, one that was interrupted is resumed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lenet_gpu.training.checkpoint import Checkpoint

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)


class Group(NamedTuple):
    """Runs that differ in their seed alone.

    Attributes:
        what: What they are, for the page.
        options: Of `lenet-gpu train --recipe paper`.
        images: They train on this many of the training images; 0 for all.
    """

    what: str
    options: tuple[str, ...] = ()
    images: int = 0


GROUPS = {
    "plain": Group("60,000 images"),
    "distorted": Group("60,000 images and 540,000 distorted ones", ("--distortions",)),
    "images30000": Group("30,000 images", images=30_000),
    "images15000": Group("15,000 images", images=15_000),
    "loss8": Group("60,000 images, loss (8)", ("--loss", "rbf")),
    "softmax": Group("60,000 images, softmax output", ("--loss", "cross_entropy")),
}
"""All runs of the page by name."""


def name_of(group: str, seed: int) -> str:
    return f"{group}-{seed}"


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write unsigned bytes in MNIST's format: the kind, the sizes as big-endian numbers, the values."""
    head = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
    path.write_bytes(head + np.ascontiguousarray(array, np.uint8).tobytes())


def subset_folder(folder: Path, data, images: int) -> Path:
    """A data set of the first images of the training set and the whole test set, as a folder of idx files."""
    target = folder / f"first{images}"
    target.mkdir(parents=True, exist_ok=True)
    for name, split, count in (("train", data.train, images), ("t10k", data.test, len(data.test.labels))):
        write_idx(target / f"{name}-images-idx3-ubyte", split.images[:count])
        write_idx(target / f"{name}-labels-idx1-ubyte", split.labels[:count])
    return target


def command(folder: Path, group: str, seed: int, data, epochs: int | None = None) -> list[str]:
    """The command that makes a run, or goes on with it; empty if it is finished."""
    run = folder / name_of(group, seed)
    base = ["train", "--backend", "cpu", "--no-download"]
    if (run / "checkpoint.npz").exists():
        checkpoint = Checkpoint.load(run)
        return [] if len(checkpoint.history) >= checkpoint.recipe.epochs else [*base, "--resume", str(run)]
    kind = GROUPS[group]
    source = ["--dataset", str(subset_folder(folder, data, kind.images))] if kind.images else []
    shortened = ["--epochs", str(epochs)] if epochs else []
    return [*base, "--recipe", "paper", "--seed", str(seed), *kind.options, *source, *shortened, "--out", str(run)]


def make(folder: Path, groups: dict[str, tuple[int, ...]], data, epochs: int | None = None) -> None:
    """Train whatever is missing, one run after the other.

    Args:
        folder: Where the runs are.
        groups: Seeds wanted by group.
        data: The data set.
        epochs: Passes, if not as many as the recipe has.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for group, seeds in groups.items():
        for seed in seeds:
            arguments = command(folder, group, seed, data, epochs)
            if arguments:
                print(f"--- {name_of(group, seed)}: lenet-gpu {' '.join(arguments)}", flush=True)
                subprocess.run([sys.executable, "-m", "lenet_gpu", *arguments], env=environment, check=True)


def found(folder: Path) -> dict[str, list[Path]]:
    """The finished runs of each group, seed by seed; groups without any are left out."""
    runs = {
        group: [path for seed in SEEDS if (path := folder / name_of(group, seed)) and (path / "model.npz").exists()]
        for group in GROUPS
    }
    return {group: paths for group, paths in runs.items() if paths}
