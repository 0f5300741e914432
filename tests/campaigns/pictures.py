"""Measure how pictures are read: right, refused, wrong and sure, for each nuisance, each width of line, each crop.

    python tests/campaigns/pictures.py                          everything, some minutes
    python tests/campaigns/pictures.py nuisances lines --n 200  some sections, 200 pictures a row

Digits are MNIST's test set pasted as ink, and the last third of pendigits' strokes drawn with any pen: no model was
trained on either. Each share comes with n and its 95 % interval (Wilson 1927). Wrong and sure means a wrong digit
with a confidence above 0.9.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

import made_pictures as made  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from lenet_gpu import Recognizer, load_dataset  # noqa: E402
from lenet_gpu.seeds import generator  # noqa: E402

SEED = 20_261
SURE = 0.9
PENS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25)
SIZES = (60, 120, 250, 500, 1000)
CROPS = (20, 28, 50, 100, 300, 1000)
PAIRS = (
    *(("ruled", "hard shadow"), ("squared", "soft shadow"), ("squared, turned", "grain"), ("strip", "hard shadow")),
    *(("frame", "specks"), ("security print", "JPEG 30"), ("table", "grain"), ("ruled", "blur"), ("slope", "strip")),
    *(("neighbour's rest", "frame"), ("colour", "JPEG 30"), ("margin line", "soft shadow"), ("specks", "blur")),
)


class Hands:
    """Digits that no model was trained on."""

    def __init__(self) -> None:
        self.test = load_dataset("mnist", download=False, progress=False).test
        strokes = load_dataset("pendigits", download=False, progress=False).train
        last = np.arange(len(strokes) * 2 // 3, len(strokes))
        self.drawings, self.labels = strokes.drawings.take(last), strokes.labels[last]

    def stroke_digit(self, rng, height, pen):
        k = int(rng.integers(len(self.labels)))
        return made.drawn(self.drawings[k], height, pen), int(self.labels[k])

    def pasted_digit(self, rng, height):
        k = int(rng.integers(len(self.test)))
        return made.pasted(self.test.images[k], height), int(self.test.labels[k])

    def any_digit(self, rng, height):
        if rng.random() < 0.5:
            return self.pasted_digit(rng, height)
        return self.stroke_digit(rng, height, float(np.exp(rng.uniform(np.log(0.03), np.log(0.15)))))


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in %."""
    z, p = 1.96, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def row(name: str, recognizer: Recognizer, pictures: Iterable[tuple[np.ndarray, int]]) -> dict:
    """Read pictures of one digit each, print a line of shares, and return the counts."""
    n = right = refused = sure = 0
    reasons: dict[str, int] = {}
    began = time.perf_counter()
    for picture, label in pictures:
        answer = recognizer.predict_image(picture)
        n += 1
        if not answer.is_digit:
            refused += 1
            reasons[answer.reason] = reasons.get(answer.reason, 0) + 1
        elif answer.digit == label:
            right += 1
        else:
            sure += answer.confidence > SURE
    low, high = interval(right, n)
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:4])
    print(
        f"| {name} | {n} | {100 * right / n:.1f} ({low:.1f} to {high:.1f}) | {100 * refused / n:.1f} | "
        f"{100 * sure / n:.1f} | {why} | {1000 * (time.perf_counter() - began) / n:.0f} ms",
        flush=True,
    )
    return {"n": n, "right": right, "refused": refused, "sure": sure}


def nuisances(recognizer: Recognizer, hands: Hands, n: int, sets: Iterable[tuple[str, ...]]) -> None:
    """Digits 90 to 250 pixels high on 800x600 pixels, one row for each set of nuisances, every fourth inverted."""
    for names in sets:
        rng = generator(SEED, 1)

        def pictures(names=names, rng=rng):
            for k in range(n):
                ink, label = hands.any_digit(rng, int(rng.integers(90, 251)))
                yield made.picture_of(made.scene_of(ink, rng=rng), names, rng, inverted=k % 4 == 3), label

        row(" + ".join(names) or "none", recognizer, pictures())


