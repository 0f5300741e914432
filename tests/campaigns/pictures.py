"""Measure how pictures are read: right, refused, wrong and sure, for each nuisance, each width of line, each crop.

    python tests/campaigns/pictures.py                          everything, an hour of two cores
    python tests/campaigns/pictures.py nuisances lines --n 200  some sections, 200 pictures a row
    python tests/campaigns/pictures.py --hands development      hands that choices may be made by

Digits are MNIST's test set pasted as ink, and the last third of pendigits' strokes drawn with any pen: no model was
trained on either. Development takes MNIST's training digits and the first two thirds instead. Each share comes with n
and its 95 % interval (Wilson 1927). Wrong and sure means a wrong digit with a confidence above 0.9. The rows of
`--results FILE` replace those of the same name there; tests/benchmarks/accuracy_page.py writes them into
docs/explain/accuracy.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "benchmarks")]

import made_pictures as made  # noqa: E402
import made_scenes  # noqa: E402, F401 - adds nuisances
import numpy as np  # noqa: E402
from accuracy_page import interval  # noqa: E402
from PIL import Image  # noqa: E402
from stylus import stylus_digits  # noqa: E402

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
    """Digits that no model was trained on; or, for development, those that choices may be made by."""

    def __init__(self, development: bool = False) -> None:
        mnist = load_dataset("mnist", download=False, progress=False)
        self.test = mnist.train if development else mnist.test
        self.drawings, self.labels = stylus_digits(last=not development)

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


class Book:
    """What has been counted, and where pictures that were not read right are kept.

    Args:
        results: A file of rows by name, which grows; None for none.
        keep: A folder for pictures; None for none.
        only: Names of the nuisances to measure; None for all.
    """

    def __init__(self, results: Path | None, keep: Path | None, only: list[str] | None = None) -> None:
        self.results, self.keep, self.only = results, keep, only
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, counts: dict) -> None:
        if self.results is not None:
            rows = json.loads(self.results.read_text()) if self.results.exists() else {}
            rows[name] = counts
            lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items())
            self.results.write_text(f"{{\n{lines}\n}}\n")

    def show(self, name: str, k: int, picture: np.ndarray, label: int, answer: str) -> None:
        if self.keep is not None:
            Image.fromarray(picture).save(self.keep / f"{name} {k} is {label} read {answer}.png".replace("/", "-"))


def row(
    name: str, recognizer: Recognizer, pictures: Iterable[tuple[np.ndarray, int]], book: Book, seed: int = 0
) -> dict:
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
        if not answer.is_digit or answer.digit != label:
            book.show(name, n, picture, label, answer.reason or f"{answer.digit} {answer.confidence:.2f}")
    low, high = interval(right, n)
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:4])
    print(
        f"| {name} | {n} | {100 * right / n:.1f} ({low:.1f} to {high:.1f}) | {100 * refused / n:.1f} | "
        f"{100 * sure / n:.1f} | {why} | {1000 * (time.perf_counter() - began) / n:.0f} ms",
        flush=True,
    )
    counts = {"n": n, "right": right, "refused": refused, "sure": int(sure), "seed": seed}
    book.write(name, counts)
    return counts


def nuisances(
    recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book, sets: Iterable[tuple[str, ...]]
) -> None:
    """Digits 90 to 250 pixels high on 800x600 pixels, one row for each set of nuisances, every fourth inverted."""
    for names in sets:
        rng = generator(seed, 1)

        def pictures(names=names, rng=rng):
            for k in range(n):
                ink, label = hands.any_digit(rng, int(rng.integers(90, 251)))
                yield made.picture_of(made.scene_of(ink, rng=rng), names, rng, inverted=k % 4 == 3), label

        row(" + ".join(names) or "none", recognizer, pictures(), book, seed)


def crops(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """MNIST's test digits cropped to their ink, at many sizes, beside the same with ground around them."""
    for size in CROPS:
        for inverted in (False, True):
            for ground in (0, 4):
                rng = generator(seed, 2)

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
                row(f"crop, {size} px high, {polarity}, ground {ground}", recognizer, pictures(), book, seed)


