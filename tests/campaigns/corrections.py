"""Five corrections of an own digit, by hands that the shipped model misreads: python tests/campaigns/corrections.py.

For each shape of a digit, drawn with other small slips each time: how many of the next five and of the next forty are
read before and after five of them were corrected in the app, what became of the 1,000 check digits in five places,
and the processor time of learning. The shapes of `DEVELOPED` chose how learning goes; `REPORTED` did not.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.sample import Sample
from app.tune import Tuner
from lenet_gpu.ink.preprocess import drawings_to_mnist
from lenet_gpu.nn import check_set
from lenet_gpu.recognition.recognizer import Recognizer

Shape = list[list[list[float]]]
TAUGHT, NEXT = 5, 40


def arc(
    x: float, y: float, width: float, height: float, first: float, last: float, points: int = 14
) -> list[list[float]]:
    """Corners along an ellipse between two angles in degrees, y down."""
    angles = np.radians(np.linspace(first, last, points))
    return [[x + width * np.cos(a), y + height * np.sin(a)] for a in angles]


def mirrored(shape: Shape) -> Shape:
    return [[[-x, y] for x, y in line] for line in shape]


def turned(shape: Shape, degrees: float) -> Shape:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [[[cos * x - sin * y, sin * x + cos * y] for x, y in line] for line in shape]


DEVELOPED: dict[tuple[int, str], Shape] = {
    (9, "g, small loop"): [
        arc(0, -14, 12, 13, 0, -360),
        [[12, -14], [12, 14], *arc(2, 16, 10, 9, 0, 180), [-8, 12], [4, 8], [18, 4]],
    ],
    (9, "g, square loop"): [
        [[10, -28], [-10, -28], [-10, -8], [10, -8], [10, -28]],
        [[10, -8], [10, 26], [-14, 26], [-14, 10], [18, 6]],
    ],
    (9, "mirrored, slanted"): turned(mirrored([arc(-4, -16, 12, 12, 0, -360), [[8, -16], [8, 30]]]), 15),
    (9, "mirrored, small head"): mirrored([arc(-2, -22, 8, 7, 0, -360), [[6, -22], [6, 30]]]),
    (9, "lying to the left"): turned([arc(-2, -14, 12, 12, 0, -360), [[10, -14], [10, 30]]], -55),
    (9, "barred twice"): [
        arc(-2, -16, 11, 11, 0, -360),
        [[9, -16], [4, 30]],
        [[-10, 6], [18, 4]],
        [[-10, 16], [18, 14]],
    ],
    (9, "flag and foot"): [[[8, -28], [-6, -24], [-6, -14], [8, -16]], [[8, -28], [8, 30]], [[-12, 30], [24, 30]]],
    (1, "T"): [[[-18, -30], [18, -30]], [[0, -30], [0, 30]]],
    (2, "mirrored"): mirrored([[[-12, -18], [0, -28], [12, -18], [-14, 28], [16, 28]]]),
    (5, "mirrored"): mirrored([[[12, -28], [-10, -28], [-10, -4], *arc(0, 10, 14, 16, 240, 510)]]),
    (8, "two rings apart"): [arc(0, -18, 9, 9, 0, 360), arc(0, 18, 12, 11, 0, 360)],
}

REPORTED: dict[tuple[int, str], Shape] = {
    (9, "g, big loop"): [
        arc(0, -20, 9, 9, 0, -360),
        [[9, -20], [9, 16], *arc(-4, 16, 13, 15, 0, 180), [-16, 8], [-4, 0], [18, -2]],
    ],
    (9, "figure of eight, open at right"): [
        arc(0, -14, 10, 12, 0, -350),
        [[10, -14], [9, 10], *arc(-2, 16, 11, 11, -20, 250)],
    ],
    (9, "mirrored, hook"): mirrored([arc(-2, -14, 11, 13, 0, -360), [[9, -14], [9, 22], [2, 30], [-10, 26]]]),
    (9, "mirrored, big head"): mirrored([arc(-2, -10, 17, 17, 0, -360), [[15, -10], [15, 30]]]),
    (9, "upside down (6)"): turned([arc(-2, -14, 12, 12, 0, -360), [[10, -14], [10, 30]]], 165),
    (9, "dot head"): [arc(6, -26, 3, 3, 0, -360), [[9, -26], [9, 30]]],
    (9, "ring on a cross"): [arc(0, -18, 10, 10, 0, 360), [[0, -8], [0, 30]], [[-14, 12], [14, 12]]],
    (2, "Z"): [[[-14, -26], [14, -26], [-14, 28], [16, 28]], [[-10, 2], [10, 2]]],
    (3, "mirrored"): mirrored([arc(0, -14, 12, 13, 200, 450) + arc(0, 14, 14, 14, 270, 520)]),
    (6, "mirrored"): mirrored([[[8, -30], [-10, 6], *arc(2, 14, 12, 13, 180, -180)]]),
    (0, "cross in it"): [arc(0, 0, 18, 28, 0, 360), [[-14, 0], [14, 0]], [[0, -20], [0, 20]]],
}

NINES: dict[tuple[int, str], Shape] = {
    (9, "small head, foot"): [
        [[8, -20], [-2, -28], [-10, -20], [-2, -12], [8, -16]],
        [[8, -24], [7, 30]],
        [[-14, 30], [26, 30]],
    ],
    (9, "g with a loop"): [
        arc(0, -16, 11, 12, 0, -360),
        [[11, -16], [11, 18], *arc(-2, 18, 13, 12, 0, 170), [4, 6], [20, 4]],
    ],
    (9, "turned over (P)"): [arc(4, -16, 12, 12, 180, 540), [[-8, -16], [-8, 30]]],
    (9, "crossed stem"): [arc(-2, -16, 11, 11, 0, -360), [[9, -16], [2, 30]], [[-10, 10], [18, 8]]],
    (9, "small head, long slope"): [arc(8, -22, 6, 6, 0, -360), [[14, -22], [-16, 30]]],
}
"""Five nines: some of a larger number that the model misread without a correction."""


def drawings(shape: Shape, count: int) -> list[list[np.ndarray]]:
    """Draw a shape again and again: corners slip, and the whole leans and stretches."""
    found = []
    for seed in range(count):
        chance = np.random.default_rng(seed)
        lean = np.eye(2) + chance.normal(0, 0.06, (2, 2))
        slipped = [np.array(line) + chance.normal(0, 1.5, (len(line), 2)) for line in shape]
        found.append([(line @ lean / 100).astype(np.float32) for line in slipped])
    return found


def right(recognizer: Recognizer, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tell which of some digits are read right by class, and which by answer, (2, n)."""
    found = [recognizer.read(image) for image in images]
    classes = [one.digit == label for one, label in zip(found, labels, strict=True)]
    return np.array([classes, [one.is_digit and fine for one, fine in zip(found, classes, strict=True)]])