def crops(recognizer: Recognizer, hands: Hands, n: int) -> None:
    """MNIST's test digits cropped to their ink, at many sizes, beside the same with ground around them."""
    for size in CROPS:
        for inverted in (False, True):
            for ground in (0, 4):
                rng = generator(SEED, 2)

                def pictures(size=size, inverted=inverted, ground=ground, rng=rng):
                    for k in rng.permutation(len(hands.test))[:n]:
                        field = hands.test.images[k]
                        rows, columns = (np.flatnonzero(field.any(axis=axis)) for axis in (1, 0))
                        crop = field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                        width = max(1, round(crop.shape[1] * size / crop.shape[0]))
                        if size != 20 or len(rows) != 20:
                            crop = np.asarray(Image.fromarray(crop).resize((width, size), Image.Resampling.BICUBIC))
                        # Four pixels of the 28x28 field's scale.
                        crop = np.pad(crop, round(ground * size / 20))
                        yield (crop if inverted else 255 - crop), int(hands.test.labels[k])

                polarity = "light on dark" if inverted else "dark on light"
                row(f"crop, {size} px high, {polarity}, ground {ground}", recognizer, pictures())


def lines(recognizer: Recognizer, hands: Hands, n: int) -> None:
    """Clean drawings with lines of many widths."""
    for pen in PENS:
        for size in SIZES:
            rng = generator(SEED, 3)

            def pictures(pen=pen, size=size, rng=rng):
                for k in range(n):
                    ink, label = hands.stroke_digit(rng, size, pen)
                    margin = size // 6
                    scene = made.scene_of(np.pad(ink, margin), tuple(side + 2 * margin for side in ink.shape))
                    yield made.picture_of(scene, (), rng, inverted=k % 2 == 1), label

            row(f"pen {100 * pen:g} %, {size} px", recognizer, pictures())


def pages(recognizer: Recognizer, hands: Hands, n: int) -> None:
    """Pages of 3 to 40 stroke digits in lines, read whole: digits at their place in a line of the right length."""
    rng = generator(SEED, 4)
    right = total = alone = whole = lines_made = wrong = 0
    for _ in range(n):
        height, pen = int(rng.integers(40, 91)), float(rng.uniform(0.05, 0.12))
        left, rows = int(rng.integers(3, 41)), []
        while left:
            rows.append(min(left, int(rng.integers(2, 11))))
            left -= rows[-1]
        paper = np.zeros((int(1.8 * height * (len(rows) + 1)), 15 * height), np.float32)
        texts = []
        for row_number, count in enumerate(rows):
            x, text = height, ""
            for _ in range(count):
                ink, label = hands.stroke_digit(rng, int(height * rng.uniform(0.9, 1.1)), pen)
                alone += (
                    recognizer.predict_image(np.rint(230 - 160 * np.pad(ink, 12)).astype(np.uint8)).digit == label
                )
                top = int(height * (0.6 + 1.8 * row_number + rng.uniform(-0.05, 0.05)))
                if x + ink.shape[1] > paper.shape[1] - 10:
                    break
                there = paper[top : top + ink.shape[0], x : x + ink.shape[1]]
                np.maximum(there, ink, out=there)
                x += ink.shape[1] + int(height * rng.uniform(0.1, 0.45))
                text += str(label)
            texts.append(text)
        scene = made.Scene(np.full(paper.shape, made.PAPER, np.float32), paper, (0, 0, *paper.shape), made.INK, paper)
        found = recognizer.read_page(made.picture_of(scene, ("grain",), rng))
        lines_made += len(texts)
        total += sum(map(len, texts))
        for text, line in zip(texts, found.lines if len(found.lines) == len(texts) else [], strict=False):
            whole += line.text == text
            if len(line.text) == len(text):
                right += sum(a == b for a, b in zip(line.text, text, strict=True))
                wrong += sum(a not in (b, "?") for a, b in zip(line.text, text, strict=True))
    for name, hits, of in (
        ("pages: digits", right, total),
        ("pages: digits read wrong", wrong, total),
        ("pages: whole lines", whole, lines_made),
        ("the same digits alone", alone, total),
    ):
        low, high = interval(min(hits, of), of)
        print(f"| {name}, {n} pages | {of} | {100 * hits / of:.1f} ({low:.1f} to {high:.1f}) | | | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=["nuisances", "pairs", "crops", "lines", "pages"])
    parser.add_argument("--n", type=int, default=300, help="pictures a row")
    parser.add_argument("--model", default="touch")
    parser.add_argument("--only", nargs="*", help="nuisances to measure")
    options = parser.parse_args()
    recognizer, hands = Recognizer(options.model), Hands()
    print("| pictures | n | right, % | refused, % | wrong and sure, % | reasons | time |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    for section in options.sections:
        if section == "nuisances":
            sets = [(), *((name,) for name in made.NUISANCES)]
            nuisances(recognizer, hands, options.n, [s for s in sets if not options.only or set(s) & {*options.only}])
        elif section == "pairs":
            nuisances(recognizer, hands, options.n, PAIRS)
        else:
            {"crops": crops, "lines": lines, "pages": pages}[section](recognizer, hands, options.n)


if __name__ == "__main__":
    main()