def lines(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Clean drawings with lines of many widths."""
    for pen in PENS:
        for size in SIZES:
            rng = generator(seed, 3)

            def pictures(pen=pen, size=size, rng=rng):
                for k in range(n):
                    ink, label = hands.stroke_digit(rng, size, pen)
                    margin = size // 6
                    scene = made.scene_of(np.pad(ink, margin), tuple(side + 2 * margin for side in ink.shape))
                    yield made.picture_of(scene, (), rng, inverted=k % 2 == 1), label

            row(f"pen {100 * pen:g} %, {size} px", recognizer, pictures(), book, seed)


def alone_right(recognizer: Recognizer, ink: np.ndarray, label: int) -> bool:
    """Tell whether a digit is read right in a picture of its own."""
    answer = recognizer.predict_image(np.rint(230 - 160 * np.pad(ink, 12)).astype(np.uint8))
    return answer.is_digit and answer.digit == label


def written(hands: Hands, rng, height: int, pen: float, count: int, width: int) -> tuple[np.ndarray, list]:
    """Write digits side by side: (h, w) ink, and the ink and label of each that found room."""
    line = np.zeros((int(1.3 * height), width), np.float32)
    x, digits = height, []
    for _ in range(count):
        ink, label = hands.stroke_digit(rng, int(height * rng.uniform(0.9, 1.1)), pen)
        top = int(height * (0.1 + rng.uniform(-0.05, 0.05)))
        if x + ink.shape[1] > width - 10:
            break
        there = line[top : top + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(there, ink, out=there)
        x += ink.shape[1] + int(height * rng.uniform(0.1, 0.45))
        digits.append((ink, label))
    return line, digits


def on_paper(ink: np.ndarray, rng) -> np.ndarray:
    scene = made.Scene(np.full(ink.shape, made.PAPER, np.float32), ink, (0, 0, *ink.shape), made.INK, ink)
    return made.picture_of(scene, ("grain",), rng)


def share(name: str, hits: int, of: int, book: Book, seed: int) -> None:
    low, high = interval(min(hits, of), of)
    print(f"| {name} | {of} | {100 * hits / of:.1f} ({low:.1f} to {high:.1f}) | | | |", flush=True)
    book.write(name, {"n": int(of), "right": int(hits), "seed": seed})


def pages(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Pages of 3 to 40 stroke digits in lines, read whole: digits at their place in a line of the right length."""
    rng = generator(seed, 4)
    right = total = alone = whole = lines_made = wrong = 0
    for number in range(n):
        height, pen = int(rng.integers(40, 91)), float(rng.uniform(0.05, 0.12))
        left, lines_here, texts = int(rng.integers(3, 41)), [], []
        while left:
            count = min(left, int(rng.integers(2, 11)))
            left -= count
            line, digits = written(hands, rng, height, pen, count, 15 * height)
            alone += sum(alone_right(recognizer, *digit) for digit in digits)
            lines_here.append(np.pad(line, ((height // 2, 0), (0, 0))))
            texts.append("".join(str(label) for _, label in digits))
        page = np.concatenate([*lines_here, np.zeros((height, 15 * height), np.float32)])
        picture = on_paper(page, rng)
        found = recognizer.read_page(picture)
        lines_made += len(texts)
        total += sum(map(len, texts))
        for text, line in zip(texts, found.lines if len(found.lines) == len(texts) else [], strict=False):
            whole += line.text == text
            if len(line.text) == len(text):
                right += sum(a == b for a, b in zip(line.text, text, strict=True))
                wrong += sum(a not in (b, "?") for a, b in zip(line.text, text, strict=True))
        if found.text != "\n".join(texts):
            book.show("page", number, picture, "_".join(texts), found.text.replace("\n", "_"))
    for name, hits, of in (
        ("pages: digits", right, total),
        ("pages: digits read wrong", wrong, total),
        ("pages: whole lines", whole, lines_made),
        ("pages: the same digits alone", alone, total),
    ):
        share(f"{name}, {n} pages", hits, of, book, seed)


def numbers(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Numbers of ten digits on paper."""
    rng = generator(seed, 5)
    whole = readable = both = 0
    for number in range(n):
        height, pen = int(rng.integers(40, 91)), float(rng.uniform(0.05, 0.12))
        line, digits = written(hands, rng, height, pen, 10, 25 * height)
        picture = on_paper(np.pad(line, height // 2), rng)
        text, truth = recognizer.read_page(picture).text, "".join(str(label) for _, label in digits)
        each = all(alone_right(recognizer, *digit) for digit in digits)
        whole += text == truth
        readable += each
        both += each and text == truth
        if each and text != truth:
            book.show("number", number, picture, truth, text.replace("\n", "_"))
    share("numbers of 10 digits: whole", whole, n, book, seed)
    share("numbers of 10 digits, each read right alone: whole", both, readable, book, seed)


def all_nuisances(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Each nuisance alone, and none."""
    sets = [(), *((name,) for name in made.NUISANCES)]
    nuisances(recognizer, hands, n, seed, book, [s for s in sets if not book.only or set(s) & {*book.only}])


def pairs(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Nuisances in pairs."""
    nuisances(recognizer, hands, n, seed, book, PAIRS)


SECTIONS = {
    "nuisances": all_nuisances,
    "pairs": pairs,
    "crops": crops,
    "lines": lines,
    "pages": pages,
    "numbers": numbers,
}


def main(about: str | None = __doc__, sections: dict = SECTIONS) -> None:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=[*sections], help=", ".join(sections))
    parser.add_argument("--n", type=int, default=300, help="pictures a row")
    parser.add_argument("--model", default="touch")
    parser.add_argument("--only", nargs="*", help="nuisances to measure")
    parser.add_argument("--hands", choices=("held-out", "development"), default="held-out")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--results", type=Path, help="JSON file that the counts are put into")
    parser.add_argument("--keep", type=Path, help="folder for pictures that were not read right")
    options = parser.parse_args()
    recognizer, hands = Recognizer(options.model), Hands(options.hands == "development")
    book = Book(options.results, options.keep, options.only)
    print("| pictures | n | right, % | refused, % | wrong and sure, % | reasons | time |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    for section in options.sections:
        sections[section](recognizer, hands, options.n, options.seed, book)


if __name__ == "__main__":
    main()