def measure(label: int, shape: Shape, folder: Path) -> dict:
    """Correct five drawings of a shape, and read the others."""
    written, recognizer = drawings(shape, TAUGHT + NEXT), Recognizer()
    more, labels = drawings_to_mnist(written[TAUGHT:]), np.full(NEXT, label)
    _, _, checks, names = check_set.load()
    checks, names = check_set.in_places(checks), np.tile(names, len(check_set.PLACES))
    before = right(recognizer, more, labels)[1], right(recognizer, checks, names).sum(axis=1)
    tuner = Tuner(recognizer, folder)
    tuner.prepare()
    start = time.process_time()
    result = tuner.tune([Sample(strokes, label, None) for strokes in written[:TAUGHT]])
    seconds = time.process_time() - start
    after = right(recognizer, more, labels)[1], right(recognizer, checks, names).sum(axis=1)
    return {
        "reason": result.reason, "next 5": [int(one[0][:TAUGHT].sum()) for one in (before, after)],
        "next 40": [int(one[0].sum()) for one in (before, after)],
        "of 5,000 check digits, by class and by answer": (after[1] - before[1]).tolist(),
        "processor seconds": round(seconds, 2),
    }  # fmt: skip


def main() -> None:
    """Measure all shapes."""
    import tempfile

    for title, shapes in (("developed on", DEVELOPED), ("reported", REPORTED), ("nines", NINES)):
        for (label, name), shape in shapes.items():
            with tempfile.TemporaryDirectory() as folder:
                print(f"{title}: {label}, {name}:", json.dumps(measure(label, shape, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
